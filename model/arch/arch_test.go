package arch_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"byol/model/arch"
)

// TestPublishedCounts compares with torchvision's counts less the classifier of 1000 classes (for ResNet-200, which it
// lacks, with the wider nets of the BYOL paper: 250 M at width 2), and with He et al.'s for CIFAR less their classifier
// of 10 classes, plus the projections of two shortcuts, which they did without.
func TestPublishedCounts(t *testing.T) {
	fc := func(features int64) int64 { return 1000*features + 1000 }
	for _, c := range []struct {
		name       string
		stem       string // "": the encoder's own
		width      int
		parameters int64
		features   int
	}{
		{"resnet18", "", 1, 11_689_512 - fc(512), 512},
		{"resnet18", arch.CIFAR, 1, 11_689_512 - fc(512) - 64*3*(49-9), 512},
		{"resnet34", "", 1, 21_797_672 - fc(512), 512},
		{"resnet50", "", 1, 25_557_032 - fc(2048), 2048},
		{"resnet50", "", 2, 93_907_072, 4096},
		{"resnet101", "", 1, 44_549_160 - fc(2048), 2048},
		{"resnet152", "", 1, 60_192_808 - fc(2048), 2048},
		{"resnet200", "", 1, 62_624_832, 2048},
		{"resnet200", "", 2, 250_128_512, 4096},
		{"resnet20", "", 1, 269_722 - 650 + (16*32 + 2*32) + (32*64 + 2*64), 64},
		{"resnet56", "", 1, 853_018 - 650 + (16*32 + 2*32) + (32*64 + 2*64), 64},
	} {
		e, err := arch.Find(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if c.stem != "" {
			e.Stem = c.stem
		}
		e = e.Widened(c.width)
		if e.Parameters() != c.parameters || e.Features() != c.features {
			t.Errorf("%s ×%d, %s stem: %d parameters, %d features; want %d, %d",
				c.name, c.width, e.Stem, e.Parameters(), e.Features(), c.parameters, c.features)
		}
	}
}

// TestHeads compares with the counts of BYOL's heads on ResNet-50 (37,115,944 with a probe of 1000 classes).
func TestHeads(t *testing.T) {
	byol := arch.Heads{ProjectorHidden: 4096, ProjectorOut: 256, PredictorHidden: 4096}
	without, probe := byol, byol
	without.PredictorHidden, probe.Classes = 0, 1000
	for _, c := range []struct {
		name  string
		heads arch.Heads
		want  int64
	}{
		{"projector", without, 2048*4096 + 4096 + 2*4096 + 4096*256},
		{"projector and predictor", byol, 37_115_944 - 2_049_000 - 23_508_032},
		{"with a probe", probe, 37_115_944 - 23_508_032},
	} {
		if got := c.heads.Parameters(2048); got != c.want {
			t.Errorf("%s: %d parameters, want %d", c.name, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	names := arch.Names()
	if len(names) != len(arch.Encoders()) || !slices.Contains(names, "resnet50") {
		t.Errorf("names %v of %d encoders", names, len(arch.Encoders()))
	}
	for i, name := range names {
		e, err := arch.Find(name)
		if err != nil || e.Name != name {
			t.Errorf("find %s: %+v, %v", name, e, err)
		}
		if slices.Index(names, name) != i {
			t.Errorf("%s is there twice", name)
		}
	}
	for _, name := range []string{"", "resnet", "resnet19", "custom", "ResNet50"} {
		if _, err := arch.Find(name); err == nil || !strings.Contains(err.Error(), "want one of resnet18, resnet34,") {
			t.Errorf("find %q: error %v, want one that lists the names", name, err)
		}
	}
}

// TestTableIsNotShared: what one caller does to an encoder of the table, another does not see.
func TestTableIsNotShared(t *testing.T) {
	e, err := arch.Find("resnet50")
	if err != nil {
		t.Fatal(err)
	}
	before := e.Parameters()
	e.Blocks[0] = 100
	e.Widened(3)
	again, err := arch.Find("resnet50")
	if err != nil || again.Parameters() != before || e.Base != 64 {
		t.Errorf("after a change to a copy: %d parameters, want %d; base %d, %v", again.Parameters(), before, e.Base, err)
	}
}

// TestSumOverParts: one block more in a group adds exactly that block, whatever stands around it, and twice the width
// is between twice and four times the parameters.
func TestSumOverParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := arch.Encoder{
			Bottleneck: rapid.Bool().Draw(t, "bottleneck"),
			Blocks:     rapid.SliceOfN(rapid.IntRange(1, 5), 1, 4).Draw(t, "blocks"),
			Base:       rapid.IntRange(1, 96).Draw(t, "base"),
			Stem:       rapid.SampledFrom([]string{arch.ImageNet, arch.CIFAR}).Draw(t, "stem"),
		}
		group := rapid.IntRange(0, len(e.Blocks)-1).Draw(t, "group")
		longer := e
		longer.Blocks = slices.Clone(e.Blocks)
		longer.Blocks[group]++
		c := int64(e.Base) << group
		block := 2 * (9*c*c + 2*c)
		if e.Bottleneck {
			block = (4*c*c + 2*c) + (9*c*c + 2*c) + (4*c*c + 8*c)
		}
		if got := longer.Parameters() - e.Parameters(); got != block {
			t.Fatalf("a block more in group %d of %+v adds %d parameters, want %d", group, e, got, block)
		}
		one, two := e.Parameters(), e.Widened(2).Parameters()
		if two <= 2*one-1 || two >= 4*one {
			t.Fatalf("%+v: %d parameters, at twice the width %d", e, one, two)
		}
		if e.Features() != e.Behind(len(e.Blocks)-1) || e.Widened(2).Features() != 2*e.Features() {
			t.Fatalf("%+v: %d features, at twice the width %d", e, e.Features(), e.Widened(2).Features())
		}
	})
}
