package devicetest

import (
	"errors"
	"math"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
)

func TestReference(t *testing.T)   { Run(t, reference.New(32)) }
func TestReference64(t *testing.T) { Run(t, reference.New(64)) }

// good is the float32 reference, which each faulty device embeds and spoils in one place.
type good = device.Device

// host returns the elements of a buffer of a faulty device.
func host(d good, b device.Buffer) []float32 { return d.(device.HostMemory).Host(b) }

// TestFaults plants faults and expects the exam to find each where it is.
func TestFaults(t *testing.T) {
	ref := reference.New(32)
	conv := func(wrap func(s device.ConvShape, c device.Conv) device.Conv) device.Device {
		return badConv{ref, wrap}
	}
	tests := []struct {
		fault string
		dev   device.Device
		found string // the check that must fail
	}{
		{"rounds the first image otherwise in a batch", conv(func(s device.ConvShape, c device.Conv) device.Conv {
			return batchSensitive{c, ref}
		}), "convolution images are independent"},
		{"ignores add", conv(func(s device.ConvShape, c device.Conv) device.Conv {
			return forgetsAdd{c}
		}), "convolution backward weights"},
		{"adds each image to the weights gradient by itself", conv(func(s device.ConvShape, c device.Conv) device.Conv {
			return addsImages{c, s}
		}), "convolution backward weights"},
		{"writes one past the end", conv(func(s device.ConvShape, c device.Conv) device.Conv {
			return overruns{c, ref}
		}), "convolution forward"},
		{"leaves one out", conv(func(s device.ConvShape, c device.Conv) device.Conv {
			return leavesOne{c, ref, s}
		}), "convolution backward data"},
		{"pads as PyTorch where SAME is asked for", symmetricPad{ref}, "convolution forward"},
		{"accepts any shape", acceptsAll{ref}, "convolution refuses nonsense"},
		{"takes the root of the sum of squares", rootSums{ref}, "batch norm sums"},
		{"sums aligned elements first", alignedFirst{ref}, "bias gradient"},
		{"adds the residual after the ReLU", lateResidual{ref}, "batch norm apply"},
		{"forgets the mask in the sums", maskless{ref}, "batch norm gradient sums"},
		{"divides by the rows of this call", ownCount{ref}, "batch norm gradient apply"},
		{"pads with zero", zeroPad{ref}, "max pool"},
		{"gives the gradient to the last maximum", lastMaximum{ref}, "max pool gradient"},
		{"changes an input", spoilsInput{ref}, "add bias"},
		{"fuses multiply and add", fused{ref}, "ema"},
		{"decays what is excluded", decaysAll{ref}, "lars"},
		{"overwrites where it should add", overwrites{ref}, "regression"},
		{"takes no label for the first class", labelsAll{ref}, "cross entropy"},
		{"fills one element less", fillsLess{ref}, "fill"},
		{"breaks", broken{ref}, "average pool"},
		{"keeps the memory of its scopes", keepsScopes{ref}, "scopes"},
		{"has no scopes apart", oneScope{ref}, "scopes"},
	}
	for _, tt := range tests {
		b, err := newBench(tt.dev)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, p := range parts() {
			for _, c := range p.checks {
				if c.name != tt.found {
					continue
				}
				if asked++; c.run(b) == nil {
					t.Errorf("a device that %s passes the check of %s", tt.fault, tt.found)
				}
			}
		}
		if asked != 1 {
			t.Errorf("%d checks are called %q, want one", asked, tt.found)
		}
	}
}

// only is a device that has a few operations yet: the others are nil and panic.
type only struct {
	device.Kernels // nil
	memory
	pool interface {
		MaxPool(s device.PoolShape, x, y device.Buffer, n int)
		MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int)
		AvgPool(x, y device.Buffer, n, hw, c int)
		AvgPoolGrad(dy, dx device.Buffer, n, hw, c int)
	}
}

