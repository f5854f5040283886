package worker

import (
	"context"
	"math"
	"os"

	"byol/model"
	"byol/model/engine"
	pb "byol/proto"
	"byol/worker/eval"
)

const (
	// processBytes is what a worker has besides vectors, activations and images: the program, its heap, what is on its
	// way to others.
	processBytes = 192 << 20
	// batchesKept are those that are ready, at hand, and being made; of a worker that computes in turns, one of them is
	// at hand while the other is being made.
	batchesKept    = 4
	batchesInTurns = 2
	floatBytes     = 4
	pixelBytes     = 3
	bothViews      = 2
)

// Needs is about how many bytes a plan takes: engine.Engine's method, or what is known of an accelerator.
type Needs func(engine.Network, engine.Cut) (int64, error)

// Footprint is what a worker of a run takes of this machine's memory, if its engine takes needs, and what there is.
func Footprint(cfg *pb.RunConfig, needs Needs) (*pb.Footprint, error) {
	b, err := Linear(cfg, needs)
	if err != nil {
		return nil, err
	}
	view := int64(cfg.ImageSize) * int64(cfg.ImageSize) * pixelBytes
	kept := int64(batchesKept)
	if cfg.ShardsAtOnce > 0 {
		kept = batchesInTurns
	}
	b.PerImage += kept * bothViews * view * floatBytes
	b.Fixed += processBytes
	if !cfg.NoOverlap { // the ξ' that arrives beside the worker's own; who asks may decide on it only afterwards
		n, err := learnerConfig(cfg).Network()
		if err != nil {
			return nil, err
		}
		l, err := engine.Describe(n)
		if err != nil {
			return nil, err
		}
		b.Fixed += floatBytes * int64(l.Size)
	}
	if cfg.ImageSize <= smallImage {
		b.Fixed += min(cacheBytes, cfg.Samples*view)
	}
	if cfg.EvalData != "" {
		b.Fixed += eval.Bytes(int(cfg.ImageSize))
	}
	return &pb.Footprint{Worker: b, Memory: memoryOf(availableMemory(os.DirFS("/")))}, nil
}

// memoryOf is the memory that workers of this machine may have together.
func memoryOf(m room) *pb.Footprint_Memory {
	if m.whole.bytes == math.MaxInt64/2 {
		return &pb.Footprint_Memory{}
	}
	found := &pb.Footprint_Memory{Total: m.whole.bytes, Free: min(m.whole.bytes, m.own.bytes, m.shared.bytes)}
	if m.whole.from != machineHas {
		found.LimitedBy = m.whole.from
	}
	return found
}

// Linear finds the parts of what needs says of the run's network: activations go with images, gradients with shards.
func Linear(cfg *pb.RunConfig, needs Needs) (*pb.Footprint_Bytes, error) {
	c := learnerConfig(cfg)
	n, err := c.Network()
	if err != nil {
		return nil, err
	}
	if c.AtOnce > 0 {
		return inTurns(c, needs)
	}
	images := int64(max(c.Cut(1).Images, 1))
	var found [3]int64
	for i, cut := range []engine.Cut{{Local: 1, Images: int(images)}, {Local: 2, Images: int(images)},
		{Local: 1, Images: 2 * int(images)}} {
		cut.Shards = c.Shards
		if found[i], err = needs(n, cut); err != nil {
			return nil, err
		}
	}
	b := &pb.Footprint_Bytes{PerImage: (found[2] - found[0]) / images}
	b.PerShard = found[1] - found[0] - images*b.PerImage
	b.Fixed = found[0] - b.PerShard - images*b.PerImage
	return b, nil
}

// inTurns is Linear of workers that compute their shards some at a time: activations are those of one turn, whatever a
// worker has, and each shard has a gradient.
func inTurns(c model.Config, needs Needs) (*pb.Footprint_Bytes, error) {
	one, err := c.Needs(needs, c.AtOnce+1)
	if err != nil {
		return nil, err
	}
	two, err := c.Needs(needs, c.AtOnce+2)
	if err != nil {
		return nil, err
	}
	b := &pb.Footprint_Bytes{PerShard: two - one}
	b.Fixed = one - int64(c.AtOnce+1)*b.PerShard
	return b, nil
}

// stateVectors are the vectors of two states, which every engine has on the host.
const stateVectors = 6

// Counted is what an engine that computes on the processor takes, with all that it learns when it plans. What is
// planned here is never used, and the system gives memory when it is.
func Counted(ctx context.Context, cfg *pb.RunConfig, e engine.Engine) (Needs, error) {
	c := learnerConfig(cfg)
	n, err := c.Network()
	if err != nil {
		return nil, err
	}
	if _, err := e.Plan(ctx, n, c.Cut(1)); err != nil {
		return nil, err
	}
	for range stateVectors {
		if _, err := e.NewVector(false); err != nil {
			return nil, err
		}
	}
	return e.Needs, nil
}

// Mirrored is what an engine takes whose accelerator has memory of its own: vectors, and a gradient of each shard.
func Mirrored(n engine.Network, c engine.Cut) (int64, error) {
	l, err := engine.Describe(n)
	if err != nil {
		return 0, err
	}
	return floatBytes * int64(l.Size) * int64(stateVectors+c.Local), nil
}
