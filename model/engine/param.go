package engine

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Kind says what a parameter is, which decides its first value and whether LARS adapts it.
type Kind int

// Kinds of parameters.
const (
	Weight Kind = iota // of a convolution or linear layer
	Bias               // of a linear layer
	Gamma              // scale of a batch norm
	Beta               // offset of a batch norm
)

// Param is one tensor of a network: its name and its place in the flat layout, which is the same in both
// networks, in gradients and in the momentum.
type Param struct {
	Name  string
	Kind  Kind
	Shape []int // as files have it: convolutions [out][in][height][width], linear [out][in], the rest [c]
	Span        // in the flat layout
	Zero  bool  // a Gamma that starts at 0
}

// Adapted says whether LARS decays and adapts the parameter: weights only.
func (p *Param) Adapted() bool { return p.Kind == Weight }

// fanIn is the number of inputs of one output.
func (p *Param) fanIn() int { return p.Len / p.Shape[0] }

// ToFile writes src, in the device's order, to dst in the file's: a convolution's [out][height][width][in]
// becomes [out][in][height][width]; all else is the same in both.
func (p *Param) ToFile(dst, src []float32) { p.permute(dst, src, true) }

// FromFile is the inverse of ToFile.
func (p *Param) FromFile(dst, src []float32) { p.permute(dst, src, false) }

func (p *Param) permute(dst, src []float32, toFile bool) {
	if len(dst) != p.Len || len(src) != p.Len {
		panic(fmt.Sprintf("engine: %s has %d elements, got %d and %d", p.Name, p.Len, len(dst), len(src)))
	}
	if len(p.Shape) != 4 {
		copy(dst, src)
		return
	}
	out, in, taps := p.Shape[0], p.Shape[1], p.Shape[2]*p.Shape[3]
	for o := range out {
		base := o * in * taps
		for i := range in {
			for t := range taps {
				file, device := base+i*taps+t, base+t*in+i
				if toFile {
					dst[file] = src[device]
				} else {
					dst[device] = src[file]
				}
			}
		}
	}
}

// Draw fills dst, in the device's order, with the parameter's first value in the network called role. Weights
// are normal with σ = 1/sqrt(fan-in), truncated at 2σ by drawing again; biases are 0, scales 1 (or 0). The
// draw is a function of (seed, role, name) alone: PCG seeded with the seed and FNV-1a of "role/name".
func (p *Param) Draw(dst []float32, seed uint64, role string) {
	switch {
	case p.Kind == Gamma && !p.Zero:
		for i := range dst {
			dst[i] = 1
		}
		return
	case p.Kind != Weight:
		clear(dst)
		return
	}
	h := fnv.New64a()
	h.Write([]byte(role + "/" + p.Name))
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	sigma := 1 / math.Sqrt(float64(p.fanIn()))
	for i := range dst {
		x := r.NormFloat64()
		for math.Abs(x) > 2 {
			x = r.NormFloat64()
		}
		dst[i] = float32(sigma * x)
	}
}
