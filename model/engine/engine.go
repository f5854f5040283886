// Package engine is the seam between BYOL and what computes it. An Engine gets the description of both networks and of
// the batch once (Plan), and is then asked for stages: stretches of a pass between two places where sums over all
// shards must be known. A processor with operations of its own (package engine/ops, over model/device) and an
// accelerator with compiled programs both fit behind it.
//
// What makes a run exact stays above, in Go, once for all engines (package model): the order of stages, the messages,
// sums over shards by a tree, moments and running statistics in float64, buckets, running ahead.
//
// Equal bits. What an engine computes is a function of the network, the images of one shard, and the operands: never
// of the number of local shards, of who holds which, of the time at which sums arrive, or of what was asked for
// between. A stage is computed for each local shard apart, or so that no bit differs from that. enginetest checks it.
//
// Shapes. Activations are NHWC, weights of convolutions OHWI, matrices [out][in]; the flat layout of parameters is
// Layout's, the same for all engines. The host sees float32, and float64 for sums and moments.
//
// Ownership. An Engine is used by one goroutine, which Transfer.Wait and reading Vector.Host are exempt from. What
// NewVector returns lives until Close; what Gradient returns, until the next Plan.
//
// When it fails: Plan, NewVector and Needs return their errors, and a network that does not fit the accelerator's
// memory is one of them that names what does. Wrong lengths and stages of another plan are bugs of the caller and
// panic. A fault of the accelerator comes to light at the next call that waits: Sums, ReadLosses, Update, Encode,
// Products, Transfer.Wait or Sync returns a *failure.Failure with what, why and what to try (see Broken). From then on
// the engine is broken for good: what was launched behind the fault is void, every later call that waits returns the
// same failure, those that do not wait do nothing, and only Close is of use. The state that the host holds is not
// touched by it.
package engine

import "context"

// Cut says how the batch of a step is cut.
type Cut struct {
	Shards int // in all
	Local  int // of them here
	Images int // in each
}

// Batch is the number of images here.
func (c Cut) Batch() int { return c.Local * c.Images }

// Span is the part [Off, Off+Len) of a flat vector.
type Span struct{ Off, Len int }

// End is where the part ends.
func (s Span) End() int { return s.Off + s.Len }

// Stage is one stretch of a pass. It is the same for all ranks and any number of local shards.
type Stage struct {
	// Index is for the engine: which stage of the plan it is.
	Index int
	// Norms are the batch norms whose sums the stage ends with, as indices of Layout.Norms. Every local shard has Sums
	// numbers: for each norm in turn, for view 1 and then view 2, 2c numbers:
	//
	//	forward:  [Σx, Σx²] of the norm's input x, over the images and positions of the shard
	//	backward: [Σg, Σg·x̂], g the gradient of its output behind the ReLU's mask, x̂ the normalised input
	//
	// They are float64, each added in an order that depends on the shape of one shard alone. An engine may compute them
	// about any point that is the same on all ranks, such as the running mean, and shift them back in float64.
	//
	// With local batch norm a network's last forward stage has the sums of all its norms, and no other stage has any.
	Norms []int
	Sums  int
	// Totals is how many numbers Launch takes: of the norms with whose sums the stage before ended, in the same order,
	//
	//	forward:  [mean, 1/sqrt(variance+Epsilon)] of each view over the synchronised batch
	//	backward: the sums of each view over all shards
	//
	// 0 for the first stage of a pass, and for all with local batch norm, where the engine computes them by itself: the
	// moments of each shard as Moments does, in float64 or as near as it can.
	Totals int
	// Done are the parts of every local shard's gradient that are complete when this stage and all launched before it
	// have run.
	Done []Span
}

