package model

import (
	"fmt"

	"byol/model/device"
	"byol/model/nn"
)

// Bytes is about how much memory a learner of local shards takes on a device of float32, counted and not allocated: the
// state of both networks, a gradient of each shard, and the activations. What a device needs beside, for convolutions,
// is not in it.
func Bytes(cfg Config, local int) (int64, error) {
	if err := cfg.Check(); err != nil {
		return 0, fmt.Errorf("count memory: %w", err)
	}
	var c tally
	l := &Learner{dev: &c, store: &c, cfg: cfg, sync: noSums{}}
	if err := l.build(local); err != nil {
		return 0, fmt.Errorf("count memory: %w", err)
	}
	return 4 * c.elements, nil
}

// tally is a device that only counts what is asked of it. It computes nothing.
type tally struct {
	device.Device
	elements int64
}

// Name implements device.Device.
func (*tally) Name() string { return "tally" }

// Alloc implements device.Device.
func (c *tally) Alloc(n int) (device.Buffer, error) {
	c.elements += int64(n)
	return device.Buffer{Mem: counted(n), Len: n}, nil
}

// Conv implements device.Device.
func (c *tally) Conv(device.ConvShape) (device.Conv, error) { return nil, nil }

// counted is memory that is not there.
type counted int

// Elements implements device.Memory.
func (n counted) Elements() int { return int(n) }

// noSums stands for other shards.
type noSums struct{ nn.Syncer }
