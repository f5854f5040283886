// Command exportcheck writes encoders of every kind, in both formats, with the features that the engine gives of
// photos, for check.py to compare with what PyTorch and onnxruntime make of the same files:
//
//	go run ./internal/bench/exportcheck -photos DIR -out DIR
//
// Each encoder is trained for a few steps on the photos, so that running statistics are those of real activations.
//
// When it fails: it says why. What is written until then is of no use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/bench/measure"
	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/model/device/cpu"
	"byol/model/engine/ops"
	"byol/model/optim"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/data/views"
	"byol/worker/encoder"
)

const (
	batch = 8
	steps = 6
)

// kind is an encoder to check.
type kind struct {
	arch, stem, padding string
	width, size         int
	augment, network    string
}

func (k kind) String() string {
	return fmt.Sprintf("%s-w%d-%s-%s-%d-%s-%s", k.arch, k.width, k.stem, k.padding, k.size, k.augment, k.network)
}

// kinds are all architectures, both stems and paddings, widths, both networks, and each way to prepare images.
func kinds() []kind {
	return []kind{
		{"resnet18", "imagenet", "symmetric", 1, 64, "byol", encoder.Online},
		{"resnet18", "imagenet", "symmetric", 1, 224, "byol", encoder.Target},
		{"resnet18", "imagenet", "same", 2, 65, "byol", encoder.Online},
		{"resnet18", "cifar", "symmetric", 1, 32, "byol-noblur", encoder.Online},
		{"resnet34", "imagenet", "symmetric", 1, 64, "byol,exact", encoder.Online},
		{"resnet50", "imagenet", "symmetric", 1, 96, "byol", encoder.Online},
		{"resnet50", "cifar", "same", 1, 33, "byol", encoder.Online},
		{"resnet101", "imagenet", "symmetric", 1, 64, "byol", encoder.Online},
		{"resnet152", "imagenet", "symmetric", 1, 64, "byol", encoder.Online},
		{"resnet200", "imagenet", "same", 1, 64, "byol", encoder.Online},
		{"resnet20", "cifar", "symmetric", 1, 24, "byol-noblur", encoder.Online},
		{"resnet20", "imagenet", "same", 3, 48, "byol-noblur,exact", encoder.Target},
		{"resnet56", "cifar", "same", 1, 32, "byol-noblur", encoder.Online},
		{"tiny", "cifar", "symmetric", 1, 20, "byol", encoder.Online},
	}
}

func main() {
	os.Exit(measure.Main(context.Background(), "exportcheck", os.Stderr, func(ctx context.Context) error {
		return run(ctx, os.Args[1:], os.Stdout)
	}))
}

// run is the program.
func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("exportcheck", flag.ContinueOnError)
	photos := f.String("photos", "", "folder of photos")
	to := f.String("out", "", "folder to write to")
	most := f.Int("most", 24, "how many photos to look at")
	only := f.String("case", "", "the cases whose names have this in them")
	if err := measure.Parse(f, args, os.Stderr); err != nil {
		return err
	}
	src, err := source.Open(ctx, *photos, source.Options{})
	if err != nil {
		return err
	}
	n := min(src.Len(), *most)
	if n < batch {
		return measure.Usage("%d photos: encoders are trained on %d of them; give as many (-photos, -most)", n, batch)
	}
	var names strings.Builder
	for i := range n {
		path, err := filepath.Abs(src.Name(i))
		if err != nil {
			return err
		}
		fmt.Fprintln(&names, path)
	}
	list := filepath.Join(*to, "photos.txt")
	err = errors.Join(os.MkdirAll(*to, 0o755), os.WriteFile(list, []byte(names.String()), 0o644))
	if err != nil {
		return err
	}
	for _, k := range kinds() {
		if !strings.Contains(k.String(), *only) {
			continue
		}
		if err := k.write(ctx, src, n, filepath.Join(*to, k.String())); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		fmt.Fprintln(out, k)
	}
	return src.Close()
}

