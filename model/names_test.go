package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"byol/model/device"
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

// plain is the configuration of an architecture at small size without a probe.
func plain(arch string, width int) Config {
	return Config{Arch: arch, Width: width, ImageSize: 32, ProjectorHidden: 4096, ProjectorOut: 256,
		PredictorHidden: 4096, Batch: 2, Shards: 1}
}

func planned(t *testing.T, c Config) (*Learner, *dry) {
	t.Helper()
	d := &dry{}
	l, err := New(d, c, 1, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	return l, d
}

// TestParameterCounts holds the published numbers; those of the CIFAR nets are their paper's less the
// classifier, plus the projections of two shortcuts (512+64 and 2048+128).
func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		arch           string
		width          int
		stem           string
		encoder, total int // total with heads, without probe; 0: not checked
		features       int
	}{
		{"resnet18", 1, "", 11_176_512, 16_443_968, 512},
		{"resnet18", 1, "cifar", 11_168_832, 16_436_288, 512},
		{"resnet34", 1, "", 21_284_672, 0, 512},
		{"resnet50", 1, "", 23_508_032, 37_115_944 - 2_049_000, 2048},
		{"resnet50", 2, "", 93_907_072, 0, 4096},
		{"resnet101", 1, "", 42_500_160, 0, 2048},
		{"resnet152", 1, "", 58_143_808, 0, 2048},
		{"resnet200", 1, "", 62_624_832, 0, 2048},
		{"resnet200", 2, "", 250_128_512, 274_173_032 - 4_097_000, 4096},
		{"resnet20", 1, "", 269_722 - 650 + 2752, 0, 64},
		{"resnet56", 1, "", 853_018 - 650 + 2752, 0, 64},
	} {
		cfg := plain(c.arch, c.width)
		cfg.Stem = c.stem
		l, _ := planned(t, cfg)
		n := 0
		for _, p := range l.layers.Params() {
			if strings.HasPrefix(p.Name, "encoder.") {
				n += p.Len
			}
		}
		if n != c.encoder || l.FeatureDim() != c.features {
			t.Errorf("%s ×%d %s: %d parameters, %d features; want %d, %d", c.arch, c.width, c.stem, n, l.FeatureDim(),
				c.encoder, c.features)
		}
		if c.total != 0 && l.Parameters() != c.total {
			t.Errorf("%s ×%d: %d parameters with heads, want %d", c.arch, c.width, l.Parameters(), c.total)
		}
	}
}

// TestExportNames checks the names of torchvision's state_dicts, less fc.
func TestExportNames(t *testing.T) {
	for _, c := range []struct {
		arch  string
		names int
		some  []string
	}{
		{"resnet18", 120, []string{
			"conv1.weight [64 3 7 7]", "bn1.weight [64]", "bn1.bias [64]", "bn1.running_mean [64]", "bn1.running_var [64]",
			"bn1.num_batches_tracked []", "layer1.0.conv1.weight [64 64 3 3]", "layer2.0.downsample.0.weight [128 64 1 1]",
			"layer2.0.downsample.1.running_var [128]", "layer4.1.bn2.num_batches_tracked []",
		}},
		{"resnet50", 318, []string{
			"conv1.weight [64 3 7 7]", "layer1.0.conv1.weight [64 64 1 1]", "layer1.0.conv2.weight [64 64 3 3]",
			"layer1.0.conv3.weight [256 64 1 1]", "layer1.0.downsample.0.weight [256 64 1 1]",
			"layer1.1.conv1.weight [64 256 1 1]", "layer4.2.conv3.weight [2048 512 1 1]", "layer4.2.bn3.running_mean [2048]",
		}},
	} {
		l, _ := planned(t, plain(c.arch, 1))
		var names []string
		for _, x := range l.Export() {
			names = append(names, fmt.Sprint(x.Name, " ", x.Shape))
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
