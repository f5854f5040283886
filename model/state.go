package model

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"byol/model/device"
	"byol/model/nn"
)

// Names of the roles in a state.
const (
	onlinePrefix   = "online/"
	targetPrefix   = "target/"
	momentumPrefix = "momentum/"
)

// Init draws both networks, clears the momentum and resets the running statistics. The two are drawn
// independently; the result is a pure function of the seed and the parameters' names.
func (l *Learner) Init(seed uint64) {
	l.Drop()
	l.draw(l.current.theta, seed, "online")
	l.draw(l.current.xi, seed, "target")
	l.dev.Fill(l.current.momentum, 0)
	clear(l.current.statistics)
	for _, s := range l.layers.Statistics() {
		for _, half := range l.halves(l.current.statistics) {
			if s.Variance {
				for j := range s.Len {
					half[s.Off+j] = 1
				}
			}
		}
	}
	l.layers.Changed()
}

func (l *Learner) draw(flat device.Buffer, seed uint64, role string) {
	host := make([]float32, l.layers.Size())
	for _, p := range l.layers.Params() {
		p.Draw(host[p.Off:p.Off+p.Len], seed, role)
	}
	l.dev.Upload(flat, host)
}

// halves splits running statistics into the online network's and the target's.
func (l *Learner) halves(s []float32) [2][]float32 { return [2][]float32{s[:len(s)/2], s[len(s)/2:]} }

// Tensors copies the whole current state to the host: "online/", "target/" and "momentum/" before
// torchvision's names, convolutions as [out][in][height][width].
func (l *Learner) Tensors() []Tensor {
	half := l.halves(l.current.statistics)
	list := l.network(onlinePrefix, l.current.theta, half[0])
	list = append(list, l.network(targetPrefix, l.current.xi, half[1])...)
	return append(list, l.network(momentumPrefix, l.current.momentum, nil)...)
}

// Named copies a flat buffer of the parameters' layout to the host, tensor by tensor.
func (l *Learner) Named(prefix string, flat device.Buffer) []Tensor {
	return l.network(prefix, flat, nil)
}

// network lists parameters, and behind each batch norm its running statistics if there are any.
func (l *Learner) network(prefix string, flat device.Buffer, statistics []float32) []Tensor {
	host := make([]float32, l.layers.Size())
	l.dev.Download(host, flat)
	running := l.layers.Statistics()
	var list []Tensor
	for _, p := range l.layers.Params() {
		data := make([]float32, p.Len)
		p.ToFile(data, host[p.Off:p.Off+p.Len])
		list = append(list, Tensor{Name: prefix + p.Name, Shape: p.Shape, Data: data})
		if p.Kind != nn.Beta || statistics == nil {
			continue
		}
		for _, s := range running[:2] {
			list = append(list, Tensor{
				Name: prefix + s.Name, Shape: []int{s.Len}, Data: slices.Clone(statistics[s.Off : s.Off+s.Len]),
			})
		}
		running = running[2:]
	}
	return list
}

// Load sets the current state from tensors named as in Tensors. All must be there with their shapes; names
// that begin otherwise are left alone.
func (l *Learner) Load(tensors []Tensor) error {
	l.Drop()
	byName := map[string]Tensor{}
	for _, t := range tensors {
		byName[t.Name] = t
	}
	half := l.halves(l.current.statistics)
	for _, part := range []struct {
		prefix     string
		flat       device.Buffer
		statistics []float32
	}{
		{onlinePrefix, l.current.theta, half[0]},
		{targetPrefix, l.current.xi, half[1]},
		{momentumPrefix, l.current.momentum, nil},
	} {
		if err := l.loadNetwork(byName, part.prefix, part.flat); err != nil {
			return fmt.Errorf("load state: %w", err)
		}
		if part.statistics == nil {
			continue
		}
		if err := l.loadStatistics(byName, part.prefix, part.statistics); err != nil {
			return fmt.Errorf("load state: %w", err)
		}
	}
	l.layers.Changed()
	for name := range byName {
		for _, prefix := range []string{onlinePrefix, targetPrefix, momentumPrefix} {
			if strings.HasPrefix(name, prefix) {
				return fmt.Errorf("load state: tensor %q is no part of %s with these heads", name, l.cfg.Arch)
			}
		}
	}
	return nil
}

