package model

import (
	"fmt"
	"slices"
	"strings"

	"byol/model/engine"
)

// Names of the roles in a state.
const (
	onlinePrefix   = "online/"
	targetPrefix   = "target/"
	momentumPrefix = "momentum/"
)

// Init draws both networks, clears the momentum and resets the running statistics. The two are drawn
// independently; the result is a pure function of the seed and the parameters' names.
func (l *Learner) Init(seed uint64) error {
	l.draw(l.current.Theta, seed, "online")
	l.draw(l.current.Xi, seed, "target")
	clear(l.current.Momentum.Host())
	for _, half := range l.halves(l.current.Statistics) {
		for _, n := range l.layout.Norms {
			clear(half[n.Mean.Off:n.Mean.End()])
			for j := range n.C {
				half[n.Var.Off+j] = 1
			}
		}
	}
	if err := l.changed(); err != nil {
		return fmt.Errorf("draw state: %w", err)
	}
	return nil
}

func (l *Learner) draw(v engine.Vector, seed uint64, role string) {
	host := v.Host()
	for _, p := range l.layout.Params {
		p.Draw(host[p.Off:p.End()], seed, role)
	}
}

// changed makes what was written to the host's side of the current state the state.
func (l *Learner) changed() error {
	l.Drop()
	l.using = false
	for _, v := range []engine.Vector{l.current.Theta, l.current.Momentum, l.current.Xi} {
		v.Store(l.whole())
	}
	return l.eng.Sync()
}

// whole is all of a vector.
func (l *Learner) whole() engine.Span { return engine.Span{Len: l.layout.Size} }

// halves splits running statistics into the online network's and the target's.
func (l *Learner) halves(s []float32) [2][]float32 { return [2][]float32{s[:len(s)/2], s[len(s)/2:]} }

// Tensors copies the whole current state to the host: "online/", "target/" and "momentum/" before
// torchvision's names, convolutions as [out][in][height][width].
func (l *Learner) Tensors() ([]Tensor, error) {
	half := l.halves(l.current.Statistics)
	var list []Tensor
	for _, part := range l.parts(half) {
		tensors, err := l.tensors(part.prefix, part.flat, part.statistics)
		if err != nil {
			return nil, err
		}
		list = append(list, tensors...)
	}
	return list, nil
}

// part is a flat vector of a state, with the running statistics that belong to it.
type part struct {
	prefix     string
	flat       engine.Vector
	statistics []float32 // nil for the momentum
}

// parts are those of the current state.
func (l *Learner) parts(half [2][]float32) []part {
	return []part{{onlinePrefix, l.current.Theta, half[0]}, {targetPrefix, l.current.Xi, half[1]},
		{momentumPrefix, l.current.Momentum, nil}}
}

// Named copies a flat vector of the parameters' layout to the host, tensor by tensor.
func (l *Learner) Named(prefix string, flat engine.Vector) ([]Tensor, error) {
	return l.tensors(prefix, flat, nil)
}

// tensors lists parameters, and behind each batch norm its running statistics if there are any.
func (l *Learner) tensors(prefix string, flat engine.Vector, statistics []float32) ([]Tensor, error) {
	if err := flat.Fetch(l.whole()).Wait(); err != nil {
		return nil, fmt.Errorf("copy state: %w", err)
	}
	host, norms := flat.Host(), l.layout.Norms
	var list []Tensor
	for _, p := range l.layout.Params {
		data := make([]float32, p.Len)
		p.ToFile(data, host[p.Off:p.End()])
		list = append(list, Tensor{Name: prefix + p.Name, Shape: p.Shape, Data: data})
		if p.Kind != engine.Beta || statistics == nil {
			continue
		}
		for _, s := range running(norms[0]) {
			list = append(list, Tensor{Name: prefix + s.name, Shape: []int{s.Len},
				Data: slices.Clone(statistics[s.Off:s.End()])})
		}
		norms = norms[1:]
	}
	return list, nil
}

// statistic is a running vector of a batch norm, and its place in a network's statistics.
type statistic struct {
	name string
	engine.Span
}

