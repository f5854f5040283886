package hlo

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Const is a number in every element.
func (p *Program) Const(x float64, t Type, shape ...int) *Value {
	return p.emit(t, shape, "stablehlo.constant dense<"+literal(t, x)+">")
}

// Iota counts along a dimension.
func (p *Program) Iota(t Type, dim int, shape ...int) *Value {
	return p.emit(t, shape, fmt.Sprintf("stablehlo.iota dim = %d", dim))
}

func (v *Value) like(x float64) *Value { return v.program.Const(x, v.Type, v.Shape...) }

// Add is v + o.
func (v *Value) Add(o *Value) *Value { return v.program.uniform("stablehlo.add $, $", v, o) }

// Sub is v − o.
func (v *Value) Sub(o *Value) *Value { return v.program.uniform("stablehlo.subtract $, $", v, o) }

// Mul is v · o.
func (v *Value) Mul(o *Value) *Value { return v.program.uniform("stablehlo.multiply $, $", v, o) }

// Div is v / o.
func (v *Value) Div(o *Value) *Value { return v.program.uniform("stablehlo.divide $, $", v, o) }

// Scale is x · v.
func (v *Value) Scale(x float64) *Value { return v.Mul(v.like(x)) }

// Plus is v + x.
func (v *Value) Plus(x float64) *Value { return v.Add(v.like(x)) }

// AtLeast is the greater of v and x.
func (v *Value) AtLeast(x float64) *Value {
	return v.program.uniform("stablehlo.maximum $, $", v, v.like(x))
}

// Exp is e to the power of v.
func (v *Value) Exp() *Value { return v.program.uniform("stablehlo.exponential $", v) }

// Log is the natural logarithm.
func (v *Value) Log() *Value { return v.program.uniform("stablehlo.log $", v) }

// Sqrt is the square root.
func (v *Value) Sqrt() *Value { return v.program.uniform("stablehlo.sqrt $", v) }

// Rsqrt is 1/√v.
func (v *Value) Rsqrt() *Value { return v.program.uniform("stablehlo.rsqrt $", v) }

// And is true where both masks are.
func (v *Value) And(o *Value) *Value { return v.program.uniform("stablehlo.and $, $", v, o) }

// Or is true where one of the masks is.
func (v *Value) Or(o *Value) *Value { return v.program.uniform("stablehlo.or $, $", v, o) }

// Not is the mask's opposite.
func (v *Value) Not() *Value { return v.program.uniform("stablehlo.not $", v) }

// Above is v > x.
func (v *Value) Above(x float64) *Value { return v.compare("GT", v.like(x)) }

// Below is v < x.
func (v *Value) Below(x float64) *Value { return v.compare("LT", v.like(x)) }

// Equals is v == o.
func (v *Value) Equals(o *Value) *Value { return v.compare("EQ", o) }

func (v *Value) compare(how string, o *Value) *Value {
	if v.Type != o.Type || !slices.Equal(v.Shape, o.Shape) {
		panic(fmt.Sprintf("hlo: compare %s with %s", v, o))
	}
	kind := "FLOAT"
	if v.Type == I32 {
		kind = "SIGNED"
	}
	return v.program.emit(Bool, v.Shape, "stablehlo.compare "+how+", $, $, "+kind, v, o)
}

// Where is a where the mask v is set, and b elsewhere.
func (v *Value) Where(a, b *Value) *Value {
	if v.Type != Bool || a.Type != b.Type || !slices.Equal(v.Shape, a.Shape) || !slices.Equal(a.Shape, b.Shape) {
		panic(fmt.Sprintf("hlo: %s chooses between %s and %s", v, a, b))
	}
	return v.program.emit(a.Type, a.Shape, "stablehlo.select $, $, $", v, a, b)
}

// OrZero is v where the mask is set, and 0 elsewhere.
func (v *Value) OrZero(mask *Value) *Value { return mask.Where(v, v.like(0)) }

// As converts the elements.
func (v *Value) As(t Type) *Value {
	if v.Type == t {
		return v
	}
	return v.program.emit(t, v.Shape, "stablehlo.convert $", v)
}

// Reshape gives the same elements another shape.
func (v *Value) Reshape(shape ...int) *Value {
	if slices.Equal(v.Shape, shape) {
		return v
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n != v.Len() {
		panic(fmt.Sprintf("hlo: %s has no shape %v", v, shape))
	}
	return v.program.emit(v.Type, shape, "stablehlo.reshape $", v)
}

// Spread repeats v over a shape in which its dimensions are dims.
func (v *Value) Spread(shape []int, dims ...int) *Value {
	for i, d := range dims {
		if shape[d] != v.Shape[i] {
			panic(fmt.Sprintf("hlo: %s does not spread over %v by %v", v, shape, dims))
		}
	}
	return v.program.emit(v.Type, shape, "stablehlo.broadcast_in_dim $, dims = "+list(dims), v)
}

// Sum adds over dims.
func (v *Value) Sum(dims ...int) *Value { return v.reduce("add", 0, dims) }

// Most is the greatest over dims.
func (v *Value) Most(dims ...int) *Value { return v.reduce("maximum", math.Inf(-1), dims) }

// Least is the smallest over dims, and limit where none is smaller.
func (v *Value) Least(limit float64, dims ...int) *Value { return v.reduce("minimum", limit, dims) }

func (v *Value) reduce(how string, from float64, dims []int) *Value {
	var shape []int
	for i, d := range v.Shape {
		if !slices.Contains(dims, i) {
			shape = append(shape, d)
		}
	}
	text := fmt.Sprintf("stablehlo.reduce($ init: $) applies stablehlo.%s across dimensions = %s", how, list(dims))
	return v.program.emit(v.Type, shape, text, v, v.program.Const(from, v.Type))
}

// Slice is elements [from, to) of a dimension.
func (v *Value) Slice(dim, from, to int) *Value {
	if from == 0 && to == v.Shape[dim] {
		return v
	}
	return v.Every(dim, from, 1, to-from)
}

// Every is count elements of a dimension: from, from+stride, and so on.
func (v *Value) Every(dim, from, stride, count int) *Value {
	shape, ranges := slices.Clone(v.Shape), make([]string, len(v.Shape))
	for i, d := range v.Shape {
		ranges[i] = fmt.Sprintf("0:%d", d)
	}
	end := from + (count-1)*stride + 1
	if from < 0 || count < 1 || end > v.Shape[dim] {
		panic(fmt.Sprintf("hlo: elements %d to %d of dimension %d of %s", from, end, dim, v))
	}
	shape[dim], ranges[dim] = count, fmt.Sprintf("%d:%d", from, end)
	if stride > 1 {
		ranges[dim] += fmt.Sprintf(":%d", stride)
	}
	return v.program.emit(v.Type, shape, "stablehlo.slice $ ["+strings.Join(ranges, ", ")+"]", v)
}

// Concat joins values along a dimension.
func Concat(dim int, values ...*Value) *Value {
	first := values[0]
	if len(values) == 1 {
		return first
	}
	shape := slices.Clone(first.Shape)
	shape[dim] = 0
	for _, v := range values {
		shape[dim] += v.Shape[dim]
	}
	places := strings.TrimSuffix(strings.Repeat("$, ", len(values)), ", ")
	return first.program.emit(first.Type, shape, fmt.Sprintf("stablehlo.concatenate %s, dim = %d", places, dim), values...)
}

// Reverse turns dimensions round.
func (v *Value) Reverse(dims ...int) *Value {
	return v.program.emit(v.Type, v.Shape, "stablehlo.reverse $, dims = "+list(dims), v)
}
