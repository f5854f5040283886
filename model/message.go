package model

import (
	"context"
	"fmt"

	"byol/internal/vector"
)

// Syncer exchanges small vectors between the owners of the shards.
type Syncer interface {
	// Total takes the vectors of the local shards, one after another in shard order, each as long as sum, and fills sum
	// with the sum over all shards, added as vector.Tree says. local is overwritten. It returns when sum is complete,
	// with an error that names whom it waited for otherwise. It may be called from another goroutine than the one that
	// runs the pass, but never twice at once.
	Total(ctx context.Context, local, sum []float64) error
}

// message is the one exchange of sums that may be under way: a vector per local shard, and their total over all shards.
type message struct {
	local, sum []float64
	rows       [][]float64
	nodes      []vector.Node // of the local shards, where they are all
	whole      bool          // every shard is here: nothing to exchange
	n          int           // length of the vector at hand
	reply      chan error
	posted     bool
}

// allocate makes room for vectors of at most n numbers.
func (m *message) allocate(local, shards, n int) {
	*m = message{local: make([]float64, local*n), sum: make([]float64, n), rows: make([][]float64, local),
		nodes: vector.Leaves(0, local), whole: local == shards, reply: make(chan error, 1)}
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

// total is the sum over all shards, once it is there: valid until the next message ends.
func (m *message) total() []float64 { return m.sum[:m.n] }

// add makes the total where every shard is here.
func (m *message) add() {
	for i := range m.nodes {
		m.nodes[i] = vector.Node{Begin: i, End: i + 1}
	}
	rows := m.part(0, m.n)
	vector.AddTree(vector.Tree(len(rows)), m.nodes, rows)
	copy(m.sum, rows[0])
}

// post starts the exchange of the message at hand; wait ends it. A learner that holds every shard has nothing
// to exchange.
func (l *Learner) post(ctx context.Context) {
	if l.message.whole {
		return
	}
	l.message.posted = true
	go func() { l.message.reply <- l.send(ctx) }()
}

// wait ends what post started and returns the total over all shards.
func (l *Learner) wait() ([]float64, error) {
	m := &l.message
	if !m.posted {
		m.add()
		return m.total(), nil
	}
	m.posted = false
	phase := l.phase
	l.begins("sync")
	err := <-m.reply
	l.begins(phase)
	return m.total(), err
}

// exchange is post and wait in one.
func (l *Learner) exchange(ctx context.Context) ([]float64, error) {
	m := &l.message
	if m.whole {
		m.add()
		return m.total(), nil
	}
	phase := l.phase
	l.begins("sync")
	err := l.send(ctx)
	l.begins(phase)
	return m.total(), err
}

func (l *Learner) send(ctx context.Context) error {
	m := &l.message
	if err := l.sync.Total(ctx, m.local[:l.cut.Local*m.n], m.total()); err != nil {
		return fmt.Errorf("add sums: %w", err)
	}
	return nil
}
