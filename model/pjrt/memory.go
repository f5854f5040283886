package pjrt

import (
	"fmt"

	"byol/model/engine"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
)

// vectors are those that a device holds: two states of three, and the gradient.
const vectors = 7

func bytesOfValue(v *hlo.Value) int64 { return int64(v.Len() * v.Type.Size()) }

// scratch is what a program needs besides its arguments and results, 0 where it is not compiled or its plugin does not
// say.
func (p *programs) scratch(s *hlo.Segment) int64 {
	x := p.of[s]
	if x == nil {
		return 0
	}
	m, err := x.Memory()
	if err != nil {
		return 0
	}
	return m.Scratch
}

// measure is how many bytes a step or an evaluation has on the device between its programs and in them at most, by the
// programs' order with all local shards, and how many of them no number of images decides over: two states, gradient
// and parameters.
func (p *plan) measure() (peak, fixed int64) {
	fixed = vectors * int64(p.step.Layout.Size) * floatBytes
	for _, segment := range p.step.Prepare {
		for _, v := range segment.Results {
			fixed += bytesOfValue(v)
		}
	}
	live, most, local := int64(0), int64(0), int64(p.cut.Local)
	for _, segment := range p.step.Program.Segments {
		if segment != p.step.Prepare[online] && segment != p.step.Prepare[target] {
			live += p.grows(segment)
		}
		most = max(most, local*live+p.e.programs.scratch(segment))
		live -= p.frees(segment)
	}
	if p.encoder != nil {
		own := bytesOfValue(p.encoder.Images) + bytesOfValue(p.encoder.Features)
		most = max(most, local*live+own+p.e.programs.scratch(p.encoder.Segment))
	}
	return fixed + most, fixed
}

// grows is how much more there is of a shard while a segment runs: its results, but for those that lie where a
// parameter was.
func (p *plan) grows(s *hlo.Segment) int64 {
	n := int64(0)
	for _, v := range s.Results {
		if s.Reused[v] == nil {
			n += bytesOfValue(v)
		}
	}
	return n
}

// frees is how much of a shard nobody needs behind a segment, and was not given up to its results.
func (p *plan) frees(s *hlo.Segment) int64 {
	n := int64(0)
	for _, v := range p.step.Dead[s] {
		n += bytesOfValue(v)
	}
	for _, v := range s.Reused {
		n -= bytesOfValue(v)
	}
	return n
}

// Planned is about how many bytes of an accelerator's memory a step takes, without what its programs need besides.
func Planned(n engine.Network, c engine.Cut, precision emit.Precision) (int64, error) {
	p := &plan{e: &Engine{programs: &programs{}}, cut: c,
		config: emit.Config{Network: n, Images: c.Images, Precision: precision}}
	var err error
	if p.step, err = emit.New(p.config); err != nil {
		return 0, err
	}
	peak, _ := p.measure()
	return peak, nil
}

// fitting is about how many images of a worker fit into so many bytes.
func (p *plan) fitting(limit int64) int {
	if limit <= p.fixed || p.peak <= p.fixed {
		return 0
	}
	return int(float64(p.cut.Batch()) * float64(limit-p.fixed) / float64(p.peak-p.fixed))
}

// smaller says which batch to try where there was no memory for this one: the largest that fits by the plan, or where a
// plan that should have fitted did not, or the device does not say what it has, three quarters of it.
func (p *plan) smaller(limit int64) string {
	const devices = "more workers with a device each"
	images := p.cut.Images * 3 / 4
	if limit > 0 && p.peak > limit {
		images = p.fitting(limit) / p.cut.Local
	}
	if images == 0 {
		return devices + ", or a smaller --arch"
	}
	try := fmt.Sprintf("--batch-size %d, which is %d images of each shard, or %s", images*p.cut.Shards, images, devices)
	if limit > 0 && p.peak <= limit {
		try = "end what else uses the device, a larger --memory-fraction, " + try
	}
	return try
}
