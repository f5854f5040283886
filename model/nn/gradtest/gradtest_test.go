package gradtest

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// recorder keeps failures instead of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestCheck(t *testing.T) {
	sinAndSquares := func(x []float64) float64 { return math.Sin(x[0]) + 3*x[1]*x[1] + max(x[2], 0) }
	at := []float64{0.3, -2, 1}
	for _, c := range []struct {
		name     string
		x        []float64
		gradient []float64
		want     string
	}{
		{"right", at, []float64{math.Cos(0.3), -12, 1}, ""},
		{"wrong", at, []float64{math.Cos(0.3), -12.001, 1}, "element 1 of 3"},
		{"swapped", at, []float64{-12, math.Cos(0.3), 1}, "element 0 of 3"},
		{"kink", []float64{0.3, -2, 1e-7}, []float64{math.Cos(0.3), -12, 0.2}, "1 of 3 places lie at kinks"},
	} {
		r := &recorder{TB: t}
		Check(r, Problem{Name: c.name, X: c.x, Gradient: c.gradient, Loss: sinAndSquares})
		got := strings.Join(r.errors, "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: reported %q, want %q", c.name, got, c.want)
		}
	}
}
