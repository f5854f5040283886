package nn

import (
	"context"
	"fmt"
)

// message is the one exchange of sums that may be under way: a vector per shard.
type message struct {
	local, all []float64
	n          int // length of the vector at hand
	reserved   int // the longest vector of Exchange
	reply      chan error
	posted     bool
}

// allocate makes room for the longest vector: the sums of the two batch norms of a block, or with local batch
// norm those of all batch norms.
func (m *message) allocate(l *Lockstep) {
	longest, channels := 0, 0
	for _, b := range l.norms {
		longest = max(longest, b.c)
		channels += b.c
	}
	n := 2 * longest
	if l.opt.LocalBatchNorm {
		n = channels
	}
	n = max(n*2*networks*views, m.reserved)
	m.local = make([]float64, l.opt.Cut.Local*n)
	if l.opt.Cut.Local != l.opt.Cut.Shards {
		m.all = make([]float64, l.opt.Cut.Shards*n)
	}
	m.reply = make(chan error, 1)
}

// begin starts a message of n elements per shard.
func (m *message) begin(n int) { m.n = n }

// shard is the vector of local shard i.
func (m *message) shard(i int) []float64 { return m.local[i*m.n : (i+1)*m.n] }

// post starts the exchange of the message at hand; wait ends it. A learner that holds every shard has nothing
// to exchange.
func (l *Lockstep) post(ctx context.Context) {
	if l.message.all == nil {
		return
	}
	l.message.posted = true
	go func() { l.message.reply <- l.send(ctx) }()
}

// wait ends what post started and returns the vectors of all shards.
func (l *Lockstep) wait() ([]float64, error) {
	m := &l.message
	if !m.posted {
		return m.local[:l.opt.Cut.Shards*m.n], nil
	}
	m.posted = false
	phase := l.phase
	l.Phase("sync")
	err := <-m.reply
	l.Phase(phase)
	return m.all[:l.opt.Cut.Shards*m.n], err
}

// gather is post and wait in one.
func (l *Lockstep) gather(ctx context.Context) ([]float64, error) {
	m := &l.message
	if m.all == nil {
		return m.local[:l.opt.Cut.Shards*m.n], nil
	}
	phase := l.phase
	l.Phase("sync")
	err := l.send(ctx)
	l.Phase(phase)
	return m.all[:l.opt.Cut.Shards*m.n], err
}

func (l *Lockstep) send(ctx context.Context) error {
	m, cut := &l.message, l.opt.Cut
	if err := l.opt.Sync.Gather(ctx, m.local[:cut.Local*m.n], m.all[:cut.Shards*m.n]); err != nil {
		return fmt.Errorf("gather sums: %w", err)
	}
	return nil
}

// Reserve makes room for an Exchange of n numbers; it comes before Plan.
func (l *Lockstep) Reserve(n int) { l.message.reserved = max(l.message.reserved, n) }

// Exchange gathers n reserved numbers of each shard, which fill sets, and returns those of all shards in shard order,
// valid until the next pass goes on.
func (l *Lockstep) Exchange(ctx context.Context, n int, fill func(shard int, to []float64)) ([]float64, error) {
	l.message.begin(n)
	for i := range l.opt.Cut.Local {
		fill(i, l.message.shard(i))
	}
	return l.gather(ctx)
}

// total adds elements [at, at+len(to)) of the vectors of all shards, in shard order.
func (l *Lockstep) total(to, all []float64, at int) {
	n := l.message.n
	copy(to, all[at:at+len(to)])
	for v := 1; v < l.opt.Cut.Shards; v++ {
		for j, x := range all[v*n+at : v*n+at+len(to)] {
			to[j] += x
		}
	}
}
