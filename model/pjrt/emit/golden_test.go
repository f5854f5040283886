package emit_test

import (
	"fmt"
	"os"
	"testing"

	"byol/model/pjrt/emit"
)

// limits are the largest errors of each kind, by precision; what has none is printed alone. In float64 everything
// agrees to the file's own precision. In float32 one ReLU of byol-basic comes out on the other side of zero, and later
// steps part.
var limits = map[emit.Precision]map[string]float64{
	emit.FP64: {"outputs": 1e-7, "gradients": 1e-7, "whole gradient": 1e-7, "losses": 1e-12, "later losses": 1e-12,
		"final": 1e-7},
	emit.FP32: {"outputs": 1e-5, "gradients": 1e-2, "losses": 1e-3, "later losses": 0.2},
}

// rounding has the limits of bfloat16, about a third more than was measured: each layer rounds what those before have
// rounded otherwise, so errors grow with the depth of a file's network, and single tensors of its gradient are soon all
// rounding. Whether every layer rounds where it is to, package golden sees, behind equal inputs.
var rounding = map[string]map[string]float64{
	"byol-basic":      {"outputs": 0.06, "whole gradient": 0.45, "losses": 0.015, "later losses": 0.3},
	"byol-bottleneck": {"outputs": 0.15, "whole gradient": 0.75, "losses": 0.065, "later losses": 0.2},
}

// TestGolden runs golden files on a plugin. Compiling takes most of its time, so most cases run with BYOL_LONG=1.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name      string
		shards    int
		precision emit.Precision
		long      bool
	}{
		{"byol-basic", 2, emit.FP64, false},
		{"byol-basic", 1, emit.FP64, true}, {"byol-basic", 1, emit.FP32, true}, {"byol-basic", 2, emit.FP32, true},
		{"byol-basic", 1, emit.BF16, true}, {"byol-basic", 2, emit.BF16, true},
		{"byol-bottleneck", 1, emit.FP64, true}, {"byol-bottleneck", 2, emit.FP64, true},
		{"byol-bottleneck", 1, emit.FP32, true}, {"byol-bottleneck", 2, emit.FP32, true},
		{"byol-bottleneck", 1, emit.BF16, true}, {"byol-bottleneck", 2, emit.BF16, true},
	} {
		precision := []string{"fp32", "bf16", "fp64"}[c.precision]
		t.Run(fmt.Sprintf("%s/%d shards/%s", c.name, c.shards, precision), func(t *testing.T) {
			if c.long && os.Getenv("BYOL_LONG") == "" {
				t.Skip("compiling takes minutes; make long runs it")
			}
			x := runExam(t, c.name, c.shards, c.precision)
			within := limits[c.precision]
			if c.precision == emit.BF16 {
				within = rounding[c.name]
			}
			for kind, limit := range within {
				if e, ok := x.worst[kind]; !ok || !(e <= limit) {
					t.Errorf("%s: %.1e in %s, at most %.0e", kind, e, x.where[kind], limit)
				}
			}
		})
	}
}
