package model

import (
	"context"
	"fmt"
)

// Syncer exchanges small vectors between the owners of the shards.
type Syncer interface {
	// Gather takes the vectors of the local shards, one after another in shard order, and fills all with
	// those of every shard in shard order. All vectors of a call have the same length. It returns when all is
	// complete, with an error that names whom it waited for otherwise. It may be called from another goroutine
	// than the one that runs the pass, but never twice at once.
	Gather(ctx context.Context, local, all []float64) error
}

// message is the one exchange of sums that may be under way: a vector per shard.
type message struct {
	local, all []float64 // all is nil where every shard is here
	rows       [][]float64
	n          int // length of the vector at hand
	reply      chan error
	posted     bool
}

// allocate makes room for vectors of at most n numbers.
func (m *message) allocate(local, shards, n int) {
	*m = message{local: make([]float64, local*n), rows: make([][]float64, local), reply: make(chan error, 1)}
	if local != shards {
		m.all = make([]float64, shards*n)
	}
}

// begin starts a message of n numbers per shard.
func (m *message) begin(n int) { m.n = n }

// part is numbers [at, at+n) of the vectors of the local shards, valid until the next call.
func (m *message) part(at, n int) [][]float64 {
	for i := range m.rows {
		m.rows[i] = m.local[i*m.n+at:][:n]
	}
	return m.rows
}

// post starts the exchange of the message at hand; wait ends it. A learner that holds every shard has nothing
// to exchange.
func (l *Learner) post(ctx context.Context) {
	if l.message.all == nil {
		return
	}
	l.message.posted = true
	go func() { l.message.reply <- l.send(ctx) }()
}

// wait ends what post started and returns the vectors of all shards.
func (l *Learner) wait() ([]float64, error) {
	m := &l.message
	if !m.posted {
		return m.local[:l.cut.Shards*m.n], nil
	}
	m.posted = false
	phase := l.phase
	l.begins("sync")
	err := <-m.reply
	l.begins(phase)
	return m.all[:l.cut.Shards*m.n], err
}

// gather is post and wait in one.
func (l *Learner) gather(ctx context.Context) ([]float64, error) {
	m := &l.message
	if m.all == nil {
		return m.local[:l.cut.Shards*m.n], nil
	}
	phase := l.phase
	l.begins("sync")
	err := l.send(ctx)
	l.begins(phase)
	return m.all[:l.cut.Shards*m.n], err
}

func (l *Learner) send(ctx context.Context) error {
	m := &l.message
	if err := l.sync.Gather(ctx, m.local[:l.cut.Local*m.n], m.all[:l.cut.Shards*m.n]); err != nil {
		return fmt.Errorf("gather sums: %w", err)
	}
	return nil
}

// total adds numbers [at, at+len(to)) of vectors of n, one of each shard, in shard order.
func total(to, all []float64, at, n int) {
	copy(to, all[at:])
	for v := n; v < len(all); v += n {
		for j, x := range all[v+at:][:len(to)] {
			to[j] += x
		}
	}
}
