package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"byol/allreduce"
	"byol/internal/bench/measure"
	"byol/internal/network"
)

// runRank is the life of one rank.
func runRank(ctx context.Context, in io.Reader, out io.Writer) error {
	ln, err := allreduce.Listen(ctx, network.System{}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	fmt.Fprintln(out, ln.Addr())
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if j.Rank > 0 {
		out = io.Discard
	}
	rows := json.NewEncoder(out)
	return j.run(ctx, ln, func(transport string) { fmt.Fprintln(out, transport) },
		func(r row) error { return rows.Encode(r) })
}

// run forms the group and times its operations.
func (j job) run(
	ctx context.Context, ln *allreduce.Listener, transport func(string), out func(row) error,
) error {
	cfg := allreduce.GroupConfig{
		RunID: "arbench", Generation: 1, Rank: j.Rank, Peers: j.Peers, Listener: ln, NoSharedMemory: j.TCP,
		Wire: j.Wire,
	}
	if !j.TCP && !j.Copied {
		m, err := allreduce.NewMemory()
		if err != nil {
			return err
		}
		defer m.Close()
		cfg.Memory = m
	}
	g, err := allreduce.Form(ctx, cfg)
	if err != nil {
		return err
	}
	defer g.Close()
	transport(g.Transport())
	b := bench{g: g, j: j, memory: cfg.Memory, out: out}
	return b.run(ctx)
}

// bench times operations of one group.
type bench struct {
	g      *allreduce.Group
	j      job
	memory *allreduce.Memory
	out    func(row) error
	step   uint64
}

func (b *bench) run(ctx context.Context) error {
	own := b.j.Peers[b.j.Rank]
	shards := make([][]float32, own.ShardEnd-own.ShardBegin)
	for i := range shards {
		var err error
		if shards[i], err = b.vector(slices.Max(b.j.Bytes) / 4); err != nil {
			return err
		}
	}
	for _, n := range b.j.Bytes {
		if err := b.sum(ctx, n/4, shards); err != nil {
			return err
		}
	}
	local := make([]float64, 64*(own.ShardEnd-own.ShardBegin))
	sum := make([]float64, 64)
	return b.time(ctx, row{Op: "total", Bytes: 512}, 50, func() {}, func(k allreduce.Key) error {
		return b.g.Total(ctx, k, local, sum)
	})
}

func (b *bench) vector(n int) ([]float32, error) {
	if b.memory != nil {
		return b.memory.Floats(n)
	}
	return make([]float32, n), nil
}

// sum checks and times the sum of n elements of each shard, onto the first.
func (b *bench) sum(ctx context.Context, n int, shards [][]float32) error {
	own := b.j.Peers[b.j.Rank]
	list := make([][]float32, len(shards))
	for i := range shards {
		list[i] = shards[i][:n]
		for k := range list[i] {
			list[i][k] = float32(k%17) + float32(own.ShardBegin+i)
		}
	}
	b.step++
	if err := b.g.AllReduce(ctx, allreduce.Key{Step: b.step}, list, list[0]); err != nil {
		return err
	}
	if err := check(list[0], b.g.Shards(), b.j.Wire); err != nil {
		return err
	}
	inner := 1
	if 4*n <= 64<<10 {
		inner = 50
	}
	return b.time(ctx, row{Op: "all-reduce", Bytes: 4 * n}, inner, func() {
		for _, v := range list { // so small that sums of sums stay finite
			for k := range v {
				v[k] = 0x1p-100
			}
		}
	}, func(k allreduce.Key) error { return b.g.AllReduce(ctx, k, list, list[0]) })
}

// check compares with the sum in closed form, which is exact up to 240 shards: their values need no more than the 8
// bits of a mantissa that the shortest wire has.
func check(out []float32, shards int, wire allreduce.Wire) error {
	for k, x := range out {
		if want := wire.Round(float32(shards*(k%17) + shards*(shards-1)/2)); x != want {
			return fmt.Errorf("element %d: got %v, want %v", k, x, want)
		}
	}
	return nil
}

// time runs op and reports r. prepare comes before each repetition; all ranks begin it together.
func (b *bench) time(ctx context.Context, r row, inner int, prepare func(), op func(allreduce.Key) error) error {
	var times []time.Duration
	own := b.j.Peers[b.j.Rank]
	local, sum := make([]float64, own.ShardEnd-own.ShardBegin), make([]float64, 1)
	var used time.Duration
	for rep := range b.j.Reps + 1 {
		prepare()
		b.step++
		if err := b.g.Total(ctx, allreduce.Key{Step: b.step, Bucket: 1}, local, sum); err != nil {
			return err
		}
		spent := measure.Stopwatch()
		for range inner {
			b.step++
			if err := op(allreduce.Key{Step: b.step}); err != nil {
				return err
			}
		}
		if rep > 0 { // the first one warms up
			cost := spent()
			times = append(times, cost.Clock/time.Duration(inner))
			used += cost.CPU
		}
	}
	b.step++
	clear(local)
	local[0] = float64(used) / float64(b.j.Reps*inner)
	if err := b.g.Total(ctx, allreduce.Key{Step: b.step, Bucket: 2}, local, sum); err != nil {
		return err
	}
	r.CPU += time.Duration(sum[0]).Round(time.Microsecond)
	slices.Sort(times)
	r.Median, r.Best = times[len(times)/2], times[0]
	return b.out(r)
}