// LoadFlat sets the current state from vectors in the learner's own layout: what Theta, Momentum, Statistics and Xi
// showed, here or on another worker of the run. The vectors are copied.
func (l *Learner) LoadFlat(theta, momentum, statistics, xi []float32) error {
	l.Drop()
	if n, m := l.layers.Size(), l.layers.StatisticsSize(); len(theta) != n || len(momentum) != n || len(xi) != n ||
		len(statistics) != m {
		return fmt.Errorf("load state: vectors of %d, %d, %d and %d elements, want three of %d and statistics of %d",
			len(theta), len(momentum), len(statistics), len(xi), n, m)
	}
	l.dev.Upload(l.current.theta, theta)
	l.dev.Upload(l.current.momentum, momentum)
	l.dev.Upload(l.current.xi, xi)
	copy(l.current.statistics, statistics)
	l.layers.Changed()
	return nil
}

// loadNetwork takes its tensors out of byName.
func (l *Learner) loadNetwork(byName map[string]Tensor, prefix string, flat device.Buffer) error {
	host := make([]float32, l.layers.Size())
	for _, p := range l.layers.Params() {
		data, err := take(byName, prefix+p.Name, p.Shape)
		if err != nil {
			return err
		}
		p.FromFile(host[p.Off:p.Off+p.Len], data)
	}
	l.dev.Upload(flat, host)
	return nil
}

func (l *Learner) loadStatistics(byName map[string]Tensor, prefix string, to []float32) error {
	for _, s := range l.layers.Statistics() {
		data, err := take(byName, prefix+s.Name, []int{s.Len})
		if err != nil {
			return err
		}
		copy(to[s.Off:s.Off+s.Len], data)
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
func (l *Learner) Outputs() []Tensor {
	d := l.cfg.ProjectorOut
	list := []Tensor{
		l.output("embedding1", l.embedding[nn.Online1], l.FeatureDim()),
		l.output("projection1", l.z[nn.Online1], d),
		l.output("prediction1", l.p[nn.Online1], d),
		l.output("prediction2", l.p[nn.Online2], d),
		l.output("target_projection1", l.z[nn.Target1], d),
		l.output("target_projection2", l.z[nn.Target2], d),
	}
	if l.classifier != nil {
		list = append(list, l.output("logits", l.logits[nn.Online1], l.cfg.Classes))
	}
	return list
}

func (l *Learner) output(name string, b device.Buffer, n int) Tensor {
	t := Tensor{Name: name, Shape: []int{l.cut.Batch(), n}, Data: make([]float32, l.cut.Batch()*n)}
	l.dev.Download(t.Data, b.Slice(0, len(t.Data)))
	return t
}

// Encode computes features [n][FeatureDim] of n images x [n][H][W][3] by the online encoder with its running
// statistics. The features of an image do not depend on the images beside it.
func (l *Learner) Encode(ctx context.Context, x []float32, n int, out []float32) error {
	size, dim := l.imageLen(), l.FeatureDim()
	if len(x) < n*size || len(out) < n*dim {
		return fmt.Errorf("encode %d images: %d values in and %d out, want %d and %d", n, len(x), len(out), n*size, n*dim)
	}
	l.Drop()
	l.layers.BeginEval()
	for at := 0; at < n; at += l.cut.Batch() {
		m := min(l.cut.Batch(), n-at)
		l.dev.Upload(l.images[0].Slice(0, m*size), x[at*size:(at+m)*size])
		if err := l.encoder.Encode(ctx, m); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		l.dev.Download(out[at*dim:(at+m)*dim], l.embedding[nn.Eval].Slice(0, m*dim))
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
	}
	if err := l.dev.Sync(); err != nil {
		return fmt.Errorf("encode on %s: %w", l.dev.Name(), err)
	}
	return nil
}
