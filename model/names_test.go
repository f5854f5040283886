package model

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"byol/model/arch"
	"byol/model/device"
	"byol/model/engine/ops"
)

// dry is a device that only counts: nothing is computed, no memory is taken.
type dry struct {
	device.Device
	elements int
}

// void is memory nobody may touch.
type void int

func (v void) Elements() int { return int(v) }

func (d *dry) Name() string { return "dry" }

func (d *dry) Alloc(n int) (device.Buffer, error) {
	d.elements += n
	return device.Buffer{Mem: void(n), Len: n}, nil
}

func (d *dry) Conv(device.ConvShape) (device.Conv, error) { return nil, nil }

func (d *dry) Download([]float32, device.Buffer) {}

func (d *dry) Sync() error { return nil }

// plain is the configuration of an architecture at small size without a probe.
func plain(arch string, width int) Config {
	return Config{Arch: arch, Width: width, ImageSize: 32, ProjectorHidden: 4096, ProjectorOut: 256,
		PredictorHidden: 4096, Batch: 2, Shards: 1}
}

func planned(t *testing.T, c Config) (*Learner, *dry) {
	t.Helper()
	d := &dry{}
	l, err := New(context.Background(), ops.New(d, nil), c, 1, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	return l, d
}

// TestParameterCounts compares the networks with the counts of package arch, which are the published ones: every
// architecture with either stem, at two widths, with and without a probe.
func TestParameterCounts(t *testing.T) {
	for _, name := range arch.Names() {
		for _, stem := range []string{"", arch.ImageNet, arch.CIFAR} {
			for width := 1; width <= 2; width++ {
				cfg := plain(name, width)
				cfg.Stem, cfg.Classes = stem, 10*(width-1)
				e, err := cfg.encoder()
				if err != nil {
					t.Fatal(err)
				}
				l, _ := planned(t, cfg)
				n := 0
				for _, p := range l.layout.Params {
					if strings.HasPrefix(p.Name, "encoder.") {
						n += p.Len
					}
				}
				heads := arch.Heads{ProjectorHidden: cfg.ProjectorHidden, ProjectorOut: cfg.ProjectorOut,
					PredictorHidden: cfg.PredictorHidden, Classes: cfg.Classes}
				if int64(n) != e.Parameters() || l.FeatureDim() != e.Features() {
					t.Errorf("%s ×%d %s: encoder of %d parameters and %d features; arch says %d, %d", name, width, e.Stem, n,
						l.FeatureDim(), e.Parameters(), e.Features())
				}
				if all := e.Parameters() + heads.Parameters(e.Features()); int64(l.Parameters()) != all {
					t.Errorf("%s ×%d %s: %d parameters with heads; arch says %d", name, width, e.Stem, l.Parameters(), all)
				}
			}
		}
	}
}

// TestTensorNames checks the names of torchvision's state_dicts, less fc and the counts of batches, in their order.
func TestTensorNames(t *testing.T) {
	for _, c := range []struct {
		arch  string
		names int
		some  []string
	}{
		{"resnet18", 100, []string{
			"conv1.weight [64 3 7 7]", "bn1.weight [64]", "bn1.bias [64]", "bn1.running_mean [64]", "bn1.running_var [64]",
			"layer1.0.conv1.weight [64 64 3 3]", "layer2.0.downsample.0.weight [128 64 1 1]",
			"layer2.0.downsample.1.running_var [128]", "layer4.1.bn2.running_var [512]",
		}},
		{"resnet50", 265, []string{
			"conv1.weight [64 3 7 7]", "layer1.0.conv1.weight [64 64 1 1]", "layer1.0.conv2.weight [64 64 3 3]",
			"layer1.0.conv3.weight [256 64 1 1]", "layer1.0.downsample.0.weight [256 64 1 1]",
			"layer1.1.conv1.weight [64 256 1 1]", "layer4.2.conv3.weight [2048 512 1 1]", "layer4.2.bn3.running_mean [2048]",
		}},
	} {
		l, _ := planned(t, plain(c.arch, 1))
		var names []string
		for _, x := range tensorsOf(t, l) {
			if name, ok := strings.CutPrefix(x.Name, onlinePrefix+"encoder."); ok {
				names = append(names, fmt.Sprint(name, " ", x.Shape))
			}
		}
		if len(names) != c.names {
			t.Errorf("%s: %d names, want %d", c.arch, len(names), c.names)
		}
		at := -1
		for _, want := range c.some {
			i := slices.Index(names, want)
			if i <= at {
				t.Errorf("%s: %q at %d, want it after %d", c.arch, want, i, at)
			}
			at = i
		}
	}
}

// TestMemory: a worker of ResNet-50 at 224² with 2 images needs seven copies of its parameters (current and
// next of both networks and the momentum, and the gradient) and few activations, so that eight of them fit
// into 24 GB beside what the device needs for packed weights.
func TestMemory(t *testing.T) {
	c := plain("resnet50", 1)
	c.ImageSize, c.Batch, c.Shards, c.Classes = 224, 16, 8, 1000
	l, d := planned(t, c)
	if l.Parameters() != 37_115_944 {
		t.Errorf("%d parameters, want 37115944", l.Parameters())
	}
	activations := d.elements - 7*l.Parameters()
	if mib := activations * 4 >> 20; mib > 500 {
		t.Errorf("%d MiB of activations, want at most 500", mib)
	}
	t.Logf("parameters 7 × %d MiB, activations %d MiB", l.Parameters()*4>>20, activations*4>>20)
}
