package hlo_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"byol/model/pjrt/hlo"
)

// body is the text of a segment's operations.
func body(s *hlo.Segment) string {
	_, text, _ := strings.Cut(s.Text(), ") {\n")
	text, _, _ = strings.Cut(text, "    return")
	return strings.TrimSpace(strings.ReplaceAll(text, "\n    ", "\n"))
}

// TestOperations: the text of each operation, and the shape it gives.
func TestOperations(t *testing.T) {
	const w = "tensor<5x3x3x3xf32>"
	for _, c := range []struct {
		name string
		emit func(p *hlo.Program, x, w *hlo.Value) *hlo.Value
		want string // the last operation
	}{
		{"add", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.Add(x) },
			"%0 = stablehlo.add %x, %x : tensor<2x4x4x3xf32>"},
		{"scale", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.Scale(0.1) },
			"%1 = stablehlo.multiply %x, %0 : tensor<2x4x4x3xf32>"},
		{"sum", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.Sum(1, 2) },
			"%1 = stablehlo.reduce(%x init: %0) applies stablehlo.add across dimensions = [1, 2] : " +
				"(tensor<2x4x4x3xf32>, tensor<f32>) -> tensor<2x3xf32>"},
		{"slice", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.Slice(3, 1, 3) },
			"%0 = stablehlo.slice %x [0:2, 0:4, 0:4, 1:3] : (tensor<2x4x4x3xf32>) -> tensor<2x4x4x2xf32>"},
		{"every", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.Every(1, 1, 2, 2) },
			"%0 = stablehlo.slice %x [0:2, 1:4:2, 0:4, 0:3] : (tensor<2x4x4x3xf32>) -> tensor<2x2x4x3xf32>"},
		{"concat", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return hlo.Concat(0, x, x, x) },
			"%0 = stablehlo.concatenate %x, %x, %x, dim = 0 : " +
				"(tensor<2x4x4x3xf32>, tensor<2x4x4x3xf32>, tensor<2x4x4x3xf32>) -> tensor<6x4x4x3xf32>"},
		{"mask", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.OrZero(x.Above(0)) },
			"%3 = stablehlo.select %1, %x, %2 : " +
				"(tensor<2x4x4x3xi1>, tensor<2x4x4x3xf32>, tensor<2x4x4x3xf32>) -> tensor<2x4x4x3xf32>"},
		{"convolve", func(_ *hlo.Program, x, w *hlo.Value) *hlo.Value {
			return x.Convolve(w, hlo.Window{Stride: 2, Low: 1, High: 0})
		}, "%0 = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], " +
			"window = {stride = [2, 2], pad = [[1, 0], [1, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} " +
			"{batch_group_count = 1 : i64, feature_group_count = 1 : i64} : " +
			"(tensor<2x4x4x3xf32>, " + w + ") -> tensor<2x2x2x5xf32>"},
		{"dot", func(p *hlo.Program, x, _ *hlo.Value) *hlo.Value {
			p.Precise = true
			m := x.Reshape(32, 3)
			return m.Dot(m, 1, 1)
		}, "%1 = stablehlo.dot_general %0, %0, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : " +
			"(tensor<32x3xf32>, tensor<32x3xf32>) -> tensor<32x32xf32>"},
		{"pad", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value {
			return x.Pad(0, hlo.Padding{Low: [2]int{-1, 1}, High: [2]int{2, 0}, Between: 1})
		}, "%1 = stablehlo.pad %x, %0, low = [0, -1, 1, 0], high = [0, 2, 0, 0], interior = [0, 1, 1, 0] : " +
			"(tensor<2x4x4x3xf32>, tensor<f32>) -> tensor<2x8x8x3xf32>"},
		{"bfloat16", func(_ *hlo.Program, x, _ *hlo.Value) *hlo.Value { return x.As(hlo.BF16).AtLeast(0) },
			"%2 = stablehlo.maximum %0, %1 : tensor<2x4x4x3xbf16>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &hlo.Program{}
			x, w := p.Input("x", hlo.F32, 2, 4, 4, 3), p.Input("w", hlo.F32, 5, 3, 3, 3)
			s := p.Cut("try")
			p.Export(c.emit(p, x, w))
			lines := strings.Split(body(s), "\n")
			if got := lines[len(lines)-1]; got != c.want {
				t.Errorf("wrote\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestCut: what crosses a cut becomes a result and a parameter, once, in the order of computation, and under its name.
func TestCut(t *testing.T) {
	p := &hlo.Program{}
	x := p.Input("x", hlo.F32, 2)
	a := p.Cut("a")
	first, second, third := x.Add(x), x.Mul(x).Named("square"), x.Sub(x)
	b := p.Cut("b")
	sum := second.Add(first).Add(second).Named("square")
	p.Within(a, func() { p.Note("later"); p.Export(x.Exp().Named("exp")) })
	p.Export(sum)
	want := `module @a {
  func.func public @main(
      %x: tensor<2xf32>
  ) -> (
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>
  ) {
    %0 = stablehlo.add %x, %x : tensor<2xf32>
    %square = stablehlo.multiply %x, %x : tensor<2xf32>
    %1 = stablehlo.subtract %x, %x : tensor<2xf32>
    // later
    %exp = stablehlo.exponential %x : tensor<2xf32>
    return %0, %square, %exp : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  }
}
`
	if got := a.Text(); got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if !slices.Equal(b.Parameters, []*hlo.Value{second, first}) || !slices.Contains(a.Results, first) ||
		slices.Contains(a.Results, third) {
		t.Errorf("parameters %v of b, results %v of a", b.Parameters, a.Results)
	}
	if text := b.Text(); !strings.Contains(text, "%square_2 = stablehlo.add %1, %square : ") {
		t.Errorf("two values have one name:\n%s", text)
	}
}

// TestDigest: names and notes are no part of a computation, numbers and shapes are.
func TestDigest(t *testing.T) {
	digest := func(name string, n int, number float64) [32]byte {
		p := &hlo.Program{}
		x := p.Input(name, hlo.F32, n)
		s := p.Cut(name)
		p.Note(name)
		p.Export(x.Scale(number).Named(name + ".scaled"))
		return s.Digest()
	}
	same := digest("x", 2, 3)
	if same != digest("y", 2, 3) {
		t.Error("another name gives another digest")
	}
	if same == digest("x", 3, 3) || same == digest("x", 2, 3.0000002) {
		t.Error("another computation has the same digest")
	}
}

// TestReuse: a parameter that is used up is one by its text, and by its digest.
func TestReuse(t *testing.T) {
	build := func(reuse bool) (*hlo.Segment, *hlo.Value, *hlo.Value) {
		p := &hlo.Program{}
		x, y := p.Input("x", hlo.F32, 2), p.Input("y", hlo.F32, 2)
		s := p.Cut("try")
		first, second := p.Export(x.Add(y)), p.Export(x.Mul(y).Sum(0))
		if reuse {
			s.Reuse(y, first)
		}
		return s, y, second
	}
	plain, _, _ := build(false)
	s, y, scalar := build(true)
	if text := s.Text(); !strings.Contains(text, "%x: tensor<2xf32>,\n") ||
		!strings.Contains(text, "%y: tensor<2xf32> {tf.aliasing_output = 0 : i32}\n") {
		t.Errorf("wrote\n%s", text)
	}
	if plain.Digest() == s.Digest() {
		t.Error("a program that uses its parameter up has the digest of one that does not")
	}
	for name, f := range map[string]func(){
		"another shape": func() { s.Reuse(y, scalar) },
		"twice":         func() { s.Reuse(y, s.Results[0]) },
		"no parameter":  func() { s.Reuse(scalar, scalar) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing happens", name)
				}
			}()
			f()
		}()
	}
}

// TestNumbers: a number that is written is read back to its last bit.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		p := &hlo.Program{}
		s := p.Cut("number")
		p.Export(p.Const(float64(want), hlo.F32))
		_, text, _ := strings.Cut(body(s), "dense<")
		text, _, _ = strings.Cut(text, ">")
		var got float64
		var bits uint32
		if _, err := fmt.Sscanf(text, "0x%08X", &bits); err == nil {
			got = float64(math.Float32frombits(bits))
		} else if _, err := fmt.Sscan(text, &got); err != nil || !strings.Contains(text, ".") {
			t.Fatalf("wrote %q: %v", text, err)
		}
		if math.Float32bits(float32(got)) != math.Float32bits(want) && !(got != got && want != want) {
			t.Fatalf("wrote %q for %g", text, want)
		}
	})
}

