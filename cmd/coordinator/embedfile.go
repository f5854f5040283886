package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/spf13/cobra"

	"byol/coordinator/features"
	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/internal/vector"
)

// embedding is features of images, as files of them are written.
type embedding struct {
	store   *features.Store
	rows    []int // of the store that are written
	dim     int
	labels  []int64
	names   []string
	classes []string
	of      *subject
}

// embedFormats are what a file's name may end with, and who writes it.
func embedFormats() map[string]func(path string, e *embedding) error {
	return map[string]func(path string, e *embedding) error{".npy": writeNPY, ".safetensors": writeTensors,
		".parquet": writeParquet}
}

// embedOrder is what embed is asked for.
type embedOrder struct {
	encoder, data, output string
	write                 func(path string, e *embedding) error
}

func (e *evalFlags) embed(ctx context.Context, cmd *cobra.Command, o embedOrder) error {
	s, err := e.openSubject(o.encoder)
	if err != nil {
		return err
	}
	set, err := e.openSet(ctx, "data", o.data, s.run.GetData())
	if err != nil {
		return err
	}
	defer closeSets(set)
	j, err := e.startJob(ctx, newPace(cmd.ErrOrStderr(), e.quiet), s, set)
	if err != nil {
		return err
	}
	defer j.Close()
	store, err := j.store(ctx, 0, set)
	if err != nil {
		return err
	}
	defer store.Close()
	out := &embedding{store: store, rows: rowsOf(store, nil), dim: j.dim, classes: set.names, of: s}
	for _, i := range out.rows {
		out.names = append(out.names, set.images.Name(i))
		out.labels = append(out.labels, int64(max(set.images.Label(i), -1)))
	}
	if err := o.write(o.output, out); err != nil {
		return &failure.Failure{What: "cannot write " + o.output, Why: err.Error(), Code: failure.Checkpoint,
			Try: "-o with a place that has room; the same command goes on from what is finished"}
	}
	left := ""
	if n := set.images.Len() - len(out.rows); n > 0 {
		left = fmt.Sprintf("; %s that cannot be decoded are left out", grouped(int64(n)))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d features of %s images by %s%s\n", o.output, j.dim,
		grouped(int64(len(out.rows))), s.Shape, left)
	return err
}

// each gives the rows, some at a time.
func (e *embedding) each(got func(rows []float32) error) error {
	const atOnce = 1024
	buf := make([]float32, atOnce*e.dim)
	for at := 0; at < len(e.rows); at += atOnce {
		part := e.rows[at:min(at+atOnce, len(e.rows))]
		x := buf[:len(part)*e.dim]
		if err := readRows(e.store, part, e.dim, x); err != nil {
			return err
		}
		if err := got(x); err != nil {
			return err
		}
	}
	return nil
}

// writeNPY writes the features as numpy.load reads them, and what belongs to them into files beside.
func writeNPY(path string, e *embedding) error {
	stem := strings.TrimSuffix(path, ".npy")
	err := atomicfile.Replace(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		b.Write(npyHeader("<f4", len(e.rows), e.dim))
		err := e.each(func(rows []float32) error { _, err := b.Write(vector.Bytes(rows)); return err })
		if err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return err
	}
	labels := append(npyHeader("<i8", len(e.labels)), safetensors.FromInt64s(e.labels)...)
	if err := atomicfile.Write(stem+".labels.npy", labels); err != nil {
		return err
	}
	for suffix, lines := range map[string][]string{".names.txt": e.names, ".classes.txt": e.classes} {
		var text strings.Builder
		for _, l := range lines {
			text.WriteString(strings.ReplaceAll(l, "\n", " ") + "\n")
		}
		if err := atomicfile.Write(stem+suffix, []byte(text.String())); err != nil {
			return err
		}
	}
	return nil
}