// Stages are those of a plan. A training pass launches each once, in an order that keeps these rules and is otherwise
// free:
//
//	Online[k], k ≥ 1   behind Online[k−1], whose sums its totals are made of; Target[k] likewise
//	Losses             behind all of Online and Target
//	Backward[0]        behind Losses
//	Backward[k], k ≥ 1 behind Weights[k−1] and Backward[k−1], whose sums its totals are made of
//	Weights[k]         behind Backward[k]
//
// Online and target are apart: the online network may be any number of stages ahead, or have all of them behind it
// when Target[0] is launched. A pass may be dropped between any two stages; the next begins at Online[0].
type Stages struct {
	// Online and Target are the forward halves. The last of each ends with no sums; with local batch norm, with all.
	// Where both have a stage k, their norms are the same ones.
	Online, Target []Stage
	// Losses computes BYOL's loss, the probe's with its whole gradient, and the gradients of the predictions. Its Norms
	// are empty; its sums are those for the spread of the embedding: with ẑ the online projection of an image, divided
	// by its length, [Σẑ, Σẑ²] of view 1 and then view 2: 4·ProjectorOut numbers of each shard.
	Losses Stage
	// Backward is the backward half of the online network; Backward[0] takes no totals. Weights[k] computes what the
	// sums of Backward[k] are not needed for, while they travel; it ends with none. len(Weights) = len(Backward), and
	// the gradient is complete behind the last of both.
	Backward, Weights []Stage
	// Synchronous says that Launch computes before it returns. Then a stage's sums are best sent off before the next
	// stage is launched, and both networks' share a message. Otherwise everything that needs no sums is best launched
	// before any are waited for, and one network computes while the sums of the other travel.
	Synchronous bool
}

// State is one version of the parameters and what belongs to them.
type State struct {
	Theta, Momentum, Xi Vector
	// Statistics are the running means and variances of the online network, then the target's: Layout.Statistics
	// numbers each, where Norm.Mean and Norm.Var say.
	Statistics []float32
}

// PeerMemory is memory that other processes of the host reach. An allreduce.Memory is one.
type PeerMemory interface {
	// Floats returns n zero elements that begin at a multiple of 64 bytes and have 256 bytes behind them that may be
	// read.
	Floats(n int) ([]float32, error)
	// Free takes back what Floats returned.
	Free(x []float32)
}

// Losses are the sums of one shard in one step.
type Losses struct {
	Loss    float64 // Σ over images of ‖p̂1−ẑ'2‖² + ‖p̂2−ẑ'1‖²
	Probe   float64 // Σ over images with a label (≥ 0) of the cross entropy
	Correct int     // images whose label has the largest logit
}

// Vector is a flat vector in the accelerator's memory, of Layout.Size elements, all zero at first.
type Vector interface {
	// Host is the vector on the host: its elements themselves where the host addresses the accelerator's memory, else a
	// copy that belongs to this vector, whose elements are those of the last Fetch or of whoever wrote there since. It
	// is the same memory in every call, the first of which may allocate it: where other processes of the host reach it
	// if that was asked for, and where the accelerator copies fastest.
	Host() []float32
	// Fetch begins to bring elements to Host, as everything launched before leaves them. They are there when Wait of
	// the transfer has returned, and stand until something that was launched later changed them and they are fetched
	// again: what Host has already, from a Fetch of all elements or a Store of all, is not written once more, so that
	// others may read it meanwhile.
	Fetch(s Span) Transfer
	// Store makes elements of Host the vector's, for everything launched later. Any parts may be stored in any order; an
	// engine may wait for the rest of a tensor before it sends it. They are not changed until Sync.
	Store(s Span)
}

// Transfer is a copy to the host that may be under way. Wait returns when it is complete, or with what kept it from
// that. It may be called once, by any goroutine.
type Transfer interface{ Wait() error }

