package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// float32s are elements as bytes.
func float32s(x ...float32) []byte {
	var out []byte
	for _, v := range x {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func sample() ([]Tensor, map[string]string) {
	return []Tensor{
		{Name: "a/weight", DType: F32, Shape: []int{2, 3}, Data: float32s(1, -2, 3, 4, 5, 0.5)},
		{Name: "n <&> \"q\"", DType: I64, Shape: nil, Data: FromInt64s([]int64{-7})},
		{Name: "empty", DType: F32, Shape: []int{0, 4}, Data: nil},
		{Name: "scalar", DType: F32, Shape: []int{}, Data: float32s(9)},
	}, map[string]string{"step": "12", "config": "{\"seed\":1}"}
}

func TestRoundTrip(t *testing.T) {
	tensors, meta := sample()
	var b, again bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		t.Fatal(err)
	}
	if err := Write(&again, tensors, meta); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Fatalf("writing twice differs (%v)", err)
	}
	if n := binary.LittleEndian.Uint64(b.Bytes()); n%8 != 0 {
		t.Errorf("header of %d bytes, want a multiple of 8", n)
	}
	f, err := Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(meta, f.Meta()); d != "" {
		t.Errorf("metadata (-want +got):\n%s", d)
	}
	if len(f.Tensors()) != len(tensors) {
		t.Errorf("got %d tensors, want %d", len(f.Tensors()), len(tensors))
	}
	for _, want := range tensors {
		got, err := f.Tensor(want.Name)
		if err != nil {
			t.Errorf("%q: %v", want.Name, err)
			continue
		}
		if got.DType != want.DType || len(got.Shape) != len(want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%q: got %v, want %v", want.Name, got, want)
		}
	}
	if _, err := f.Tensor("absent"); !errors.Is(err, ErrFormat) {
		t.Errorf("absent tensor: got %v, want ErrFormat", err)
	}
}

