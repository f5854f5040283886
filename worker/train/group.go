package train

import (
	"context"

	"byol/allreduce"
	"byol/internal/vector"
)

// Sums adds batch-norm sums over all ranks; it is what a learner knows of the group. It is the replica's and outlives
// generations; each gives it its group. Sums of a step are numbered from 0, the same on every rank, and go on where a
// pass that was begun and dropped left off.
type Sums struct {
	group Group
	step  uint64
	next  uint32
	// damage carries out a test's faults on what this rank gives to a sum of step.
	damage func(step int64, local []float32)
}

// join has sums go through a new group.
func (s *Sums) join(g Group, damage func(step int64, local []float32)) {
	*s = Sums{group: g, damage: damage}
}

// begin says that the sums of step come next.
func (s *Sums) begin(step int64) {
	if s.step != uint64(step) {
		s.step, s.next = uint64(step), 0
	}
}

// Total implements model.Syncer.
func (s *Sums) Total(ctx context.Context, local, sum []float64) error {
	key := allreduce.Key{Step: s.step, Bucket: s.next}
	s.next++
	s.damage(int64(s.step), vector.Floats(vector.Bytes(local)))
	return s.group.Total(ctx, key, local, sum)
}

// Ranks is the group as an evaluation of the committed step uses it.
func (g *Generation) Ranks() Ranks {
	g.evalKey = bucketEval
	return Ranks{g: g}
}

// Ranks implements eval.Ranks.
type Ranks struct{ g *Generation }

// Rank is this rank.
func (r Ranks) Rank() int { return r.g.Group.Rank() }

// Size is the number of ranks.
func (r Ranks) Size() int { return r.g.Group.Size() }

// Share completes x on all ranks.
func (r Ranks) Share(ctx context.Context, x []float32, spans []vector.Span) error {
	key := allreduce.Key{Step: uint64(r.g.Replica.Step()), Bucket: r.g.evalKey}
	r.g.evalKey++
	return r.g.Group.Share(ctx, key, x, spans)
}
