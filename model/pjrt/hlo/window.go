package hlo

import (
	"fmt"
	"math"
	"slices"
)

// Images are [n][height][width][channels], and square.

// Dot multiplies, summing over dimension a of v and dimension b of w: the rest of v, then the rest of w.
func (v *Value) Dot(w *Value, a, b int) *Value {
	if v.Shape[a] != w.Shape[b] || v.Type != w.Type {
		panic(fmt.Sprintf("hlo: dot of %s over %d and %s over %d", v, a, w, b))
	}
	shape := append(slices.Delete(slices.Clone(v.Shape), a, a+1), slices.Delete(slices.Clone(w.Shape), b, b+1)...)
	text := fmt.Sprintf("stablehlo.dot_general $, $, contracting_dims = [%d] x [%d]", a, b)
	if v.program.Precise && v.Type == F32 {
		text += ", precision = [HIGHEST, HIGHEST]"
	}
	return v.program.emit(v.Type, shape, text, v, w)
}

// Window is how a kernel moves over images, the same in both directions.
type Window struct {
	Stride    int
	Low, High int // padding in front and behind; may be negative
	Spread    int // distance of the image's elements; 0 counts as 1
	Dilation  int // distance of the kernel's elements; 0 counts as 1
}

// out is the number of positions of a kernel over an image.
func (w Window) out(image, kernel int) int {
	return ((image-1)*max(w.Spread, 1)+1+w.Low+w.High-(kernel-1)*max(w.Dilation, 1)-1)/w.Stride + 1
}

// Convolve is a convolution of images with weights [out][height][width][in].
func (v *Value) Convolve(weights *Value, w Window) *Value {
	n := w.out(v.Dim(1), weights.Dim(1))
	return v.convolution(weights, "[b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f]", w, v.Dim(0), n, n, weights.Dim(0))
}

// ConvolveBack is a convolution of images of the weights' out channels, which gives images of their in channels.
func (v *Value) ConvolveBack(weights *Value, w Window) *Value {
	n := w.out(v.Dim(1), weights.Dim(1))
	return v.convolution(weights, "[b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f]", w, v.Dim(0), n, n, weights.Dim(3))
}

// Correlate is Σ over all images and positions of v [n][..][in] and o [n][..][out], shifted against each other: weights
// [out][height][width][in].
func (v *Value) Correlate(o *Value, w Window) *Value {
	n := w.out(v.Dim(1), o.Dim(1))
	return v.convolution(o, "[f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b]", w, o.Dim(3), n, n, v.Dim(3))
}

func (v *Value) convolution(o *Value, dims string, w Window, shape ...int) *Value {
	if v.Type != o.Type || len(v.Shape) != 4 || len(o.Shape) != 4 {
		panic(fmt.Sprintf("hlo: convolution of %s and %s", v, o))
	}
	two := func(n int) string { return list([]int{max(n, 1), max(n, 1)}) }
	precision := ""
	if v.program.Precise && v.Type == F32 {
		precision = ", precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]"
	}
	return v.program.emit(v.Type, shape, fmt.Sprintf("stablehlo.convolution($, $) dim_numbers = %s, "+
		"window = {stride = %s, pad = [[%d, %d], [%d, %d]], lhs_dilate = %s, rhs_dilate = %s} "+
		"{batch_group_count = 1 : i64, feature_group_count = 1 : i64%s}", dims, two(w.Stride), w.Low, w.High, w.Low, w.High,
		two(w.Spread), two(w.Dilation), precision), v, o)
}

// MaxPool is the greatest of each square of size·size pixels; outside of the image there is −∞.
func (v *Value) MaxPool(size int, w Window) *Value {
	e, n := tensor(v.Type, nil), w.out(v.Dim(1), size)
	text := fmt.Sprintf("\"stablehlo.reduce_window\"($, $) ({\n"+
		"    ^bb0(%%a: %[1]s, %%b: %[1]s):\n"+
		"      %%m = stablehlo.maximum %%a, %%b : %[1]s\n"+
		"      stablehlo.return %%m : %[1]s\n"+
		"    }) {window_dimensions = array<i64: 1, %[2]d, %[2]d, 1>, window_strides = array<i64: 1, %[3]d, %[3]d, 1>, "+
		"padding = dense<[[0, 0], [%[4]d, %[5]d], [%[4]d, %[5]d], [0, 0]]> : tensor<4x2xi64>}",
		e, size, w.Stride, w.Low, w.High)
	return v.program.emit(v.Type, []int{v.Dim(0), n, n, v.Dim(3)}, text, v, v.program.Const(math.Inf(-1), v.Type))
}

// Pad puts x around images and between their pixels.
func (v *Value) Pad(x float64, p Padding) *Value {
	shape, low, high := slices.Clone(v.Shape), p.Low, p.High
	for i := range 2 {
		shape[i+1] += low[i] + high[i] + (v.Shape[i+1]-1)*p.Between
	}
	text := fmt.Sprintf("stablehlo.pad $, $, low = [0, %d, %d, 0], high = [0, %d, %d, 0], interior = [0, %d, %d, 0]",
		low[0], low[1], high[0], high[1], p.Between, p.Between)
	return v.program.emit(v.Type, shape, text, v, v.program.Const(x, v.Type))
}

// Padding is what Pad adds in front of and behind rows and columns, which may be negative, and between pixels.
type Padding struct {
	Low, High [2]int
	Between   int
}
