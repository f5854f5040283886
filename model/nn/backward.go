package nn

import "byol/model/engine"

// Backward is the backward half of the online network: what its layers do, cut into stages behind which the sums of
// some batch norms must be known, and beside each stage what may be done while those travel. With local batch norm it
// is cut at the same places, and no sums are.
type Backward struct {
	pair            *Pair
	stages, weights []backwardStage
}

type backwardStage struct {
	work  []func()
	norms []normGrad // with whose sums it ends
	done  []engine.Span
}

// NewBackward returns a Backward of one empty stage. Layers of p are told to it from the last to the first.
func NewBackward(p *Pair) *Backward {
	return &Backward{pair: p, stages: make([]backwardStage, 1), weights: make([]backwardStage, 1)}
}

// Do has work done next.
func (b *Backward) Do(work func()) {
	s := &b.stages[len(b.stages)-1]
	s.work = append(s.work, work)
}

// gradient has work done next, which completes the gradient of a parameter.
func (b *Backward) gradient(param int, work func()) {
	b.Do(work)
	b.stages[len(b.stages)-1].complete(b.pair, param)
}

// meanwhile has work done, which completes the gradient of a parameter, while the sums that the stage before ended
// with travel.
func (b *Backward) meanwhile(param int, work func()) {
	s := &b.weights[len(b.weights)-2]
	s.work = append(s.work, work)
	s.complete(b.pair, param)
}

func (s *backwardStage) complete(l *Pair, param int) {
	s.done = append(s.done, l.layout.Params[param].Span)
}

// normalise passes gradients through batch norms, from dy to dx: the stage ends with their sums, and the next begins
// with dx. Each shard's own sums are its gradients of gamma and beta.
func (b *Backward) normalise(list ...normGrad) {
	b.Do(func() {
		for _, g := range list {
			g.sumShards()
		}
	})
	b.stages[len(b.stages)-1].norms = list
	w := &b.weights[len(b.weights)-1]
	w.work = append(w.work, func() {
		for _, g := range list {
			g.u.bn.ownGradient()
		}
	})
	for _, g := range list {
		w.complete(b.pair, g.u.bn.gamma)
		w.complete(b.pair, g.u.bn.beta)
	}
	b.stages, b.weights = append(b.stages, backwardStage{}), append(b.weights, backwardStage{})
	b.Do(func() {
		for _, g := range list {
			g.apply()
		}
	})
}

// Stages are the backward stages, and what may be done while the sums of each travel, with indices from 0 on.
func (b *Backward) Stages() (stages, weights []engine.Stage) {
	for k, s := range b.stages {
		stage := engine.Stage{Index: k, Done: s.done}
		if !b.pair.opt.LocalBatchNorm {
			for _, g := range s.norms {
				sumsOf(g.u.bn, &stage)
			}
			if k > 0 {
				stage.Totals = stages[k-1].Sums
			}
		}
		stages, weights = append(stages, stage), append(weights, engine.Stage{Index: k, Done: b.weights[k].done})
	}
	return stages, weights
}

// Launch runs stage k. totals are the sums over all shards of the norms with whose sums the stage before ended.
func (b *Backward) Launch(k int, totals []float64) {
	if k > 0 && !b.pair.opt.LocalBatchNorm {
		for _, g := range b.stages[k-1].norms {
			for v := range views {
				totals = totals[copy(g.u.bn.gradTotals[v], totals):]
			}
		}
	}
	for _, work := range b.stages[k].work {
		work()
	}
}

// LaunchWeights runs what may be done while the sums of stage k travel.
func (b *Backward) LaunchWeights(k int) {
	for _, work := range b.weights[k].work {
		work()
	}
}

// Sums writes the sums of stage k, which was launched, shard by shard.
func (b *Backward) Sums(k int, to [][]float64) {
	for i := range to {
		at := to[i]
		for _, g := range b.stages[k].norms {
			for v := range views {
				n := 2 * g.u.bn.c
				at = at[copy(at, g.u.bn.gradSums[v][i*n:(i+1)*n]):]
			}
		}
	}
}
