package encoder

import (
	"slices"
	"strings"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model/engine"
	pb "byol/proto"
)

// Untrain gives the encoder the weights that the seed of a run with that configuration draws, and running means of 0
// and variances of 1, as they are before the first step. What a run was given instead (--init) is not looked for.
func (e *Encoder) Untrain(c *pb.RunConfig) error {
	n, err := e.network()
	if err != nil {
		return err
	}
	n.ZeroInitLastGamma = c.GetZeroInitLastGamma()
	l, err := engine.Describe(n)
	if err != nil {
		return err
	}
	e.Tensors, e.Step, e.StateSHA256 = nil, 0, ""
	add := func(name string, shape []int, x []float32) {
		if name, ok := strings.CutPrefix(name, prefix); ok {
			e.Tensors = append(e.Tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape,
				Data: vector.Bytes(x)})
		}
	}
	for _, p := range l.Params {
		drawn, file := make([]float32, p.Len), make([]float32, p.Len)
		p.Draw(drawn, c.GetSeed(), e.Network)
		p.ToFile(file, drawn)
		add(p.Name, p.Shape, file)
	}
	for _, m := range l.Norms {
		add(m.Name+meanSuffix, []int{m.C}, make([]float32, m.C))
		add(m.Name+varSuffix, []int{m.C}, slices.Repeat([]float32{1}, m.C))
	}
	return e.fit(e.Shape)
}