// memory is what a device is beside its kernels.
type memory interface {
	Name() string
	Fingerprint() string
	Alloc(n int) (device.Buffer, error)
	Upload(dst device.Buffer, src []float32)
	Download(dst []float32, src device.Buffer)
	Upload64(dst device.Buffer, src []float64)
	Download64(dst []float64, src device.Buffer)
	Conv(s device.ConvShape) (device.Conv, error)
	Sync() error
	Close() error
}

func (d only) Fill(dst device.Buffer, v float32) {
	host := make([]float32, dst.Len)
	for i := range host {
		host[i] = v
	}
	d.Upload(dst, host)
}

func (d only) MaxPool(s device.PoolShape, x, y device.Buffer, n int) { d.pool.MaxPool(s, x, y, n) }

func (d only) MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int) {
	d.pool.MaxPoolGrad(s, x, dy, dx, n)
}

func (d only) AvgPool(x, y device.Buffer, n, hw, c int) { d.pool.AvgPool(x, y, n, hw, c) }

func (d only) AvgPoolGrad(dy, dx device.Buffer, n, hw, c int) { d.pool.AvgPoolGrad(dy, dx, n, hw, c) }

// TestOnePartAtATime examines a device that has memory, Fill and pooling so far, and each part of one that has all.
func TestOnePartAtATime(t *testing.T) {
	ref := reference.New(32)
	young := only{memory: ref, pool: ref}
	t.Run("young memory", func(t *testing.T) { Memory(t, young) })
	t.Run("young pool", func(t *testing.T) { Pool(t, young) })
	for name, part := range map[string]func(*testing.T, device.Device){
		"memory": Memory, "convolution": Convolution, "batch norm": BatchNorm, "pool": Pool, "elementwise": Elementwise,
		"loss": Loss, "update": Update,
	} {
		t.Run(name, func(t *testing.T) { part(t, ref) })
	}
}

type badConv struct {
	good
	wrap func(s device.ConvShape, c device.Conv) device.Conv
}

func (d badConv) Conv(s device.ConvShape) (device.Conv, error) {
	c, err := d.good.Conv(s)
	if err != nil {
		return nil, err
	}
	return d.wrap(s, c), nil
}

type batchSensitive struct {
	device.Conv
	dev good
}

func (c batchSensitive) Forward(x, y device.Buffer, n int) {
	c.Conv.Forward(x, y, n)
	if v := host(c.dev, y); n > 1 {
		v[0] = math.Nextafter32(v[0], 1000)
	}
}

type forgetsAdd struct{ device.Conv }

func (c forgetsAdd) BackwardWeights(x, dy, dw device.Buffer, n int, _ bool) {
	c.Conv.BackwardWeights(x, dy, dw, n, false)
}

type addsImages struct {
	device.Conv
	s device.ConvShape
}

func (c addsImages) BackwardWeights(x, dy, dw device.Buffer, n int, add bool) {
	in, out := inputs(c.s), outputs(c.s)
	for i := range n {
		c.Conv.BackwardWeights(x.Slice(i*in, in), dy.Slice(i*out, out), dw, 1, add || i > 0)
	}
}

type overruns struct {
	device.Conv
	dev good
}

func (c overruns) Forward(x, y device.Buffer, n int) {
	c.Conv.Forward(x, y, n)
	y.Len++
	host(c.dev, y)[y.Len-1] = 0
}

type leavesOne struct {
	device.Conv
	dev good
	s   device.ConvShape
}

func (c leavesOne) BackwardData(dy, dx device.Buffer, n int) {
	last := n*inputs(c.s) - 1
	old := host(c.dev, dx)[last]
	c.Conv.BackwardData(dy, dx, n)
	host(c.dev, dx)[last] = old
}

type symmetricPad struct{ good }

func (d symmetricPad) Conv(s device.ConvShape) (device.Conv, error) {
	s.PadTop, s.PadLeft = (s.KH-1)/2, (s.KW-1)/2
	return d.good.Conv(s)
}

type acceptsAll struct{ good }

func (d acceptsAll) Conv(device.ConvShape) (device.Conv, error) { return nil, nil }

type rootSums struct{ good }

