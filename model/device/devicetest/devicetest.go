// Package devicetest is the exam every device passes: each operation of the compute seam against the float64
// oracle at odd shapes, and the promises of equal bits.
//
// Tolerances are derived, not tuned. With u the rounding unit of the device's elements (2⁻²⁴ for float32), a sum
// of n products in any order, with or without fused multiply-adds, is off by at most γ(n)·Σ|aᵢ·bᵢ| where
// γ(n) = n·u/(1−n·u) (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). The exam computes
// Σ|aᵢ·bᵢ| with the oracle itself, on absolute values, so each element has a bound of its own. What a formula
// adds to that is counted in the comment of its check. Where one rounding is all there is, bits are compared.
//
// The exam has a part for each family of operations, in a file of its own, so that a device can be brought up one
// family after another: Memory first, which needs no kernel but Fill, then any. Run is all of them. A part allocates
// its memory from the device once, about 16 MiB, and uses it again for every case; plans of convolutions stay until
// the device is closed. It is run by one goroutine.
//
// When it fails: Run marks the test as failed, with operation, shape, element, got, want and bound. A device that
// panics ends the test.
package devicetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
)

// Run examines dev, which the caller closes, in all parts. Everything a device is asked for stays within the seam, so
// a fault that it reports by Sync is a failure of the exam.
func Run(t *testing.T, dev device.Device) {
	for _, p := range parts() {
		t.Run(p.name, func(t *testing.T) { examine(t, dev, p.checks) })
	}
}

// Memory examines allocation, copies between host and device, and scopes: what all other parts rest on.
func Memory(t *testing.T, dev device.Device) { examine(t, dev, memoryChecks()) }

// Convolution examines plans of convolutions, with and without sums of their outputs.
func Convolution(t *testing.T, dev device.Device) { examine(t, dev, convolutionChecks()) }

// BatchNorm examines the sums, the normalisation and both halves of its gradient.
func BatchNorm(t *testing.T, dev device.Device) { examine(t, dev, batchNormChecks()) }

// Pool examines max and average pooling and their gradients.
func Pool(t *testing.T, dev device.Device) { examine(t, dev, poolChecks()) }

// Elementwise examines masks, biases and their gradients.
func Elementwise(t *testing.T, dev device.Device) { examine(t, dev, elementwiseChecks()) }

// Loss examines both losses and the sums of normalised rows.
func Loss(t *testing.T, dev device.Device) { examine(t, dev, lossChecks()) }

// Update examines LARS and the moving average.
func Update(t *testing.T, dev device.Device) { examine(t, dev, updateChecks()) }

// part is a family of operations, which can be examined while a device lacks the others.
type part struct {
	name   string
	checks []check
}

func parts() []part {
	return []part{
		{"memory", memoryChecks()}, {"convolution", convolutionChecks()}, {"batch norm", batchNormChecks()},
		{"pool", poolChecks()}, {"elementwise", elementwiseChecks()}, {"loss", lossChecks()}, {"update", updateChecks()},
	}
}

// check is one question of the exam; its error says how the device answered.
type check struct {
	name string
	run  func(b *bench) error
}

func examine(t *testing.T, dev device.Device, checks []check) {
	b, err := newBench(dev)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(b); err != nil {
				t.Error(err)
			}
		})
	}
}

// arena is the number of elements a bench takes from the device.
const arena = 4 << 20

// guard is the number of elements before and after each operand that no operation may touch, and sentinel their
// value.
const (
	guard    = 5
	sentinel = 12345
)

// bench holds the device under examination and the oracle, and the operands of the case at hand.
type bench struct {
	dev, ref device.Device
	unit     float64 // the device's rounding unit u
	rng      *rand.Rand
	whole    device.Buffer
	next     int // first free element of whole
	operands []*operand
}

// operand is a vector on both devices. On the device it lies between guards, at an alignment that changes from
// operand to operand.
type operand struct {
	name     string
	dev, ref device.Buffer
	at       int       // of the leading guard in the arena
	values   []float64 // as uploaded
	written  bool      // an operation may have changed it
}

func newBench(dev device.Device) (*bench, error) {
	whole, err := dev.Alloc(arena)
	if err != nil {
		return nil, fmt.Errorf("allocate %d elements for the exam: %w", arena, err)
	}
	b := &bench{dev: dev, ref: reference.New(64), whole: whole, unit: 0x1p-53}
	const fine = 1 + 0x1p-40
	probe := []float64{fine}
	dev.Upload64(whole.Slice(0, 1), probe)
	dev.Download64(probe, whole.Slice(0, 1))
	if probe[0] != fine {
		b.unit = 0x1p-24
	}
	return b, nil
}

// begin forgets the operands of the last case. Each case draws its own numbers, whatever ran before it.
func (b *bench) begin(seed ...int) {
	s := uint64(0)
	for _, v := range seed {
		s = s*1000003 + uint64(v)
	}
	b.next, b.operands, b.rng = 0, nil, rand.New(rand.NewPCG(s, 20200613))
}

