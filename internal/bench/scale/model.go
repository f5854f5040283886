package main

import "math"

// What a step of ResNet-50 at 224² moves, in bytes, and in how many messages.
const (
	encoder   = 23_508_032
	projector = 2048*4096 + 4096 + 8192 + 4096*256
	predictor = 256*4096 + 4096 + 8192 + 4096*256
	gradient  = 4 * (encoder + projector + predictor)
	target    = 4 * (encoder + projector)
	channels  = 26_560 // of the encoder's 53 batch norms
	// Sums of one shard: of both networks and views forward (the predictor is the online network's), of both views
	// backward; two sums of 8 bytes a channel.
	forwardSums  = (4*channels + 4*4096 + 2*4096) * 2 * 8
	backwardSums = (2*channels + 2*4096 + 2*4096) * 2 * 8
	messages     = 51 + 51 // a block's shortcut goes with its last layer
	batch        = 4096
)

// What was measured on loopback, seconds.
const (
	frame     = 14e-6   // of a processor, for a small frame, both sides
	hop       = 40e-6   // of a small frame between hosts, one way
	perByte   = 0.52e-9 // of a processor, for a byte of a long vector, both sides
	oldChunk  = 1 << 20
	chunk     = 256 << 10
	averaging = 20e9 // bytes a second, of the moving average
	logEntry  = 4e-3
	forward   = 0.47 // of the time of computing
	backward  = 1 - forward
	overlap   = 0.85 // of the backward pass, behind which sums of gradients hide
	oldAhead  = 0.5  // of the forward pass, behind which a commit hid: the online network's half
	farAhead  = 0.95 // of computing, if the backward pass ran ahead of the commit, too
	sublinear = 4    // more cores than this do not serve frames faster
)

// worker is a kind of worker: images a second alone, and cores.
type worker struct {
	name  string
	rate  float64
	cores int
}

// cost is where the time of a step goes, in seconds.
type cost struct {
	compute float64
	norms   float64 // waited for sums of batch norm
	sums    float64 // for sums of gradients, beyond what hides behind the backward pass
	commit  float64 // for commit and broadcast, beyond what hides behind the next forward pass
}

func (c cost) step() float64 { return c.compute + c.norms + c.sums + c.commit }

// efficiency is the share of a step in which a worker computes.
func (c cost) efficiency() float64 { return c.compute / c.step() }

// line is how many bytes a second go over a link of bandwidth by so many connections, each of which a core serves at
// either end.
func line(bandwidth float64, connections int) float64 {
	return min(bandwidth, float64(connections)/(perByte/2))
}

// commitShown is what is seen of commit and broadcast, which have not changed with the order of sums, beyond what
// hides.
func commitShown(n int, bandwidth, hidden float64) float64 {
	t := gradient/bandwidth + target/bandwidth + 3*target/averaging + logEntry + target/line(bandwidth, 1) + float64(n)*hop
	return max(0, t-hidden)
}

// before is a step where sums go from left to right: every worker gathers every shard's sums of batch norm, gradients
// go along a chain, and the online network alone runs ahead of the commit.
func before(n int, bandwidth float64, w worker) cost {
	c := cost{compute: batch / float64(n) / w.rate}
	one, served := line(bandwidth, 1), float64(min(w.cores, sublinear))
	others := float64(n - 1)
	fill := 2 * float64(n) * (oldChunk/one + hop)
	c.norms = messages*(hop+others*frame/served) + (forwardSums+backwardSums)*others/bandwidth
	c.sums = max(2*gradient/one+fill-overlap*backward*c.compute, fill)
	c.commit = commitShown(n, bandwidth, oldAhead*forward*c.compute)
	return c
}

// now is a step where sums go by the tree, with a shard for each worker, and the forward pass runs ahead of the commit.
func now(n int, bandwidth float64, w worker) cost {
	c := cost{compute: batch / float64(n) / w.rate}
	served, others := float64(min(w.cores, sublinear)), float64(n-1)
	rounds := math.Ceil(math.Log2(float64(n)))
	sums := (forwardSums + backwardSums) / bandwidth
	c.norms = min(messages*(hop+others*frame/served)+others*sums, messages*rounds*(hop+frame)+rounds*sums)
	many := line(bandwidth, min(n-1, w.cores))
	chunks := math.Ceil(gradient / float64(n) / chunk)
	bytes := max(2*gradient*others/float64(n)/many, chunks*2*others*frame/served)
	ends := 2 * (chunk/many + hop + others*frame/served)
	c.sums = max(bytes+ends-overlap*backward*c.compute, ends)
	c.commit = commitShown(n, bandwidth, forward*c.compute)
	return c
}

// further is now, if the backward pass ran ahead, too. That is not built: sums of gradients and the slices of ξ' take
// turns.
func further(n int, bandwidth float64, w worker) cost {
	c := now(n, bandwidth, w)
	c.commit = commitShown(n, bandwidth, farAhead*c.compute)
	return c
}
