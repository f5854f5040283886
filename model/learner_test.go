package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTensorsAndLoad(t *testing.T) {
	c := tiny()
	a, b := newLearner(t, reference32(), c), newLearner(t, reference32(), c)
	advance(t, a, 0, global(c, 0))
	advance(t, a, 1, global(c, 1))
	saved := tensorsOf(t, a)
	slices.Reverse(saved)
	if err := b.Load(saved); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tensorsOf(t, a), tensorsOf(t, b)); diff != "" {
		t.Errorf("loaded state differs from the saved one:\n%.1000s", diff)
	}
	got, want := advance(t, b, 2, global(c, 2)), advance(t, a, 2, global(c, 2))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a step after loading differs:\n%.1000s", diff)
	}
	if diff := cmp.Diff(tensorsOf(t, a), tensorsOf(t, b)); diff != "" {
		t.Errorf("state after a further step differs:\n%.1000s", diff)
	}
}

func TestBadLoad(t *testing.T) {
	l := newLearner(t, reference32(), tiny())
	good := tensorsOf(t, l)
	change := func(name string, f func(x *Tensor)) []Tensor {
		list := slices.Clone(good)
		i := slices.IndexFunc(list, func(x Tensor) bool { return x.Name == name })
		f(&list[i])
		return list
	}
	for _, c := range []struct {
		name string
		list []Tensor
		want string
	}{
		{"missing", good[1:], `tensor "online/encoder.conv1.weight" is missing`},
		{"running", change("target/encoder.bn1.running_var", func(x *Tensor) { x.Name = "x" }),
			`"target/encoder.bn1.running_var" is missing`},
		{"shape", change("momentum/projector.0.weight", func(x *Tensor) { x.Shape = []int{16, 4} }),
			`"momentum/projector.0.weight" has shape [16 4] and 64 values, want [8 8]`},
		{"data", change("online/classifier.bias", func(x *Tensor) { x.Data = x.Data[1:] }), "2 values, want [3]"},
		{"unknown", append(slices.Clone(good), Tensor{Name: "online/encoder.layer3.0.conv1.weight"}), "is no part of"},
	} {
		if err := l.Load(c.list); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if err := l.Load(append(slices.Clone(good), Tensor{Name: "rng"})); err != nil {
		t.Errorf("a tensor of no network: %v", err)
	}
}

func TestInit(t *testing.T) {
	c := with(func(c *Config) { c.ZeroInitLastGamma = true })
	a, b := newLearner(t, reference32(), c), newLearner(t, reference32(), c)
	advance(t, b, 0, global(c, 0))
	if err := b.Init(1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tensorsOf(t, a), tensorsOf(t, b)); diff != "" {
		t.Errorf("Init after a step differs from a fresh one:\n%.1000s", diff)
	}
	zeros := 0
	byName := map[string]Tensor{}
	for _, x := range tensorsOf(t, a) {
		byName[x.Name] = x
		if strings.HasSuffix(x.Name, ".bn2.weight") && strings.HasPrefix(x.Name, "online") && slices.Max(x.Data) == 0 {
			zeros++
		}
	}
	if zeros != 2 || byName["online/encoder.layer2.0.downsample.1.weight"].Data[0] != 1 {
		t.Errorf("%d zero scales among the blocks' last, want 2, and 1 in shortcuts", zeros)
	}
	if slices.Equal(byName["online/encoder.conv1.weight"].Data, byName["target/encoder.conv1.weight"].Data) {
		t.Error("online and target network start equal, want independent draws")
	}
	if v := byName["target/encoder.bn1.running_var"].Data; slices.Min(v) != 1 || slices.Max(v) != 1 {
		t.Errorf("running variance starts at %v, want 1", v)
	}
}

// TestBuckets: the buckets tile the gradient from its end, and what a bucket holds when it is reported is
// final for every shard.
func TestBuckets(t *testing.T) {
	c := tiny()
	l := newLearner(t, reference32(), c)
	seen := make([][]float32, c.Shards)
	for i := range seen {
		seen[i] = make([]float32, l.Parameters())
	}
	end := l.Parameters()
	var got []Bucket
	_, err := l.Grad(context.Background(), global(c, 0), func(b Bucket) error {
		if b.Index != len(got) || b.Off+b.Len != end || b.Off != 0 && b.Len*4 != c.BucketBytes {
			t.Errorf("bucket %+v after %d others that begin at %d", b, len(got), end)
		}
		for i := range seen {
			copy(seen[i][b.Off:], download(l.ShardGradient(i))[b.Off:][:b.Len])
		}
		got, end = append(got, b), b.Off
		return nil
	})
	if err != nil || end != 0 {
		t.Fatalf("error %v, buckets end at %d, want 0", err, end)
	}
	if !slices.Equal(got, l.Buckets()) || len(got) < 5 {
		t.Errorf("reported %d buckets, announced %d", len(got), len(l.Buckets()))
	}
	for i := range seen {
		if !slices.Equal(seen[i], download(l.ShardGradient(i))) {
			t.Errorf("shard %d: the gradient changed after its buckets were reported", i)
		}
	}
}

// TestBucketErrors: an error of the callback ends Grad at whatever layer it comes.
func TestBucketErrors(t *testing.T) {
	c := with(func(c *Config) { c.BucketBytes = 160 })
	l, broken := newLearner(t, reference32(), c), errors.New("ring broken")
	for at := range l.Buckets() {
		calls := 0
		_, err := l.Grad(context.Background(), global(c, 0), func(b Bucket) error {
			calls++
			if b.Index == at {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || calls != at+1 {
			t.Errorf("callback failed at bucket %d, Grad returned %v after %d calls", at, err, calls)
		}
	}
}

// TestEncode: with the statistics of a batch as running ones, evaluation gives the features of training; and
// an image's features do not depend on its neighbours.
func TestEncode(t *testing.T) {
	c := with(func(c *Config) { c.Block, c.Stem, c.ImageSize, c.Shards = "bottleneck", "imagenet", 24, 1 })
	l := newLearner(t, reference32(), c)
	b := global(c, 0)
	b.View2 = b.View1
	if _, err := l.Grad(context.Background(), b, nil); err != nil {
		t.Fatal(err)
	}
	want := outputOf(t, l, "embedding1")
	// Two equal views took r to 0.81·r + 0.19·new; the new variance is unbiased.
	counts := countsOf(c)
	for _, norm := range l.layout.Norms {
		for i, s := range running(norm) {
			for j := s.Off; j < s.End(); j++ {
				value := (float64(l.Next().Statistics[j]) - 0.81*float64(l.Current().Statistics[j])) / 0.19
				if n := counts[s.name]; i == 1 && n > 0 {
					value *= (n - 1) / n
				}
				l.Current().Statistics[j] = float32(value)
			}
		}
	}
	got := make([]float32, len(want))
	if err := l.Encode(context.Background(), b.View1, c.Batch, got); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 2e-5*math.Max(1, math.Abs(float64(want[i]))) {
			t.Fatalf("feature %d: %g in evaluation, %g in training", i, got[i], want[i])
		}
	}
	size, dim := l.imageLen(), l.FeatureDim()
	twice := append(slices.Clone(b.View1), b.View1[:3*size]...)
	more, one := make([]float32, 11*dim), make([]float32, dim)
	if err := l.Encode(context.Background(), twice, 11, more); err != nil {
		t.Fatal(err)
	}
	if err := l.Encode(context.Background(), b.View1[2*size:3*size], 1, one); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(more, slices.Concat(got, got[:3*dim])) || !slices.Equal(one, got[2*dim:3*dim]) {
		t.Error("features depend on the other images of the call")
	}
	if err := l.Encode(context.Background(), b.View1, 9, more); err == nil {
		t.Error("9 images of 8: no error")
	}
}

// countsOf is the number of values behind each variance of the network of TestEncode: 24² images are 12²
// behind the stem, 6² behind the pool, and 3² from the stride of the second group on.
func countsOf(c Config) map[string]float64 {
	counts := map[string]float64{"encoder.bn1.running_var": 144}
	for name, hw := range map[string]float64{
		"layer1.0.bn1": 36, "layer1.0.bn2": 36, "layer1.0.bn3": 36, "layer1.0.downsample.1": 36,
		"layer2.0.bn1": 36, "layer2.0.bn2": 9, "layer2.0.bn3": 9, "layer2.0.downsample.1": 9,
	} {
		counts["encoder."+name+".running_var"] = hw
	}
	for name := range counts {
		counts[name] *= float64(c.Batch)
	}
	return counts
}

// TestLocalBatchNorm: a shard's features do not depend on the images of another shard; synchronised, they do.
func TestLocalBatchNorm(t *testing.T) {
	for _, local := range []bool{true, false} {
		c := with(func(c *Config) { c.LocalBatchNorm = local })
		l := newLearner(t, reference32(), c)
		features := func(b Batch) []float32 {
			if _, err := l.Grad(context.Background(), b, nil); err != nil {
				t.Fatal(err)
			}
			return outputOf(t, l, "embedding1")[:l.cut.Images*l.FeatureDim()]
		}
		a := global(c, 0)
		b := Batch{View1: slices.Clone(a.View1), View2: a.View2}
		b.View1[len(b.View1)-1] += 3
		if same := slices.Equal(features(a), features(b)); same != local {
			t.Errorf("local batch norm %v: features of shard 0 independent of shard 3: %v", local, same)
		}
	}
}

// TestStopGradient: labels do not reach the encoder, and without labels the probe's gradient is zero.
func TestStopGradient(t *testing.T) {
	c := tiny()
	l := newLearner(t, reference32(), c)
	gradient := func(labels []int32) []float32 {
		b := global(c, 0)
		b.Labels = labels
		if _, err := l.Grad(context.Background(), b, nil); err != nil {
			t.Fatal(err)
		}
		return download(l.ShardGradient(0))
	}
	with, without := gradient(global(c, 0).Labels), gradient(nil)
	for _, p := range l.layout.Params {
		a, b := with[p.Off:p.Off+p.Len], without[p.Off:p.Off+p.Len]
		probe := strings.HasPrefix(p.Name, "classifier.")
		if slices.Equal(a, b) == probe {
			t.Errorf("%s: same gradient with and without labels: %v", p.Name, !probe)
		}
		if probe && (slices.Min(b) != 0 || slices.Max(b) != 0) {
			t.Errorf("%s: gradient %v without labels, want 0", p.Name, b)
		}
	}
}

// outputOf is one of what the networks gave.
func outputOf(t *testing.T, l *Learner, name string) []float32 {
	t.Helper()
	list, err := l.Outputs()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(x Tensor) bool { return x.Name == name })
	return list[i].Data
}

// TestSpread holds the spread of projections that are known, of four images in two shards, the same in both views.
func TestSpread(t *testing.T) {
	for _, x := range []struct {
		name string
		rows [4][4]float32
		want float64
	}{
		{"collapsed", [4][4]float32{{1, 2, 3, 4}, {2, 4, 6, 8}, {1, 2, 3, 4}, {1, 2, 3, 4}}, 0},
		// Each dimension is 1 once and 0 three times: deviation sqrt(1/4−1/16), times sqrt(4).
		{"axes", [4][4]float32{{5, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}, {0, 0, 0, 9}}, 2 * math.Sqrt(3.0/16)},
		{"opposite", [4][4]float32{{1, 1, 1, 1}, {-1, -1, -1, -1}, {1, 1, 1, 1}, {-2, -2, -2, -2}}, 1},
	} {
		all := sumsOfRows(x.rows[:2])
		for i, s := range sumsOfRows(x.rows[2:]) {
			all[i] += s
		}
		if got := spread(all, 4); math.Abs(got-x.want) > 1e-6 {
			t.Errorf("%s: ratio %g, want %g", x.name, got, x.want)
		}
	}
}

// sumsOfRows is what a shard of these projections tells.
func sumsOfRows(rows [][4]float32) []float64 {
	sums := make([]float64, 16)
	for _, r := range rows {
		length := 0.0
		for _, x := range r {
			length += float64(x) * float64(x)
		}
		for j, x := range r {
			unit := float64(x) / math.Sqrt(length)
			for v := range 2 {
				sums[v*8+j] += unit
				sums[v*8+4+j] += unit * unit
			}
		}
	}
	return sums
}

// TestUpdateExcludes: biases and batch-norm parameters take the raw gradient; EMA covers everything.
func TestUpdateExcludes(t *testing.T) {
	c := tiny()
	l := newLearner(t, reference32(), c)
	g := floats(5, l.Parameters())
	upload(l.Gradient(), g)
	old, xi := download(l.Current().Theta), download(l.Current().Xi)
	norm, err := l.Update(1)
	if err != nil {
		t.Fatal(err)
	}
	l.UpdateTarget(0.25)
	now, target := download(l.Next().Theta), download(l.Next().Xi)
	squares, rate := 0.0, c.Schedule.LR(1)
	for _, p := range l.layout.Params {
		raw := true
		for i := p.Off; i < p.Off+p.Len; i++ {
			squares += float64(g[i]) * float64(g[i])
			raw = raw && math.Abs(float64(now[i])-(float64(old[i])-rate*float64(g[i]))) < 1e-6
			if want := xi[i] + 0.25*(now[i]-xi[i]); math.Abs(float64(target[i]-want)) > 1e-6 {
				t.Fatalf("%s: target %g, want %g", p.Name, target[i], want)
			}
		}
		excluded := strings.HasSuffix(p.Name, ".bias") || strings.Contains(p.Name, "bn") || len(p.Shape) == 1
		if raw != excluded {
			t.Errorf("%s: moved by the raw gradient %v, excluded %v", p.Name, raw, excluded)
		}
	}
	if math.Abs(norm-math.Sqrt(squares)) > 1e-5*norm {
		t.Errorf("norm %g, want %g", norm, math.Sqrt(squares))
	}
}

func ExampleConfig_Check() {
	c := Config{Arch: "resnet50", ImageSize: 224, ProjectorHidden: 4096, ProjectorOut: 256, PredictorHidden: 4096,
		Batch: 100, Shards: 8}
	fmt.Println(c.Check())
	// Output: batch size 100 is not a multiple of the 8 shards
}
