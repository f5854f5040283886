package source

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// shardsOfMDS is a Source over shards of MosaicML's streaming format, as index.json lists them. A shard is: the number
// n of samples; n+1 offsets from the file's start, of each sample and of the end; a description, which index.json
// repeats; the samples. Numbers are uint32, the low byte first. A sample begins with the size of each column that has
// no fixed one, in order, and the columns' values follow. Which column is the picture and which the label, index.json
// says by their encodings and names.
type shardsOfMDS struct {
	paths    []string
	parts    []mdsShard
	starts   []int
	classes  []string
	labels   []int32
	manifest string
	files    handles
}

// mdsShard is one of them.
type mdsShard struct {
	key     stamp
	offsets []uint32 // of the pictures
	sizes   []uint32
}

// mdsIndex is what index.json says.
type mdsIndex struct {
	Version int            `json:"version"`
	Shards  []mdsDescribed `json:"shards"`
}

type mdsDescribed struct {
	Format    string   `json:"format"`
	Names     []string `json:"column_names"`
	Encodings []string `json:"column_encodings"`
	Sizes     []*int   `json:"column_sizes"` // null: it stands in each sample
	Samples   int      `json:"samples"`
	Raw       *mdsFile `json:"raw_data"`
	Zip       *mdsFile `json:"zip_data"`
}

type mdsFile struct {
	Name  string `json:"basename"`
	Bytes int64  `json:"bytes"`
}

// isMDS reads the index.json of a folder; nil where there is none, or one of something else.
func isMDS(ctx context.Context, files Files, folder string) *mdsIndex {
	text, err := readFile(ctx, files, join(folder, IndexFile))
	x := &mdsIndex{}
	if err != nil || json.Unmarshal(text, x) != nil || len(x.Shards) == 0 || x.Shards[0].Format != "mds" {
		return nil
	}
	return x
}

func openMDS(ctx context.Context, files Files, folder string, x *mdsIndex) (Source, error) {
	what := fmt.Sprintf("open data %q", folder)
	m := &shardsOfMDS{starts: []int{0}}
	for i, s := range x.Shards {
		switch {
		case s.Format != "mds":
			return nil, failed(what, fmt.Sprintf("its shard %d has the format %q", i, s.Format), "shards of the format mds", nil)
		case s.Raw == nil || s.Raw.Name == "":
			return nil, failed(what, fmt.Sprintf("%s names no file of shard %d", IndexFile, i), "the index.json of the writer",
				nil)
		}
		name := path.Clean("/" + s.Raw.Name)[1:] // in the folder, whatever it says
		m.paths = append(m.paths, join(folder, name))
	}
	m.files.init(files, m.paths, openLimit())
	for i := range x.Shards {
		if err := m.take(ctx, files, i, &x.Shards[i]); err != nil {
			_ = m.files.close()
			if known(err) || ctx.Err() != nil {
				return nil, err
			}
			return nil, failed(fmt.Sprintf("read %q", m.paths[i]), err.Error(),
				"a shard of MosaicML's streaming with a column jpeg, png or bytes, and its own index.json", err)
		}
	}
	if m.Len() == 0 {
		return nil, failed(what, "there is no sample in its shards", "other shards", nil)
	}
	m.manifest = manifest(m.Len(), len(m.classes), func(i int) (string, int64, int) {
		part, row := m.find(i)
		return m.Entry(i), int64(m.parts[part].sizes[row]), m.Label(i)
	})
	return m, nil
}

// mdsColumns are the places of the picture and the label among the columns of a shard; label −1: none.
type mdsColumns struct{ picture, label int }