func (d rootSums) BatchNormSums(x device.Buffer, rows, c int, out []float64) {
	d.good.BatchNormSums(x, rows, c, out)
	out[2*c-1] = math.Sqrt(out[2*c-1])
}

type alignedFirst struct{ good }

func (d alignedFirst) BiasGrad(dy, db device.Buffer, rows, c int) {
	x, out := host(d.good, dy), host(d.good, db)
	clear(out)
	for k := range rows * c {
		i := (k + dy.Off*c) % (rows * c)
		out[i%c] += x[i]
	}
}

type lateResidual struct{ good }

func (d lateResidual) BatchNormApply(a device.BatchNorm) {
	residual := a.Residual
	a.Residual = device.Buffer{}
	d.good.BatchNormApply(a)
	if !residual.IsNil() {
		d.good.AddMasked(a.Y, residual, device.Buffer{}, a.Y, a.Rows*a.C)
	}
}

type maskless struct{ good }

func (d maskless) BatchNormGradSums(a device.BatchNormGrad, out []float64) {
	a.Y = device.Buffer{}
	d.good.BatchNormGradSums(a, out)
}

type ownCount struct{ good }

func (d ownCount) BatchNormGradApply(a device.BatchNormGrad, sums []float64, _ float64) {
	d.good.BatchNormGradApply(a, sums, float64(a.Rows))
}

type zeroPad struct{ good }

func (d zeroPad) MaxPool(s device.PoolShape, x, y device.Buffer, n int) {
	d.good.MaxPool(s, x, y, n)
	if s.Pad > 0 {
		v := host(d.good, y)
		v[0] = max(v[0], 0)
	}
}

type lastMaximum struct{ good }

func (d lastMaximum) MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int) {
	raised, _ := d.good.Alloc(x.Len)
	for i, v := range host(d.good, x) {
		host(d.good, raised)[i] = v + float32(i)*1e-6
	}
	d.good.MaxPoolGrad(s, raised, dy, dx, n)
}

type spoilsInput struct{ good }

func (d spoilsInput) AddBias(y, bias device.Buffer, rows, c int) {
	d.good.AddBias(y, bias, rows, c)
	host(d.good, bias)[0]++
}

type fused struct{ good }

func (d fused) EMA(xi, theta, out device.Buffer, rate float64) {
	x, th, o := host(d.good, xi), host(d.good, theta), host(d.good, out)
	for i := range o {
		o[i] = float32(math.FMA(float64(float32(rate)), float64(th[i]-x[i]), float64(x[i])))
	}
}

type decaysAll struct{ good }

func (d decaysAll) LARS(a device.LARS) {
	if !a.Adapt {
		a.Adapt, a.Eta = true, 1
	}
	d.good.LARS(a)
}

type overwrites struct{ good }

func (d overwrites) Regression(p, z, dp device.Buffer, n, dim int, scale float64, _ bool) float64 {
	return d.good.Regression(p, z, dp, n, dim, scale, false)
}

type labelsAll struct{ good }

func (d labelsAll) CrossEntropy(
	x device.Buffer, labels []int32, dx device.Buffer, n, classes int, scale float64,
) (float64, int) {
	all := make([]int32, n)
	for i := range all {
		all[i] = max(labels[i], 0)
	}
	return d.good.CrossEntropy(x, all, dx, n, classes, scale)
}

type fillsLess struct{ good }

func (d fillsLess) Fill(dst device.Buffer, v float32) { d.good.Fill(dst.Slice(0, dst.Len-1), v) }

type broken struct{ good }

func (d broken) Sync() error { return errors.New("accelerator fell off the bus") }

// keepsScopes is a device whose scopes are the device.
type keepsScopes struct{ good }

func (d keepsScopes) Scope() device.Device { return d.good }

func (d keepsScopes) Allocated() int { return d.good.(device.Scoper).Allocated() }

// oneScope counts well, but what is in a scope stays in use.
type oneScope struct{ good }

func (d oneScope) Scope() device.Device { return d.good }

func (d oneScope) Allocated() int { return 1 << 30 }
