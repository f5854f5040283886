package model

import (
	"context"
	"fmt"
)

// ahead is what is known of the next step's forward pass while the step at hand is not committed.
type ahead struct {
	begun, committed bool
	view             *float32 // of the batch it was begun with
}

// lead is the state of a pass in which the online network runs ahead of the target.
type lead struct {
	arrived func() bool // nil: nobody leads
	agreed  bool        // all ranks have said that the target arrived
}

// Lead begins the forward pass of the step after the one that Update has computed, on its parameters, with the online
// network alone, while the target's are still on their way: arrived says that they are there, and does not take it
// back. Each message of the pass carries what the ranks' arrived said, so that all ranks stop leading behind the same
// stage: the first after which all had said yes, or the last. Sums are the same bits however they are spread over
// messages, so where the ranks stop decides nothing. All ranks must call it in the same steps. After Commit, Grad with
// the same batch goes on from there; whatever else happens, the pass is dropped, and the current state is untouched.
// An error means the same.
func (l *Learner) Lead(ctx context.Context, b Batch, arrived func() bool) error {
	if err := l.checkBatch(b); err != nil {
		return err
	}
	if l.inTurns() {
		return nil // a turn needs both networks
	}
	defer l.begins("idle")
	l.begins("forward")
	l.load(b)
	l.eng.Use(l.next)
	l.using, l.ahead = false, ahead{begun: true, view: &b.View1[0]}
	l.beginForward(l.next.Statistics, l.spare)
	l.lead = lead{arrived: arrived}
	defer func() { l.lead = lead{} }()
	for l.online.left() && !l.caughtUp() {
		if err := l.advance(ctx, &l.online); err != nil {
			l.Drop()
			return fmt.Errorf("forward ahead: %w", err)
		}
	}
	return nil
}

// Drop forgets what Lead has begun.
func (l *Learner) Drop() {
	if l.ahead.begun {
		l.ahead, l.using = ahead{}, false
	}
}

// load gives the engine the images of a batch, and labels if there is a probe to see them.
func (l *Learner) load(b Batch) {
	labels := b.Labels
	switch {
	case l.cfg.Classes == 0:
		labels = nil
	case labels == nil:
		labels = l.unlabelled[:len(b.View1)/l.imageLen()]
	}
	l.eng.Load(b.View1, b.View2, labels)
}

// use has the engine read the current state.
func (l *Learner) use() {
	if !l.using {
		l.eng.Use(l.current)
		l.using = true
	}
}

// beginForward begins both halves. The running statistics move from one version to the next.
func (l *Learner) beginForward(from, to []float32) {
	copy(to, from)
	l.running = to
	l.online.begin()
	l.target.begin()
}

// begin starts the pass of b, or takes up the one that Lead began.
func (l *Learner) begin(b Batch) {
	if a := l.ahead; a.committed && a.view == &b.View1[0] {
		l.ahead, l.using = ahead{}, true
		return
	}
	l.Drop()
	l.load(b)
	l.use()
	l.beginForward(l.current.Statistics, l.next.Statistics)
}

// forward ends the forward halves of a pass. The target network does alone what the online one has behind it already;
// then both go on in lockstep.
func (l *Learner) forward(ctx context.Context) error {
	err := l.passForward(ctx)
	if err == nil && l.cfg.LocalBatchNorm {
		err = l.exchangeRunning(ctx)
	}
	return err
}

// passForward launches what is left of both halves.
func (l *Learner) passForward(ctx context.Context) error {
	if !l.stages.Synchronous {
		return l.alternate(ctx)
	}
	var err error
	for l.target.done < l.online.done && l.target.left() && err == nil {
		err = l.advance(ctx, &l.target)
	}
	for (l.online.left() || l.target.left()) && err == nil {
		err = l.advance(ctx, &l.online, &l.target)
	}
	return err
}

// alternate has one network compute while the other's sums travel.
func (l *Learner) alternate(ctx context.Context) error {
	halves := [...]*half{&l.online, &l.target}
	for _, h := range halves {
		l.launch(h)
	}
	for l.online.left() || l.target.left() {
		for i, h := range halves {
			if err := l.settleSums(ctx, halves[i:i+1]); err != nil {
				return err
			}
			l.launch(h)
		}
	}
	return nil
}

// advance launches the next stage of each half that has one, and exchanges their sums in one message.
func (l *Learner) advance(ctx context.Context, halves ...*half) error {
	for _, h := range halves {
		l.launch(h)
	}
	return l.settleSums(ctx, halves)
}

// launch launches the next stage of a half if there is one.
func (l *Learner) launch(h *half) {
	if !h.left() {
		return
	}
	s := &h.stages[h.done]
	l.eng.Launch(s, h.moments[:s.Totals])
	h.done++
	h.waiting = s.Sums > 0 && !l.cfg.LocalBatchNorm
}

// settleSums brings together the sums that stages of the halves ended with, if they did.
func (l *Learner) settleSums(ctx context.Context, halves []*half) error {
	n := 0
	for _, h := range halves {
		if h.waiting {
			n += h.last().Sums
		}
	}
	if n == 0 {
		return nil
	}
	if err := l.putSums(halves, l.flags()); err != nil {
		return err
	}
	l.putArrival()
	total, err := l.exchange(ctx)
	if err != nil {
		return err
	}
	l.readArrivals(total)
	at := 0
	for _, h := range halves {
		if !h.waiting {
			continue
		}
		sums := total[at:][:h.last().Sums]
		l.settle(h, sums)
		at += len(sums)
		h.waiting = false
	}
	return nil
}

// putSums begins a message of what the halves' last stages ended with, and of some numbers behind it.
func (l *Learner) putSums(halves []*half, behind int) error {
	n := behind
	for _, h := range halves {
		n += l.sumsOf(h)
	}
	l.message.begin(n)
	at := 0
	for _, h := range halves {
		own := l.sumsOf(h)
		if own == 0 {
			continue
		}
		if err := l.eng.Sums(h.last(), l.message.part(at, own)); err != nil {
			return err
		}
		at += own
	}
	return nil
}

// sumsOf is how many sums a half has for a message.
func (l *Learner) sumsOf(h *half) int {
	if h.waiting || l.cfg.LocalBatchNorm {
		return h.last().Sums
	}
	return 0
}

// caughtUp reports whether the target has arrived on all ranks. A rank that sends no messages goes by itself.
func (l *Learner) caughtUp() bool {
	if l.message.whole || l.cfg.LocalBatchNorm {
		return l.lead.arrived()
	}
	return l.lead.agreed
}

// flags is how many numbers a message carries behind its sums: while leading, whether the target has arrived.
func (l *Learner) flags() int {
	if l.lead.arrived == nil || l.message.whole || l.cfg.LocalBatchNorm {
		return 0
	}
	return 1
}

// putArrival puts the flag into the message at hand.
func (l *Learner) putArrival() {
	if l.flags() == 0 {
		return
	}
	flag := 0.0
	if l.lead.arrived() {
		flag = 1
	}
	for _, row := range l.message.part(l.message.n-1, 1) {
		row[0] = flag
	}
}

// readArrivals reads how many shards' flags are up.
func (l *Learner) readArrivals(total []float64) {
	if l.flags() > 0 {
		l.lead.agreed = total[l.message.n-1] == float64(l.cut.Shards)
	}
}
