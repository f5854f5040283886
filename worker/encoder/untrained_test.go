package encoder

import (
	"testing"

	"byol/model"
)

// TestUntrain: what training has made of an encoder is undone, tensor by tensor: it is the one that the learner drew.
func TestUntrain(t *testing.T) {
	s := tinyShape()
	for _, zero := range []bool{false, true} {
		c := model.Config{Arch: s.Arch, Width: s.Width, ZeroInitLastGamma: zero}
		fresh, used := trainModel(t, s, c, 0), trainModel(t, s, c, 2)
		for _, network := range []string{Online, Target} {
			want, e := fresh.read(t, network), used.read(t, network)
			if e.Digest() == want.Digest() {
				t.Fatalf("zero %v: training moved nothing of the %s encoder", zero, network)
			}
			if err := e.Untrain(used.config); err != nil {
				t.Fatal(err)
			}
			if e.Digest() != want.Digest() || e.Step != 0 || e.StateSHA256 != "" || e.Features != want.Features {
				t.Errorf("zero %v, %s: %.12s at step %d of %q, want %.12s", zero, network, e.Digest(), e.Step, e.StateSHA256,
					want.Digest())
			}
		}
	}
}
