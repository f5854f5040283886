package linear

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"byol/internal/sealed"
)

// Save returns the state between two steps, with a checksum.
func (f *Fit) Save() []byte {
	return sealed.Seal(f.key(), []uint64{uint64(f.step), uint64(f.lost)}, f.heads.theta, f.heads.momentum)
}

// Restore goes on from a state that Save returned in a training with the same protocol, shape and labels. Bytes that
// are damaged or another's are an error that wraps sealed.ErrOther. After an error nothing has changed.
func (f *Fit) Restore(b []byte) error {
	var n [2]uint64
	if err := sealed.Open(f.key(), b, n[:], f.heads.theta, f.heads.momentum); err != nil {
		return fmt.Errorf("restore linear classifier: %w", err)
	}
	f.step, f.lost = int(n[0]), int(n[1])
	return nil
}

// key is a digest of everything the training follows from but the features.
func (f *Fit) key() sealed.Key {
	d := sha256.New()
	fmt.Fprintf(d, "%v %d %d %g %g %d %d %d %d\n", f.p.Rates, f.p.Batch, f.p.Epochs, f.p.Momentum, f.p.HeldFraction,
		f.p.HeldMost, f.p.Seed, f.dim, f.heads.classes)
	var b [4]byte
	for _, l := range f.labels {
		binary.LittleEndian.PutUint32(b[:], uint32(l))
		d.Write(b[:])
	}
	return sealed.Key{Magic: "byollin1", Identity: d.Sum(nil)}
}
