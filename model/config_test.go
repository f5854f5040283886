package model

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/engine/ops"
)

func TestBadConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"arch", with(func(c *Config) { c.Arch = "resnet19" }), `"resnet19" is not known: want one of resnet18,`},
		{"block", with(func(c *Config) { c.Block = "" }), `block ""`},
		{"blocks", with(func(c *Config) { c.Blocks = []int{1, 0} }), "blocks [1 0]"},
		{"stem", with(func(c *Config) { c.Stem = "tiny" }), `stem "tiny": want imagenet or cifar`},
		{"padding", with(func(c *Config) { c.Padding = "valid" }), `padding "valid"`},
		{"ablation", with(func(c *Config) { c.Ablation = "no-target" }), `ablation "no-target"`},
		{"size", with(func(c *Config) { c.ImageSize = 0 }), "image size 0"},
		{"projector", with(func(c *Config) { c.ProjectorHidden = 0 }), "projector hidden size 0"},
		{"output", with(func(c *Config) { c.ProjectorOut = -1 }), "projector output size -1"},
		{"predictor", with(func(c *Config) { c.PredictorHidden = 0 }), "predictor hidden size 0"},
		{"classes", with(func(c *Config) { c.Classes = -1 }), "-1 classes"},
		{"width", with(func(c *Config) { c.Width = -2 }), "width -2"},
		{"shards", with(func(c *Config) { c.Shards = 3 }), "batch size 8 is not a multiple of the 3 shards"},
		{"bucket", with(func(c *Config) { c.BucketBytes = -1 }), "bucket of -1 bytes"},
	} {
		_, err := New(context.Background(), reference32(), c.cfg, c.cfg.Shards, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	for _, local := range []int{0, 5} {
		if _, err := New(context.Background(), reference32(), tiny(), local, &counter{}); err == nil {
			t.Errorf("%d local shards of 4: no error", local)
		}
	}
	_, err := New(context.Background(), reference32(), tiny(), 2, nil)
	if err == nil || !strings.Contains(err.Error(), "nothing to exchange") {
		t.Errorf("2 of 4 shards without a syncer: error %v", err)
	}
}

// small is a device that runs out of memory.
type small struct {
	device.Device
	left int
}

var errFull = errors.New("out of memory")

func (s *small) Alloc(n int) (device.Buffer, error) {
	if s.left -= n; s.left < 0 {
		return device.Buffer{}, errFull
	}
	return s.Device.Alloc(n)
}

func TestOutOfMemory(t *testing.T) {
	need := 0
	for left := 0; ; left += 3000 {
		_, err := New(context.Background(), ops.New(&small{reference.New(32), left}, nil), tiny(), 4, nil)
		if err == nil {
			need = left
			break
		}
		if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "allocate") {
			t.Fatalf("with %d elements: error %v, want one that wraps %q", left, err, errFull)
		}
	}
	if need < 10_000 {
		t.Errorf("planned within %d elements, which cannot be", need)
	}
}

func TestBadBatch(t *testing.T) {
	l := newLearner(t, reference32(), tiny())
	good := global(tiny(), 0)
	for _, c := range []struct {
		name  string
		batch Batch
		want  string
	}{
		{"short view", Batch{View1: good.View1[1:], View2: good.View2}, "view 1 has 1535 values, want 8 images of 192"},
		{"no view", Batch{View1: good.View1}, "view 2 has 0 values"},
		{"few labels", Batch{View1: good.View1, View2: good.View2, Labels: make([]int32, 3)}, "3 labels for 8 images"},
		{"label", Batch{View1: good.View1, View2: good.View2, Labels: []int32{0, 1, 2, 3, 0, 0, 0, 0}},
			"label 3 of image 3: the probe has 3 classes"},
	} {
		_, err := l.Grad(context.Background(), c.batch, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestInfiniteGradient(t *testing.T) {
	l := newLearner(t, reference32(), tiny())
	host := make([]float32, l.Parameters())
	for _, at := range []int{0, l.Parameters() - 1} {
		clear(host)
		host[at] = float32(math.Inf(1))
		upload(l.Gradient(), host)
		if norm, err := l.Update(3); err == nil || !strings.Contains(err.Error(), "step 3: the gradient is not finite") {
			t.Errorf("gradient infinite at %d: norm %g, error %v", at, norm, err)
		}
	}
}
