package enginetest

import (
	"math"
	"slices"
	"testing"

	"byol/model/engine"
)

// vectors stores and fetches by parts, and looks that a plan leaves vectors and what the host holds of them alone.
func vectors(t *testing.T, open func() engine.Engine) {
	c := networks()["basic"]
	l, eng := learner(t, open, c)
	network, err := c.Network()
	if err != nil {
		t.Fatal(err)
	}
	for _, peers := range []bool{false, true} {
		v, err := eng.NewVector(peers)
		if err != nil {
			t.Fatal(err)
		}
		if x := mustRead(t, v); len(x) != l.Parameters() || slices.Max(x) != 0 || slices.Min(x) != 0 {
			t.Errorf("a new vector has %d elements, want %d zeros", len(x), l.Parameters())
		}
		want := normals(3, l.Parameters())
		copy(v.Host(), want)
		half := len(want)/2 + 1
		v.Store(engine.Span{Off: half, Len: len(want) - half})
		v.Store(engine.Span{Len: half})
		if err := eng.Sync(); err != nil {
			t.Fatal(err)
		}
		if _, err := eng.Plan(t.Context(), network, c.Cut(2)); err != nil {
			t.Fatal(err)
		}
		out, err := eng.NewVector(false)
		if err != nil {
			t.Fatal(err)
		}
		eng.Average(out, v, out, 1)
		for _, s := range []engine.Span{{Off: half, Len: len(want) - half}, {Len: half}} {
			if err := out.Fetch(s).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(out.Host(), want) || !slices.Equal(mustRead(t, v), want) {
			t.Errorf("peers %v: a vector comes back changed", peers)
		}
	}
}

// update compares LARS and the moving average with their formulas in float64.
func update(t *testing.T, open func() engine.Engine) {
	c := networks()["basic"]
	l, _ := learner(t, open, c)
	layout, err := layoutOf(c)
	if err != nil {
		t.Fatal(err)
	}
	g, m := normals(5, l.Parameters()), normals(6, l.Parameters())
	theta, xi := mustRead(t, l.Current().Theta), mustRead(t, l.Current().Xi)
	if err := l.LoadFlat(theta, m, l.Current().Statistics, xi); err != nil {
		t.Fatal(err)
	}
	write(l.Gradient(), g)
	norm, err := l.Update(1)
	if err != nil {
		t.Fatal(err)
	}
	l.UpdateTarget(0.25)
	now, momentum, target := mustRead(t, l.Next().Theta), mustRead(t, l.Next().Momentum), mustRead(t, l.Next().Xi)
	squares, rate := 0.0, c.Schedule.LR(1)
	near := func(got float32, want float64) bool {
		return math.Abs(float64(got)-want) <= 2e-5*max(1, math.Abs(want))
	}
	for _, p := range layout.Params {
		u := make([]float64, p.Len)
		w2, u2 := 0.0, 0.0
		for i := range u {
			w := float64(theta[p.Off+i])
			u[i] = float64(g[p.Off+i])
			squares += u[i] * u[i]
			if p.Adapted() {
				u[i] += c.WeightDecay * w
			}
			w2, u2 = w2+w*w, u2+u[i]*u[i]
		}
		trust := 1.0
		if p.Adapted() && w2 > 0 && u2 > 0 {
			trust = c.Eta * math.Sqrt(w2) / math.Sqrt(u2)
		}
		for i := range u {
			at := p.Off + i
			wantM := c.Momentum*float64(m[at]) + trust*u[i]
			wantXi := xi[at] + float32(0.25*(now[at]-xi[at]))
			if !near(momentum[at], wantM) || !near(now[at], float64(theta[at])-rate*wantM) ||
				!near(target[at], float64(wantXi)) {
				t.Fatalf("%s, element %d: momentum %g, weight %g, target %g; want %g, %g, %g", p.Name, i, momentum[at], now[at],
					target[at], wantM, float64(theta[at])-rate*wantM, wantXi)
			}
		}
	}
	if want := math.Sqrt(squares); math.Abs(norm-want) > 1e-5*want {
		t.Errorf("norm %g, want %g", norm, want)
	}
}

// encode wants the features of an image to be the same bits beside any others and with any number of local shards, and
// another image's to be others.
func encode(t *testing.T, open func() engine.Engine) {
	for _, name := range []string{"basic", "bottleneck", "local"} {
		c := networks()[name]
		l, _ := learner(t, open, c)
		b, size, dim := batch(c, 3), c.ImageSize*c.ImageSize*3, l.FeatureDim()
		features := func(x []float32) []float32 {
			out := make([]float32, len(x)/size*dim)
			if err := l.Encode(t.Context(), x, len(x)/size, out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		images := append(slices.Clone(b.View1), b.View2[:3*size]...)
		want := features(images)
		if slices.Equal(want[:dim], want[dim:2*dim]) {
			t.Errorf("%s: two images have the same features", name)
		}
		for _, i := range []int{0, 5, 10} {
			if got := features(images[i*size : (i+1)*size]); !slices.Equal(got, want[i*dim:(i+1)*dim]) {
				t.Errorf("%s: image %d has other features alone than beside others", name, i)
			}
		}
		joined, err := newJoined(t, open, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = joined.eng.Close() })
		got := make([]float32, len(want))
		if err := joined.l.Encode(t.Context(), images, len(images)/size, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: a learner of one shard gives other features than one of all", name)
		}
	}
}

// products compares with plain sums, over sizes that do and do not fill tiles, and looks that each product comes once.
func products(t *testing.T, open func() engine.Engine) {
	_, eng := learner(t, open, networks()["basic"])
	for _, c := range []struct{ queries, bank, dim int }{{3, 5, 8}, {300, 1500, 8}, {1, 1030, 24}, {0, 5, 8}, {5, 0, 8}} {
		queries, bank := normals(1, c.queries*c.dim), normals(2, c.bank*c.dim)
		seen, worst := make([]int, c.queries*c.bank), 0.0
		err := eng.Products(t.Context(), queries, bank, c.dim, func(products []float32, query, row, width int) {
			for k, got := range products {
				q, b := query+k/width, row+k%width
				seen[q*c.bank+b]++
				want := 0.0
				for d := range c.dim {
					want += float64(queries[q*c.dim+d]) * float64(bank[b*c.dim+d])
				}
				worst = max(worst, math.Abs(float64(got)-want))
			}
		})
		if err != nil || worst > 1e-5*float64(c.dim) {
			t.Errorf("%+v: off by up to %g, %v", c, worst, err)
		}
		if i := slices.IndexFunc(seen, func(n int) bool { return n != 1 }); i >= 0 {
			t.Errorf("%+v: product %d came %d times", c, i, seen[i])
		}
	}
}
