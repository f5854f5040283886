package encoder

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/model/device/cpu"
	"byol/model/engine/ops"
	"byol/model/optim"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// trained is a run of a few steps on noise: its learner, and its checkpoint in a directory of the test's.
type trained struct {
	learner *model.Learner
	config  *pb.RunConfig
	path    string
}

const batch = 4

// train takes a few steps with the encoder of that shape, so that running statistics are those of its activations.
func train(t *testing.T, s Shape, steps int) trained {
	t.Helper()
	return trainModel(t, s, model.Config{Arch: s.Arch, Width: s.Width}, steps)
}

// trainModel is train of a network that c describes.
func trainModel(t *testing.T, s Shape, c model.Config, steps int) trained {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1, ISA: cpu.Generic, Direct: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Close() })
	c.Stem, c.Padding, c.ImageSize = s.Stem, s.Padding, s.ImageSize
	c.ProjectorHidden, c.ProjectorOut, c.PredictorHidden, c.Batch, c.Shards = 8, 4, 8, batch, 1
	c.Schedule = optim.Schedule{BaseLR: 1, Batch: batch, Total: 100, BaseTau: 0.9}
	c.Momentum, c.Eta = 0.9, 1e-3
	l, err := model.New(t.Context(), ops.New(dev, nil), c, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Init(7); err != nil {
		t.Fatal(err)
	}
	for step := range steps {
		if _, err := l.Grad(t.Context(), model.Batch{View1: noise(2*step, batch, s), View2: noise(2*step+1, batch, s)},
			nil); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Update(int64(step)); err != nil {
			t.Fatal(err)
		}
		l.UpdateTarget(c.Schedule.OneMinusTau(int64(step)))
		l.Commit()
	}
	config := &pb.RunConfig{RunId: "test", Arch: s.Arch, Width: int32(s.Width), Stem: s.Stem, Padding: s.Padding,
		ImageSize: int32(s.ImageSize), Augment: "byol", TotalSteps: 100, Data: "/secret/place/photos", Samples: 1234,
		Seed: 7, ZeroInitLastGamma: c.ZeroInitLastGamma}
	return trained{l, config, save(t, l, config, int64(steps))}
}

// save writes the learner's state as a checkpoint.
func save(t *testing.T, l *model.Learner, config *pb.RunConfig, step int64) string {
	t.Helper()
	text, err := protojson.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := l.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	state := checkpoint.State{Step: step, Config: string(text)}
	for _, x := range tensors {
		state.Tensors = append(state.Tensors, safetensors.Tensor{Name: x.Name, DType: safetensors.F32, Shape: x.Shape,
			Data: vector.Bytes(x.Data)})
	}
	info, err := checkpoint.Save(t.TempDir(), state)
	if err != nil {
		t.Fatal(err)
	}
	return info.Path
}

// noise is n images of a shape's size.
func noise(seed, n int, s Shape) []float32 {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	x := make([]float32, n*s.ImageSize*s.ImageSize*3)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// encode is what the engine makes of images.
func (r trained) encode(t *testing.T, images []float32, n int) []float32 {
	t.Helper()
	out := make([]float32, n*r.learner.FeatureDim())
	if err := r.learner.Encode(t.Context(), images, n, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// read is the encoder in the run's checkpoint.
func (r trained) read(t *testing.T, network string) *Encoder {
	t.Helper()
	e, _, err := FromCheckpoint(r.path, network, "v1")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tensors are the online encoder's, by their names in a file.
func (r trained) tensors(t *testing.T) []safetensors.Tensor {
	t.Helper()
	all, err := r.learner.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	var out []safetensors.Tensor
	for _, x := range all {
		if name, ok := strings.CutPrefix(x.Name, Online+"/"+prefix); ok {
			out = append(out, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: x.Shape,
				Data: vector.Bytes(x.Data)})
		}
	}
	return out
}

// drawn are tensors of a shape, each a function of its name alone.
func drawn(t *testing.T, s Shape) []safetensors.Tensor {
	t.Helper()
	places, err := s.places()
	if err != nil {
		t.Fatal(err)
	}
	var out []safetensors.Tensor
	for _, p := range places {
		n := 1
		for _, d := range p.shape {
			n *= d
		}
		h := fnv.New64a()
		h.Write([]byte(p.name))
		data, x := make([]byte, 4*n), float32(h.Sum64()%1000)/1000
		for i := range n {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(x+float32(i%7)))
		}
		out = append(out, safetensors.Tensor{Name: p.name, DType: safetensors.F32, Shape: p.shape, Data: data})
	}
	return out
}
