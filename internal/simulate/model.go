package simulate

import (
	"byol/coordinator/run"
	"byol/internal/vector"
	"byol/model/optim"
)

// state is what a worker holds after Step steps.
type state struct {
	step                                 int64
	online, momentum, statistics, target uint64
}

// computed is what a worker would commit as step: all of the next state but ξ'.
type computed struct {
	step                         int64
	online, momentum, statistics uint64
}

// model is the training as a chain of hashes.
type model struct {
	shards int
	rates  optim.Schedule
	// odd is the step whose gradient is no number, whoever computes it; −1 for none.
	odd int64
	// truth is the state after each number of steps.
	truth []state
}

func mix(values ...uint64) uint64 { return vector.Fold(values) }

func newModel(w *World) model {
	m := model{shards: w.settings.Shards, odd: -1,
		rates: optim.Schedule{BaseLR: 1, Batch: 256, Total: w.settings.TotalSteps, BaseTau: 0.5}}
	if w.chance(20) {
		m.odd = int64(w.rng.IntN(int(w.settings.EndStep)))
	}
	s := state{0, mix(1), mix(2), mix(3), mix(4)}
	m.truth = []state{s}
	for s.step < w.settings.EndStep {
		s = m.next(s)
		m.truth = append(m.truth, s)
	}
	return m
}

// next is the state after one more step.
func (m *model) next(s state) state {
	if s.step == m.odd {
		s.step++ // it is skipped
		return s
	}
	var parts []uint64
	for v := range m.shards {
		parts = append(parts, m.gradient(s, v))
	}
	c := m.update(s, parts)
	return m.adopt(s, c, m.average(s.step, s.target, c.online))
}

// sample names the images of a shard.
func sample(step int64, shard int) uint64 { return mix(uint64(step), uint64(shard), 77) }

// gradient is that of one shard.
func (m *model) gradient(s state, shard int) uint64 {
	return mix(s.online, s.target, sample(s.step, shard))
}

// update is what the parts of all shards in order make of a state.
func (m *model) update(s state, parts []uint64) computed {
	sum := mix(parts...)
	return computed{s.step, mix(s.online, s.momentum, sum), mix(s.momentum, sum), mix(s.statistics, sum)}
}

// average is ξ' of ξ and the whole θ'.
func (m *model) average(step int64, target, whole uint64) uint64 {
	return mix(target, whole, uint64(1e9*m.rates.OneMinusTau(step)))
}

// adopt is the state after a step that was committed.
func (m *model) adopt(s state, c computed, target uint64) state {
	return state{s.step + 1, c.online, c.momentum, c.statistics, target}
}

// samples is the digest of all images of a step, in shard order.
func (m *model) samples(step int64) uint64 {
	var all []uint64
	for v := range m.shards {
		all = append(all, sample(step, v))
	}
	return vector.Fold(all)
}

// gathered is what slices make: the vector that they are of, if all are of one.
func gathered(slices []uint64) uint64 {
	for _, v := range slices {
		if v != slices[0] {
			return mix(slices...)
		}
	}
	return slices[0]
}

// matches reports whether a state is the committed one, as far as that is known.
func (s state) matches(step int64, c run.Committed) bool {
	return s.step == step && (!c.Parts || s.online == c.Online && s.momentum == c.Momentum &&
		s.statistics == c.Statistics) &&
		(c.Target == 0 || c.Target == s.target)
}

// file is a checkpoint.
type file struct {
	state   state
	damaged bool
}

// disk is what all hosts share.
type disk struct {
	files map[string]file
	full  bool
	saved int
}

// newest is the newest checkpoint that verifies.
func (d *disk) newest() (path string, found file) {
	for name, f := range d.files {
		if !f.damaged && (path == "" || f.state.step > found.state.step ||
			f.state.step == found.state.step && name < path) {
			path, found = name, f
		}
	}
	return path, found
}

// prune keeps the newest.
func (d *disk) prune(keep int) {
	for len(d.files) > keep {
		oldest := ""
		for name, f := range d.files {
			if o := d.files[oldest]; oldest == "" || f.state.step < o.state.step ||
				f.state.step == o.state.step && name < oldest {
				oldest = name
			}
		}
		delete(d.files, oldest)
	}
}
