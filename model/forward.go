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

// Lead runs the forward pass of the step after the one that Update has computed, on the parameters of Next, of which
// Xi must be there, too: they are not committed yet. After Commit, Grad with the same batch goes on from there;
// whatever else happens, the pass is dropped, and the current state is untouched. An error means the same. All ranks
// must call it in the same steps.
func (l *Learner) Lead(ctx context.Context, b Batch) error {
	if err := l.checkBatch(b); err != nil {
		return err
	}
	if l.inTurns() {
		return nil // there is no forward pass of all shards
	}
	defer l.begins("idle")
	l.begins("forward")
	l.load(b)
	l.eng.Use(l.next)
	l.using, l.ahead = false, ahead{begun: true, view: &b.View1[0]}
	l.beginForward(l.next.Statistics, l.spare)
	if err := l.passForward(ctx); err != nil {
		l.Drop()
		return fmt.Errorf("forward ahead: %w", err)
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

// forward ends the forward halves of a pass.
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
	for l.online.left() || l.target.left() {
		if err := l.advance(ctx); err != nil {
			return err
		}
	}
	return nil
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
func (l *Learner) advance(ctx context.Context) error {
	halves := [...]*half{&l.online, &l.target}
	for _, h := range halves {
		l.launch(h)
	}
	return l.settleSums(ctx, halves[:])
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
	if err := l.putSums(halves); err != nil {
		return err
	}
	total, err := l.exchange(ctx)
	if err != nil {
		return err
	}
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

// putSums begins a message of what the halves' last stages ended with.
func (l *Learner) putSums(halves []*half) error {
	n := 0
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
