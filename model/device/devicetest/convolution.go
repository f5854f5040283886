package devicetest

import (
	"errors"
	"fmt"
	"slices"

	"byol/model/device"
)

func convolutionChecks() []check {
	over := func(run func(b *bench, s device.ConvShape) error) func(b *bench) error {
		return func(b *bench) error {
			return cases(convShapes(), func(s device.ConvShape) error { return run(b, s) })
		}
	}
	return []check{
		{"convolution forward", over(convForward)},
		{"convolution forward with sums", over(convForwardSums)},
		{"convolution backward data", over(convBackwardData)},
		{"convolution backward data with sums", over(convBackwardDataSums)},
		{"convolution backward weights", over(convBackwardWeights)},
		{"convolution images are independent", over(convIndependent)},
		{"convolution plans are independent", convPlans},
		{"convolution refuses nonsense", convRefuses},
	}
}

// padding is how many pixels of zero lie above and to the left; the rest follows from the output size.
type padding func(size, kernel, stride int) (low, out int)

// symmetric is PyTorch's padding by (kernel−1)/2 on both sides.
func symmetric(size, kernel, stride int) (low, out int) {
	low = (kernel - 1) / 2
	return low, (size+2*low-kernel)/stride + 1
}

// tfSame is TensorFlow's SAME: the odd pixel of padding goes to the bottom and the right.
func tfSame(size, kernel, stride int) (low, out int) {
	out = (size + stride - 1) / stride
	return max((out-1)*stride+kernel-size, 0) / 2, out
}

// images is how many images the plans of convShapes allow; calls have fewer.
const images = 5

// convShapes pairs every kernel, stride, size and padding with channels from a list, so that each number of
// channels meets many of them, and adds linear layers, lopsided shapes and wide ones.
func convShapes() []device.ConvShape {
	channels := []int{1, 3, 5, 8, 16, 24, 40, 48, 64}
	var shapes []device.ConvShape
	for _, kernel := range []int{1, 3, 7} {
		for _, stride := range []int{1, 2} {
			for _, size := range []int{1, 2, 5, 7, 8} {
				for _, pad := range []padding{symmetric, tfSame} {
					low, out := pad(size, kernel, stride)
					c, k := channels[len(shapes)%9], channels[(len(shapes)*4+len(shapes)/9+2)%9]
					shapes = append(shapes, device.ConvShape{
						N: images, H: size, W: size, C: c, OH: out, OW: out, K: k, KH: kernel, KW: kernel,
						Stride: stride, PadTop: low, PadLeft: low,
					})
				}
			}
		}
	}
	for _, ck := range [][2]int{{1, 1}, {5, 3}, {64, 40}, {40, 64}, {512, 10}, {48, 130}, {130, 1}} {
		shapes = append(shapes, device.ConvShape{
			N: 33, H: 1, W: 1, C: ck[0], OH: 1, OW: 1, K: ck[1], KH: 1, KW: 1, Stride: 1,
		})
	}
	for _, v := range [][11]int{ // H W C, OH OW K, KH KW, stride, padding
		{32, 32, 3, 16, 16, 64, 7, 7, 2, 2, 2},
		{17, 14, 16, 17, 14, 24, 3, 3, 1, 1, 1},
		{5, 9, 8, 3, 5, 16, 3, 3, 2, 1, 1},
		{6, 7, 3, 5, 7, 5, 2, 3, 1, 0, 1},
		{9, 9, 5, 7, 7, 8, 3, 3, 1, 0, 0},
		{8, 8, 5, 3, 3, 8, 3, 3, 3, 1, 1},
		{4, 4, 256, 4, 4, 40, 3, 3, 1, 1, 1},
		{4, 4, 40, 2, 2, 256, 3, 3, 2, 0, 0},
		{7, 7, 260, 7, 7, 72, 1, 1, 1, 0, 0},
	} {
		shapes = append(shapes, device.ConvShape{
			N: images, H: v[0], W: v[1], C: v[2], OH: v[3], OW: v[4], K: v[5], KH: v[6], KW: v[7],
			Stride: v[8], PadTop: v[9], PadLeft: v[10],
		})
	}
	return shapes
}

func inputs(s device.ConvShape) int  { return s.H * s.W * s.C }
func outputs(s device.ConvShape) int { return s.OH * s.OW * s.K }
func weights(s device.ConvShape) int { return s.K * s.KH * s.KW * s.C }

