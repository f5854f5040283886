package hlo

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Text is the segment as a module with one public function, main. It is what is compiled.
func (s *Segment) Text() string {
	n := newNames(true)
	return s.module(strings.ReplaceAll(s.Name, " ", "_"), n)
}

// Digest identifies the computation: segments that differ in names and notes alone have the same.
func (s *Segment) Digest() [sha256.Size]byte {
	return sha256.Sum256([]byte(s.module("main", newNames(false))))
}

// module writes the segment with the given names.
func (s *Segment) module(name string, n *names) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module @%s {\n  func.func public @main(", name)
	for i, v := range s.Parameters {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n      %s: %s", n.add(v, "arg"+strconv.Itoa(i)), v)
		if at := slices.IndexFunc(s.Results, func(r *Value) bool { return s.Reused[r] == v }); at >= 0 {
			fmt.Fprintf(&b, " {tf.aliasing_output = %d : i32}", at)
		}
	}
	var results, types []string
	for _, v := range s.Results {
		types = append(types, v.String())
	}
	fmt.Fprintf(&b, "\n  ) -> (\n      %s\n  ) {\n", strings.Join(types, ",\n      "))
	for i, o := range s.ops {
		switch {
		case o.result != nil:
			o.write(&b, n, i)
		case n.readable:
			fmt.Fprintf(&b, "    // %s\n", o.text)
		}
	}
	for _, v := range s.Results {
		results = append(results, n.of(v))
	}
	fmt.Fprintf(&b, "    return %s : %s\n  }\n}\n", strings.Join(results, ", "), strings.Join(types, ", "))
	return b.String()
}

// write writes one operation.
func (o op) write(b *strings.Builder, n *names, i int) {
	parts := strings.Split(o.text, "$")
	if len(parts) != len(o.operands)+1 {
		panic(fmt.Sprintf("hlo: %q has %d operands", o.text, len(o.operands)))
	}
	var types []string
	text := parts[0]
	for j, v := range o.operands {
		text += n.of(v) + parts[j+1]
		types = append(types, v.String())
	}
	sign := o.result.String()
	if !o.uniform && len(o.operands) > 0 {
		sign = fmt.Sprintf("(%s) -> %s", strings.Join(types, ", "), sign)
	}
	fmt.Fprintf(b, "    %s = %s : %s\n", n.add(o.result, strconv.Itoa(i)), text, sign)
}

// names are what values are called in one text.
type names struct {
	readable bool
	known    map[*Value]string
	taken    map[string]bool
	numbers  int
}

func newNames(readable bool) *names {
	return &names{readable: readable, known: map[*Value]string{}, taken: map[string]bool{}}
}

// add names a value: as it is called, or as otherwise says.
func (n *names) add(v *Value, otherwise string) string {
	name := v.Name
	switch {
	case !n.readable:
		name = otherwise
	case name == "":
		name = strconv.Itoa(n.numbers)
		n.numbers++
	}
	for k, first := 2, name; n.taken[name]; k++ {
		name = fmt.Sprintf("%s_%d", first, k)
	}
	n.taken[name] = true
	n.known[v] = "%" + name
	return n.known[v]
}

func (n *names) of(v *Value) string {
	name, ok := n.known[v]
	if !ok {
		panic(fmt.Sprintf("hlo: a value %s is used before it is there", v))
	}
	return name
}

// literal writes a number so that it is read back to the last bit; of bfloat16, its upper half.
func literal(t Type, x float64) string {
	switch t {
	case F32:
		if short, ok := decimal(x, 32); ok {
			return short
		}
		return fmt.Sprintf("0x%08X", math.Float32bits(float32(x)))
	case F64:
		if short, ok := decimal(x, 64); ok {
			return short
		}
		return fmt.Sprintf("0x%016X", math.Float64bits(x))
	case BF16:
		return fmt.Sprintf("0x%04X", math.Float32bits(float32(x))>>16)
	}
	return strconv.FormatInt(int64(x), 10)
}

// decimal is x of so many bits as MLIR writes it, and whether reading it as float64 and rounding gives x again.
func decimal(x float64, bits int) (string, bool) {
	text := strconv.FormatFloat(x, 'e', -1, bits)
	if digits, power, ok := strings.Cut(text, "e"); ok && !strings.Contains(digits, ".") {
		text = digits + ".0e" + power
	}
	wide, err := strconv.ParseFloat(text, 64)
	if bits == 32 {
		wide, x = float64(float32(wide)), float64(float32(x))
	}
	return text, err == nil && wide == x && !math.IsInf(x, 0)
}

// list writes [1, 2, 3].
func list(l []int) string {
	s := make([]string, len(l))
	for i, x := range l {
		s[i] = strconv.Itoa(x)
	}
	return "[" + strings.Join(s, ", ") + "]"
}