func TestFloat32s(t *testing.T) {
	want := []float32{0, float32(math.Copysign(0, -1)), 1e-45, math.MaxFloat32, float32(math.Inf(-1))}
	if d := cmp.Diff(want, Float32s(float32s(want...))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// file builds a file from a literal header and data, for headers Write would never produce.
func file(header, data string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestReadRefuses(t *testing.T) {
	const ok = `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "too short"},
		{"huge header", append(binary.LittleEndian.AppendUint64(nil, 1<<40), "{}"...), "at most"},
		{"negative header", append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...), "at most"},
		{"truncated header", append(binary.LittleEndian.AppendUint64(nil, 50), "{}"...), "truncated"},
		{"no object", file(`[1]        `, ""), "not a JSON object"},
		{"bad json", file(`{"a":       `, ""), "header"},
		{"trailing", file(ok+`x`, "1234"), "follows"},
		{"type", file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, "1234"), "F16"},
		{"spelling", file(`{"a":{"dtypE":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"), "no dtype"},
		{"member", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, "1234"), "4 members"},
		{"no offsets", file(`{"a":{"dtype":"F32","shape":[1]}}`, "1234"), "no data_offsets"},
		{"negative offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, ""), "not a span"},
		{"reversed", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, "1234"), "not a span"},
		{"negative dimension", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, "1234"), "negative"},
		{"overflow", file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, ""),
			"overflows"},
		{"wrong size", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "1234"), "needs 8 bytes"},
		{"truncated data", file(ok, "123"), "truncated"},
		{"trailing data", file(ok, "12345"), "the data has 5"},
		{"gap", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "12345678"), "begins at 4"},
		{"overlap", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
			`"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"), "begins at 0"},
		{"duplicate", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
			`"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "12345678"), "twice"},
		{"two objects", file(`{}{}`, ""), "follows"},
		{"a number for a name's value", file(`{"a":1}    `, ""), "cannot unmarshal"},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, ""), "twice"},
		{"three offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}}`, "1234"), "not a span"},
		{"offsets of words", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":["0",4]}}`, "1234"), "data_offsets"},
		{"17 dimensions", file(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`,
			"1234"), "17 dimensions"},
		{"metadata", file(`{"__metadata__":{"a":1}}`, ""), "__metadata__"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.file), int64(len(c.file)))
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Read(%q): got %v, want ErrFormat with %q", c.file, err, c.want)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	one := float32s(1)
	cases := []struct {
		name    string
		tensors []Tensor
		want    string
	}{
		{"type", []Tensor{{Name: "a", DType: "F64", Data: one}}, "F64"},
		{"size", []Tensor{{Name: "a", DType: F32, Shape: []int{2}, Data: one}}, "needs 8 bytes"},
		{"twice", []Tensor{{Name: "a", DType: F32, Data: one}, {Name: "a", DType: F32, Data: one}}, "twice"},
		{"name", []Tensor{{Name: "a\xff", DType: F32, Data: one}}, "not UTF-8"},
		{"dimensions", []Tensor{{Name: "a", DType: F32, Shape: make([]int, maxRank+1)}}, "17 dimensions"},
		{"reserved", []Tensor{{Name: metaKey, DType: F32, Data: one}}, "twice"},
	}
	for _, c := range cases {
		var b bytes.Buffer
		err := Write(&b, c.tensors, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
			t.Errorf("%s: got %v and %d bytes, want %q and none", c.name, err, b.Len(), c.want)
		}
	}
}

func TestWriteRefusesMetadata(t *testing.T) {
	for _, meta := range []map[string]string{{"a\xff": "b"}, {"a": "b\xff"}} {
		var b bytes.Buffer
		if err := Write(&b, nil, meta); err == nil || !strings.Contains(err.Error(), "not UTF-8") || b.Len() > 0 {
			t.Errorf("%q: %v and %d bytes", meta, err, b.Len())
		}
	}
}

// full is a writer with room for some bytes.
type full struct{ room int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return f.room, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

// TestFullDisk: wherever the room ends, writing says so.
func TestFullDisk(t *testing.T) {
	tensors, meta := sample()
	var b bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		t.Fatal(err)
	}
	for room := range b.Len() {
		if err := Write(&full{room}, tensors, meta); !errors.Is(err, errFull) {
			t.Fatalf("room for %d of %d bytes: %v", room, b.Len(), err)
		}
	}
	if err := Write(&full{b.Len()}, tensors, meta); err != nil {
		t.Errorf("room for all: %v", err)
	}
}

// broken is a file that cannot be read from some byte on.
type broken struct {
	*bytes.Reader
	from int64
}

var errDisk = errors.New("disk on fire")

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errDisk
	}
	return b.Reader.ReadAt(p, off)
}

// TestUnreadable: an error of the disk is told as what it is, not as a malformed file.
func TestUnreadable(t *testing.T) {
	tensors, meta := sample()
	var b bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		t.Fatal(err)
	}
	opened := 0
	for from := range int64(b.Len()) {
		f, err := Read(broken{bytes.NewReader(b.Bytes()), from}, int64(b.Len()))
		if err != nil {
			if !errors.Is(err, errDisk) || errors.Is(err, ErrFormat) {
				t.Fatalf("unreadable from byte %d on: %v", from, err)
			}
			continue
		}
		opened++
		failed := 0
		for _, i := range f.Tensors() {
			if _, err := f.Tensor(i.Name); errors.Is(err, errDisk) && strings.Contains(err.Error(), i.Name[:1]) {
				failed++
			} else if err != nil {
				t.Errorf("%q: %v", i.Name, err)
			}
		}
		if failed == 0 {
			t.Errorf("unreadable from byte %d on, and all tensors are there", from)
		}
	}
	if opened == 0 {
		t.Error("no header could be read")
	}
}

// TestEveryByteCounts: a file with one bit changed is malformed, or says something else, or has other data; and no
// beginning of a file is one.
func TestEveryByteCounts(t *testing.T) {
	tensors, meta := sample()
	tensors[1].Name, meta["config"] = "n", "c" // an escape may be spelled in two ways
	var b bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		t.Fatal(err)
	}
	told := func(in []byte) string {
		f, err := Read(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			return "malformed"
		}
		s := fmt.Sprint(f.Meta())
		for _, i := range f.Tensors() {
			x, err := f.Tensor(i.Name)
			s += fmt.Sprintf(" %q %s %v %x %v", i.Name, i.DType, i.Shape, x.Data, err)
		}
		return s
	}
	whole := told(b.Bytes())
	spaces := b.Len() - len(bytes.TrimRight(b.Bytes()[:8+binary.LittleEndian.Uint64(b.Bytes())], " "))
	for i := range b.Len() {
		if got := told(b.Bytes()[:i]); got != "malformed" {
			t.Fatalf("the first %d bytes are %s", i, got)
		}
		for bit := range 8 {
			in := bytes.Clone(b.Bytes())
			in[i] ^= 1 << bit
			if told(in) == whole && i < b.Len()-spaces {
				t.Fatalf("bit %d of byte %d (%q) does not show", bit, i, b.Bytes()[i])
			}
		}
	}
}

// TestAnyTensors: names, shapes and data of any kind come back, in the order of their types.
func TestAnyTensors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.String(), 0, 6, rapid.ID).Draw(t, "names")
		var want []Tensor
		for _, name := range names {
			if name == metaKey || !utf8.ValidString(name) {
				continue
			}
			x := Tensor{Name: name, DType: rapid.SampledFrom([]string{F32, I64}).Draw(t, "type")}
			x.Shape = rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")
			n, err := byteLen(x.DType, x.Shape)
			if err != nil {
				t.Fatal(err)
			}
			x.Data = rapid.SliceOfN(rapid.Byte(), int(n), int(n)).Draw(t, "data")
			want = append(want, x)
		}
		var b bytes.Buffer
		if err := Write(&b, want, nil); err != nil {
			t.Fatal(err)
		}
		f, err := Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(want, func(a, b Tensor) int { return strings.Compare(b.DType, a.DType) })
		for _, x := range want {
			info, ok := f.Lookup(x.Name)
			got, err := f.Tensor(x.Name)
			if !ok || err != nil || info.DType != x.DType || !slices.Equal(got.Shape, x.Shape) ||
				!bytes.Equal(got.Data, x.Data) {
				t.Fatalf("%q: %+v, %v, %v, want %+v", x.Name, info, got, err, x)
			}
		}
		if len(f.Tensors()) != len(want) {
			t.Fatalf("%d tensors of %d", len(f.Tensors()), len(want))
		}
	})
}

func TestGoldenFile(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "golden", "byol-basic.safetensors")
	r, err := os.Open(path)
	if err != nil {
		t.Skipf("no golden file: %v", err)
	}
	defer r.Close()
	st, err := r.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(r, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors()) < 100 || len(f.Meta()) == 0 {
		t.Errorf("%s: got %d tensors and %d metadata strings", path, len(f.Tensors()), len(f.Meta()))
	}
	for _, i := range f.Tensors() {
		if _, err := f.Tensor(i.Name); err != nil {
			t.Error(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	tensors, meta := sample()
	var b bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234"))
	f.Add(file(`{"__metadata__":{"a":"b"}}`, ""))
	f.Fuzz(func(t *testing.T, in []byte) {
		file, err := Read(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			return
		}
		var all []Tensor
		total := 0
		for _, i := range file.Tensors() {
			x, err := file.Tensor(i.Name)
			if err != nil {
				t.Fatalf("%q is in the header, but: %v", i.Name, err)
			}
			total += len(x.Data)
			all = append(all, x)
		}
		if total > len(in) {
			t.Fatalf("%d bytes of data in a file of %d", total, len(in))
		}
		if err := Write(&bytes.Buffer{}, all, file.Meta()); err != nil {
			t.Fatalf("write what was read: %v", err)
		}
	})
}