// seed tells shapes apart.
func seed(s device.ConvShape) []int {
	return []int{s.N, s.H, s.W, s.C, s.OH, s.K, s.KH, s.KW, s.Stride, s.PadTop}
}

// plans holds one convolution on both devices, and a second one of the oracle for sums of absolute values.
type plans struct{ dev, ref, abs device.Conv }

func (b *bench) plan(s device.ConvShape, w *operand) (plans, error) {
	var p plans
	var err error
	if p.dev, err = b.dev.Conv(s); err != nil {
		return p, fmt.Errorf("plan: %w", err)
	}
	if p.ref, err = b.ref.Conv(s); err != nil {
		return p, fmt.Errorf("plan on the oracle: %w", err)
	}
	if p.abs, err = b.ref.Conv(s); err != nil {
		return p, fmt.Errorf("plan on the oracle: %w", err)
	}
	p.dev.Pack(w.dev)
	p.ref.Pack(w.ref)
	p.abs.Pack(b.oracle(absolute(w.values)))
	return p, nil
}

// grown makes the bound of a sum that of a fast algorithm, where the device has them; they are for kernels larger
// than 1×1 alone.
func (b *bench) grown(s device.ConvShape, bound []float64) []float64 {
	fast, ok := b.dev.(device.FastConvolution)
	if !ok || fast.ConvolutionGrowth() == 1 || s.KH*s.KW == 1 {
		return bound
	}
	most := slices.Max(bound) * fast.ConvolutionGrowth()
	for i := range bound {
		bound[i] = most
	}
	return bound
}

// An output is a sum of at most KH·KW·C products: bound γ(KH·KW·C)·Σ|x·w|.
func convForward(b *bench, s device.ConvShape) error {
	b.begin(seed(s)...)
	n := s.N - 2
	w := b.input("w", b.normals(weights(s)))
	x, y, y2 := b.input("x", b.normals(n*inputs(s))), b.output("y", n*outputs(s)), b.output("y again", n*outputs(s))
	s.NoBackward = true
	p, err := b.plan(s, w)
	if err != nil {
		return err
	}
	p.dev.Forward(x.dev, y.dev, n)
	p.dev.Pack(w.dev)
	p.dev.Forward(x.dev, y2.dev, n)
	p.ref.Forward(x.ref, y.ref, n)
	sums := b.oracle(make([]float64, n*outputs(s)))
	p.abs.Forward(b.oracle(absolute(x.values)), sums, n)
	bound := b.grown(s, scaled(b.gamma(s.KH*s.KW*s.C), read(b.ref, sums)))
	return first(b.within(y, bound), same("y again", b.got(y2), b.got(y)), b.intact())
}

// Where a convolution can sum its output on the way, y and the sums of each shard have the bits of the calls apart.
func convForwardSums(b *bench, s device.ConvShape) error {
	b.begin(seed(s)...)
	s.NoBackward = true
	plan, err := b.dev.Conv(s)
	if err != nil {
		return err
	}
	summing, ok := plan.(device.SummingConv)
	if !ok {
		return nil
	}
	n := s.N - 1
	w, x := b.input("w", b.normals(weights(s))), b.input("x", b.normals(n*inputs(s)))
	y, y2 := b.output("y", n*outputs(s)), b.output("y with sums", n*outputs(s))
	plan.Pack(w.dev)
	plan.Forward(x.dev, y.dev, n)
	var errs []error
	for _, shards := range []int{1, 2, n} {
		got, want := unset(shards*2*s.K), unset(2*s.K)
		summing.ForwardSums(x.dev, y2.dev, n, shards, got)
		errs = append(errs, same("y with sums", b.got(y2), b.got(y)))
		for i := range shards {
			rows := n / shards * s.OH * s.OW
			b.dev.BatchNormSums(y.dev.Slice(i*rows*s.K, rows*s.K), rows, s.K, want)
			errs = append(errs, same(fmt.Sprintf("sums of shard %d of %d", i, shards), got[i*2*s.K:][:2*s.K], want))
		}
	}
	return first(append(errs, b.intact())...)
}

