// Package model is BYOL itself: an online and a target network on two views of each image, the loss between
// the prediction of one and the projection of the other, the LARS update, the moving average, and a linear
// probe behind a stop-gradient.
//
// What computes is an engine (package engine), stage by stage. What makes a run exact is here: in which order, what is
// summed over all shards and how, and what becomes of the sums.
//
// A Learner owns both networks' parameters twice, the current and the next, on its engine. Grad and Update
// write only gradients and the next ones; Commit makes them current. Until then a step can be run again. What
// depends on the number of shards here, Replan gives back and plans again. A Learner is used by one goroutine, and
// starts one per message of the backward half, which has ended when Grad returns.
//
// When it fails: New reports a configuration that cannot be, naming the field. After an error of Grad or
// Update the current state is untouched; a Syncer's error ends the pass, and the next one starts afresh. Where the
// engine broke the error is its *failure.Failure, and the learner is of no more use.
package model

// Batch is the input of one step: the images of all local shards in shard order.
type Batch struct {
	View1, View2 []float32 // [S·b][H][W][3], normalised
	Labels       []int32   // [S·b], −1: none; nil without a probe
}

// ShardStats holds the sums of one shard in one step.
type ShardStats struct {
	Loss      float64 // Σ over images of BYOL's loss
	ProbeLoss float64 // Σ over labelled images of the probe's cross entropy
	Correct   int     // labelled images the probe got right
	Labelled  int
	Images    int
}

// Stats is what one call of Grad measured.
type Stats struct {
	Shards []ShardStats // of the local shards; overwritten by the next Grad
	// StdRatio is the mean standard deviation per dimension of the L2-normalised projections over the global
	// batch times sqrt(dimensions): about 1 when healthy, 0 when collapsed.
	StdRatio float64
}

// Tensor is a named host copy.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}
