// Package nn holds the layers of BYOL's two networks as forward and backward pairs over a device.
//
// Lockstep. The online and the target network run layer by layer on both views together, so that one message
// carries a layer's batch-norm sums of both networks and both views. A stream is one (network, view).
//
// When it fails: a Syncer's error ends the pass with that error; parameters are untouched, and the next pass
// starts afresh. Wrong shapes are bugs of the caller and panic.
package nn

import "context"

// Syncer exchanges small vectors between the owners of the shards.
type Syncer interface {
	// Gather takes the vectors of the local shards, one after another in shard order, and fills all with
	// those of every shard in shard order. All vectors of a call have the same length. It returns when all is
	// complete, with an error that names whom it waited for otherwise.
	Gather(ctx context.Context, local, all []float64) error
}
