package testcluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	"byol/model/device/reference"
	"byol/model/engine/ops"
	pb "byol/proto"
	"byol/worker"
	"byol/worker/data/source"
	"byol/worker/knn"
)

// evaluation is a job of features of generated images by a small encoder, and how it went.
type evaluation struct {
	t       *testing.T
	job     *features.Job
	images  source.Source
	mu      sync.Mutex // guards said
	said    []string
	workers sync.WaitGroup
}

const evaluated = 1500

// evaluate starts a job and its workers; changed changes its encoder's tensors.
func evaluate(t *testing.T, workers int, change func(tensors []safetensors.Tensor)) *evaluation {
	t.Helper()
	uri := fmt.Sprintf("synthetic:%d,size=8,seed=3", evaluated)
	images, err := source.Open(t.Context(), uri, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &pb.RunConfig{Arch: "tiny", ImageSize: 8, Augment: "byol-noblur", Device: "cpu", Data: uri, Threads: 1}
	encoder := drawnEncoder(t, cfg, change)
	sum := sha256.Sum256(encoder)
	e := &evaluation{t: t, images: images}
	e.job, err = features.Start(t.Context(), features.Options{Config: cfg, Encoder: encoder,
		SHA256: hex.EncodeToString(sum[:]), BatchSize: 8, Sets: []features.Set{{Name: "--data", Manifest: images.Manifest()}},
		Build: "test", Listen: "127.0.0.1:0", Say: func(line string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.said = append(e.said, line)
		}, Progress: func(features.Progress) {}})
	if err != nil {
		t.Fatal(err)
	}
	for range workers {
		e.join(t.Context(), nil)
	}
	t.Cleanup(func() {
		e.job.Close()
		e.workers.Wait()
		images.Close()
	})
	return e
}

// join adds a worker. Its error goes to ended, if that is set.
func (e *evaluation) join(ctx context.Context, ended chan<- error) {
	e.workers.Go(func() {
		err := worker.Encode(ctx, worker.Options{Coordinator: e.job.Addr(), Index: -1, Build: "test",
			OpenEngine: OpenEngine, JoinTimeout: 5 * time.Second})
		if ended != nil {
			ended <- err
		}
	})
}

// drawnEncoder is the file of an encoder as a seed draws it.
func drawnEncoder(t *testing.T, cfg *pb.RunConfig, change func([]safetensors.Tensor)) []byte {
	t.Helper()
	l, err := model.New(t.Context(), ops.New(reference.New(32), nil), model.Config{Arch: cfg.Arch, ImageSize: 8,
		ProjectorHidden: 2, ProjectorOut: 2, PredictorHidden: 2, Batch: 2, Shards: 1}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Init(5); err != nil {
		t.Fatal(err)
	}
	all, err := l.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for _, m := range all {
		if name, ok := strings.CutPrefix(m.Name, "online/encoder."); ok {
			tensors = append(tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: m.Shape,
				Data: slices.Clone(vector.Bytes(m.Data))})
		}
	}
	if change != nil {
		change(tensors)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// features computes those of all images. each is called before each block is taken.
func (e *evaluation) features(random bool, each func(block int)) (rows []float32, dim int, err error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	if dim, _, err = e.job.Ready(ctx); err != nil {
		return nil, 0, err
	}
	const block = 100
	n := 0
	err = e.job.Features(ctx, features.Request{Random: random, Seed: 9, Tasks: evaluated / block, Total: evaluated,
		Task: func(i int) (images []int64, epoch int64) {
			for k := range block {
				images = append(images, int64(i*block+k))
			}
			return images, int64(i % 3)
		}}, func(b features.Block) error {
		each(n)
		n++
		rows = append(rows, b.Data...)
		return nil
	})
	return rows, dim, err
}

// TestFeaturesDoNotDependOnWorkers: 1, 2 and 3 workers, and one of them lost on the way, give the same bits, of crops
// too; and the nearest neighbours are those that one scorer finds among all rows.
func TestFeaturesDoNotDependOnWorkers(t *testing.T) {
	for _, random := range []bool{false, true} {
		var want []float32
		for _, workers := range []int{1, 2, 3} {
			e := evaluate(t, workers, nil)
			rows, _, err := e.features(random, func(int) {})
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = rows
			}
			if !slices.Equal(rows, want) {
				t.Errorf("random %v: features by %d workers differ", random, workers)
			}
		}
		e := evaluate(t, 1, nil)
		mortal, kill := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		e.join(mortal, ended)
		rows, dim, err := e.features(random, func(block int) {
			if block == 2 {
				kill()
				if err := <-ended; err == nil {
					t.Error("a worker that was killed says that all is well")
				}
			}
		})
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("random %v: features differ after a worker was lost (%v)", random, err)
		}
		if !random {
			e.compareNeighbours(rows, dim)
		}
	}
}

// compareNeighbours compares what workers find with what a scorer finds that sees all rows at once.
func (e *evaluation) compareNeighbours(rows []float32, dim int) {
	e.t.Helper()
	knn.Normalize(rows, dim)
	const queries, k = 70, 20
	found := make([][]knn.Neighbour, queries)
	err := e.job.Neighbours(e.t.Context(), features.Search{Queries: rows[:queries*dim], K: k, Rows: evaluated,
		Bank: func(first, n int) ([]float32, error) { return rows[first*dim : (first+n)*dim], nil },
		Got: func(first, k int, products []float32, indices []int32) {
			for q := range len(products) / k {
				var near []knn.Neighbour
				for i := range k {
					near = append(near, knn.Neighbour{Cosine: products[q*k+i], Index: indices[q*k+i]})
				}
				found[first+q] = knn.Merge(found[first+q], near, 20)
			}
		}})
	if err != nil {
		e.t.Fatal(err)
	}
	eng, err := OpenEngine(worker.EngineOptions{Name: "cpu", Threads: 1})
	if err != nil {
		e.t.Fatal(err)
	}
	defer eng.Close()
	s := knn.NewScorer(knn.Config{K: k}, queries)
	err = eng.Products(e.t.Context(), rows[:queries*dim], rows, dim, func(p []float32, query, row, width int) {
		s.Add(p, query, width, row)
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for q := range queries {
		if want := s.Nearest(q); !slices.Equal(found[q], want) {
			e.t.Fatalf("query %d: workers found %v, want %v", q, found[q], want)
		}
	}
}

// TestFeaturesFail: what makes an evaluation senseless ends it with words; a worker that would compute other bits is
// refused, and the others go on.
func TestFeaturesFail(t *testing.T) {
	var f *failure.Failure
	e := evaluate(t, 2, func(tensors []safetensors.Tensor) {
		for i := range tensors {
			if strings.HasSuffix(tensors[i].Name, "running_var") {
				for k := range vector.Floats(tensors[i].Data) {
					vector.Floats(tensors[i].Data)[k] = -1
				}
			}
		}
	})
	if _, _, err := e.features(false, func(int) {}); !errors.As(err, &f) || f.Code != failure.Training ||
		!strings.Contains(f.Why, "of image ") {
		t.Errorf("features that are no numbers: %v", err)
	}
	e = evaluate(t, 1, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := e.job.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*worker.Options)
		want   string
	}{
		{func(o *worker.Options) { o.Device = "reference" }, "would compute other bits"},
		{func(o *worker.Options) { o.Build = "older" }, "of another build"},
		{func(o *worker.Options) { o.Device = "abacus" }, "cannot be used"},
	} {
		o := worker.Options{Coordinator: e.job.Addr(), Index: 7, Build: "test", OpenEngine: OpenEngine,
			JoinTimeout: 5 * time.Second}
		c.change(&o)
		if err := worker.Encode(ctx, o); !errors.As(err, &f) || !strings.Contains(f.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, _, err := e.features(false, func(int) {}); err != nil {
		t.Errorf("the others: %v", err)
	}
}
