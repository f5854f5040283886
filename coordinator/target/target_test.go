package target

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"byol/internal/vector"
)

// step folds theta into tg, in pieces of at most chunk elements, one goroutine per rank.
func step(t *testing.T, tg *Target, theta []float32, chunk int64) {
	t.Helper()
	var wg sync.WaitGroup
	for r := range tg.spans {
		wg.Go(func() {
			begin, end := tg.Span(r)
			for at := begin; at < end; at += chunk {
				to := min(end, at+chunk)
				complete, err := tg.Write(r, at, vector.Bytes(theta[at:to]))
				if err != nil || complete != (to == end) {
					t.Errorf("write [%d,%d) of rank %d: complete %v, %v", at, to, r, complete, err)
				}
			}
		})
	}
	wg.Wait()
}

func restored(t *testing.T, xi []float32, ranks int) *Target {
	t.Helper()
	tg, err := New(int64(len(xi)), ranks)
	if err != nil {
		t.Fatal(err)
	}
	tg.BeginRestore()
	step(t, tg, xi, 7)
	tg.Commit()
	return tg
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		tau             float64
		xi, theta, want float32
	}{
		{0.99, 1, 2, 1.01}, {0.99, 0, -3, -0.03}, {1, 5, 9, 5}, {0, 5, 9, 9},
	} {
		tg := restored(t, []float32{c.xi}, 1)
		tg.Begin(float32(1 - c.tau))
		step(t, tg, []float32{c.theta}, 1)
		tg.Commit()
		if got := tg.Current()[0]; math.Abs(float64(got-c.want)) > 1e-7*math.Abs(float64(c.want)) {
			t.Errorf("tau %v: %v towards %v is %v, want %v", c.tau, c.xi, c.theta, got, c.want)
		}
	}
}

// TestAgainstFloat64 bounds the error by the roundings of the three operations: u·|rate·d|·2 + u·|ξ'| with u = 2^-24,
// and checks that the bits don't depend on the number of ranks or on how slices are cut.
func TestAgainstFloat64(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 12*vector.Block + 3
	xi, theta := make([]float32, n), make([]float32, n)
	for i := range xi {
		xi[i], theta[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64()*math.Exp(rng.NormFloat64()*4))
	}
	const u = 1.0 / (1 << 24)
	for _, rate := range []float32{0.01, 0.3, 1e-7, 0, 1} {
		var first uint64
		for ranks := 1; ranks <= 9; ranks++ {
			tg := restored(t, xi, ranks)
			tg.Begin(rate)
			step(t, tg, theta, int64(ranks*13))
			digest := tg.NextDigest()
			if ranks == 1 {
				first = digest
			}
			if digest != first {
				t.Errorf("rate %v: %d ranks give digest %016x, one gives %016x", rate, ranks, digest, first)
			}
			tg.Commit()
			for i, got := range tg.Current() {
				d := float64(rate) * (float64(theta[i]) - float64(xi[i]))
				want := float64(xi[i]) + d
				if bound := 2*u*math.Abs(d)*(1+u) + u*math.Abs(want) + 1e-44; math.Abs(float64(got)-want) > bound {
					t.Fatalf("rate %v element %d: %v, want %v within %g", rate, i, got, want, bound)
				}
			}
		}
	}
}

func TestDigests(t *testing.T) {
	x := make([]float32, 5000)
	for i := range x {
		x[i] = float32(i) * 0.25
	}
	for ranks := 1; ranks <= 9; ranks++ { // five blocks: some ranks have none
		tg, err := New(int64(len(x)), ranks)
		if err != nil {
			t.Fatal(err)
		}
		tg.BeginRestore()
		step(t, tg, x, 7)
		slices, whole := tg.Received()
		for r, got := range slices {
			begin, end := tg.Span(r)
			if want := vector.Digest(x[begin:end]); got != want {
				t.Errorf("rank %d of %d: received %016x, want %016x", r, ranks, got, want)
			}
		}
		if want := vector.Digest(x); whole != want || tg.NextDigest() != want {
			t.Errorf("%d ranks: received %016x, made %016x, want %016x", ranks, whole, tg.NextDigest(), want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	const n = 2 * vector.Block
	tg := restored(t, make([]float32, n), 2)
	tg.Begin(0.5)
	for _, c := range []struct {
		name   string
		rank   int
		offset int64
		bytes  int
	}{
		{"no bytes", 0, 0, 0}, {"part of a value", 0, 0, 6}, {"a gap", 0, 1, 4}, {"past the end", 0, 0, 2*n + 4},
		{"another rank's span", 1, 0, 4}, {"a negative offset", 0, -1, 4},
	} {
		if _, err := tg.Write(c.rank, c.offset, make([]byte, c.bytes)); err == nil {
			t.Errorf("%s was taken", c.name)
		}
	}
	if _, err := tg.Write(0, 0, make([]byte, 2*n)); err != nil {
		t.Errorf("the whole span after refusals: %v", err)
	}
	if _, err := tg.Write(0, 0, make([]byte, 2*n)); err == nil {
		t.Error("a span was taken twice")
	}
	if tg.Complete() {
		t.Error("complete without rank 1")
	}
	for _, c := range [][2]int64{{0, 1}, {5, 0}, {1 << 40, 1}} {
		if _, err := New(c[0], int(c[1])); err == nil {
			t.Errorf("a target of %d parameters for %d ranks was made", c[0], c[1])
		}
	}
}

// TestCurrentSurvivesTheNextStep shows that what is being sent isn't overwritten by the step that follows.
func TestCurrentSurvivesTheNextStep(t *testing.T) {
	tg := restored(t, []float32{1, 2, 3, 4}, 2)
	tg.Begin(1)
	step(t, tg, []float32{5, 6, 7, 8}, 4)
	tg.Commit()
	sending := tg.Current()
	tg.Begin(1)
	step(t, tg, []float32{9, 9, 9, 9}, 4)
	if sending[0] != 5 || sending[3] != 8 {
		t.Errorf("the committed target became %v while the next was computed", sending)
	}
}

func BenchmarkWrite(b *testing.B) {
	const n = 1 << 20
	tg, err := New(n, 1)
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 4*n)
	b.SetBytes(4 * n)
	for b.Loop() {
		tg.Begin(0.01)
		if _, err := tg.Write(0, 0, data); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRestart: a span that broke off comes again from its start and leaves no trace of the first try; one that is
// complete does not.
func TestRestart(t *testing.T) {
	const n = 3 * vector.Block
	theta := make([]float32, n)
	for i := range theta {
		theta[i] = float32(i%17) - 8
	}
	for _, written := range []int64{0, 1, vector.Block - 1, vector.Block} {
		tg := restored(t, make([]float32, n), 3)
		tg.Begin(0.5)
		if written > 0 {
			if _, err := tg.Write(1, vector.Block, make([]byte, 4*written)); err != nil {
				t.Fatal(err)
			}
		}
		if again := tg.Restart(1); again != (written < vector.Block) {
			t.Errorf("%d of %d elements written: restarted is %v", written, vector.Block, again)
		}
		if written == vector.Block {
			continue
		}
		step(t, tg, theta, 100)
		if _, whole := tg.Received(); whole != vector.Digest(theta) {
			t.Errorf("%d elements written before: received %016x, want %016x", written, whole, vector.Digest(theta))
		}
	}
}
