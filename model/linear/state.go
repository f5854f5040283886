package linear

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A state is, little endian: magic, identity (a digest of protocol, shape and labels), step and missing rows as 64-bit
// numbers, theta, momentum, and SHA-256 of all before.
const magic = "byollin1"

// ErrState is what Restore's errors wrap where the bytes are no state, are damaged, or belong to another training.
var ErrState = errors.New("linear: not a state of this training")

// Save returns the state between two steps.
func (f *Fit) Save() []byte {
	h := f.heads
	b := append([]byte(magic), f.identity()...)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.step))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.lost))
	for _, x := range [][]float32{h.theta, h.momentum} {
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// Restore goes on from a state that Save returned in a training with the same protocol, shape and labels. After an
// error nothing has changed.
func (f *Fit) Restore(b []byte) error {
	h := f.heads
	want := len(magic) + sha256.Size + 16 + 8*len(h.theta) + sha256.Size
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return fmt.Errorf("%w: it begins otherwise", ErrState)
	}
	if len(b) != want {
		return fmt.Errorf("%w: %d bytes, want %d", ErrState, len(b), want)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return fmt.Errorf("%w: its checksum is wrong", ErrState)
	}
	body = body[len(magic):]
	if !bytes.Equal(body[:sha256.Size], f.identity()) {
		return fmt.Errorf("%w: the settings, the number of rows or their labels differ", ErrState)
	}
	body = body[sha256.Size:]
	step := binary.LittleEndian.Uint64(body)
	if _, total := f.Steps(); step > uint64(total) {
		return fmt.Errorf("%w: step %d of %d", ErrState, step, total)
	}
	f.step, f.lost = int(step), int(binary.LittleEndian.Uint64(body[8:]))
	body = body[16:]
	for _, x := range [][]float32{h.theta, h.momentum} {
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		}
		body = body[4*len(x):]
	}
	return nil
}

// identity is a digest of everything the training follows from but the features.
func (f *Fit) identity() []byte {
	d := sha256.New()
	fmt.Fprintf(d, "%v %d %d %g %g %d %d %d %d\n", f.p.Rates, f.p.Batch, f.p.Epochs, f.p.Momentum, f.p.HeldFraction,
		f.p.HeldMost, f.p.Seed, f.dim, f.heads.classes)
	labelBytes(d, f.labels)
	return d.Sum(nil)
}

func labelBytes(w io.Writer, labels []int32) {
	var b [4]byte
	for _, l := range labels {
		binary.LittleEndian.PutUint32(b[:], uint32(l))
		w.Write(b[:])
	}
}