// TestWrongShapes: what does not fit panics, and says what.
func TestWrongShapes(t *testing.T) {
	for _, c := range []struct {
		name, want string
		emit       func(p *hlo.Program, x *hlo.Value)
	}{
		{"add", "tensor<2x3xf32> and tensor<3x2xf32>", func(_ *hlo.Program, x *hlo.Value) { x.Add(x.Reshape(3, 2)) }},
		{"types", "f32> and tensor<2x3xbf16>", func(_ *hlo.Program, x *hlo.Value) { x.Mul(x.As(hlo.BF16)) }},
		{"reshape", "no shape [4]", func(_ *hlo.Program, x *hlo.Value) { x.Reshape(4) }},
		{"spread", "does not spread", func(_ *hlo.Program, x *hlo.Value) { x.Spread([]int{2, 2}, 0, 1) }},
		{"slice", "elements 2 to 4", func(_ *hlo.Program, x *hlo.Value) { x.Slice(1, 2, 4) }},
		{"dot", "dot of", func(_ *hlo.Program, x *hlo.Value) { x.Dot(x, 0, 1) }},
		{"another program", "of another program", func(_ *hlo.Program, x *hlo.Value) {
			q := &hlo.Program{}
			q.Cut("q")
			q.Input("y", hlo.F32, 2, 3).Add(x)
		}},
		{"backwards", "behind it", func(p *hlo.Program, x *hlo.Value) {
			first := p.Segments[0]
			p.Cut("second")
			y := x.Add(x)
			p.Within(first, func() { y.Exp() })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &hlo.Program{}
			x := p.Input("x", hlo.F32, 2, 3)
			p.Cut("first")
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want one with %q", got, c.want)
				}
			}()
			c.emit(p, x)
		})
	}
}