// columns finds them: the first column that is a picture by its encoding, else bytes; and label, class or y, or cls as
// WebDataset calls it, of a kind of integer.
func (s *mdsDescribed) columns() (c mdsColumns, err error) {
	c = mdsColumns{-1, -1}
	if len(s.Names) != len(s.Encodings) || len(s.Names) != len(s.Sizes) || len(s.Names) == 0 {
		return c, errors.New("its columns have not each a name, an encoding and a size")
	}
	kinds := make([]string, len(s.Encodings))
	for i, e := range s.Encodings {
		kinds[i], _, _ = strings.Cut(e, ":")
		if s.Sizes[i] != nil && (*s.Sizes[i] < 0 || *s.Sizes[i] > maxImageBytes) {
			return c, fmt.Errorf("its column %s has values of %d bytes", Printable(s.Names[i]), *s.Sizes[i])
		}
	}
	for _, wanted := range []string{"jpeg", "png", "bytes"} {
		if c.picture < 0 {
			c.picture = slices.Index(kinds, wanted)
		}
	}
	if c.picture < 0 {
		why := fmt.Sprintf("it has no column of pictures, but %s", printables([]string{strings.Join(s.Encodings, ", ")})[0])
		if slices.Contains(kinds, "pil") {
			why += "; pixels as pil has them are not read: write the column as jpeg or png"
		}
		return c, errors.New(why)
	}
	for _, name := range []string{"label", "class", "cls", "y"} {
		if i := slices.Index(s.Names, name); c.label < 0 && i >= 0 && mdsInteger(kinds[i]) > 0 {
			c.label = i
		}
	}
	return c, nil
}

// mdsInteger is how many bytes an integer of an encoding has; 0: it is none.
func mdsInteger(encoding string) int {
	switch encoding {
	case "int", "int64", "uint64":
		return 8
	case "int32", "uint32":
		return 4
	case "int16", "uint16":
		return 2
	case "int8", "uint8":
		return 1
	}
	return 0
}

// take reads where the pictures of a shard are, and its labels.
func (m *shardsOfMDS) take(ctx context.Context, files Files, k int, s *mdsDescribed) error {
	columns, err := s.columns()
	if err != nil {
		return err
	}
	if _, err := files.Stat(ctx, m.paths[k]); err != nil && s.Zip != nil {
		if _, err := files.Stat(ctx, beside(m.paths[k], path.Base(s.Zip.Name))); err == nil {
			return fmt.Errorf("it lies there compressed, as %s: shards are read where pictures lie, so decompress them first",
				Printable(path.Base(s.Zip.Name)))
		}
	}
	f, err := m.files.take(ctx, k)
	if err != nil {
		return err
	}
	defer m.files.give(k)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size != s.Raw.Bytes {
		return fmt.Errorf("it has %d bytes, and %s says %d", info.Size, IndexFile, s.Raw.Bytes)
	}
	offsets, err := mdsOffsets(f, info.Size, s.Samples)
	if err != nil {
		return err
	}
	p := mdsShard{key: stampOf("", info), offsets: make([]uint32, s.Samples), sizes: make([]uint32, s.Samples)}
	for i := range s.Samples {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		label, err := p.sample(f, i, offsets[i:i+2], s, columns)
		if err != nil {
			return fmt.Errorf("its sample %d %w", i, err)
		}
		m.labels = append(m.labels, label)
		for len(m.classes) <= int(label) {
			m.classes = append(m.classes, strconv.Itoa(len(m.classes)))
		}
	}
	m.parts, m.starts = append(m.parts, p), append(m.starts, m.Len()+s.Samples)
	return nil
}

// mdsOffsets reads where the samples of a shard of so many bytes begin, and where the last one ends.
func mdsOffsets(f File, bytes int64, samples int) ([]uint32, error) {
	head := 4 * (2 + int64(samples))
	if samples < 0 || head > bytes || bytes > math.MaxUint32 {
		return nil, fmt.Errorf("%d samples do not fit into %d bytes", samples, bytes)
	}
	b := make([]byte, head)
	if err := readAt(f, b, 0); err != nil {
		return nil, err
	}
	if n := binary.LittleEndian.Uint32(b); int64(n) != int64(samples) {
		return nil, fmt.Errorf("it has %d samples, and %s says %d", n, IndexFile, samples)
	}
	offsets, last := make([]uint32, samples+1), uint32(head)
	for i := range offsets {
		offsets[i] = binary.LittleEndian.Uint32(b[4*(i+1):])
		if offsets[i] < last || int64(offsets[i]) > bytes {
			return nil, fmt.Errorf("its sample %d begins at byte %d, which cannot be", i, offsets[i])
		}
		last = offsets[i]
	}
	return offsets, nil
}

