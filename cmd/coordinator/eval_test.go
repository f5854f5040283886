package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"byol/coordinator/features"
	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/model/device/cpu"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/worker"
	"byol/worker/data/source"
	"byol/worker/data/views"
	"byol/worker/encoder"
)

// drawnEncoder writes the file of a tiny encoder as a seed draws it, after change.
func drawnEncoder(t *testing.T, path string, change func(*encoder.Encoder)) string {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	eng := ops.New(dev, nil)
	defer eng.Close()
	l, err := model.New(t.Context(), eng, model.Config{Arch: "tiny", ImageSize: 8, ProjectorHidden: 2, ProjectorOut: 2,
		PredictorHidden: 2, Batch: 2, Shards: 1}, 1, nil)
	if err == nil {
		err = l.Init(5)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	look, err := views.ParseAugment("byol-noblur", 8)
	if err != nil {
		t.Fatal(err)
	}
	e := &encoder.Encoder{Shape: encoder.Shape{Arch: "tiny", Width: 1, Stem: "cifar", Padding: "symmetric", ImageSize: 8},
		Features: l.FeatureDim(), Sight: look.Evaluation(), Network: encoder.Online, Step: 7, Augment: "byol-noblur"}
	for _, m := range all {
		if name, ok := strings.CutPrefix(m.Name, "online/encoder."); ok {
			e.Tensors = append(e.Tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: m.Shape,
				Data: slices.Clone(vector.Bytes(m.Data))})
		}
	}
	if change != nil {
		change(e)
	}
	var file bytes.Buffer
	if err := e.WriteSafetensors(&file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// evaluate runs the command with workers that join it, and returns what it printed and its exit code.
func evaluate(t *testing.T, workers int, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	var joined sync.WaitGroup
	defer joined.Wait()
	defer cancel()
	for range workers {
		joined.Go(func() {
			_ = worker.Encode(ctx, worker.Options{Coordinator: address, Index: -1, Build: buildName(), Threads: 1,
				JoinTimeout: time.Minute, OpenEngine: func(o worker.EngineOptions) (engine.Engine, error) {
					dev, err := cpu.New(cpu.Options{Threads: o.Threads})
					if err != nil {
						return nil, err
					}
					return ops.New(dev, nil), nil
				}})
		})
	}
	var out, problems bytes.Buffer
	code = run(append(args, "--launcher", "none", "--listen", address), &out, &problems)
	return out.String(), problems.String(), code
}

// TestEvaluations judges an encoder from its file: the counts of k-NN are those that its features give by the
// definition, any number of workers finds the same, a second method joins the results, and what was computed once is
// not computed again.
func TestEvaluations(t *testing.T) {
	dir := t.TempDir()
	file := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil)
	const train, eval = "synthetic:300,size=8,seed=3", "synthetic:90,size=8,seed=4"
	sets := []string{"--train-data", train, "--eval-data", eval, "-o", "json"}
	var first results
	for _, workers := range []int{1, 2} {
		stdout, stderr, code := evaluate(t, workers, append([]string{"eval", "knn", file, "--k", "30", "--out",
			filepath.Join(dir, fmt.Sprint(workers))}, sets...)...)
		var r results
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("%d workers: exit %d, %v\n%s", workers, code, err, stderr)
		}
		if workers == 1 {
			first = r
		} else if !slices.Equal(r.Results[0].Figures, first.Results[0].Figures) {
			t.Errorf("%d workers: %v, want %v", workers, r.Results[0].Figures, first.Results[0].Figures)
		}
	}
	bank, bankLabels := embedded(t, file, train)
	queries, labels := embedded(t, file, eval)
	want, means := map[string]int64{}, map[string]float64{}
	for _, k := range []int{30, 20, 1} {
		right, of := map[int64]float64{}, map[int64]float64{}
		for q, x := range queries {
			if of[labels[q]]++; votedSlowly(x, bank, bankLabels, k) == labels[q] {
				want[fmt.Sprintf("knn_%d_top1", k)]++
				right[labels[q]]++
			}
		}
		for class, n := range of {
			means[fmt.Sprintf("knn_%d_mean_per_class", k)] += right[class] / n / float64(len(of))
		}
	}
	for _, f := range first.Results[0].Figures {
		if mean, ok := means[f.Name]; ok != (f.Classes > 0) || ok && math.Abs(f.Ratio-mean) > 1e-9 {
			t.Errorf("%+v, want the mean %g of classes", f, mean)
		}
		if n, ok := want[f.Name]; ok && f.Correct != n || f.Total != 90 || f.Low > f.Ratio || f.High < f.Ratio {
			t.Errorf("%+v, want %d of 90", f, n)
		}
	}
	if _, stderr, code := evaluate(t, 1, append([]string{"eval", "linear", file, "--features", "cached", "--epochs", "3",
		"--out", filepath.Join(dir, "1")}, sets...)...); code != 0 ||
		!strings.Contains(stderr, "300 of 300 features of --train-data are there from before") {
		t.Fatalf("linear: exit %d\n%s", code, stderr)
	}
	all, err := readResults(filepath.Join(dir, "1"), first.Encoder)
	page, _ := os.ReadFile(filepath.Join(dir, "1", resultsPage))
	if err != nil || len(all.Results) != 2 || all.Results[1].Method != "linear" || all.Results[1].Figures[0].Total != 90 ||
		!strings.Contains(string(page), "| linear | linear_top1 |") ||
		!strings.Contains(string(page), "| mean of 10 classes |") || !strings.Contains(string(page), "| knn_30_top1 |") {
		t.Errorf("results %+v, %v\n%s", all, err, page)
	}
}

