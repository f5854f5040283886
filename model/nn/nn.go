// Package nn holds the layers of BYOL's two networks as forward and backward pairs over a device.
//
// A stream is the run of one network over one view. The batch is cut into shards: batch-norm sums, weight gradients
// and losses are computed per shard, so what a shard gives does not depend on who holds the others.
//
// Stages. Layers do not compute when they are called: they say what is to be done, in order, and a Forward and a
// Backward keep it, cut into stages where sums over all shards must be known (see package engine). What is kept is
// done each time a stage is launched. The two networks run the same Forward, each by itself.
//
// Ownership. A network is declared first, in the places of an engine.Layout, then planned (every buffer of a step is
// allocated), then told to a Forward and a Backward. Layers own their activations; Pair owns what they share: scratch
// and the gradients of the shards. The flat parameters are the caller's, given by Use. Nothing here is safe for
// concurrent use.
//
// When it fails: a network that does not fit the device's memory is an error of Err. Wrong buffers are bugs of the
// caller and panic.
package nn

import "byol/model/device"

// The networks.
const (
	Online = iota
	Target
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
		return Target
	}
	return Online
}

// runners is how many networks run a layer.
func runners(onlineOnly bool) int {
	if onlineOnly {
		return 1
	}
	return networks
}

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
