// Package nn holds the layers of BYOL's two networks as forward and backward pairs over a device.
//
// Lockstep. The online and the target network run layer by layer on both views together, so that one message
// carries a layer's batch-norm sums of both networks and both views (Lockstep). A stream is one such run of a
// network over a view. The batch is cut into shards: batch-norm sums, weight gradients and losses are computed
// per shard, and sums over shards are added in shard order, so results depend on the number of shards and not
// on who holds them.
//
// Leading. While the target's parameters are on their way, the online network may run ahead of it (Lead), and the
// target catches up later (Run). The sums are the same ones in other messages.
//
// Ownership. A network is declared first (its parameters get their places in one flat layout), then planned
// (every buffer of a step is allocated). Layers own their activations; Lockstep owns what they share: scratch,
// messages, the gradients of the shards. The flat parameters are the caller's, given by Use. Nothing here is
// safe for concurrent use. One goroutine is started per message of the backward pass, and has ended when the
// pass returns.
//
// When it fails: a Syncer's error ends the pass with that error; parameters are untouched, and the next pass
// starts afresh. A network that does not fit its images, or the device's memory, is an error of Err. Wrong
// buffers are bugs of the caller and panic.
package nn

import (
	"context"

	"byol/model/device"
)

// Syncer exchanges small vectors between the owners of the shards.
type Syncer interface {
	// Gather takes the vectors of the local shards, one after another in shard order, and fills all with
	// those of every shard in shard order. All vectors of a call have the same length. It returns when all is
	// complete, with an error that names whom it waited for otherwise. It may be called from another goroutine
	// than the one that runs the pass, but never twice at once.
	Gather(ctx context.Context, local, all []float64) error
}

// The networks.
const (
	online = iota
	target
	networks
)

// The streams: each network over each view, and the evaluation of the online network with running statistics.
const (
	Online1 = iota
	Online2
	Target1
	Target2
	Eval
	streamCount
)

// views is how many views an image has.
const views = 2

// Streams holds one buffer per stream.
type Streams [streamCount]device.Buffer

// Views holds one buffer per view, for gradients of the online network.
type Views [views]device.Buffer

// networkOf says whose parameters a stream uses.
func networkOf(stream int) int {
	if stream == Target1 || stream == Target2 {
		return target
	}
	return online
}

// runners is how many networks run a layer.
func runners(onlineOnly bool) int {
	if onlineOnly {
		return 1
	}
	return networks
}

// Cut says how the batch is cut into shards.
type Cut struct {
	Shards int // in all
	Local  int // of them here
	Images int // in each
}

// Batch is the number of images here.
func (c Cut) Batch() int { return c.Local * c.Images }

// pass is one run forward: the streams [from, to) over a number of images.
type pass struct{ from, to, images int }

// evaluates says whether batch norm uses running statistics.
func (p pass) evaluates() bool { return p.from == Eval }

// streams returns the range of a pass in a layer that only the first n networks run.
func (p pass) streams(n int) (from, to int) {
	if p.evaluates() {
		return p.from, p.to
	}
	return p.from, min(p.to, n*views)
}
