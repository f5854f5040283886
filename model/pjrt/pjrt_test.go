package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"byol/internal/vector"
	"byol/model/arch"
	"byol/model/engine"
	"byol/model/pjrt"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/pjrttest"
)

// open opens an engine on a CPU plugin, which is closed with the test.
func open(t *testing.T, o pjrt.Options) *pjrt.Engine {
	t.Helper()
	if o.Cache == "" {
		o.Cache = pjrt.Programs
	}
	p := pjrt.Plugin(t)
	c, err := p.NewClient(capi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := pjrt.New(c, c.Devices()[0], o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// tiny is a network of two blocks.
func tiny() engine.Network {
	return engine.Network{Encoder: arch.Encoder{Blocks: []int{1, 1}, Base: 4, Stem: arch.CIFAR}, Padding: "symmetric",
		ImageSize: 8, ProjectorHidden: 16, ProjectorOut: 8, PredictorHidden: 16, Classes: 3,
		Rule: engine.Rule{Momentum: 0.9, Decay: 1e-4, Eta: 1e-3}}
}

// least is a network of few programs, for tests that compile them all.
func least() engine.Network {
	return engine.Network{Encoder: arch.Encoder{Blocks: []int{1}, Base: 2, Stem: arch.CIFAR}, Padding: "symmetric",
		ImageSize: 4, ProjectorHidden: 4, ProjectorOut: 4, PredictorHidden: 4}
}

// rank is one engine with its shards, and what a step needs.
type rank struct {
	engine.Engine
	stages    *engine.Stages
	layout    *engine.Layout
	cut       engine.Cut
	now, next engine.State
}

// join plans an engine on some shards, with a state that is drawn.
func join(t *testing.T, e engine.Engine, n engine.Network, c engine.Cut) *rank {
	t.Helper()
	stages, err := e.Plan(t.Context(), n, c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := engine.Describe(n)
	if err != nil {
		t.Fatal(err)
	}
	r := &rank{Engine: e, stages: stages, layout: l, cut: c}
	for _, s := range []*engine.State{&r.now, &r.next} {
		for _, v := range []*engine.Vector{&s.Theta, &s.Momentum, &s.Xi} {
			if *v, err = e.NewVector(false); err != nil {
				t.Fatal(err)
			}
		}
		s.Statistics = make([]float32, 2*l.Statistics)
	}
	for i, v := range []engine.Vector{r.now.Theta, r.now.Xi} {
		for _, p := range l.Params {
			p.Draw(v.Host()[p.Off:p.End()], 7, []string{"online", "target"}[i])
		}
		v.Store(engine.Span{Len: l.Size})
	}
	g := rand.New(rand.NewPCG(1, 2))
	for i := range r.now.Statistics {
		r.now.Statistics[i] = 0.5 + g.Float32()
	}
	return r
}

// images are those of all shards, drawn.
func images(n engine.Network, count int) (views [2][]float32, labels []int32) {
	g := rand.New(rand.NewPCG(3, 4))
	for v := range views {
		views[v] = make([]float32, count*n.ImageSize*n.ImageSize*3)
		for i := range views[v] {
			views[v][i] = float32(g.NormFloat64())
		}
	}
	for range count {
		labels = append(labels, int32(g.IntN(n.Classes+1)-1))
	}
	return views, labels
}

// group is all ranks of a run, in shard order.
type group []*rank

// load gives every rank its part.
func (g group) load(n engine.Network) {
	c := g[0].cut
	views, labels := images(n, c.Shards*c.Images)
	at, size := 0, n.ImageSize*n.ImageSize*3
	for _, r := range g {
		end := at + r.cut.Batch()
		r.Load(views[0][at*size:end*size], views[1][at*size:end*size], labels[at:end])
		r.Use(r.now)
		at = end
	}
}

// sums gathers a stage's sums of all shards.
func (g group) sums(t *testing.T, of func(r *rank) *engine.Stage) [][]float64 {
	t.Helper()
	var all [][]float64
	for _, r := range g {
		s := of(r)
		own := make([][]float64, r.cut.Local)
		for i := range own {
			own[i] = make([]float64, s.Sums)
		}
		if err := r.Sums(s, own); err != nil {
			t.Fatal(err)
		}
		all = append(all, own...)
	}
	return all
}

// totals are what the next stage begins with.
func (g group) totals(all [][]float64, norms []int, forward bool) []float64 {
	r := g[0]
	rows := make([][]float64, len(all))
	for i, sums := range all {
		rows[i] = slices.Clone(sums)
	}
	vector.AddTree(vector.Tree(len(rows)), vector.Leaves(0, len(rows)), rows)
	out := rows[0]
	if !forward {
		return out
	}
	for at := 0; len(norms) > 0; norms = norms[1:] {
		n := r.layout.Norms[norms[0]]
		for range 2 {
			part := out[at : at+2*n.C]
			mean, inverse := make([]float64, n.C), make([]float64, n.C)
			engine.Moments(float64(r.cut.Shards*r.cut.Images*n.PerImage), part, mean, inverse)
			copy(part, mean)
			copy(part[n.C:], inverse)
			at += 2 * n.C
		}
	}
	return out
}

// way launches the stages of one network.
func (g group) way(t *testing.T, of func(s *engine.Stages) []engine.Stage, forward bool) {
	t.Helper()
	var totals []float64
	for k := range of(g[0].stages) {
		at := func(r *rank) *engine.Stage { return &of(r.stages)[k] }
		for _, r := range g {
			r.Launch(at(r), totals)
			if !forward {
				r.Launch(&r.stages.Weights[k], nil)
			}
		}
		if s := at(g[0]); s.Sums > 0 && s.Totals+len(of(g[0].stages)) > 1 {
			totals = g.totals(g.sums(t, at), s.Norms, forward)
		}
	}
}

func onlineStages(s *engine.Stages) []engine.Stage   { return s.Online }
func targetStages(s *engine.Stages) []engine.Stage   { return s.Target }
func backwardStages(s *engine.Stages) []engine.Stage { return s.Backward }

// result is everything that a step gives.
type result struct {
	losses   []engine.Losses
	spread   [][]float64
	gradient [][]float32 // by shard
	theta    []float32
	squares  float64
}

// step runs one step and leaves the new state in next.
func (g group) step(t *testing.T, n engine.Network) result {
	t.Helper()
	g.load(n)
	g.way(t, onlineStages, true)
	g.way(t, targetStages, true)
	for _, r := range g {
		r.Launch(&r.stages.Losses, nil)
	}
	g.way(t, backwardStages, false)
	var out result
	out.spread = g.sums(t, func(r *rank) *engine.Stage { return &r.stages.Losses })
	for _, r := range g {
		own := make([]engine.Losses, r.cut.Local)
		if err := r.ReadLosses(own); err != nil {
			t.Fatal(err)
		}
		out.losses = append(out.losses, own...)
		for i := range r.cut.Local {
			v := r.Gradient(i)
			if err := v.Fetch(engine.Span{Len: r.layout.Size}).Wait(); err != nil {
				t.Fatal(err)
			}
			out.gradient = append(out.gradient, slices.Clone(v.Host()))
		}
	}
	sum := slices.Clone(out.gradient[0])
	for _, shard := range out.gradient[1:] {
		for i, x := range shard {
			sum[i] += x
		}
	}
	for _, r := range g {
		all := engine.Span{Len: r.layout.Size}
		copy(r.Gradient(0).Host(), sum)
		r.Gradient(0).Store(all)
		var err error
		if out.squares, err = r.Update(r.now, r.next, 0.3); err != nil {
			t.Fatal(err)
		}
		some := engine.Span{Off: 10, Len: 20}
		if err := r.next.Theta.Fetch(some).Wait(); err != nil {
			t.Fatal(err)
		}
		part := slices.Clone(r.next.Theta.Host()[some.Off:some.End()])
		if err := r.next.Theta.Fetch(all).Wait(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(part, r.next.Theta.Host()[some.Off:some.End()]) {
			t.Error("a part of a vector was fetched wrongly")
		}
		if out.theta != nil && !slices.Equal(out.theta, r.next.Theta.Host()) {
			t.Error("two ranks have two results")
		}
		out.theta = slices.Clone(r.next.Theta.Host())
	}
	return out
}

// TestSameBits: one engine with both shards, two with one each, and the same once more give the same bits.
func TestSameBits(t *testing.T) {
	n := tiny()
	local := n
	local.LocalBatchNorm = true
	for name, n := range map[string]engine.Network{"sync": n, "local": local} {
		t.Run(name, func(t *testing.T) {
			one := group{join(t, open(t, pjrt.Options{}), n, engine.Cut{Shards: 2, Local: 2, Images: 4})}
			want := one.step(t, n)
			if want.squares == 0 || slices.ContainsFunc(want.theta, func(x float32) bool { return math.IsNaN(float64(x)) }) {
				t.Fatalf("a step of nothing: %g", want.squares)
			}
			if got := one.step(t, n); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Error("the same step once more has other bits")
			}
			var two group
			for range 2 {
				two = append(two, join(t, open(t, pjrt.Options{}), n, engine.Cut{Shards: 2, Local: 1, Images: 4}))
			}
			if got := two.step(t, n); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("two ranks have other bits than one: losses %v and %v", got.losses, want.losses)
			}
		})
	}
}

// TestCounts: what a step of two shards costs.
func TestCounts(t *testing.T) {
	e := open(t, pjrt.Options{})
	n := tiny()
	g := group{join(t, e, n, engine.Cut{Shards: 2, Local: 2, Images: 4})}
	g.step(t, n)
	before := e.Counts()
	g.step(t, n)
	after := e.Counts()
	launches, waits := after.Launches-before.Launches, after.Waits-before.Waits
	// For each shard load, losses and all stages; once the parameters of both networks, and the update.
	s := g[0].stages
	if want := 2*(2+len(s.Online)+len(s.Target)+len(s.Backward)+len(s.Weights)) + 3; launches != int64(want) {
		t.Errorf("%d launches, want %d", launches, want)
	}
	if waits == 0 || after.Up == before.Up || after.Down == before.Down {
		t.Errorf("counted %+v after %+v", after, before)
	}
	t.Logf("%d launches, %d waits, %d bytes up, %d down", launches, waits, after.Up-before.Up, after.Down-before.Down)
}

// TestCache: a second process compiles nothing, and a damaged file is no harm.
func TestCache(t *testing.T) {
	dir, n, c := t.TempDir(), least(), engine.Cut{Shards: 1, Local: 1, Images: 2}
	plan := func() (string, int) {
		done := 0
		e := open(t, pjrt.Options{Cache: dir, Threads: 2, Progress: func(d, total int) { done = d*1000 + total }})
		if _, err := e.Plan(t.Context(), n, c); err != nil {
			t.Fatal(err)
		}
		return e.Fingerprint(), done
	}
	print, done := plan()
	files, err := filepath.Glob(filepath.Join(dir, "*.program"))
	if err != nil || len(files) == 0 || done != len(files)*1001 {
		t.Fatalf("%d programs kept, %d told: %v", len(files), done, err)
	}
	before := map[string]os.FileInfo{}
	for i, f := range files {
		if i == 0 {
			if err := os.WriteFile(f, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if before[f], err = os.Stat(f); err != nil {
			t.Fatal(err)
		}
	}
	if again, _ := plan(); again != print {
		t.Errorf("fingerprint %q, then %q", print, again)
	}
	for i, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		// A file that was removed and made again may be the same inode; its length tells.
		if anew := !os.SameFile(info, before[f]) || info.Size() != before[f].Size(); anew != (i == 0) {
			t.Errorf("program %d was written anew: %v", i, anew)
		}
	}
}

// TestShared: two engines that plan at a time with one folder compile each program once between them, and have the same
// fingerprint.
func TestShared(t *testing.T) {
	var compiled atomic.Int64
	counting := pjrt.Plugin(t).Faulty(func(function string) *capi.Error {
		if function == capi.CompileFunction {
			compiled.Add(1)
		}
		return nil
	})
	dir, prints, total := t.TempDir(), make(chan string, 2), make(chan int, 2)
	for range 2 {
		c, err := counting.NewClient(capi.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all := 0
		e, err := pjrt.New(c, c.Devices()[0], pjrt.Options{Cache: dir, Progress: func(_, n int) { all = n }})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := e.Plan(t.Context(), least(), engine.Cut{Shards: 1, Local: 1, Images: 2})
			print := e.Fingerprint()
			if err := errors.Join(err, e.Close()); err != nil {
				t.Error(err)
			}
			prints <- print
			total <- all
		}()
	}
	if a, b := <-prints, <-prints; a != b {
		t.Errorf("fingerprints %q and %q", a, b)
	}
	<-total
	if all := <-total; compiled.Load() != int64(all) {
		t.Errorf("%d compilations of %d programs by two engines", compiled.Load(), all)
	}
}

// TestFingerprint: another plugin, precision, network or number of images is another fingerprint; the same on another
// device of the kind is not.
func TestFingerprint(t *testing.T) {
	n, c := tiny(), engine.Cut{Shards: 2, Local: 1, Images: 2}
	print := func(p *capi.Plugin, device int, o pjrt.Options, n engine.Network, c engine.Cut) string {
		client, err := p.NewClient(capi.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o.Cache = pjrt.Programs
		e, err := pjrt.New(client, client.Devices()[device%len(client.Devices())], o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, err := e.Plan(t.Context(), n, c); err != nil {
			t.Fatal(err)
		}
		return e.Fingerprint()
	}
	p := pjrt.Plugin(t)
	want := print(p, 0, pjrt.Options{}, n, c)
	both := c
	both.Local = 2
	for name, same := range map[string]string{"another device": print(p, 1, pjrt.Options{}, n, c),
		"more shards here": print(p, 0, pjrt.Options{}, n, both), "threads": print(p, 0, pjrt.Options{Threads: 2}, n, c)} {
		if same != want {
			t.Errorf("%s: %q, want %q", name, same, want)
		}
	}
	more := c
	more.Images = 4
	if print(p, 0, pjrt.Options{}, n, more) == want {
		t.Error("other programs have the same fingerprint")
	}
	older, err := capi.Open(pjrttest.Path(t, pjrttest.CPU106))
	if err != nil {
		t.Fatal(err)
	}
	for name, own := range map[string]struct {
		plugin  *capi.Plugin
		options pjrt.Options
		has     string
	}{"another plugin of the same name": {older, pjrt.Options{}, "API 0.106"},
		"another precision": {p, pjrt.Options{Precision: emit.BF16}, "precision bf16"}} {
		client, err := own.plugin.NewClient(capi.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := pjrt.New(client, client.Devices()[0], own.options)
		if err != nil {
			t.Fatal(err)
		}
		if about := e.Fingerprint(); strings.HasPrefix(want, about) || !strings.Contains(about, own.has) {
			t.Errorf("%s: %q", name, about)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestVector: whatever is stored and fetched, a vector is as a slice is.
func TestVector(t *testing.T) {
	e := open(t, pjrt.Options{})
	r := join(t, e, tiny(), engine.Cut{Shards: 1, Local: 1, Images: 2})
	v, want := r.next.Xi, make([]float32, r.layout.Size)
	g := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		off := g.IntN(len(want))
		s := engine.Span{Off: off, Len: 1 + g.IntN(len(want)-off)}
		if g.IntN(4) == 0 {
			s = engine.Span{Len: len(want)}
		}
		if g.IntN(2) == 0 {
			for i := s.Off; i < s.End(); i++ {
				want[i] = g.Float32()
				v.Host()[i] = want[i]
			}
			v.Store(s)
			continue
		}
		if g.IntN(2) == 0 { // as an update does
			e.Average(v, v, v, 0)
		}
		if err := errors.Join(e.Sync(), v.Fetch(s).Wait()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(v.Host()[s.Off:s.End()], want[s.Off:s.End()]) {
			t.Fatalf("fetched %v wrongly", s)
		}
	}
}

// TestEncodeAndProducts: features depend on their image alone, and products are products, at the ends of tiles too.
func TestEncodeAndProducts(t *testing.T) {
	e := open(t, pjrt.Options{})
	n := tiny()
	r := join(t, e, n, engine.Cut{Shards: 1, Local: 1, Images: 2})
	r.Use(r.now)
	views, _ := images(n, 7)
	size := len(views[0]) / 7
	all := make([]float32, 7*r.layout.Features)
	if err := e.Encode(t.Context(), views[0], 7, all); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		one := make([]float32, r.layout.Features)
		if err := e.Encode(t.Context(), views[0][i*size:(i+1)*size], 1, one); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one, all[i*r.layout.Features:(i+1)*r.layout.Features]) {
			t.Errorf("the features of image %d depend on those beside it", i)
		}
	}
	const nq, nb, dim = 300, 1100, 5
	g := rand.New(rand.NewPCG(8, 9))
	draw := func(n int) []float32 {
		x := make([]float32, n*dim)
		for i := range x {
			x[i] = g.Float32()
		}
		return x
	}
	queries, bank, seen := draw(nq), draw(nb), 0
	err := e.Products(t.Context(), queries, bank, dim, func(products []float32, query, row, width int) {
		for i, got := range products {
			q, b := query+i/width, row+i%width
			want := 0.0
			for k := range dim {
				want += float64(queries[q*dim+k]) * float64(bank[b*dim+k])
			}
			if math.Abs(float64(got)-want) > 1e-5 {
				t.Fatalf("query %d with row %d is %g, want %g", q, b, got, want)
			}
		}
		seen += len(products)
	})
	if err != nil || seen != nq*nb {
		t.Errorf("%d products of %d: %v", seen, nq*nb, err)
	}
}

// TestPrecisions: bfloat16 activations are near float32's, and others than these two are refused.
func TestPrecisions(t *testing.T) {
	n := tiny()
	c := engine.Cut{Shards: 1, Local: 1, Images: 8}
	a := group{join(t, open(t, pjrt.Options{}), n, c)}.step(t, n)
	b := group{join(t, open(t, pjrt.Options{Precision: emit.BF16}), n, c)}.step(t, n)
	if d := math.Abs(a.losses[0].Loss - b.losses[0].Loss); d == 0 || d > 0.02*a.losses[0].Loss {
		t.Errorf("losses %g and %g", a.losses[0].Loss, b.losses[0].Loss)
	}
	if _, err := pjrt.New(nil, nil, pjrt.Options{Precision: emit.FP64}); err == nil {
		t.Error("float64 is no precision of an engine")
	}
}

// TestGivenUp: a plan that its context ends is an error, and the next one is good.
func TestGivenUp(t *testing.T) {
	e := open(t, pjrt.Options{})
	n, c := tiny(), engine.Cut{Shards: 1, Local: 1, Images: 2}
	going := errors.New("going")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(going)
	if _, err := e.Plan(ctx, n, c); !errors.Is(err, going) {
		t.Errorf("error %v, want the context's", err)
	}
	if _, err := e.Plan(t.Context(), n, c); err != nil {
		t.Error(err)
	}
}
