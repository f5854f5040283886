package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// errNotText: JSON would replace what is not UTF-8, and a reader see other names and other metadata.
var errNotText = errors.New("is not UTF-8")

// Write writes tensors and the metadata strings. The same arguments give the same bytes. I64 tensors come
// before F32 ones, each in the order given, so that all elements are aligned.
func Write(w io.Writer, tensors []Tensor, meta map[string]string) error {
	for _, t := range tensors {
		if n, err := byteLen(t.DType, t.Shape); err == nil && n != int64(len(t.Data)) {
			return fmt.Errorf("safetensors: tensor %q: %s %v needs %d bytes, has %d", t.Name, t.DType, t.Shape, n, len(t.Data))
		}
	}
	ordered := order(tensors)
	if err := WriteHeader(w, ordered, meta); err != nil {
		return err
	}
	for _, t := range ordered {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("write tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// WriteHeader writes what stands before the data of tensors, which the caller writes behind it in the order that Write
// has: their Data is not looked at.
func WriteHeader(w io.Writer, tensors []Tensor, meta map[string]string) error {
	header, err := encodeHeader(order(tensors), meta)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...))
	return err
}

// order is the order in which tensors lie in a file.
func order(tensors []Tensor) []Tensor {
	ordered := slices.Clone(tensors)
	slices.SortStableFunc(ordered, func(a, b Tensor) int { return rank(a.DType) - rank(b.DType) })
	return ordered
}

func rank(dtype string) int {
	if dtype == I64 {
		return 0
	}
	return 1
}

// encodeHeader returns the JSON header, padded with spaces to a multiple of 8 bytes.
func encodeHeader(tensors []Tensor, meta map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(meta) > 0 {
		writeJSON(&b, metaKey)
		b.WriteString(":{")
		for i, k := range slices.Sorted(maps.Keys(meta)) {
			if !utf8.ValidString(k) || !utf8.ValidString(meta[k]) {
				return nil, fmt.Errorf("safetensors: metadata %q: %w", k, errNotText)
			}
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(&b, k)
			b.WriteByte(':')
			writeJSON(&b, meta[k])
		}
		b.WriteByte('}')
	}
	seen := map[string]bool{metaKey: true}
	at := int64(0)
	for _, t := range tensors {
		n, err := byteLen(t.DType, t.Shape)
		if err == nil && !utf8.ValidString(t.Name) {
			err = errNotText
		}
		if err == nil && seen[t.Name] {
			err = errors.New("name is used twice")
		}
		if err != nil {
			return nil, fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
		}
		seen[t.Name] = true
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		writeJSON(&b, t.Name)
		b.WriteByte(':')
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		writeJSON(&b, entry{DType: t.DType, Shape: shape, Offsets: []int64{at, at + n}})
		at += n
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("safetensors: header of %d bytes, the format allows %d", b.Len(), maxHeader)
	}
	return b.Bytes(), nil
}

// writeJSON appends v; strings, integers and structs of them always encode.
func writeJSON(b *bytes.Buffer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic("safetensors: " + err.Error())
	}
	b.Write(text)
}
