package source_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// mdsColumn is a column of a shard that a test writes: size 0 where each sample says its own.
type mdsColumn struct {
	name, encoding string
	size           int
}

// mdsShardOf is a shard as the format's description has it (Streaming 0.x, version 2), and its entry of index.json.
func mdsShardOf(name string, columns []mdsColumn, samples [][][]byte) (shard []byte, entry map[string]any) {
	var names, encodings []string
	var sizes []any
	for _, c := range columns {
		names, encodings = append(names, c.name), append(encodings, c.encoding)
		if c.size > 0 {
			sizes = append(sizes, c.size)
		} else {
			sizes = append(sizes, nil)
		}
	}
	entry = map[string]any{"column_names": names, "column_encodings": encodings, "column_sizes": sizes,
		"compression": nil, "format": "mds", "hashes": []string{}, "samples": len(samples), "size_limit": 1 << 26,
		"version": 2, "zip_data": nil}
	description, _ := json.Marshal(entry)
	le := binary.LittleEndian
	var body []byte
	var begins []int
	for _, values := range samples {
		begins = append(begins, len(body))
		for k, c := range columns {
			if c.size == 0 {
				body = le.AppendUint32(body, uint32(len(values[k])))
			}
		}
		body = append(body, slices.Concat(values...)...)
	}
	shard = le.AppendUint32(nil, uint32(len(samples)))
	head := 4*(2+len(samples)) + len(description)
	for _, at := range append(begins, len(body)) {
		shard = le.AppendUint32(shard, uint32(head+at))
	}
	shard = slices.Concat(shard, description, body)
	entry["raw_data"] = map[string]any{"basename": name, "bytes": len(shard), "hashes": map[string]string{}}
	return shard, entry
}

func mdsIndexOf(entries ...map[string]any) []byte {
	text, err := json.Marshal(map[string]any{"shards": entries, "version": 2})
	if err != nil {
		panic(err)
	}
	return text
}

