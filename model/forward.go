package model

import (
	"context"
	"fmt"
)

// ahead is what is known of the next step's forward pass while the step at hand is not committed.
type ahead struct {
	begun, committed bool
	stages           int      // that the online network has done
	view             *float32 // of the batch it was begun with
}

// Lead begins the forward pass of the step after the one that Update has computed, on its parameters: the online
// network runs as far as it gets until arrived says, on all ranks, that the target's are there (nn.Lockstep.Lead). All
// ranks must call it in the same steps. After Commit, Grad with the same batch goes on from there; whatever else
// happens, the pass is dropped, and the current state is untouched. An error means the same.
func (l *Learner) Lead(ctx context.Context, b Batch, arrived func() bool) error {
	if err := l.checkBatch(b); err != nil {
		return err
	}
	defer l.layers.Phase("idle")
	l.layers.Phase("forward")
	l.upload(b)
	l.layers.Use(l.next.theta, l.next.xi, l.next.statistics, l.spare)
	l.ahead = ahead{begun: true, view: &b.View1[0]}
	var err error
	if l.ahead.stages, err = l.layers.Lead(ctx, l.stages, arrived); err != nil {
		l.Drop()
		return fmt.Errorf("forward ahead: %w", err)
	}
	return nil
}

// Drop forgets what Lead has begun.
func (l *Learner) Drop() {
	if l.ahead.begun {
		l.ahead = ahead{}
		l.use()
	}
}

func (l *Learner) upload(b Batch) {
	l.dev.Upload(l.images[0], b.View1)
	l.dev.Upload(l.images[1], b.View2)
}

// begin starts or takes up the pass of b, and ends its forward half.
func (l *Learner) begin(ctx context.Context, b Batch, report func(Bucket) error) error {
	done := 0
	if a := l.ahead; a.committed && a.view == &b.View1[0] {
		done = a.stages
		l.ahead = ahead{}
		l.layers.Resume(report)
	} else {
		l.Drop()
		l.upload(b)
		l.layers.Begin(report)
	}
	return l.forward(ctx, done)
}

// forward ends a pass of which the online network has done some stages.
func (l *Learner) forward(ctx context.Context, done int) error {
	if err := l.layers.Run(ctx, l.stages, done); err != nil {
		return err
	}
	return l.layers.EndForward(ctx)
}
