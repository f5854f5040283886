// Package sealed is how a computation that was broken off is kept: some numbers and vectors, for whom they are, and a
// checksum. The bytes are, little endian: magic, identity, numbers as 64 bits each, vectors as float32, and the SHA-256
// of all before.
//
// When it fails: Open says what is wrong with bytes that are not what Seal returned for the same magic, identity and
// lengths; then it has written nothing.
package sealed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrOther is what Open's errors wrap.
var ErrOther = errors.New("sealed: not the state of this computation")

// Key says what is kept and for whom.
type Key struct {
	Magic    string // of the kind of computation and the version of its state
	Identity []byte // a digest of everything it follows from
}

// Seal returns the bytes.
func Seal(k Key, numbers []uint64, vectors ...[]float32) []byte {
	b := make([]byte, 0, size(k, numbers, vectors))
	b = append(append(b, k.Magic...), k.Identity...)
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	for _, x := range vectors {
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func size(k Key, numbers []uint64, vectors [][]float32) int {
	n := len(k.Magic) + len(k.Identity) + 8*len(numbers) + sha256.Size
	for _, x := range vectors {
		n += 4 * len(x)
	}
	return n
}

// Open fills numbers and vectors with what was sealed.
func Open(k Key, b []byte, numbers []uint64, vectors ...[]float32) error {
	want := size(k, numbers, vectors)
	switch {
	case len(b) < len(k.Magic) || string(b[:len(k.Magic)]) != k.Magic:
		return fmt.Errorf("%w: it begins otherwise", ErrOther)
	case len(b) != want:
		return fmt.Errorf("%w: %d bytes, want %d", ErrOther, len(b), want)
	}
	body := b[:want-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return fmt.Errorf("%w: its checksum is wrong", ErrOther)
	}
	body = body[len(k.Magic):]
	if !bytes.Equal(body[:len(k.Identity)], k.Identity) {
		return fmt.Errorf("%w: its settings, images or labels differ", ErrOther)
	}
	body = body[len(k.Identity):]
	for i := range numbers {
		numbers[i], body = binary.LittleEndian.Uint64(body), body[8:]
	}
	for _, x := range vectors {
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		}
		body = body[4*len(x):]
	}
	return nil
}
