// Package hlo writes StableHLO programs in MLIR's text form: straight-line code over typed arrays, cut into segments
// that are compiled and run one by one.
//
// A value may be used in any segment behind the one that computes it: it then becomes a result of the one and a
// parameter of the other by itself. So the same emitting code gives one program for a whole pass, or one for each
// stretch between two exchanges with other machines: only the places of Cut differ. An Input is what the host gives.
//
// Text is for readers and compilers alike: values have the names they were given, and notes say what a stretch of it
// is. Digest is that of the computation alone, without names and notes, so that equal segments are compiled once.
//
// When it fails: shapes and types that do not fit are bugs of the caller and panic.
package hlo

import (
	"fmt"
	"slices"
	"strings"
)

// Type is the type of an array's elements.
type Type int

// Element types.
const (
	Bool Type = iota
	I32
	F32
	F64
	BF16
)

var typeNames = [...]string{Bool: "i1", I32: "i32", F32: "f32", F64: "f64", BF16: "bf16"}

// String is the type's name in MLIR.
func (t Type) String() string { return typeNames[t] }

// Size is the number of bytes of an element.
func (t Type) Size() int { return [...]int{Bool: 1, I32: 4, F32: 4, F64: 8, BF16: 2}[t] }

// Value is an array: what an operation gives, or an input of the program.
type Value struct {
	Type  Type
	Shape []int
	Name  string // in Text; empty: a number

	program *Program
	home    *Segment // that computes it; nil: the host gives it
	order   int      // of operations there
}

// String is the value's type in MLIR.
func (v *Value) String() string { return tensor(v.Type, v.Shape) }

func tensor(t Type, shape []int) string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, d := range shape {
		fmt.Fprintf(&b, "%dx", d)
	}
	return b.String() + t.String() + ">"
}

// Len is the number of elements.
func (v *Value) Len() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Dim is dimension i.
func (v *Value) Dim(i int) int { return v.Shape[i] }

// Named gives the value a name, and returns it.
func (v *Value) Named(name string) *Value {
	v.Name = name
	return v
}

// Segment is a part of a program that is compiled and run as one.
type Segment struct {
	Name       string
	Parameters []*Value // in order
	Results    []*Value // in the order in which they are computed
	// Reused are parameters that are used up: by the result that lies where they were.
	Reused map[*Value]*Value

	ops []op
}

// op is one operation, or a note.
type op struct {
	result   *Value // nil: a note
	text     string // with $ for each operand in turn
	operands []*Value
	uniform  bool // all operands have the type and shape of the result
}

// Program is a sequence of segments.
type Program struct {
	Segments []*Segment
	// Precise multiplies float32 exactly on machines that would round the factors.
	Precise bool

	current *Segment
}

// Input is a value that the host gives.
func (p *Program) Input(name string, t Type, shape ...int) *Value {
	return &Value{Type: t, Shape: slices.Clone(shape), Name: name, program: p}
}

// Cut ends the segment at hand and begins another. It comes before the first operation.
func (p *Program) Cut(name string) *Segment {
	p.current = &Segment{Name: name}
	p.Segments = append(p.Segments, p.current)
	return p.current
}

// Within has f add operations to an earlier segment.
func (p *Program) Within(s *Segment, f func()) {
	here := p.current
	p.current = s
	f()
	p.current = here
}

// Export makes v a result of the segment that computes it, and returns v. Results are in the order in which they are
// computed, whatever is exported first.
func (p *Program) Export(v *Value) *Value {
	if v.home == nil || slices.Contains(v.home.Results, v) {
		return v
	}
	s := v.home
	at := slices.IndexFunc(s.Results, func(r *Value) bool { return r.order > v.order })
	if at < 0 {
		at = len(s.Results)
	}
	s.Results = slices.Insert(s.Results, at, v)
	return v
}

// Reuse lets a result of the segment lie where one of its parameters is, which nobody may read afterwards: with the
// next run of the segment its buffer is gone.
func (s *Segment) Reuse(parameter, result *Value) {
	if parameter.Type != result.Type || !slices.Equal(parameter.Shape, result.Shape) {
		panic(fmt.Sprintf("hlo: a result %s cannot lie where a parameter %s is", result, parameter))
	}
	if !slices.Contains(s.Parameters, parameter) || !slices.Contains(s.Results, result) || s.Reused[result] != nil {
		panic(fmt.Sprintf("hlo: segment %s has no such parameter or result to reuse, or has reused it", s.Name))
	}
	if s.Reused == nil {
		s.Reused = map[*Value]*Value{}
	}
	s.Reused[result] = parameter
}

// Note writes a remark for readers in front of the next operation.
func (p *Program) Note(text string) {
	p.current.ops = append(p.current.ops, op{text: text})
}

// use makes v known in the segment at hand.
func (p *Program) use(v *Value) {
	if v.program != p {
		panic(fmt.Sprintf("hlo: a value %s of another program", v))
	}
	s := p.current
	if v.home == s || slices.Contains(s.Parameters, v) {
		return
	}
	if v.home != nil && slices.Index(p.Segments, v.home) > slices.Index(p.Segments, s) {
		panic(fmt.Sprintf("hlo: segment %s uses a value of segment %s behind it", s.Name, v.home.Name))
	}
	p.Export(v)
	s.Parameters = append(s.Parameters, v)
}

// emit appends an operation that gives a value of a type and shape; text has a $ for each operand.
func (p *Program) emit(t Type, shape []int, text string, operands ...*Value) *Value {
	for _, o := range operands {
		p.use(o)
	}
	v := &Value{Type: t, Shape: slices.Clone(shape), program: p, home: p.current,
		order: len(p.current.ops)}
	p.current.ops = append(p.current.ops, op{result: v, text: text, operands: operands})
	return v
}

// uniform appends an operation on values of one type and shape.
func (p *Program) uniform(text string, operands ...*Value) *Value {
	first := operands[0]
	for _, o := range operands[1:] {
		if o.Type != first.Type || !slices.Equal(o.Shape, first.Shape) {
			panic(fmt.Sprintf("hlo: %s of %s and %s", text, first, o))
		}
	}
	v := p.emit(first.Type, first.Shape, text, operands...)
	p.current.ops[len(p.current.ops)-1].uniform = true
	return v
}
