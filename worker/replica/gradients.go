package replica

import (
	"byol/model"
	"byol/model/engine"
)

// Gradients shows the shards' gradients of one step to the host, bucket by bucket, so that they can be summed while
// the engine computes the next ones.
type Gradients struct {
	vectors []engine.Vector // by shard
	hosts   [][]float32
}

// Gradients begins a step's. What Next showed is void.
func (r *Replica) Gradients() *Gradients {
	r.computed = nil
	g := &Gradients{}
	for i := range r.local {
		v := r.learner.ShardGradient(i)
		g.vectors, g.hosts = append(g.vectors, v), append(g.hosts, v.Host())
	}
	return g
}

// Fetched is a bucket that is on its way to the host.
type Fetched struct {
	model.Bucket
	shards    [][]float32
	transfers []engine.Transfer
}

// Fetch begins to bring a bucket to the host that is complete for all shards, or will be. Only the owner of the engine
// calls it.
func (g *Gradients) Fetch(b model.Bucket) Fetched {
	f := Fetched{Bucket: b}
	for i, v := range g.vectors {
		f.transfers = append(f.transfers, v.Fetch(b.Span()))
		f.shards = append(f.shards, g.hosts[i][b.Off:][:b.Len])
	}
	return f
}

// Wait returns the gradients in the bucket, by shard. The sum over all shards goes into the first. Any goroutine may
// call it, once.
func (f Fetched) Wait() ([][]float32, error) {
	for _, t := range f.transfers {
		if err := t.Wait(); err != nil {
			return nil, err
		}
	}
	return f.shards, nil
}

// Put gives the engine the sums of all buckets. Only its owner calls it.
func (g *Gradients) Put() { g.vectors[0].Store(engine.Span{Len: len(g.hosts[0])}) }
