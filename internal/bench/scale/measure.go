package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"byol/allreduce"
	"byol/internal/network"
)

// moved is what the ranks of a group have sent on average, in bytes.
type moved struct{ total, sum float64 }

// work is what a group is measured with: numbers of a total, and elements of a sum.
type work struct{ width, n int }

// measure has size ranks over a network, each a host of its own with the same number of shards, sum width float64
// numbers of each shard, and n float32 elements. It counts what they send.
func measure(ctx context.Context, on network.Network, size, shards int, w work) (moved, error) {
	var traffic allreduce.Traffic
	groups, done, err := form(ctx, on, size, shards, &traffic)
	if err != nil {
		return moved{}, err
	}
	defer done()
	var m moved
	for step, op := range []struct {
		into *float64
		call func(g *allreduce.Group, key allreduce.Key) error
	}{
		{&m.total, func(g *allreduce.Group, key allreduce.Key) error {
			return g.Total(ctx, key, make([]float64, shards*w.width), make([]float64, w.width))
		}},
		{&m.sum, func(g *allreduce.Group, key allreduce.Key) error {
			own := make([][]float32, shards)
			for i := range own {
				own[i] = make([]float32, w.n)
			}
			return g.AllReduce(ctx, key, own, own[0])
		}},
	} {
		before := traffic.Sent()
		err := each(size, func(r int) error { return op.call(groups[r], allreduce.Key{Step: uint64(step)}) })
		if err != nil {
			return moved{}, err
		}
		*op.into = float64(traffic.Sent()-before) / float64(size)
	}
	return m, nil
}

// form makes a group, and what ends it.
func form(ctx context.Context, on network.Network, size, shards int,
	traffic *allreduce.Traffic) (groups []*allreduce.Group, done func(), err error) {
	var listeners []*allreduce.Listener
	var peers []allreduce.Peer
	done = func() {
		for _, g := range groups {
			if g != nil {
				_ = g.Close()
			}
		}
		for _, l := range listeners {
			_ = l.Close()
		}
	}
	for r := range size {
		l, err := allreduce.Listen(ctx, on, "127.0.0.1:0")
		if err != nil {
			done()
			return nil, nil, err
		}
		listeners = append(listeners, l)
		peers = append(peers, allreduce.Peer{Address: l.Addr(), ShardBegin: r * shards, ShardEnd: (r + 1) * shards,
			Host: fmt.Sprint("host ", r)})
	}
	groups = make([]*allreduce.Group, size)
	err = each(size, func(r int) error {
		var err error
		groups[r], err = allreduce.Form(ctx, allreduce.GroupConfig{RunID: "scale", Generation: 1, Rank: r, Peers: peers,
			Listener: listeners[r], Traffic: traffic})
		return err
	})
	if err != nil {
		done()
		return nil, nil, err
	}
	return groups, done, nil
}

// each calls f for all ranks at the same time.
func each(size int, f func(r int) error) error {
	errs := make([]error, size)
	var all sync.WaitGroup
	for r := range size {
		all.Go(func() { errs[r] = f(r) })
	}
	all.Wait()
	return errors.Join(errs...)
}