// npyHeader begins a file of numpy's format 1.0: an array of that type and shape follows, row by row.
func npyHeader(dtype string, shape ...int) []byte {
	const align = 64
	words := make([]string, len(shape))
	for i, n := range shape {
		words[i] = fmt.Sprint(n)
	}
	dims := strings.Join(words, ", ")
	if len(shape) == 1 {
		dims += ","
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", dtype, dims)
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	n := b.Len() + 2 + len(dict) + 1
	dict += strings.Repeat(" ", (align-n%align)%align) + "\n"
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(dict))))
	b.WriteString(dict)
	return b.Bytes()
}

// meta is what a file says of its features, with the lists as JSON.
func (e *embedding) meta(lists map[string][]string) (map[string]string, error) {
	meta := map[string]string{"architecture": e.of.Arch, "network": e.of.Network, "step": fmt.Sprint(e.of.Step),
		"weights_sha256": e.of.Digest()}
	for key, list := range lists {
		text, err := json.Marshal(append([]string{}, list...))
		if err != nil {
			return nil, err
		}
		meta[key] = strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return meta, nil
}

// writeTensors writes everything into one file.
func writeTensors(path string, e *embedding) error {
	meta, err := e.meta(map[string][]string{"names": e.names, "classes": e.classes})
	if err != nil {
		return err
	}
	return atomicfile.Replace(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		err := safetensors.WriteHeader(b, []safetensors.Tensor{
			{Name: "labels", DType: safetensors.I64, Shape: []int{len(e.labels)}},
			{Name: "features", DType: safetensors.F32, Shape: []int{len(e.rows), e.dim}}}, meta)
		if err != nil {
			return err
		}
		b.Write(safetensors.FromInt64s(e.labels))
		if err := e.each(func(rows []float32) error { _, err := b.Write(vector.Bytes(rows)); return err }); err != nil {
			return err
		}
		return b.Flush()
	})
}

// imageRow is an image's row in a Parquet file.
type imageRow struct {
	Name     string    `parquet:"name"`
	Label    *int64    `parquet:"label,optional"`
	Features []float32 `parquet:"features,list"`
}

// groupBytes is how many bytes of features a row group of a Parquet file has: it is in memory until it is written.
const groupBytes = 64 << 20

// writeParquet writes a row for each image. Names of classes are where Hugging Face has them.
func writeParquet(path string, e *embedding) error {
	meta, err := e.meta(nil)
	if err != nil {
		return err
	}
	type feature map[string]any
	said, err := json.Marshal(map[string]any{"info": map[string]any{"features": feature{
		"name": feature{"dtype": "string", "_type": "Value"}, "label": feature{"names": e.classes, "_type": "ClassLabel"},
		"features": feature{"feature": feature{"dtype": "float32", "_type": "Value"}, "_type": "List"}}}})
	if err != nil {
		return err
	}
	options := []parquet.WriterOption{parquet.Compression(&parquet.Snappy)}
	if len(e.classes) > 0 {
		options = append(options, parquet.KeyValueMetadata("huggingface", strings.ToValidUTF8(string(said), "\uFFFD")))
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		options = append(options, parquet.KeyValueMetadata("byol."+key, meta[key]))
	}
	return atomicfile.Replace(path, func(w io.Writer) error {
		out := parquet.NewGenericWriter[imageRow](w, options...)
		at, group := 0, 0
		err := e.each(func(rows []float32) error {
			n := len(rows) / e.dim
			part := make([]imageRow, n)
			for i := range part {
				part[i] = imageRow{Name: strings.ToValidUTF8(e.names[at], "\uFFFD"), Features: rows[i*e.dim : (i+1)*e.dim]}
				if e.labels[at] >= 0 {
					part[i].Label = &e.labels[at]
				}
				at++
			}
			if _, err := out.Write(part); err != nil {
				return err
			}
			if group += 4 * len(rows); group < groupBytes {
				return nil
			}
			group = 0
			return out.Flush()
		})
		if err != nil {
			return err
		}
		return out.Close()
	})
}
