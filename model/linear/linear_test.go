package linear_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"byol/internal/sealed"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/linear"
)

func onCPU(t testing.TB, threads int) device.Device {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

// blobs draws rows of classes around centres that overlap.
func blobs(seed uint64, n, dim, classes int) (linear.Cached, []int32) {
	centres := rand.New(rand.NewPCG(7, 7))
	mean := make([]float64, classes*dim)
	for i := range mean {
		mean[i] = centres.NormFloat64()
	}
	r := rand.New(rand.NewPCG(seed, 1))
	c, labels := linear.Cached{X: make([]float32, n*dim), Dim: dim}, make([]int32, n)
	for i := range labels {
		labels[i] = int32(r.IntN(classes))
		for j := range dim {
			c.X[i*dim+j] = float32(0.5*mean[int(labels[i])*dim+j] + r.NormFloat64())
		}
	}
	return c, labels
}

func small() linear.Protocol {
	p := linear.Published()
	p.Batch, p.Epochs, p.Seed = 64, 5, 3
	return p
}

func train(t *testing.T, f *linear.Fit, x linear.Features, steps int) {
	t.Helper()
	for done, _ := f.Steps(); done < steps && !f.Done(); done++ {
		if err := f.Step(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
}

func fit(t *testing.T, dev device.Device, p linear.Protocol, dim, classes int, labels []int32) *linear.Fit {
	t.Helper()
	f, err := linear.New(dev, p, dim, classes, labels)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// slow trains one head in float64 by the definitions, one row and one class at a time.
func slow(f *linear.Fit, p linear.Protocol, rate float64, x linear.Cached, labels []int32) (w, b []float64) {
	weight, bias := f.Head(0)
	for _, v := range weight {
		w = append(w, float64(v))
	}
	for _, v := range bias {
		b = append(b, float64(v))
	}
	classes, dim := len(b), x.Dim
	vw, vb := make([]float64, len(w)), make([]float64, len(b))
	_, total := f.Steps()
	for step := range total {
		_, rows := f.Rows(step)
		gw, gb := make([]float64, len(w)), make([]float64, len(b))
		for _, r := range rows {
			row, z, sum := x.X[r*dim:][:dim], make([]float64, classes), 0.0
			for c := range z {
				z[c] = b[c]
				for j, v := range row {
					z[c] += w[c*dim+j] * float64(v)
				}
				sum += math.Exp(z[c])
			}
			for c := range z {
				g := math.Exp(z[c]) / sum
				if int32(c) == labels[r] {
					g--
				}
				gb[c] += g / float64(len(rows))
				for j, v := range row {
					gw[c*dim+j] += g * float64(v) / float64(len(rows))
				}
			}
		}
		lr := rate * float64(p.Batch) / 256 * (1 + math.Cos(math.Pi*float64(step)/float64(total))) / 2
		move := func(w, v, g []float64) {
			for i := range w {
				v[i] = p.Momentum*v[i] + g[i]
				w[i] -= lr * (g[i] + p.Momentum*v[i])
			}
		}
		move(w, vw, gw)
		move(b, vb, gb)
	}
	return w, b
}

// TestAgainstTheDefinition trains by the device and by plain loops in float64.
func TestAgainstTheDefinition(t *testing.T) {
	const dim, classes = 13, 7
	x, labels := blobs(1, 300, dim, classes)
	p := small()
	for name, dev := range map[string]device.Device{"cpu": onCPU(t, 2), "reference": reference.New(32)} {
		f := fit(t, dev, p, dim, classes, labels)
		want := make([][]float64, len(p.Rates))
		biases := make([][]float64, len(p.Rates))
		for i, rate := range p.Rates {
			want[i], biases[i] = slow(f, p, rate, x, labels)
		}
		train(t, f, x, 1<<30)
		for i := range p.Rates {
			weight, bias := f.Head(i)
			for j, v := range append(weight, bias...) {
				w := append(slices.Clone(want[i]), biases[i]...)[j]
				if d := math.Abs(float64(v) - w); !(d <= 2e-5*(1+math.Abs(w))) {
					t.Fatalf("%s: head %d, element %d is %v, want %v", name, i, j, v, w)
				}
			}
		}
	}
}

// weights are those of all heads.
func weights(f *linear.Fit, heads int) []float32 {
	var all []float32
	for i := range heads {
		w, b := f.Head(i)
		all = append(append(all, w...), b...)
	}
	return all
}

// TestSameBits trains with several numbers of threads, with each head alone, and broken off in between.
func TestSameBits(t *testing.T) {
	const dim, classes = 37, 11
	x, labels := blobs(2, 500, dim, classes)
	p := small()
	whole := fit(t, onCPU(t, 1), p, dim, classes, labels)
	train(t, whole, x, 1<<30)
	want := weights(whole, len(p.Rates))
	for _, threads := range []int{2, 3, 7} {
		f := fit(t, onCPU(t, threads), p, dim, classes, labels)
		train(t, f, x, 1<<30)
		if !slices.Equal(weights(f, len(p.Rates)), want) {
			t.Errorf("%d threads: other weights than one", threads)
		}
	}
	for i, rate := range p.Rates {
		alone := p
		alone.Rates = []float64{rate}
		f := fit(t, onCPU(t, 2), alone, dim, classes, labels)
		train(t, f, x, 1<<30)
		w, b := whole.Head(i)
		if !slices.Equal(weights(f, 1), append(w, b...)) {
			t.Errorf("rate %g: other weights alone than beside others", rate)
		}
	}
	for _, at := range []int{0, 1, 8, 9, 34} {
		first := fit(t, onCPU(t, 2), p, dim, classes, labels)
		train(t, first, x, at)
		second := fit(t, onCPU(t, 1), p, dim, classes, labels)
		if err := second.Restore(first.Save()); err != nil {
			t.Fatal(err)
		}
		if done, _ := second.Steps(); done != at {
			t.Errorf("restored at step %d, want %d", done, at)
		}
		train(t, second, x, 1<<30)
		if !slices.Equal(weights(second, len(p.Rates)), want) {
			t.Errorf("broken off at step %d: other weights", at)
		}
	}
}

// TestRestoreRefuses tries damaged states and those of other trainings, none of which may change anything.
func TestRestoreRefuses(t *testing.T) {
	const dim, classes = 5, 3
	x, labels := blobs(3, 200, dim, classes)
	p := small()
	f := fit(t, onCPU(t, 1), p, dim, classes, labels)
	train(t, f, x, 4)
	state := f.Save()
	for name, b := range map[string][]byte{
		"empty": nil, "short": state[:len(state)-1], "long": append(slices.Clone(state), 0),
		"other": []byte("byollin2 and more"),
	} {
		if err := f.Restore(b); !errors.Is(err, sealed.ErrOther) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for i := range state {
		b := slices.Clone(state)
		b[i] ^= 1 << (i % 8)
		if f.Restore(b) == nil {
			t.Fatalf("a flipped bit of byte %d is taken", i)
		}
	}
	if !slices.Equal(f.Save(), state) {
		t.Error("a refused state left its traces")
	}
	for name, change := range map[string]func(p *linear.Protocol, labels []int32){
		"seed":   func(p *linear.Protocol, _ []int32) { p.Seed++ },
		"rate":   func(p *linear.Protocol, _ []int32) { p.Rates = []float64{0.4, 0.3, 0.2, 0.1, 0.06} },
		"epochs": func(p *linear.Protocol, _ []int32) { p.Epochs++ },
		"labels": func(_ *linear.Protocol, l []int32) { l[17] = (l[17] + 1) % classes },
	} {
		other, own := p, slices.Clone(labels)
		change(&other, own)
		if err := fit(t, onCPU(t, 1), other, dim, classes, own).Restore(state); !errors.Is(err, sealed.ErrOther) {
			t.Errorf("another %s: error %v", name, err)
		}
	}
}

// TestHoldOut looks at what is held out: how much, of which classes, and that it trains nothing.
func TestHoldOut(t *testing.T) {
	labels := make([]int32, 1000)
	for i := range labels {
		labels[i] = int32(i % 10 * (i % 3)) // classes of very different size; 0 is the largest
		if i%100 == 99 {
			labels[i] = -1
		}
	}
	labels[0] = 19 // a class of one image
	train, held := linear.HoldOut(labels, 99, 5)
	if len(held) < 95 || len(held) > 99 {
		t.Errorf("%d rows held out, want about 99", len(held))
	}
	all := append(slices.Clone(train), held...)
	slices.Sort(all)
	if len(slices.Compact(all)) != 990 {
		t.Errorf("%d rows in both parts, want each of 990 once", len(all))
	}
	total, kept, out := map[int32]int{}, map[int32]int{}, map[int32]int{}
	for _, l := range labels {
		total[l]++
	}
	for _, r := range train {
		kept[labels[r]]++
	}
	for _, r := range held {
		out[labels[r]]++
	}
	for class, n := range total {
		if class < 0 {
			continue
		}
		if kept[class] == 0 {
			t.Errorf("class %d of %d rows is not trained", class, n)
		}
		if share := float64(n) / 10; math.Abs(float64(out[class])-share) > 1.01 {
			t.Errorf("class %d: %d of %d rows held out, want about a tenth", class, out[class], n)
		}
	}
	again, _ := linear.HoldOut(labels, 99, 5)
	other, _ := linear.HoldOut(labels, 99, 6)
	if !slices.Equal(again, train) || slices.Equal(other, train) {
		t.Error("the held-out part is not a function of the seed")
	}
	if train, held := linear.HoldOut([]int32{0, 0, 1}, 3, 1); len(train) != 2 || len(held) != 1 {
		t.Errorf("of 2+1 rows %v are trained and %v held out", train, held)
	}
}

// record notes which rows were asked for.
type record struct {
	linear.Cached
	asked map[int][]int
	gone  int // a row that cannot be read
}

func (r *record) Rows(ctx context.Context, epoch int, rows []int, out []float32) (missing []int, err error) {
	r.asked[epoch] = append(r.asked[epoch], rows...)
	if i := slices.Index(rows, r.gone); i >= 0 {
		missing = []int{i}
	}
	_, err = r.Cached.Rows(ctx, epoch, rows, out)
	for _, i := range missing {
		out[i*r.Dim] = float32(math.NaN())
	}
	return missing, err
}

// TestRowsOfAnEpoch: every row with a label that is not held out comes once an epoch, and a row that cannot be read
// changes no more than that it is not there.
func TestRowsOfAnEpoch(t *testing.T) {
	const dim, classes = 4, 3
	x, labels := blobs(4, 201, dim, classes)
	labels[9] = -1
	p := small()
	f := fit(t, onCPU(t, 1), p, dim, classes, labels)
	gone, _ := linear.HoldOut(labels, p.HeldOut(200), p.Seed)
	r := &record{x, map[int][]int{}, gone[3]}
	train(t, f, r, 1<<30)
	for epoch := range p.Epochs {
		rows := slices.Clone(r.asked[epoch])
		slices.Sort(rows)
		if !slices.Equal(rows, gone) {
			t.Errorf("epoch %d: rows %v, want those that are not held out", epoch, rows)
		}
		if epoch > 0 && slices.Equal(r.asked[epoch], r.asked[0]) {
			t.Error("two epochs have the same order")
		}
	}
	if f.Missing() != p.Epochs {
		t.Errorf("%d rows were missing, want one in each of %d epochs", f.Missing(), p.Epochs)
	}
	for _, w := range weights(f, len(p.Rates)) {
		if w != w {
			t.Fatal("a row that cannot be read reached the weights")
		}
	}
	counts, err := f.Score(t.Context(), r, labels)
	if err != nil || counts[0].Images != 199 || counts[0].Missing != 1 {
		t.Errorf("counts %+v, error %v, want 199 images and one missing", counts, err)
	}
	if _, _, err := f.Choose(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	asked := r.asked[linear.Still]
	if held := asked[len(asked)-len(f.Held()):]; !slices.Equal(held, f.Held()) {
		t.Errorf("the choice looked at rows %v, want %v", held, f.Held())
	}
}

// TestChoice: the head that is best on the held-out part is chosen, though others are better on what it was trained
// on, and a head that diverges neither wins nor spoils the others.
func TestChoice(t *testing.T) {
	const dim, classes = 6, 4
	x, labels := blobs(5, 600, dim, classes)
	p := small()
	p.Rates = []float64{1e-6, 0.2, 1e30}
	f := fit(t, onCPU(t, 2), p, dim, classes, labels)
	train(t, f, x, 1<<30)
	best, counts, err := f.Choose(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if best != 1 || counts[1].Top1 <= counts[0].Top1 || counts[1].Top1 <= counts[2].Top1 {
		t.Errorf("head %d chosen of %+v, want that of rate 0.2", best, counts)
	}
	if counts[1].Images != int64(len(f.Held())) {
		t.Errorf("chosen by %d rows, want the %d held out", counts[1].Images, len(f.Held()))
	}
	// With the labels of the held-out part turned, the same weights choose otherwise: training has not seen them.
	turned := slices.Clone(labels)
	for _, r := range f.Held() {
		turned[r] = (turned[r] + 1) % classes
	}
	g := fit(t, onCPU(t, 2), p, dim, classes, turned)
	if slices.Equal(g.Held(), f.Held()) {
		train(t, g, x, 1<<30)
		if a, b := weights(g, 2), weights(f, 2); !slices.Equal(a, b) {
			t.Error("labels of the held-out part changed the weights")
		}
	}
}

func TestNotFinite(t *testing.T) {
	const dim, classes = 4, 3
	x, labels := blobs(6, 200, dim, classes)
	f := fit(t, onCPU(t, 1), small(), dim, classes, labels)
	_, rows := f.Rows(1)
	bad := rows[2]
	x.X[bad*dim+3] = float32(math.Inf(-1))
	train(t, f, x, 1)
	state := f.Save()
	err := f.Step(t.Context(), x)
	var e *linear.NotFiniteError
	if !errors.As(err, &e) || e.Row != bad || e.Feature != 3 {
		t.Fatalf("error %v, want one that names feature 3 of row %d", err, bad)
	}
	if !slices.Equal(f.Save(), state) {
		t.Error("the step left its traces")
	}
	x.X[bad*dim+3] = 0
	train(t, f, x, 2)
}

type broken struct{}

func (broken) Rows(context.Context, int, []int, []float32) ([]int, error) {
	return nil, errors.New("line lost")
}

func TestRefusals(t *testing.T) {
	labels := []int32{0, 1, 2, 0, 1, 2}
	for want, change := range map[string]func(p *linear.Protocol, classes *int){
		"no learning rate":        func(p *linear.Protocol, _ *int) { p.Rates = nil },
		"learning rate NaN":       func(p *linear.Protocol, _ *int) { p.Rates[0] = math.NaN() },
		"batch of 0":              func(p *linear.Protocol, _ *int) { p.Batch = 0 },
		"-1 epochs":               func(p *linear.Protocol, _ *int) { p.Epochs = -1 },
		"momentum 1":              func(p *linear.Protocol, _ *int) { p.Momentum = 1 },
		"held-out fraction 1":     func(p *linear.Protocol, _ *int) { p.HeldFraction = 1 },
		"row 2 has label 2 of 2":  func(_ *linear.Protocol, c *int) { *c = 2 },
		"0 classes of 4 features": func(_ *linear.Protocol, c *int) { *c = 0 },
	} {
		p, classes := small(), 3
		change(&p, &classes)
		if _, err := linear.New(onCPU(t, 1), p, 4, classes, labels); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := linear.New(onCPU(t, 1), small(), 4, 3, []int32{-1, -1}); err == nil {
		t.Error("a set without labels is taken")
	}
	f := fit(t, onCPU(t, 1), small(), 4, 3, labels)
	if err := f.Step(t.Context(), broken{}); err == nil || !strings.Contains(err.Error(), "line lost") {
		t.Errorf("error %v, want that of the source", err)
	}
	if _, err := f.Score(t.Context(), broken{}, []int32{3}); err == nil || !strings.Contains(err.Error(), "label 3 of 3") {
		t.Errorf("error %v, want one about the label", err)
	}
}

// TestWilson compares with published values (Newcombe 1998) and with the interval's definition.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		right, total int64
		low, high    float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718},
		{0, 0, 0, 1}, {5, 5, 0.5655, 1}} {
		low, high := linear.Wilson(c.right, c.total)
		if math.Abs(low-c.low) > 5e-5 || math.Abs(high-c.high) > 5e-5 {
			t.Errorf("%d of %d: [%.4f, %.4f], want [%.4f, %.4f]", c.right, c.total, low, high, c.low, c.high)
		}
	}
}

// TestMeanPerClass compares with means that are worked out by hand, with top-1 where classes are of one size, and the
// interval with how often drawn results are in it.
func TestMeanPerClass(t *testing.T) {
	for _, c := range []struct {
		classes []linear.Class
		mean    float64
		of      int
	}{
		{nil, 0, 0}, {[]linear.Class{{}, {}}, 0, 0}, {[]linear.Class{{Images: 3, Top1: 3}}, 1, 1},
		{[]linear.Class{{Images: 4, Top1: 1}, {Images: 2, Top1: 2}, {}, {Images: 100}}, 1.25 / 3, 3},
		{[]linear.Class{{Images: 5, Top1: 4}, {Images: 5, Top1: 1}}, 5. / 10, 2},
	} {
		mean, low, high, of := linear.MeanPerClass(c.classes)
		if math.Abs(mean-c.mean) > 1e-12 || of != c.of || low > mean || high < mean || low < 0 || high > 1 {
			t.Errorf("%v: %g in [%g, %g] of %d, want %g of %d", c.classes, mean, low, high, of, c.mean, c.of)
		}
	}
	chances, sizes := []float64{0.9, 0.8, 0.7, 0.95, 0.6, 0.2}, []int{5, 10, 20, 40, 8, 100}
	truth := (0.9 + 0.8 + 0.7 + 0.95 + 0.6 + 0.2) / 6
	r := rand.New(rand.NewPCG(1, 2))
	inside := 0
	const draws = 4000
	for range draws {
		var counts linear.Counts
		for class, n := range sizes {
			for range n {
				logits := make([]float32, len(sizes))
				if logits[class] = 1; r.Float64() >= chances[class] {
					logits[class] = -1
				}
				counts.Add(logits, class)
			}
		}
		if _, low, high, _ := linear.MeanPerClass(counts.Classes); low <= truth && truth <= high {
			inside++
		}
	}
	if share := float64(inside) / draws; share < 0.92 || share > 0.985 {
		t.Errorf("the interval has the truth in %.1f %% of draws, want about 95", 100*share)
	}
}

// TestCountsOfClasses compares the counts of classes with the definition, equal logits and such that are no number too.
func TestCountsOfClasses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var counts linear.Counts
	want := map[int]linear.Class{}
	for range 500 {
		logits, label := make([]float32, 7), r.IntN(6)
		for i := range logits {
			if logits[i] = float32(r.IntN(4)); r.IntN(50) == 0 {
				logits[i] = float32(math.NaN())
			}
		}
		best := label
		for i, v := range logits {
			if v > logits[best] || v == logits[best] && i < best || v != v {
				best = i
			}
		}
		class := want[label]
		class.Images++
		if best == label && logits[label] == logits[label] {
			class.Top1++
		}
		want[label] = class
		counts.Add(logits, label)
	}
	sum := linear.Class{}
	for label, got := range counts.Classes {
		if got != want[label] {
			t.Errorf("class %d: %+v, want %+v", label, got, want[label])
		}
		sum.Images, sum.Top1 = sum.Images+got.Images, sum.Top1+got.Top1
	}
	if sum.Images != counts.Images || sum.Top1 != counts.Top1 || sum.Top1 == 0 {
		t.Errorf("classes have %+v in all, the set %+v", sum, counts)
	}
}

// TestPublishedFor: the published epochs, unless those are too few steps.
func TestPublishedFor(t *testing.T) {
	for n, epochs := range map[int]int{1_281_167: 80, 50_000: 80, 10_000: 334, 1800: 1500, 1: 3000} {
		if p := linear.PublishedFor(n); p.Epochs != epochs || p.Batch != 1024 {
			t.Errorf("%d rows: %d epochs of batch %d, want %d of 1024", n, p.Epochs, p.Batch, epochs)
		}
	}
}