// Where a convolution can sum its result on the way, dx and the sums of each shard have the bits of the calls apart,
// whatever the mask.
func convBackwardDataSums(b *bench, s device.ConvShape) error {
	b.begin(seed(s)...)
	plan, err := b.dev.Conv(s)
	if err != nil {
		return err
	}
	summing, ok := plan.(device.SummingConv)
	if !ok {
		return nil
	}
	n := s.N - 1
	size := n * inputs(s)
	w, dy := b.input("w", b.normals(weights(s))), b.input("dy", b.normals(n*outputs(s)))
	x, gamma, beta := b.input("x", b.normals(size)), b.input("gamma", b.normals(s.C)), b.input("beta", b.normals(s.C))
	dx, dx2 := b.output("dx", size), b.output("dx with sums", size)
	a := device.BatchNormGrad{X: x.dev, Gamma: gamma.dev}
	a.Mean, a.InvStd = b.statistics(s.C)
	byY, byX := a, a
	byY.Y, byX.Beta = x.dev, beta.dev
	plan.Pack(w.dev)
	plan.BackwardData(dy.dev, dx.dev, n)
	var errs []error
	for shards, a := range map[int]device.BatchNormGrad{1: a, 2: byY, n: byX} {
		got, want := unset(shards*2*s.C), unset(2*s.C)
		summing.BackwardDataSums(dy.dev, dx2.dev, n, shards, a, got)
		errs = append(errs, same("dx with sums", b.got(dx2), b.got(dx)))
		part := size / shards
		a.Rows, a.C = part/s.C, s.C
		for i := range shards {
			shard := a
			shard.X, shard.DY = a.X.Slice(i*part, part), dx.dev.Slice(i*part, part)
			if !a.Y.IsNil() {
				shard.Y = a.Y.Slice(i*part, part)
			}
			b.dev.BatchNormGradSums(shard, want)
			errs = append(errs, same(fmt.Sprintf("sums of shard %d of %d", i, shards), got[i*2*s.C:][:2*s.C], want))
		}
	}
	return first(append(errs, b.intact())...)
}

// An element of dx is a sum of at most KH·KW·K products: bound γ(KH·KW·K)·Σ|dy·w|.
func convBackwardData(b *bench, s device.ConvShape) error {
	b.begin(seed(s)...)
	n := s.N - 2
	w := b.input("w", b.normals(weights(s)))
	dy, dx := b.input("dy", b.normals(n*outputs(s))), b.output("dx", n*inputs(s))
	dx2 := b.output("dx again", n*inputs(s))
	p, err := b.plan(s, w)
	if err != nil {
		return err
	}
	p.dev.BackwardData(dy.dev, dx.dev, n)
	p.dev.BackwardData(dy.dev, dx2.dev, n)
	p.ref.BackwardData(dy.ref, dx.ref, n)
	sums := b.oracle(make([]float64, n*inputs(s)))
	p.abs.BackwardData(b.oracle(absolute(dy.values)), sums, n)
	bound := b.grown(s, scaled(b.gamma(s.KH*s.KW*s.K), read(b.ref, sums)))
	return first(b.within(dx, bound), same("dx again", b.got(dx2), b.got(dx)), b.intact())
}

// An element of dw is a sum of at most n·OH·OW products, and with add one rounding more, of which the exact
// value is known: the sum without add, plus what was there.
func convBackwardWeights(b *bench, s device.ConvShape) error {
	s.NoBackwardData = true
	var errs []error
	for _, n := range []int{1, s.N - 2} {
		errs = append(errs, convBackwardWeightsOf(b, s, n))
	}
	return errors.Join(errs...)
}

func convBackwardWeightsOf(b *bench, s device.ConvShape, n int) error {
	b.begin(append(seed(s), n)...)
	w := b.input("w", b.normals(weights(s)))
	x, dy := b.input("x", b.normals(n*inputs(s))), b.input("dy", b.normals(n*outputs(s)))
	dw, dw2 := b.output("dw", weights(s)), b.output("dw elsewhere", weights(s))
	added := b.inout("dw with add", b.normals(weights(s)))
	p, err := b.plan(s, w)
	if err != nil {
		return err
	}
	p.dev.BackwardWeights(x.dev, dy.dev, dw.dev, n, false)
	p.dev.BackwardWeights(x.dev, dy.dev, added.dev, n, true)
	p.dev.BackwardWeights(b.moved(x).dev, b.moved(dy).dev, dw2.dev, n, false)
	p.ref.BackwardWeights(x.ref, dy.ref, dw.ref, n, false)
	sums := b.oracle(make([]float64, weights(s)))
	p.abs.BackwardWeights(b.oracle(absolute(x.values)), b.oracle(absolute(dy.values)), sums, n, false)
	bound := b.grown(s, scaled(b.gamma(n*s.OH*s.OW), read(b.ref, sums)))
	got := b.got(dw)
	want := make([]float64, len(got))
	for i, v := range got {
		want[i] = b.round(added.values[i] + v)
	}
	return first(
		b.within(dw, bound), same("dw elsewhere", b.got(dw2), got), same("dw with add", b.got(added), want), b.intact(),
	)
}

