package model

import (
	"context"
	"fmt"

	"byol/model/engine"
)

// turns is a learner that computes its shards some at a time: the engine is planned for fewer than it has, each turn is
// a whole pass over both networks, and the gradients of all shards are kept beside. With local batch norm nothing of a
// pass depends on another shard, so the bits are those of all at once; memory for activations is that of one turn.
type turns struct {
	atOnce int             // shards of a turn; those of the learner where there is one turn
	held   []engine.Vector // gradients by shard; they stay when the shards are dealt out again
	spread []float64       // [local shards][Losses.Sums]
}

// inTurns says whether a pass takes more than one.
func (l *Learner) inTurns() bool { return l.turns.atOnce < l.cut.Local }

// atOnce is how many of local shards are computed at once.
func (c Config) atOnce(local int) int {
	if c.AtOnce == 0 {
		return local
	}
	return min(c.AtOnce, local)
}

// Needs is how many bytes local shards take if plans take what of says: an engine's plan of those that are computed at
// once, and the gradients that are kept beside it.
func (c Config) Needs(of func(engine.Network, engine.Cut) (int64, error), local int) (int64, error) {
	n, err := c.Network()
	if err != nil {
		return 0, err
	}
	need, err := of(n, c.Cut(c.atOnce(local)))
	if err != nil || c.atOnce(local) == local {
		return need, err
	}
	layout, err := engine.Describe(n)
	if err != nil {
		return 0, err
	}
	const floatBytes = 4
	return need + floatBytes*int64(local)*int64(layout.Size), nil
}

// planTurns allocates what the turns of local shards need.
func (l *Learner) planTurns(local int) error {
	if l.turns.atOnce == local {
		return nil
	}
	for len(l.turns.held) < local {
		v, err := l.eng.NewVector(true)
		if err != nil {
			return fmt.Errorf("allocate the gradient of a shard: %w", err)
		}
		l.turns.held = append(l.turns.held, v)
	}
	l.turns.spread = make([]float64, local*l.stages.Losses.Sums)
	return nil
}

// takeTurns is Grad in turns. All buckets are complete behind the last of them.
func (l *Learner) takeTurns(ctx context.Context, b Batch) (ratio float64, err error) {
	l.Drop()
	l.use()
	copy(l.next.Statistics, l.current.Statistics)
	l.running = l.next.Statistics
	l.message.begin(l.online.final().Sums + l.target.final().Sums)
	for from := 0; from < l.cut.Local; from += l.turns.atOnce {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		// The last turn goes back where shards are left over: what it computes again comes out the same.
		if err := l.turn(ctx, b, min(from, l.cut.Local-l.turns.atOnce)); err != nil {
			return 0, err
		}
	}
	if err := l.shareRunning(ctx); err != nil {
		return 0, err
	}
	n := l.stages.Losses.Sums
	l.message.begin(n)
	for i, row := range l.message.part(0, n) {
		copy(row, l.turns.spread[i*n:])
	}
	total, err := l.exchange(ctx)
	if err != nil {
		return 0, fmt.Errorf("measure spread: %w", err)
	}
	return spread(total, float64(l.cfg.Batch)), l.buckets.complete(0)
}

// turn is a pass of the shards from one on, and keeps their sums, losses and gradients.
func (l *Learner) turn(ctx context.Context, b Batch, from int) error {
	l.begins("forward")
	to := from + l.turns.atOnce
	l.load(b.part(from*l.cut.Images, to*l.cut.Images, l.imageLen()))
	l.online.begin()
	l.target.begin()
	if err := l.passForward(ctx); err != nil {
		return err
	}
	at := 0
	for _, h := range [...]*half{&l.online, &l.target} {
		n := h.last().Sums
		if err := l.eng.Sums(h.last(), l.message.part(at, n)[from:to]); err != nil {
			return err
		}
		at += n
	}
	l.begins("backward")
	s := l.stages
	l.eng.Launch(&s.Losses, nil)
	rows := make([][]float64, 0, l.turns.atOnce)
	for i := from; i < to; i++ {
		rows = append(rows, l.turns.spread[i*s.Losses.Sums:(i+1)*s.Losses.Sums])
	}
	if err := l.eng.Sums(&s.Losses, rows); err != nil {
		return err
	}
	for k := range s.Backward {
		l.eng.Launch(&s.Backward[k], nil)
		l.eng.Launch(&s.Weights[k], nil)
	}
	if err := l.eng.ReadLosses(l.losses[from:to]); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		if err := l.hand(l.turns.held[i], l.eng.Gradient(i-from)); err != nil {
			return err
		}
	}
	return nil
}

// hand makes a vector's elements those of another, by way of the host.
func (l *Learner) hand(to, from engine.Vector) error {
	if err := from.Fetch(l.whole()).Wait(); err != nil {
		return err
	}
	copy(to.Host(), from.Host())
	to.Store(l.whole())
	return nil
}

// part is the images of a batch from one to another; an image has so many numbers.
func (b Batch) part(from, to, size int) Batch {
	p := Batch{View1: b.View1[from*size : to*size], View2: b.View2[from*size : to*size]}
	if b.Labels != nil {
		p.Labels = b.Labels[from:to]
	}
	return p
}
