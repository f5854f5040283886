package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// entry is one tensor as the JSON header has it.
type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// UnmarshalJSON takes exactly the three members, spelled exactly so: the standard decoder alone would let
// a damaged "dtypE" pass.
func (e *entry) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	for name, to := range map[string]any{"dtype": &e.DType, "shape": &e.Shape, "data_offsets": &e.Offsets} {
		raw, ok := members[name]
		if !ok {
			return fmt.Errorf("no %s", name)
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(members) != 3 {
		return fmt.Errorf("%d members, want dtype, shape, data_offsets", len(members))
	}
	return nil
}

// Read parses the header of a file of size bytes and checks its whole layout. Data is read later, by Tensor.
func Read(r io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{r: r, byName: map[string]int{}}
	if err := f.parse(header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if err := f.layout(int64(8+len(header)), size); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return f, nil
}

func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < 10 {
		return nil, fmt.Errorf("%w: %d bytes is too short for a header", ErrFormat, size)
	}
	var prefix [8]byte
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, fmt.Errorf("read header length: %w", err)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader {
		return nil, fmt.Errorf("%w: header of %d bytes, at most %d are read", ErrFormat, n, maxHeader)
	}
	if int64(n) > size-8 {
		return nil, fmt.Errorf("%w: header of %d bytes in a file of %d: truncated?", ErrFormat, n, size)
	}
	header := make([]byte, n)
	if _, err := r.ReadAt(header, 8); err != nil && !(err == io.EOF && int64(n) == size-8) {
		return nil, fmt.Errorf("read header: %w", err)
	}
	return header, nil
}

// parse walks the header's top level by tokens, because a plain Unmarshal would let a repeated name win
// silently.
func (f *File) parse(header []byte) error {
	d := json.NewDecoder(bytes.NewReader(header))
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("unexpected %v for a name", t)
		}
		if err := f.parseMember(d, name); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if rest := header[d.InputOffset():]; len(bytes.Trim(rest, " ")) > 0 {
		return errors.New("something follows the JSON object")
	}
	return nil
}

func (f *File) parseMember(d *json.Decoder, name string) error {
	if name == metaKey {
		if f.meta != nil {
			return errors.New("appears twice")
		}
		f.meta = map[string]string{}
		return d.Decode(&f.meta)
	}
	if _, dup := f.byName[name]; dup {
		return errors.New("appears twice")
	}
	if len(f.infos) == maxTensors {
		return fmt.Errorf("more than %d tensors", maxTensors)
	}
	var e entry
	if err := d.Decode(&e); err != nil {
		return err
	}
	want, err := byteLen(e.DType, e.Shape)
	if err != nil {
		return err
	}
	if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] {
		return fmt.Errorf("data_offsets %v is not a span", e.Offsets)
	}
	if got := e.Offsets[1] - e.Offsets[0]; got != want {
		return fmt.Errorf("%s %v needs %d bytes, data_offsets %v hold %d", e.DType, e.Shape, want, e.Offsets, got)
	}
	f.byName[name] = len(f.infos)
	f.infos = append(f.infos, Info{Name: name, DType: e.DType, Shape: e.Shape, Bytes: want, begin: e.Offsets[0]})
	return nil
}

// layout orders the tensors by their data and checks that they fill the file from start to size exactly.
func (f *File) layout(start, size int64) error {
	slices.SortStableFunc(f.infos, func(a, b Info) int {
		if a.begin != b.begin {
			return int(max(-1, min(1, a.begin-b.begin)))
		}
		return int(max(-1, min(1, a.Bytes-b.Bytes)))
	})
	at := int64(0)
	for i := range f.infos {
		t := &f.infos[i]
		f.byName[t.Name] = i
		if t.begin != at {
			return fmt.Errorf("tensor %q begins at %d of the data, the one before ends at %d", t.Name, t.begin, at)
		}
		at += t.Bytes
		if at > size-start {
			return fmt.Errorf("tensor %q ends at %d, the data has %d bytes: truncated?", t.Name, at, size-start)
		}
		t.begin += start
	}
	if at != size-start {
		return fmt.Errorf("tensors end at %d, the data has %d bytes", at, size-start)
	}
	if f.meta == nil {
		f.meta = map[string]string{}
	}
	return nil
}