// input places values, rounded to float32 so that both devices hold the same, on both devices.
func (b *bench) input(name string, values []float64) *operand {
	o := &operand{name: name, at: b.next, values: make([]float64, len(values))}
	framed := make([]float64, len(values)+2*guard)
	for i := range framed {
		framed[i] = sentinel
	}
	for i, v := range values {
		o.values[i] = float64(float32(v))
		framed[guard+i] = o.values[i]
	}
	span := b.whole.Slice(b.next, len(framed))
	b.dev.Upload64(span, framed)
	o.dev = span.Slice(guard, len(values))
	o.ref = b.oracle(o.values)
	b.next += len(framed) + len(b.operands)%3
	b.operands = append(b.operands, o)
	return o
}

// output is an operand that an operation overwrites: NaN until then, so that what is not written is seen.
func (b *bench) output(name string, n int) *operand {
	return b.inout(name, unset(n))
}

// unset returns n times NaN.
func unset(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// inout is an input that an operation changes.
func (b *bench) inout(name string, values []float64) *operand {
	o := b.input(name, values)
	o.written = true
	return o
}

// moved is the same input at another address and another alignment.
func (b *bench) moved(o *operand) *operand {
	for (b.next-o.at)%16 == 0 {
		b.next++
	}
	return b.input(o.name+" elsewhere", o.values)
}

// oracle returns a buffer of the oracle with the values.
func (b *bench) oracle(values []float64) device.Buffer {
	buf, err := b.ref.Alloc(len(values))
	if err != nil {
		panic(fmt.Sprintf("devicetest: oracle: %v", err))
	}
	b.ref.Upload64(buf, values)
	return buf
}

// normals draws n standard normal numbers, of which about one in eight is zero, as after a ReLU.
func (b *bench) normals(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		if b.rng.IntN(8) > 0 {
			out[i] = float64(float32(b.rng.NormFloat64()))
		}
	}
	return out
}

// integers draws n whole numbers of [0, below).
func (b *bench) integers(n, below int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(b.rng.IntN(below))
	}
	return out
}

// got returns what the device holds.
func (b *bench) got(o *operand) []float64 { return read(b.dev, o.dev) }

// want returns what the oracle holds.
func (b *bench) want(o *operand) []float64 { return read(b.ref, o.ref) }

func read(dev device.Device, buf device.Buffer) []float64 {
	out := make([]float64, buf.Len)
	dev.Download64(out, buf)
	return out
}

// intact reports an error of the device, an input that changed, and a write outside an operand.
func (b *bench) intact() error {
	if err := b.dev.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for _, o := range b.operands {
		framed := read(b.dev, b.whole.Slice(o.at, len(o.values)+2*guard))
		for i, v := range framed {
			j := i - guard
			outside := j < 0 || j >= len(o.values)
			switch {
			case outside && v != sentinel:
				return fmt.Errorf("%s: element %d of %d was written", o.name, j, len(o.values))
			case !outside && !o.written && v != o.values[j]:
				return fmt.Errorf("input %s: element %d changed from %g to %g", o.name, j, o.values[j], v)
			}
		}
	}
	return nil
}

// within compares the device's result with the oracle's; bound is the tolerance of each element.
func (b *bench) within(o *operand, bound []float64) error {
	return within(o.name, b.got(o), b.want(o), bound)
}

func within(name string, got, want, bound []float64) error {
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= bound[i]) {
			return fmt.Errorf("%s: element %d of %d: got %.9g, want %.9g ± %.3g",
				name, i, len(want), got[i], want[i], bound[i])
		}
	}
	return nil
}

// same compares bits.
func same(name string, got, want []float64) error {
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			return fmt.Errorf("%s: element %d of %d: got %.17g, want the bits of %.17g",
				name, i, len(want), got[i], want[i])
		}
	}
	return nil
}

// round rounds to the device's element type.
func (b *bench) round(v float64) float64 {
	if b.unit > 0x1p-53 {
		return float64(float32(v))
	}
	return v
}

// gamma is γ(n), the relative error of a sum of n products. The oracle's own error, 2⁻⁵³ a term, is added; where
// the device is in float64 too the two are of one size.
func (b *bench) gamma(n int) float64 {
	g := func(u float64) float64 { return float64(n) * u / (1 - float64(n)*u) }
	return g(b.unit) + g(0x1p-53)
}

// scaled returns factor·|v| of each element, plus the smallest number a float32 result may be flushed to zero from.
func scaled(factor float64, v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = factor*math.Abs(x) + 0x1p-126
	}
	return out
}

// absolute returns |v| of each element.
func absolute(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Abs(x)
	}
	return out
}

// cases runs one question over a table and joins what went wrong, each with its case. After the first few
// failures the rest of the table says nothing new.
func cases[C any](table []C, run func(c C) error) error {
	var errs []error
	for _, c := range table {
		if err := run(c); err != nil {
			errs = append(errs, fmt.Errorf("%+v: %w", c, err))
		}
		if len(errs) == 5 {
			break
		}
	}
	return errors.Join(errs...)
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
