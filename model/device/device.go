// Package device is what a layer may ask of an accelerator: memory, and a closed list of operations.
//
// Activations are NHWC, convolution weights OHWI (out, height, width, in), matrices [out][in]; all are dense
// in a device's memory. The element type is the device's own (float32, or float64 for the
// reference64 oracle); the host sees float32, and float64 for the short vectors of batch norm.
//
// Equal bits. Every result is a function of the operands and the shape of one image or one shard: the order
// of a sum never depends on the number of threads, on the number of images in a call (for operations that
// treat images independently), or on memory addresses. That is what lets 1, 2, 4 and 8 workers end with the
// same weights. devicetest checks it.
//
// When it fails: a wrong shape is a bug of the caller and panics before the first write; an accelerator that
// breaks reports the first error at the next Sync, and everything launched after it is void.
package device

// Memory is one allocation of a device. Only the device that made it looks inside.
type Memory interface {
	// Elements is the number of elements in the allocation.
	Elements() int
}

// Buffer is a run of elements of one Memory. The zero Buffer means "none" where an operand is optional.
type Buffer struct {
	Mem Memory
	Off int // first element
	Len int // number of elements
}

// Slice returns elements [off, off+n) of b.
func (b Buffer) Slice(off, n int) Buffer {
	if off < 0 || n < 0 || off+n > b.Len {
		panic("device: slice out of range")
	}
	return Buffer{Mem: b.Mem, Off: b.Off + off, Len: n}
}

// IsNil reports whether b is the zero Buffer.
func (b Buffer) IsNil() bool { return b.Mem == nil }

// Device is an accelerator: memory and kernels, launched in order on one stream. It is used by one goroutine.
type Device interface {
	// Name is what --device selects: "reference", "reference64", "cpu", "cuda".
	Name() string
	// Fingerprint names device, kernels and instruction set. Equal fingerprints give equal bits.
	Fingerprint() string
	// Alloc returns n elements, all zero.
	Alloc(n int) (Buffer, error)
	// Upload and Download copy between host and device; the lengths are equal.
	Upload(dst Buffer, src []float32)
	Download(dst []float32, src Buffer)
	// Upload64 and Download64 do so in float64 (rounded to the element type where that is narrower).
	Upload64(dst Buffer, src []float64)
	Download64(dst []float64, src Buffer)
	// Conv plans a convolution. The plan and its scratch memory live as long as the device.
	Conv(s ConvShape) (Conv, error)
	// Sync waits for everything launched and returns the first error since the last Sync.
	Sync() error
	Close() error
	Kernels
}

// HostMemory is implemented by devices whose memory the host can address as float32.
type HostMemory interface {
	// Host returns the elements of b themselves, not a copy.
	Host(b Buffer) []float32
}

// FastConvolution is implemented by devices that compute some convolutions by algorithms with fewer multiplications
// than their definition. Those round differently: with e the largest error that the definition's sum may have in any
// element of an output, an element is off by at most ConvolutionGrowth()·e.
type FastConvolution interface {
	ConvolutionGrowth() float64
}

// Scoper is implemented by devices that give memory back before they are closed.
type Scoper interface {
	// Scope returns the same device with memory of its own. What Alloc, AllocPeer and Conv of the scope take goes back
	// when the scope is closed; its buffers and plans are void from then on. The device and all its scopes are used by
	// one goroutine, kernels of any take buffers of all, and closing the device closes its scopes.
	Scope() Device
	// Allocated is how many bytes the device and its open scopes hold, those of AllocPeer included.
	Allocated() int
}

// Scope returns a scope of dev and what closes it. Where dev has no scopes it is dev itself, which keeps the memory.
func Scope(dev Device) (scope Device, release func() error) {
	if s, ok := dev.(Scoper); ok {
		scope = s.Scope()
		return scope, scope.Close
	}
	return dev, func() error { return nil }
}