// write trains the encoder and leaves its checkpoint, both exports, and images with their features in dir.
func (k kind) write(ctx context.Context, src source.Source, n int, dir string) error {
	look, err := views.ParseAugment(k.augment, k.size)
	if err != nil {
		return err
	}
	images, indices, readable := make([]float32, n*k.size*k.size*3), make([]int, n), make([]bool, n)
	for i := range indices {
		indices[i] = i
	}
	evaluator := data.Evaluator{Source: src, Augment: look, Threads: 2}
	if err := evaluator.EvalBatch(ctx, indices, images, readable); err != nil {
		return err
	}
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		return err
	}
	defer dev.Close()
	l, err := model.New(ctx, ops.New(dev, nil), k.model(), 1, nil)
	if err != nil {
		return err
	}
	if err := k.train(ctx, l, images); err != nil {
		return err
	}
	path, err := k.save(l, dir)
	if err != nil {
		return err
	}
	e, _, err := encoder.FromCheckpoint(path, k.network, "check")
	if err != nil {
		return err
	}
	for name, to := range map[string]func(io.Writer) error{"encoder.safetensors": e.WriteSafetensors,
		"encoder.onnx": e.WriteONNX} {
		if err := create(filepath.Join(dir, name), to); err != nil {
			return err
		}
	}
	features, err := k.features(ctx, l, images, n)
	if err != nil {
		return err
	}
	return create(filepath.Join(dir, "features.safetensors"), func(w io.Writer) error {
		return safetensors.Write(w, []safetensors.Tensor{
			{Name: "images", DType: safetensors.F32, Shape: []int{n, k.size, k.size, 3}, Data: vector.Bytes(images)},
			{Name: "features", DType: safetensors.F32, Shape: []int{n, len(features) / n}, Data: vector.Bytes(features)},
		}, nil)
	})
}

func (k kind) model() model.Config {
	return model.Config{Arch: k.arch, Width: k.width, Stem: k.stem, Padding: k.padding, ImageSize: k.size,
		ProjectorHidden: 32, ProjectorOut: 16, PredictorHidden: 32, Batch: batch, Shards: 1,
		Schedule: optim.Schedule{BaseLR: 0.5, Batch: batch, Total: 100, BaseTau: 0.5}, Momentum: 0.9, Eta: 1e-3}
}

// train takes a few steps, each on the next photos.
func (k kind) train(ctx context.Context, l *model.Learner, images []float32) error {
	if err := l.Init(3); err != nil {
		return err
	}
	image := k.size * k.size * 3
	schedule := k.model().Schedule
	for step := range steps {
		begin := step * batch * image % (len(images) - batch*image + image)
		b := images[begin : begin+batch*image]
		if _, err := l.Grad(ctx, model.Batch{View1: b, View2: b}, nil); err != nil {
			return err
		}
		if _, err := l.Update(int64(step)); err != nil {
			return err
		}
		l.UpdateTarget(schedule.OneMinusTau(int64(step)))
		l.Commit()
	}
	return nil
}

// save writes a checkpoint as a worker does.
func (k kind) save(l *model.Learner, dir string) (string, error) {
	config, err := protojson.Marshal(&pb.RunConfig{RunId: "check", Arch: k.arch, Width: int32(k.width), Stem: k.stem,
		Padding: k.padding, ImageSize: int32(k.size), Augment: k.augment, TotalSteps: 100})
	if err != nil {
		return "", err
	}
	tensors, err := l.Tensors()
	if err != nil {
		return "", err
	}
	state := checkpoint.State{Step: steps, Config: string(config)}
	for _, t := range tensors {
		state.Tensors = append(state.Tensors, safetensors.Tensor{Name: t.Name, DType: safetensors.F32, Shape: t.Shape,
			Data: vector.Bytes(t.Data)})
	}
	info, err := checkpoint.Save(dir, state)
	return info.Path, err
}

// features are the engine's. It encodes by the online network, so the target's weights are put there where those are
// asked for.
func (k kind) features(ctx context.Context, l *model.Learner, images []float32, n int) ([]float32, error) {
	if k.network == encoder.Target {
		now := l.Current()
		s := now.Statistics
		swapped := append(append([]float32(nil), s[len(s)/2:]...), s[:len(s)/2]...)
		xi := append([]float32(nil), now.Xi.Host()...)
		if err := l.LoadFlat(xi, now.Momentum.Host(), swapped, xi); err != nil {
			return nil, err
		}
	}
	out := make([]float32, n*l.FeatureDim())
	return out, l.Encode(ctx, images, n, out)
}

// create writes a file by to.
func create(path string, to func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(to(f), f.Close())
}