// Engine computes both networks of a run. See the package comment for who may call it, and how faults come to light.
// Calls that wait say so; all others return at once, unless Stages.Synchronous, and what they launch runs in order.
type Engine interface {
	// Name is what --device selects: "cpu", "reference", "pjrt:cuda".
	Name() string
	// Fingerprint names everything that decides the bits: processor or plugin with its version and kind of device,
	// options, precision, and a digest of all programs of the plan. Equal fingerprints give equal bits.
	Fingerprint() string

	// Needs is about how many bytes of the host's memory a plan takes with the vectors of two states and all gradients,
	// counted and not allocated; 0 where the accelerator has memory of its own. Holds is how many the engine holds, 0
	// likewise.
	Needs(n Network, c Cut) (int64, error)
	Holds() int64

	// Plan compiles and allocates everything that a step needs beside the states, in place of the plan before, whose
	// memory is given back first. Nothing is compiled later. Vectors of NewVector keep their elements, if n has the same
	// layout; what Use and Load were told is forgotten. After an error there is no plan.
	Plan(ctx context.Context, n Network, c Cut) (*Stages, error)
	// NewVector returns a vector of the plan's layout. peers says that other processes of the host read it, or write
	// to what it shows them.
	NewVector(peers bool) (Vector, error)
	// Gradient is the gradient of a local shard, in the flat layout. Update takes the sum over all shards from that of
	// local shard 0.
	Gradient(shard int) Vector

	// Load gives the images [Local·Images][H][W][3] of both views, in shard order, and a label each, −1 for none; labels
	// is nil without a probe. The slices are the caller's again when a call that waits has returned.
	Load(view1, view2 []float32, labels []int32)
	// Use says whose parameters and statistics what is launched from now on reads, and that they may have changed since
	// the last Use. Theta and Statistics are read from the launch of Online[0] on, or by Encode; Xi from that of
	// Target[0] on, so it may be stored until then. Statistics do not change while a pass reads them.
	Use(s State)
	// Launch begins a stage for all local shards. totals has s.Totals numbers, and is the caller's again on return.
	Launch(s *Stage, totals []float64)
	// Sums waits for a stage that was launched, not for what was launched behind it, and writes the sums of local shard
	// i to to[i], s.Sums numbers. They can be read once.
	Sums(s *Stage, to [][]float64) error
	// ReadLosses waits for Losses and writes what each local shard's are.
	ReadLosses(to []Losses) error

	// Update sets next's Theta and Momentum by LARS from now's and Gradient(0), with Network.Rule, waits, and returns
	// the sum of the squares of the gradient. No vector of next is one of now.
	Update(now, next State, rate float64) (squares float64, err error)
	// Average sets out = xi + rate·(theta − xi) in float32, the product and the sums rounded each by itself. out may be
	// xi.
	Average(out, theta, xi Vector, rate float64)

	// Encode computes features [n][Layout.Features] of n images x [n][H][W][3], any number, by the online network with
	// the running statistics of Use, and waits. What an image gives does not depend on those beside it. What was
	// launched of a pass is void.
	Encode(ctx context.Context, x []float32, n int, features []float32) error
	// Products multiplies rows of features: all queries [nq][dim] with all rows of the bank [nb][dim], tile by tile. got
	// is told each tile: products [·][width] of the queries from query on and the rows from row on, which it must not
	// keep. A product does not depend on the others of its tile.
	Products(ctx context.Context, queries, bank []float32, dim int,
		got func(products []float32, query, row, width int)) error

	// Outputs waits and returns what the networks gave on the way to the losses of the last pass, for comparisons.
	Outputs() (Outputs, error)
	// Trace has f told what the online network gives behind each batch norm and its ReLU, for comparisons: once in every
	// pass that is launched from now on, before its losses have been read, [n][h][w][c] of a view. f is called by the
	// goroutine that calls the engine. nil: nobody is told.
	Trace(f func(norm, view int, y []float32))

	// Sync waits for everything launched and stored, and returns what broke if something did.
	Sync() error
	// Close gives all memory back and ends what the engine started.
	Close() error
}

// Outputs are what both networks gave for the images of all local shards, in shard order: [n][features] of view 1,
// [n][ProjectorOut] of the online network, its predictor and the target network by view, and [n][Classes] of the
// probe.
type Outputs struct {
	Embedding                      []float32
	Projection, Prediction, Target [2][]float32
	Logits                         []float32 // nil without a probe
}