// embedded are the features of a set as embed writes them.
func embedded(t *testing.T, file, uri string) (rows [][]float32, labels []int64) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.safetensors")
	if stdout, stderr, code := evaluate(t, 2, "embed", file, "--data", uri, "-o", out, "-q"); code != 0 {
		t.Fatalf("embed: exit %d\n%s%s", code, stdout, stderr)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.Tensor("features")
	if err != nil {
		t.Fatal(err)
	}
	for row := range slices.Chunk(safetensors.Float32s(x.Data), x.Shape[1]) {
		rows = append(rows, row)
	}
	images, err := source.Open(t.Context(), uri, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	for i := range images.Len() {
		labels = append(labels, int64(images.Label(i)))
	}
	if len(rows) != len(labels) {
		t.Fatalf("%d rows of %d images", len(rows), len(labels))
	}
	return rows, labels
}

// votedSlowly is the definition of the vote.
func votedSlowly(x []float32, bank [][]float32, labels []int64, k int) int64 {
	cosine := func(a, b []float32) float64 {
		var ab, aa, bb float64
		for i := range a {
			ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
		}
		return ab / math.Sqrt(aa*bb)
	}
	order := make([]int, len(bank))
	near := make([]float64, len(bank))
	for i := range bank {
		order[i], near[i] = i, cosine(x, bank[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return -1 + 2*b2i(near[a] < near[b]) })
	sums := map[int64]float64{}
	for _, i := range order[:k] {
		sums[labels[i]] += math.Exp(near[i] / 0.1)
	}
	best := int64(-1)
	for class, sum := range sums {
		if best < 0 || sum > sums[best] {
			best = class
		}
	}
	return best
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestEvaluationsRefuse: inputs that make no sense end with words before any worker is waited for.
func TestEvaluationsRefuse(t *testing.T) {
	dir := t.TempDir()
	good := drawnEncoder(t, filepath.Join(dir, "good.safetensors"), nil)
	plain := filepath.Join(dir, "plain.safetensors")
	drawnEncoder(t, plain, nil)
	strip(t, plain, nil)
	spoilt := filepath.Join(dir, "nan.safetensors")
	drawnEncoder(t, spoilt, nil)
	strip(t, spoilt, func(x []safetensors.Tensor) { vector.Floats(x[0].Data)[3] = float32(math.NaN()) })
	unlabelled := filepath.Join(dir, "photos")
	if err := os.MkdirAll(unlabelled, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(unlabelled, "a.ppm"), []byte("P6 1 1 255 abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	sets := []string{"--train-data", "synthetic:20,size=8", "--eval-data", "synthetic:20,size=8,seed=2"}
	shape := []string{"--arch", "tiny", "--image-size", "8"}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{append([]string{"eval", "knn", filepath.Join(dir, "none")}, sets...), failure.Checkpoint, []string{"no such file"}},
		{[]string{"eval", "knn", good}, failure.Usage, []string{"--train-data is missing"}},
		{[]string{"eval", "knn", good, "--train-data", unlabelled, "--eval-data", "synthetic:20,size=8"}, failure.Data,
			[]string{"an evaluation needs labels", "--train-data " + unlabelled}},
		{append([]string{"eval", "knn", plain}, sets...), failure.Usage,
			[]string{"does not say which network it is of", "--arch resnet50 --image-size 224"}},
		{append([]string{"eval", "knn", plain, "--arch", "resnet18", "--image-size", "32"}, sets...), failure.Checkpoint,
			[]string{"matched ", "tensors of resnet18", "--arch tiny --width 1 --stem cifar"}},
		{slices.Concat([]string{"eval", "knn", spoilt}, shape, sets), failure.Checkpoint,
			[]string{"value 3 of", "NaN", "this training diverged"}},
		{append([]string{"eval", "knn", good, "--width", "2"}, sets...), failure.Usage, []string{"not --width 2"}},
		{append([]string{"eval", "knn", good, "--network", "target"}, sets...), failure.Usage,
			[]string{"is the online network"}},
		{append([]string{"eval", "knn", good, "--k", "0"}, sets...), failure.Usage, []string{"--k 0"}},
		{append([]string{"eval", "linear", good, "--features", "some"}, sets...), failure.Usage,
			[]string{`--features cannot be "some"`}},
		{[]string{"embed", good, "--data", "synthetic:20,size=8", "-o", "x.csv"}, failure.Usage,
			[]string{"does not say a format"}},
		{[]string{"embed", good, "--data", "synthetic:20,size=8", "-o", filepath.Join(dir, "none", "x.npy")}, failure.Usage,
			[]string{"there is no folder", "mkdir -p "}},
		{[]string{"embed", good, "--data", "synthetic:20,size=8", "-o", filepath.Join(good, "x.npy")}, failure.Usage,
			[]string{"is no folder"}},
	} {
		var out, problems bytes.Buffer
		code := run(append(c.args, "--launcher", "none", "--listen", "127.0.0.1:0"), &out, &problems)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(problems.String(), want) {
				t.Errorf("%v: exit %d, want %d with %q:\n%s", c.args, code, c.code, want, problems.String())
			}
		}
	}
}

// strip takes a file's metadata away, and changes its tensors.
func strip(t *testing.T, path string, change func([]safetensors.Tensor)) {
	t.Helper()
	e, _, err := encoder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(e.Tensors)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, e.Tensors, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPace: the time that is left is told from the first images on, and what was there before makes nothing faster.
func TestPace(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newPace(&out, false)
	p.now = func() time.Time { return now }
	tell := func(seconds, done int64) {
		now = now.Add(time.Duration(seconds) * time.Second)
		p.progress(features.Progress{Doing: "features", Done: done, Total: 1000, Workers: 2})
	}
	tell(0, 500)
	tell(1, 510)
	tell(10, 610)
	tell(9, 1000)
	p.say("news")
	const want = "03:04:05 features  500/1 000  eta -  2 workers\n" +
		"03:04:16 features  610/1 000  10/s  eta 39s  2 workers\n03:04:25 news\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestAugmentedLinear runs the published protocol whole: other views of each image in each epoch, five learning rates
// of which the held-out part chooses, and the test in centre crops. Any number of workers gives the same figures, and
// the views matter: what is computed once from the centres trains another classifier.
func TestAugmentedLinear(t *testing.T) {
	dir := t.TempDir()
	file := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil)
	args := []string{"eval", "linear", file, "--train-data", "synthetic:200,size=8,seed=3", "--eval-data",
		"synthetic:90,size=8,seed=4", "--epochs", "8", "-o", "json"}
	judged := func(out string, workers int, more ...string) evalResult {
		t.Helper()
		stdout, stderr, code := evaluate(t, workers, slices.Concat(args, []string{"--out", filepath.Join(dir, out)}, more)...)
		var r results
		if err := json.Unmarshal([]byte(stdout), &r); code != 0 || err != nil || len(r.Results) != 1 {
			t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
		}
		return r.Results[0]
	}
	one, two, cached := judged("one", 1), judged("two", 2), judged("cached", 1, "--features", "cached")
	if one.Settings["features"] != "augmented" || cached.Settings["features"] != "cached" {
		t.Errorf("settings %v and %v", one.Settings, cached.Settings)
	}
	for i, f := range one.Figures {
		if f != two.Figures[i] || f.Total != 90 || f.Correct < 9 {
			t.Errorf("%+v with one worker, %+v with two", f, two.Figures[i])
		}
	}
	if one.Figures[1].Correct < one.Figures[0].Correct {
		t.Errorf("top-5 %+v is less than top-1 %+v", one.Figures[1], one.Figures[0])
	}
	if slices.Equal(one.Notes, cached.Notes) {
		t.Errorf("the classifiers of crops and of centres are the same ones: %v", one.Notes)
	}
}