// eight is a label as int has it.
func eight(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// mdsSet writes two shards with the labels 2, 0, none and 1, whose columns lie in other orders.
func mdsSet(m *sourcetest.Memory) (shard []byte, pictures [][]byte) {
	for i := range 4 {
		pictures = append(pictures, fmt.Appendf(nil, "P6 2 2 255\n%s", bytes.Repeat([]byte{byte(10 * i)}, 12+i)))
	}
	shard, first := mdsShardOf("shard.00000.mds",
		[]mdsColumn{{"caption", "str", 0}, {"image", "jpeg", 0}, {"label", "int", 8}},
		[][][]byte{{[]byte("a cat"), pictures[0], eight(2)}, {nil, pictures[1], eight(0)}})
	other, second := mdsShardOf("part/shard.00001.mds",
		[]mdsColumn{{"id", "uint16", 2}, {"x", "bytes", 0}, {"y", "int8", 1}},
		[][][]byte{{{7, 7}, pictures[2], {0xff}}, {{8, 8}, pictures[3], {1}}})
	m.Write("set/shard.00000.mds", shard)
	m.Write("set/part/shard.00001.mds", other)
	m.Write("set/index.json", mdsIndexOf(first, second))
	m.Write("one/shard.00000.mds", shard)
	m.Write("one/index.json", mdsIndexOf(first))
	return shard, pictures
}

// TestMDS reads shards as the format is described, in any order and from several goroutines, and names what it lacks.
func TestMDS(t *testing.T) {
	m := &sourcetest.Memory{}
	shard, pictures := mdsSet(m)
	src := opened(t, m, "set")
	var got strings.Builder
	for i := range src.Len() {
		b, err := src.Bytes(t.Context(), i, nil)
		if err != nil || !bytes.Equal(b, pictures[i]) {
			t.Errorf("image %d is %q, %v", i, b, err)
		}
		fmt.Fprintf(&got, "%d ", src.Label(i))
	}
	if got.String() != "2 0 -1 1 " || strings.Join(src.Classes(), " ") != "0 1 2" ||
		src.Name(3) != "set/part/shard.00001.mds:sample 1" {
		t.Errorf("labels %s of %v, the last one is %s", got.String(), src.Classes(), src.Name(3))
	}
	sourcetest.Run(t, func() (source.Source, error) {
		return source.OpenIn(t.Context(), m, "one", source.Options{})
	}, true)
	for n := 0; n < len(shard); n++ {
		m.Write("set/shard.00000.mds", shard[:n])
		if _, err := source.OpenIn(t.Context(), m, "set", source.Options{}); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for whole", n, len(shard))
		}
	}
	pil, noted := mdsShardOf("s.mds", []mdsColumn{{"image", "pil", 0}}, nil)
	zipped, packed := mdsShardOf("s.mds", []mdsColumn{{"image", "jpeg", 0}}, [][][]byte{{pictures[0]}})
	packed["zip_data"] = map[string]any{"basename": "s.mds.zstd", "bytes": 9, "hashes": map[string]string{}}
	odd, negative := mdsShardOf("s.mds", []mdsColumn{{"image", "png", 0}, {"label", "int", 8}},
		[][][]byte{{pictures[0], eight(1 << 40)}})
	_, mixed := mdsShardOf("s.mds", []mdsColumn{{"image", "png", 0}}, nil)
	mixed["format"] = "jsonl"
	for _, c := range []struct {
		shard []byte
		index []byte
		name  string // under which the shard lies
		want  string
	}{
		{pil, mdsIndexOf(noted), "s.mds", "no column of pictures, but pil; pixels as pil has them are not read"},
		{zipped, mdsIndexOf(packed), "s.mds.zstd", "it lies there compressed, as s.mds.zstd"},
		{zipped[:len(zipped)-1], mdsIndexOf(packed), "s.mds", "bytes, and index.json says"},
		{odd, mdsIndexOf(negative), "s.mds", "sample 0 has the label 1099511627776"},
		{zipped, mdsIndexOf(packed, mixed), "s.mds", `its shard 1 has the format "jsonl"`},
	} {
		m := &sourcetest.Memory{}
		m.Write("bad/"+c.name, c.shard)
		m.Write("bad/index.json", c.index)
		_, err := source.OpenIn(t.Context(), m, "bad", source.Options{})
		if f := failure.Of(err, failure.Failure{}); err == nil || !strings.Contains(f.Why, c.want) || f.Code != failure.Data {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestMDSElsewhere: pictures that another index.json lies beside are pictures.
func TestMDSElsewhere(t *testing.T) {
	m := &sourcetest.Memory{}
	m.Write("set/a/x.jpg", picture(t, "grey.jpg"))
	m.Write("set/index.json", []byte(`{"shards": [{"format": "jsonl"}]}`))
	if src := opened(t, m, "set"); src.Len() != 1 || src.Classes()[0] != "a" {
		t.Errorf("%d images of %v", src.Len(), src.Classes())
	}
}

// FuzzMDS: whatever stands in a shard and its index, opening and reading it ends.
func FuzzMDS(f *testing.F) {
	m := &sourcetest.Memory{}
	shard, _ := mdsSet(m)
	_, entry := mdsShardOf("s", []mdsColumn{{"image", "jpeg", 0}, {"label", "int", 8}}, make([][][]byte, 0))
	entry["raw_data"] = map[string]any{"basename": "s", "bytes": len(shard)}
	f.Add(shard, mdsIndexOf(entry))
	f.Fuzz(func(t *testing.T, shard, index []byte) {
		m := &sourcetest.Memory{}
		m.Write("x/s", shard)
		m.Write("x/index.json", index)
		src, err := source.OpenIn(t.Context(), m, "x", source.Options{})
		if err != nil {
			return
		}
		for i := range min(src.Len(), 10) {
			_, _ = src.Bytes(t.Context(), i, nil)
		}
	})
}

// TestMDSOfItsPackage reads what the writer of the package streaming wrote (testdata/make_mds.py): three shards, whose
// columns that package has put into an order of its own.
func TestMDSOfItsPackage(t *testing.T) {
	src, err := source.Open(t.Context(), filepath.Join("testdata", "mds"), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if src.Len() != 5 || !slices.Equal(src.Classes(), []string{"0", "1", "2"}) {
		t.Fatalf("%d images of classes %q, want 5 of 0, 1 and 2", src.Len(), src.Classes())
	}
	for i, label := range []int{2, 0, 1, 2, 1} {
		b, err := src.Bytes(t.Context(), i, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("image %d: %v", i, err)
		}
		left, _, _, _ := m.At(0, 0).RGBA()
		right, green, _, _ := m.At(7, 5).RGBA()
		red := max(int(left>>8), int(right>>8))
		if m.Bounds().Dx() != 8 || m.Bounds().Dy() != 6 || max(red, 20*i)-min(red, 20*i) > 24 || green>>8 > 40 ||
			src.Label(i) != label {
			t.Errorf("image %d: %v, red %d, green %d on the right, label %d, want 8 × 6, red about %d and label %d", i,
				m.Bounds(), red, green>>8, src.Label(i), 20*i, label)
		}
	}
}
