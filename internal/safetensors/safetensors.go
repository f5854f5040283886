// Package safetensors reads and writes named arrays in the safetensors format: an unsigned 64-bit
// little-endian header length, a JSON header, and the arrays' bytes back to back. Two element types are
// known, F32 and I64; that is what byol's checkpoints, exports and golden files hold.
//
// A File reads its header once and each array when it is asked for; it does not own the reader under it.
//
// When it fails: Read trusts nothing. A header that is too long, is no JSON, names an array twice, or whose
// arrays overlap, leave gaps or do not end where the data ends is an error that says so; no array is larger
// than the file. Write checks the arrays before the first byte; after an error of the writer under it the
// output is void.
package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Element types.
const (
	F32 = "F32"
	I64 = "I64"
)

// ErrFormat is wrapped by every error that says the bytes are not a safetensors file this package reads.
var ErrFormat = errors.New("safetensors: malformed file")

const (
	maxHeader  = 100_000_000 // the format's own limit
	maxTensors = 1 << 17
	maxRank    = 16
	metaKey    = "__metadata__"
)

// Tensor is one named array: little-endian elements in row-major order. A scalar has the empty shape.
type Tensor struct {
	Name  string
	DType string
	Shape []int
	Data  []byte
}

// Info describes a tensor of a File without its data.
type Info struct {
	Name  string
	DType string
	Shape []int
	Bytes int64
	begin int64 // in the file
}

// File gives access to the tensors of one file. It is safe for concurrent use if its reader is.
type File struct {
	r      io.ReaderAt
	meta   map[string]string
	infos  []Info // in the order of the data
	byName map[string]int
}

// Meta returns the header's __metadata__: strings by name. The map is the File's own.
func (f *File) Meta() map[string]string { return f.meta }

// Tensors describes all tensors in the order of their data.
func (f *File) Tensors() []Info { return f.infos }

// Lookup describes the tensor called name.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Info{}, false
	}
	return f.infos[i], true
}

// Tensor reads the tensor called name.
func (f *File) Tensor(name string) (Tensor, error) {
	info, ok := f.Lookup(name)
	if !ok {
		return Tensor{}, fmt.Errorf("%w: no tensor %q", ErrFormat, name)
	}
	data := make([]byte, info.Bytes)
	if _, err := f.r.ReadAt(data, info.begin); err != nil && (err != io.EOF || info.Bytes > 0) {
		return Tensor{}, fmt.Errorf("read tensor %q: %w", name, err)
	}
	return Tensor{Name: name, DType: info.DType, Shape: info.Shape, Data: data}, nil
}

// Float32s decodes little-endian float32 elements into a new slice.
func Float32s(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}

// FromInt64s encodes x as little-endian bytes in a new slice.
func FromInt64s(x []int64) []byte {
	out := make([]byte, 8*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint64(out[8*i:], uint64(v))
	}
	return out
}

// byteLen is the number of bytes of an array, or an error for a type or shape that cannot be.
func byteLen(dtype string, shape []int) (int64, error) {
	n := int64(4)
	switch dtype {
	case F32:
	case I64:
		n = 8
	default:
		return 0, fmt.Errorf("element type %q is none of F32, I64", dtype)
	}
	if len(shape) > maxRank {
		return 0, fmt.Errorf("%d dimensions, at most %d are read", len(shape), maxRank)
	}
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt64/int64(d) {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n *= int64(d)
	}
	return n, nil
}