// PeerMemory is implemented by devices that can keep vectors where other processes of the host reach them.
type PeerMemory interface {
	// UsePeerMemory has AllocPeer take its memory from m, which outlives the device.
	UsePeerMemory(m PeerAllocator)
	// AllocPeer is Alloc in that memory; in the device's own without one, or when it has no more.
	AllocPeer(n int) (Buffer, error)
}

// PeerAllocator hands out memory that other processes of the host reach. allreduce.Memory is one.
type PeerAllocator interface {
	// Floats returns n zero elements that begin at a multiple of 64 bytes and have 256 bytes behind them that may be
	// read.
	Floats(n int) ([]float32, error)
	// Free takes back what Floats returned.
	Free(x []float32)
}

// AllocPeer returns n zero elements for a vector that is summed or shared over workers: where the other processes of
// the host reach it if dev can, for then it needs no copies, and as Alloc does if not.
func AllocPeer(dev Device, n int) (Buffer, error) {
	if p, ok := dev.(PeerMemory); ok {
		return p.AllocPeer(n)
	}
	return dev.Alloc(n)
}

// ConvShape describes a 2-d convolution without bias. A linear layer is the case H=W=KH=KW=1.
// Output row oy, tap ky reads input row oy*Stride + ky − PadTop; rows outside [0,H) are zero.
type ConvShape struct {
	N               int // most images in one call
	H, W, C         int // input height, width, channels
	OH, OW, K       int // output height, width, channels
	KH, KW          int
	Stride          int
	PadTop, PadLeft int
	// NoBackwardData and NoBackward say which passes will never be asked for (first layer; target network).
	NoBackwardData, NoBackward bool
}

// Conv is a planned convolution. n is the number of images of the call, at most ConvShape.N.
type Conv interface {
	// Pack takes the weights w [K][KH][KW][C]; the next calls use them. They must keep their elements while calls do, for
	// a device may lay them out when a pass begins. Call again after w changes.
	Pack(w Buffer)
	// Forward: y[n][OH][OW][K] = x[n][H][W][C] * w.
	Forward(x, y Buffer, n int)
	// BackwardData: dx = the gradient with respect to x, overwriting dx.
	BackwardData(dy, dx Buffer, n int)
	// BackwardWeights: dw [K][KH][KW][C] = Σ over the n images, overwriting dw; with add, dw += that sum.
	// The order of the sum depends on the shape and n alone.
	BackwardWeights(x, dy, dw Buffer, n int, add bool)
}

// SummingConv is implemented by convolutions that sum the columns of their output while they compute it, which
// spares a pass over memory.
type SummingConv interface {
	// ForwardSums is Forward of n images and BatchNormSums of each of the n/shards images in turn: out is
	// [shards][2K]. The bits are those of the calls apart.
	ForwardSums(x, y Buffer, n, shards int, out []float64)
	// BackwardDataSums is BackwardData of n images and BatchNormGradSums of each of the n/shards images in turn, with
	// a.DY = dx and a's other operands for all n images: out is [shards][2C]. The bits are those of the calls apart.
	BackwardDataSums(dy, dx Buffer, n, shards int, a BatchNormGrad, out []float64)
}

// BatchNorm holds the operands of the normalisation of one view: rows×c elements each.
type BatchNorm struct {
	Rows, C      int
	X, Y         Buffer
	Residual     Buffer // optional, added before the ReLU; may be Y
	ReLU         bool
	Gamma, Beta  Buffer    // [c]
	Mean, InvStd []float64 // [c]; InvStd = 1/sqrt(var+eps)
}

// BatchNormGrad holds the operands of its backward pass. With Y set, the gradient passes only where Y > 0. With Beta
// set and no Y it passes only where BatchNormApply of X without residual is positive, in every bit as that computes
// it: the ReLU's output need not be read.
type BatchNormGrad struct {
	Rows, C      int
	DY, X, Y, DX Buffer // Y optional; DX may be DY or X
	Gamma, Beta  Buffer // Beta optional
	Mean, InvStd []float64
}