// convIndependent computes the images together, one by one, and in a group at another position: the bits of an
// image's output and gradient are the same, wherever its data lies.
func convIndependent(b *bench, s device.ConvShape) error {
	b.begin(seed(s)...)
	s.N = images
	in, out := inputs(s), outputs(s)
	w := b.input("w", b.normals(weights(s)))
	x, dy := b.input("x", b.normals(images*in)), b.input("dy", b.normals(images*out))
	y, dx := b.output("y", images*out), b.output("dx", images*in)
	p, err := b.plan(s, w)
	if err != nil {
		return err
	}
	p.dev.Forward(x.dev, y.dev, images)
	p.dev.BackwardData(dy.dev, dx.dev, images)
	for _, part := range [][2]int{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {1, 3}, {3, 2}} {
		at, n := part[0], part[1]
		y2, dx2 := b.output("y of a part", n*out), b.output("dx of a part", n*in)
		x2 := b.input("a part of x", x.values[at*in:(at+n)*in])
		p.dev.Forward(x2.dev, y2.dev, n)
		p.dev.BackwardData(dy.dev.Slice(at*out, n*out), dx2.dev, n)
		name := fmt.Sprintf("of images %d to %d", at, at+n-1)
		if err := first(
			same("y "+name, b.got(y2), b.got(y)[at*out:(at+n)*out]),
			same("dx "+name, b.got(dx2), b.got(dx)[at*in:(at+n)*in]),
		); err != nil {
			return err
		}
	}
	return b.intact()
}

// convPlans interleaves two plans: each keeps its own weights, and weights packed again replace the old ones.
func convPlans(b *bench) error {
	table := convShapes()
	s, r := table[len(table)-7], table[len(table)-3]
	b.begin(1)
	ws, wr := b.input("w", b.normals(weights(s))), b.input("w of the other", b.normals(weights(r)))
	xs, xr := b.input("x", b.normals(inputs(s))), b.input("x of the other", b.normals(inputs(r)))
	p, err := b.plan(s, ws)
	if err != nil {
		return err
	}
	q, err := b.plan(r, wr)
	if err != nil {
		return err
	}
	alone, after := b.output("y", outputs(s)), b.output("y after the other plan", outputs(s))
	other, negated := b.output("y of the other", outputs(r)), b.output("y of negated weights", outputs(s))
	p.dev.Forward(xs.dev, alone.dev, 1)
	q.dev.Forward(xr.dev, other.dev, 1)
	p.dev.Forward(xs.dev, after.dev, 1)
	minus := make([]float64, len(ws.values))
	for i, v := range ws.values {
		minus[i] = -v
	}
	p.dev.Pack(b.input("negated weights", minus).dev)
	p.dev.Forward(xs.dev, negated.dev, 1)
	want := b.got(alone)
	if err := same("y after the other plan", b.got(after), want); err != nil {
		return err
	}
	zero := make([]float64, len(want))
	for i, v := range want {
		want[i] = -v
	}
	return first(within("y of negated weights", b.got(negated), want, zero), b.intact())
}

// convRefuses asks for what is no convolution: an error, at planning.
func convRefuses(b *bench) error {
	good := device.ConvShape{N: 1, H: 4, W: 4, C: 1, OH: 4, OW: 4, K: 1, KH: 3, KW: 3, Stride: 1, PadTop: 1, PadLeft: 1}
	bad := map[string]func(s *device.ConvShape){
		"no images":            func(s *device.ConvShape) { s.N = 0 },
		"no channels":          func(s *device.ConvShape) { s.C = 0 },
		"no kernels":           func(s *device.ConvShape) { s.K = 0 },
		"stride 0":             func(s *device.ConvShape) { s.Stride = 0 },
		"negative padding":     func(s *device.ConvShape) { s.PadTop = -1 },
		"row of padding alone": func(s *device.ConvShape) { s.OH = 6 },
	}
	for name, spoil := range bad {
		s := good
		spoil(&s)
		if _, err := b.dev.Conv(s); err == nil {
			return fmt.Errorf("plan with %s (%+v): no error", name, s)
		}
	}
	return nil
}
