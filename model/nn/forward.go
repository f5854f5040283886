package nn

import "byol/model/engine"

// Forward is a forward half that both networks run: what its layers do, cut into stages behind which the sums of some
// batch norms must be known. With local batch norm it is cut at the same places, and no sums are.
type Forward struct {
	pair   *Pair
	stages []forwardStage
	target int // stages that the target network runs; 0: all
}

type forwardStage struct {
	work  []func(p pass)
	norms []*BatchNorm // that it ends with
}

// NewForward returns a Forward of one empty stage. Layers of p are told to it in the order in which they run.
func NewForward(p *Pair) *Forward { return &Forward{pair: p, stages: make([]forwardStage, 1)} }

// do has f done next. It is called with the streams of the network that runs.
func (f *Forward) do(work func(p pass)) {
	s := &f.stages[len(f.stages)-1]
	s.work = append(s.work, work)
}

// normalise makes the statistics of units known, whose outputs z have been computed.
func (f *Forward) normalise(units ...*unit) {
	for _, u := range units {
		f.do(func(p pass) { u.bn.sumShards(p, &u.z) })
	}
	s := &f.stages[len(f.stages)-1]
	for _, u := range units {
		s.norms = append(s.norms, u.bn)
	}
	f.stages = append(f.stages, forwardStage{})
}

// onlineAlone says that only the online network runs what follows.
func (f *Forward) onlineAlone() { f.target = len(f.stages) }

// Stages are those of a network, with indices from 0 on.
func (f *Forward) Stages(network int) []engine.Stage {
	n := len(f.stages)
	if network == Target && f.target > 0 {
		n = f.target
	}
	list := make([]engine.Stage, n)
	for k := range list {
		list[k].Index = k
		if f.pair.opt.LocalBatchNorm {
			continue
		}
		f.each(k, network, func(b *BatchNorm) { sumsOf(b, &list[k]) })
		f.each(k-1, network, func(b *BatchNorm) { list[k].Totals += views * 2 * b.c })
	}
	if f.pair.opt.LocalBatchNorm {
		for k := range n {
			f.each(k, network, func(b *BatchNorm) { sumsOf(b, &list[n-1]) })
		}
	}
	return list
}

// sumsOf has s end with the sums of b.
func sumsOf(b *BatchNorm, s *engine.Stage) {
	s.Norms, s.Sums = append(s.Norms, b.index), s.Sums+views*2*b.c
}

// each calls visit with the batch norms that stage k of a network ends with, none where there is no such stage.
func (f *Forward) each(k, network int, visit func(b *BatchNorm)) {
	if k < 0 {
		return
	}
	for _, b := range f.stages[k].norms {
		if network < b.nets {
			visit(b)
		}
	}
}

// Launch runs stage k of a network. totals are the moments of the norms with whose sums the stage before ended.
func (f *Forward) Launch(k, network int, totals []float64) {
	l := f.pair
	p := l.train(network)
	if k == 0 {
		l.pack(network)
	} else if !l.opt.LocalBatchNorm {
		for _, b := range f.stages[k-1].norms {
			if network < b.nets {
				totals = b.take(p, totals)
			}
		}
	}
	for _, work := range f.stages[k].work {
		work(p)
	}
}

// Sums writes the sums of a stage, which was launched, shard by shard.
func (f *Forward) Sums(s *engine.Stage, network int, to [][]float64) {
	for i := range to {
		at := to[i]
		for _, norm := range s.Norms {
			b := f.pair.norms[norm]
			for stream := network * views; stream < (network+1)*views; stream++ {
				at = at[copy(at, b.forwardSums[stream][i*2*b.c:(i+1)*2*b.c]):]
			}
		}
	}
}

// Evaluate runs all stages for the first n images of view 1, by the online network with its running statistics.
func (f *Forward) Evaluate(n int) {
	l := f.pair
	l.pack(Online)
	for _, b := range l.norms {
		if b != nil {
			b.useRunning()
		}
	}
	for _, s := range f.stages {
		for _, work := range s.work {
			work(pass{Eval, Eval + 1, n})
		}
	}
}