// PoolShape is a max pooling window; padding is −∞.
type PoolShape struct {
	H, W, C, OH, OW     int
	Window, Stride, Pad int
}

// LARS holds the operands of the update of one tensor.
type LARS struct {
	W, G, M                  Buffer // weight, gradient, momentum
	W2, M2                   Buffer // where the new weight and momentum go; never the old ones
	LR, Momentum, Decay, Eta float64
	Adapt                    bool // false for biases and batch-norm parameters: no decay, no trust ratio
}

// Kernels is the closed list of operations. Buffers may be longer than an operation needs.
type Kernels interface {
	// BatchNormSums: out[j] = Σ_rows x[·][j], out[c+j] = Σ_rows x[·][j]²; out has 2c elements.
	BatchNormSums(x Buffer, rows, c int, out []float64)
	// BatchNormApply: y = relu?((x−mean)·invstd·gamma + beta [+ residual]).
	BatchNormApply(a BatchNorm)
	// BatchNormGradSums: with g = dy where the gradient passes, else 0, and x̂ = (x−mean)·invstd, out[j] = Σ g and
	// out[c+j] = Σ g·x̂.
	BatchNormGradSums(a BatchNormGrad, out []float64)
	// BatchNormGradApply: dx = gamma·invstd·(g − sums[j]/count − x̂·sums[c+j]/count); sums and count are
	// over the whole synchronised batch.
	BatchNormGradApply(a BatchNormGrad, sums []float64, count float64)

	// AddMasked: out = (a [+ b])·[y > 0 or no y]; b and y optional; out may be a or b.
	AddMasked(a, b, y, out Buffer, n int)
	// AddBias: y[r][j] += bias[j].  BiasGrad: db[j] = Σ_rows dy[·][j], overwriting db.
	AddBias(y, bias Buffer, rows, c int)
	BiasGrad(dy, db Buffer, rows, c int)
	// MaxPool, and its gradient, which goes to the first maximum of a window in row-major order (as PyTorch).
	MaxPool(s PoolShape, x, y Buffer, n int)
	MaxPoolGrad(s PoolShape, x, dy, dx Buffer, n int)
	// AvgPool: y[n][c] = mean over hw positions of x[n][hw][c].
	AvgPool(x, y Buffer, n, hw, c int)
	AvgPoolGrad(dy, dx Buffer, n, hw, c int)

	// Regression (BYOL's loss): returns Σ_n ‖p̂−ẑ‖², x̂ = x·rsqrt(max(Σx², 1e-12)), and writes
	// dp = scale · its gradient with respect to p [n][d] (added to dp with add).
	Regression(p, z, dp Buffer, n, d int, scale float64, add bool) float64
	// NormalizedSums: with x̂ = x/‖x‖ row by row, out[j] = Σ x̂_j, out[d+j] = Σ x̂_j².
	NormalizedSums(x Buffer, n, d int, out []float64)
	// CrossEntropy: Σ_n −log softmax(x)[label], dx = scale·gradient, and how often the label is the argmax.
	// A label below 0 means none: such a row adds nothing and its gradient is zero.
	CrossEntropy(x Buffer, labels []int32, dx Buffer, n, classes int, scale float64) (loss float64, correct int)

	// LARS (spec: Grill et al. 2020, released code): u = g + decay·w, trust = eta·‖w‖/‖u‖ where both norms
	// are positive, else 1; not adapted: u = g, trust = 1. m2 = momentum·m + trust·u; w2 = w − lr·m2.
	LARS(a LARS)
	// EMA: out = xi + rate·(theta − xi); rate = 1−τ; product and sum are rounded separately (no FMA).
	EMA(xi, theta, out Buffer, rate float64)
	// Fill sets all dst.Len elements to v.
	Fill(dst Buffer, v float32)
}
