package nn

import "context"

// Stage is a part of a forward pass, in the streams of which a network computes from one place to the next where the
// target network may stay behind.
type Stage func(ctx context.Context, p pass) error

// lead is the state of a pass in which the online network runs ahead of the target.
type lead struct {
	arrived func() bool // nil: the networks are in lockstep
	agreed  bool        // all ranks have said that the target arrived
}

// Run runs the forward half of a training pass: stages, of which Lead has done the first done for the online network.
// The target network does those alone, then both go on in lockstep. Begin or Resume comes before it.
func (l *Lockstep) Run(ctx context.Context, stages []Stage, done int) error {
	l.pack(target)
	both := l.train()
	behind := pass{from: Target1, to: both.to, images: both.images}
	if err := through(ctx, stages[:done], behind); err != nil {
		return err
	}
	return through(ctx, stages[done:], both)
}

func through(ctx context.Context, stages []Stage, p pass) error {
	for _, stage := range stages {
		if err := stage(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// Lead begins a training pass with the online network alone, while the target's parameters are still on their way:
// arrived says that they are there, and does not take it back. Each message of the pass carries what the ranks'
// arrived said, so that all ranks stop leading behind the same stage: the first after which all had said yes, or the
// last. Lead returns the number of stages that are done; Run goes on from there. Sums are the same bits however
// they are spread over messages, so where the ranks stop decides nothing.
func (l *Lockstep) Lead(ctx context.Context, stages []Stage, arrived func() bool) (done int, err error) {
	l.pack(online)
	copy(l.next, l.stats)
	l.lead = lead{arrived: arrived}
	defer func() { l.lead = lead{} }()
	p := l.trainOnline()
	for done < len(stages) && !l.caughtUp() {
		if err := stages[done](ctx, p); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// Begin prepares a training pass: next starts as a copy of the statistics.
func (l *Lockstep) Begin(onBucket func(Bucket) error) {
	copy(l.next, l.stats)
	l.Resume(onBucket)
}

// Resume is Begin for a pass that Lead has begun.
func (l *Lockstep) Resume(onBucket func(Bucket) error) {
	l.pack(online)
	l.buckets.begin(onBucket)
}

// EndForward ends the forward half of a training pass.
func (l *Lockstep) EndForward(ctx context.Context) error {
	if !l.opt.LocalBatchNorm {
		return nil
	}
	return l.gatherRunning(ctx)
}

// BeginEval prepares an evaluation of the online network.
func (l *Lockstep) BeginEval() {
	l.pack(online)
	for _, b := range l.norms {
		b.useRunning()
	}
}

// caughtUp reports whether the target has arrived on all ranks. A rank that sends no messages goes by itself.
func (l *Lockstep) caughtUp() bool {
	if l.message.all == nil || l.opt.LocalBatchNorm {
		return l.lead.arrived()
	}
	return l.lead.agreed
}

// flags is how many numbers a message carries behind its sums: while leading, whether the target has arrived.
func (l *Lockstep) flags() int {
	if l.lead.arrived == nil || l.message.all == nil || l.opt.LocalBatchNorm {
		return 0
	}
	return 1
}

// putArrival puts the flag into the message at hand.
func (l *Lockstep) putArrival() {
	if l.flags() == 0 {
		return
	}
	flag := 0.0
	if l.lead.arrived() {
		flag = 1
	}
	for i := range l.opt.Cut.Local {
		l.message.shard(i)[l.message.n-1] = flag
	}
}

// readArrivals reads the flags of all shards.
func (l *Lockstep) readArrivals(all []float64) {
	if l.flags() == 0 {
		return
	}
	l.lead.agreed = true
	for v := 1; v <= l.opt.Cut.Shards; v++ {
		l.lead.agreed = l.lead.agreed && all[v*l.message.n-1] == 1
	}
}
