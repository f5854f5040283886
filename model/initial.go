package model

import (
	"fmt"
	"maps"
	"strings"
)

// encoderPrefix begins the names of the encoder's parameters and statistics in a network.
const encoderPrefix = "encoder."

// InitFrom is Init with the encoders of both networks, and their running statistics, as given: encoder has all of its
// tensors by their names behind "encoder.", and no others. The heads are the seed's.
func (l *Learner) InitFrom(seed uint64, encoder []Tensor) error {
	if err := l.Init(seed); err != nil {
		return err
	}
	given := map[string]Tensor{}
	for _, t := range encoder {
		given[t.Name] = t
	}
	for _, part := range l.parts(l.halves(l.current.Statistics)) {
		if part.statistics == nil {
			continue // the momentum
		}
		if err := l.loadEncoder(maps.Clone(given), part); err != nil {
			return fmt.Errorf("start from an encoder: %w", err)
		}
	}
	if err := l.changed(); err != nil {
		return fmt.Errorf("start from an encoder: %w", err)
	}
	return nil
}

// loadEncoder takes the encoder's tensors out of byName.
func (l *Learner) loadEncoder(byName map[string]Tensor, to part) error {
	host := to.flat.Host()
	for _, p := range l.layout.Params {
		name, ok := strings.CutPrefix(p.Name, encoderPrefix)
		if !ok {
			continue
		}
		data, err := take(byName, name, p.Shape)
		if err != nil {
			return err
		}
		p.FromFile(host[p.Off:p.End()], data)
	}
	for _, n := range l.layout.Norms {
		if !strings.HasPrefix(n.Name, encoderPrefix) {
			continue
		}
		for _, s := range running(n) {
			data, err := take(byName, strings.TrimPrefix(s.name, encoderPrefix), []int{s.Len})
			if err != nil {
				return err
			}
			copy(to.statistics[s.Off:s.End()], data)
		}
	}
	for name := range byName {
		return fmt.Errorf("tensor %q is no part of the encoder", name)
	}
	return nil
}