func running(n engine.Norm) [2]statistic {
	return [2]statistic{{n.Name + ".running_mean", n.Mean}, {n.Name + ".running_var", n.Var}}
}

// Load sets the current state from tensors named as in Tensors. All must be there with their shapes; names
// that begin otherwise are left alone.
func (l *Learner) Load(tensors []Tensor) error {
	l.Drop()
	l.using = false
	byName := map[string]Tensor{}
	for _, t := range tensors {
		byName[t.Name] = t
	}
	for _, part := range l.parts(l.halves(l.current.Statistics)) {
		if err := l.loadPart(byName, part); err != nil {
			return fmt.Errorf("load state: %w", err)
		}
	}
	for name := range byName {
		for _, prefix := range []string{onlinePrefix, targetPrefix, momentumPrefix} {
			if strings.HasPrefix(name, prefix) {
				return fmt.Errorf("load state: tensor %q is no part of %s with these heads", name, l.cfg.Arch)
			}
		}
	}
	if err := l.changed(); err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	return nil
}

// LoadFlat sets the current state from vectors in the learner's own layout: those of Current, here or on another
// worker of the run. The vectors are copied.
func (l *Learner) LoadFlat(theta, momentum, statistics, xi []float32) error {
	if n, m := l.layout.Size, 2*l.layout.Statistics; len(theta) != n || len(momentum) != n || len(xi) != n ||
		len(statistics) != m {
		return fmt.Errorf("load state: vectors of %d, %d, %d and %d elements, want three of %d and statistics of %d",
			len(theta), len(momentum), len(statistics), len(xi), n, m)
	}
	copy(l.current.Theta.Host(), theta)
	copy(l.current.Momentum.Host(), momentum)
	copy(l.current.Xi.Host(), xi)
	copy(l.current.Statistics, statistics)
	if err := l.changed(); err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	return nil
}

// loadPart takes its tensors out of byName.
func (l *Learner) loadPart(byName map[string]Tensor, to part) error {
	host := to.flat.Host()
	for _, p := range l.layout.Params {
		data, err := take(byName, to.prefix+p.Name, p.Shape)
		if err != nil {
			return err
		}
		p.FromFile(host[p.Off:p.End()], data)
	}
	if to.statistics == nil {
		return nil
	}
	for _, n := range l.layout.Norms {
		for _, s := range running(n) {
			data, err := take(byName, to.prefix+s.name, []int{s.Len})
			if err != nil {
				return err
			}
			copy(to.statistics[s.Off:s.End()], data)
		}
	}
	return nil
}

func take(byName map[string]Tensor, name string, shape []int) ([]float32, error) {
	t, ok := byName[name]
	if !ok {
		return nil, fmt.Errorf("tensor %q is missing", name)
	}
	delete(byName, name)
	n := 1
	for _, d := range shape {
		n *= d
	}
	if !slices.Equal(t.Shape, shape) || len(t.Data) != n {
		return nil, fmt.Errorf("tensor %q has shape %v and %d values, want %v", name, t.Shape, len(t.Data), shape)
	}
	return t.Data, nil
}

// Outputs copies what the last Grad computed on the way to the host, for comparisons: embedding1,
// projection1, prediction1, prediction2, target_projection1, target_projection2, and logits with a probe.
func (l *Learner) Outputs() ([]Tensor, error) {
	o, err := l.eng.Outputs()
	if err != nil {
		return nil, fmt.Errorf("copy outputs: %w", err)
	}
	d := l.cfg.ProjectorOut
	list := []Tensor{
		l.output("embedding1", o.Embedding, l.FeatureDim()),
		l.output("projection1", o.Projection[0], d),
		l.output("prediction1", o.Prediction[0], d),
		l.output("prediction2", o.Prediction[1], d),
		l.output("target_projection1", o.Target[0], d),
		l.output("target_projection2", o.Target[1], d),
	}
	if l.cfg.Classes > 0 {
		list = append(list, l.output("logits", o.Logits, l.cfg.Classes))
	}
	return list, nil
}

func (l *Learner) output(name string, x []float32, width int) Tensor {
	return Tensor{Name: name, Shape: []int{l.cut.Batch(), width}, Data: x}
}