// sample notes where the picture of sample i is, which lies between two offsets, and gives its label.
func (p *mdsShard) sample(f File, i int, at []uint32, s *mdsDescribed, c mdsColumns) (int32, error) {
	variable := 0
	for _, n := range s.Sizes {
		if n == nil {
			variable++
		}
	}
	head := make([]byte, 4*variable)
	if int64(at[0])+int64(len(head)) > int64(at[1]) {
		return -1, errors.New("is cut short")
	}
	if err := readAt(f, head, int64(at[0])); err != nil {
		return -1, err
	}
	label, pos := int32(-1), int64(at[0])+int64(len(head))
	for k, fixed := range s.Sizes {
		size := int64(0)
		if fixed != nil {
			size = int64(*fixed)
		} else {
			size, head = int64(binary.LittleEndian.Uint32(head)), head[4:]
		}
		if pos+size > int64(at[1]) {
			return -1, errors.New("is cut short")
		}
		switch k {
		case c.picture:
			if size > maxImageBytes {
				return -1, fmt.Errorf("has a picture of %d bytes", size)
			}
			p.offsets[i], p.sizes[i] = uint32(pos), uint32(size)
		case c.label:
			var err error
			if label, err = mdsLabel(f, pos, size); err != nil {
				return -1, err
			}
		}
		pos += size
	}
	return label, nil
}

// mdsLabel reads a label, of two's complement where it is negative: none.
func mdsLabel(f File, at, size int64) (int32, error) {
	var b [8]byte
	if size < 1 || size > int64(len(b)) {
		return -1, fmt.Errorf("has a label of %d bytes", size)
	}
	if err := readAt(f, b[:size], at); err != nil {
		return -1, err
	}
	n := binary.LittleEndian.Uint64(b[:])
	if all := uint64(math.MaxUint64) >> (64 - 8*size); n == all {
		return -1, nil
	}
	if n > maxLabel {
		return -1, fmt.Errorf("has the label %d, which is not from 0 to %d", n, maxLabel)
	}
	return int32(n), nil
}

func (m *shardsOfMDS) find(i int) (part, row int) {
	part = sort.SearchInts(m.starts, i+1) - 1
	return part, i - m.starts[part]
}

func (m *shardsOfMDS) Len() int          { return m.starts[len(m.starts)-1] }
func (m *shardsOfMDS) Label(i int) int   { return int(m.labels[i]) }
func (m *shardsOfMDS) Classes() []string { return m.classes }
func (*shardsOfMDS) Omitted() []Omission { return nil }
func (m *shardsOfMDS) Manifest() string  { return m.manifest }
func (m *shardsOfMDS) Close() error      { return m.files.close() }

// Name implements Source.
func (m *shardsOfMDS) Name(i int) string {
	part, row := m.find(i)
	return Printable(fmt.Sprintf("%s:sample %d", m.paths[part], row))
}

// Entry is the shard and the sample. Pictures are told by their content; the ending is for tars that are made of them.
func (m *shardsOfMDS) Entry(i int) string {
	part, row := m.find(i)
	return fmt.Sprintf("%s/%09d.jpg", path.Base(m.paths[part]), row)
}

// Bytes implements Source.
func (m *shardsOfMDS) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	part, row := m.find(i)
	p := &m.parts[part]
	f, err := m.files.take(ctx, part)
	if err != nil {
		return nil, about(m.paths[part], err)
	}
	defer m.files.give(part)
	info, err := f.Stat()
	if err != nil {
		return nil, about(m.paths[part], err)
	}
	if stampOf("", info) != p.key {
		return nil, fmt.Errorf("%s: %w (restart the run if this was meant)", Printable(m.paths[part]), ErrChanged)
	}
	buf = slices.Grow(buf[:0], int(p.sizes[row]))[:p.sizes[row]]
	if err := readAt(f, buf, int64(p.offsets[row])); err != nil {
		return nil, about(m.Name(i), err)
	}
	return buf, nil
}
