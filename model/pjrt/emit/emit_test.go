package emit_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/model/arch"
	"byol/model/engine"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
)

var update = flag.Bool("update", false, "write the golden texts anew")

// small is a network with one block in each of its two groups.
func small(c emit.Config) emit.Config {
	c.ImageSize, c.ProjectorHidden, c.ProjectorOut, c.PredictorHidden, c.Images = 8, 6, 4, 5, 2
	c.Encoder.Base, c.Encoder.Blocks = 2, []int{1, 1}
	if c.Padding == "" {
		c.Padding = "symmetric"
	}
	if c.Encoder.Stem == "" {
		c.Encoder.Stem = arch.CIFAR
	}
	c.Rule = engine.Rule{Momentum: 0.9, Decay: 1.5e-6, Eta: 1e-3}
	return c
}

func network(bottleneck bool, stem string) engine.Network {
	return engine.Network{Encoder: arch.Encoder{Bottleneck: bottleneck, Stem: stem}}
}

// texts are all programs of a configuration, one behind the other.
func texts(t *testing.T, c emit.Config) string {
	t.Helper()
	list, err := emit.All(c)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range list {
		b.WriteString(s.Text())
	}
	return b.String()
}

// TestTexts: the programs of some small networks are those in testdata.
func TestTexts(t *testing.T) {
	same := network(true, arch.ImageNet)
	same.Padding, same.Classes = "same", 3
	local := network(false, arch.CIFAR)
	local.LocalBatchNorm = true
	one := func(c emit.Config) emit.Config {
		c.Encoder.Blocks = []int{1}
		return c
	}
	for name, c := range map[string]emit.Config{
		"basic":                small(emit.Config{Network: network(false, arch.CIFAR)}),
		"bottleneck-same-bf16": one(small(emit.Config{Network: same, Precision: emit.BF16})),
		"local":                one(small(emit.Config{Network: local})),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".mlir")
			got := texts(t, c)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got == string(want) {
				return
			}
			g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
			for i := range g {
				if i == len(w) || g[i] != w[i] {
					t.Fatalf("%s:%d: wrote\n%s\nwant\n%s\n(go test ./model/pjrt/emit -update writes the file anew)", path, i+1,
						strings.Join(g[i:min(i+3, len(g))], "\n"), strings.Join(w[i:min(i+3, len(w))], "\n"))
				}
			}
			t.Fatalf("%s has %d lines, wrote %d", path, len(w), len(g))
		})
	}
}

// configurations are one of each kind, small.
func configurations() map[string]emit.Config {
	all := map[string]emit.Config{}
	for _, e := range arch.Encoders() {
		for _, stem := range []string{arch.ImageNet, arch.CIFAR} {
			for _, padding := range []string{"symmetric", "same"} {
				c := emit.Config{Network: engine.Network{Encoder: e.Widened(2), Padding: padding, ImageSize: 32,
					ProjectorHidden: 32, ProjectorOut: 16, PredictorHidden: 24, Classes: 10}, Images: 2}
				c.Encoder.Stem, c.Encoder.Base = stem, 4
				all[fmt.Sprintf("%s %s %s", e.Name, stem, padding)] = c
			}
		}
	}
	base := all["resnet18 cifar symmetric"]
	for name, change := range map[string]func(*emit.Config){
		"no predictor":        func(c *emit.Config) { c.NoPredictor = true },
		"no stop-gradient":    func(c *emit.Config) { c.NoStopGradient = true },
		"no probe":            func(c *emit.Config) { c.Classes = 0 },
		"target predictor":    func(c *emit.Config) { c.TargetPredictor = true },
		"local":               func(c *emit.Config) { c.LocalBatchNorm = true },
		"bf16":                func(c *emit.Config) { c.Precision = emit.BF16 },
		"fp64":                func(c *emit.Config) { c.Precision = emit.FP64 },
		"one pixel":           func(c *emit.Config) { c.ImageSize = 1 },
		"odd size":            func(c *emit.Config) { c.ImageSize, c.Encoder.Stem, c.Padding = 37, arch.ImageNet, "same" },
		"odd size, symmetric": func(c *emit.Config) { c.ImageSize, c.Encoder.Stem = 35, arch.ImageNet },
		"both":                func(c *emit.Config) { c.NoPredictor, c.TargetPredictor, c.LocalBatchNorm = true, true, true },
	} {
		c := base
		change(&c)
		all[name] = c
	}
	return all
}

// TestConfigurations: what engine.Stages and the seam promise holds for every configuration.
func TestConfigurations(t *testing.T) {
	for name, c := range configurations() {
		t.Run(name, func(t *testing.T) {
			s, err := emit.New(c)
			if err != nil {
				t.Fatal(err)
			}
			checkPass(t, "online", s, s.Online, c.LocalBatchNorm)
			checkPass(t, "target", s, s.Target, c.LocalBatchNorm)
			checkBackward(t, s, c.LocalBatchNorm)
			for k := range min(len(s.Online), len(s.Target)) - 1 {
				if !slices.Equal(s.Online[k].Norms, s.Target[k].Norms) {
					t.Errorf("stage %d ends with norms %v online, %v in the target", k, s.Online[k].Norms, s.Target[k].Norms)
				}
			}
			checkGradients(t, s, c)
			checkOrder(t, s)
			report := 2*c.Images + 4*c.ProjectorOut
			if c.Classes > 0 {
				report += 2 * c.Images
			}
			if s.Report.Len() != report {
				t.Errorf("a report of %d numbers, want %d", s.Report.Len(), report)
			}
		})
	}
}

// checkPass wants each stage to begin with the statistics of the norms that the one before ended with.
func checkPass(t *testing.T, name string, s *emit.Step, stages []emit.Stage, local bool) {
	t.Helper()
	if local {
		if len(stages) != 1 || stages[0].Totals != nil || stages[0].Sums == nil {
			t.Errorf("%s: local batch norm in %d stages", name, len(stages))
		}
		return
	}
	last := stages[len(stages)-1]
	if last.Sums != nil || len(last.Norms) > 0 || stages[0].Totals != nil {
		t.Errorf("%s begins with %v and ends with norms %v", name, stages[0].Totals, last.Norms)
	}
	checkSums(t, name, s, stages)
}

func checkSums(t *testing.T, name string, s *emit.Step, stages []emit.Stage) {
	t.Helper()
	for k, stage := range stages[:len(stages)-1] {
		n := 0
		for _, norm := range stage.Norms {
			n += 4 * s.Layout.Norms[norm].C
		}
		if n == 0 || stage.Sums.Len() != n || stages[k+1].Totals == nil || stages[k+1].Totals.Len() != n {
			t.Errorf("%s: stage %d has sums %v, the next begins with %v, want %d numbers", name, k, stage.Sums,
				stages[k+1].Totals, n)
		}
	}
}

func checkBackward(t *testing.T, s *emit.Step, local bool) {
	t.Helper()
	if len(s.Backward) != len(s.Weights) || local && len(s.Backward) != 1 || s.Backward[0].Totals != nil {
		t.Errorf("%d stages backward and %d of weights", len(s.Backward), len(s.Weights))
	}
	if !local {
		checkSums(t, "backward", s, s.Backward)
	}
}

// checkGradients wants the gradient of each parameter once, in its shape.
func checkGradients(t *testing.T, s *emit.Step, c emit.Config) {
	t.Helper()
	times := make([]int, len(s.Layout.Params))
	for _, stage := range slices.Concat([]emit.Stage{s.Losses}, s.Backward, s.Weights) {
		for _, n := range stage.Norms {
			times[s.Layout.Norms[n].Gamma]++
			times[s.Layout.Norms[n].Beta]++
		}
		for _, g := range stage.Gradients {
			times[g.Param]++
			if g.Value.Len() != s.Layout.Params[g.Param].Len {
				t.Errorf("the gradient of %s has %d elements", s.Layout.Params[g.Param].Name, g.Value.Len())
			}
		}
	}
	for i, p := range s.Layout.Params {
		want := 1
		if c.NoPredictor && strings.HasPrefix(p.Name, "predictor.") {
			want = 0
		}
		if times[i] != want {
			t.Errorf("%s has %d gradients, want %d", p.Name, times[i], want)
		}
	}
}

// checkOrder launches everything in the order of the stages: whatever a segment takes must be there.
func checkOrder(t *testing.T, s *emit.Step) {
	t.Helper()
	there, launched := map[*hlo.Value]bool{}, 0
	for _, v := range []*hlo.Value{s.View1, s.View2, s.Labels, s.Scale, s.Parameters[0], s.Parameters[1], s.Statistics[0],
		s.Statistics[1]} {
		there[v] = true
	}
	launch := func(stage emit.Stage) {
		if stage.Totals != nil {
			there[stage.Totals] = true
		}
		if stage.Segment == nil {
			return
		}
		launched++
		for _, v := range stage.Segment.Parameters {
			if !there[v] {
				t.Errorf("%s takes %s, which is not there", stage.Segment.Name, v.Name)
			}
		}
		for _, v := range stage.Segment.Results {
			there[v] = true
		}
	}
	for _, segment := range []*hlo.Segment{s.Load, s.Prepare[0]} {
		launch(emit.Stage{Segment: segment})
	}
	for _, stage := range s.Online {
		launch(stage)
	}
	launch(emit.Stage{Segment: s.Prepare[1]})
	for _, stage := range append(slices.Clone(s.Target), s.Losses) {
		launch(stage)
	}
	for k := range s.Backward {
		launch(s.Backward[k])
		launch(s.Weights[k])
	}
	if launched != len(s.Program.Segments) {
		t.Errorf("%d segments of %d were launched", launched, len(s.Program.Segments))
	}
}

// TestLives: what is dead behind a segment nobody uses later, and what a result reuses is dead; what the networks give,
// images and parameters are never dead within a pass.
func TestLives(t *testing.T) {
	local := network(true, arch.ImageNet)
	local.LocalBatchNorm = true
	for name, n := range map[string]engine.Network{"basic": network(false, arch.CIFAR),
		"bottleneck": network(true, arch.ImageNet), "local": local} {
		s, err := emit.New(small(emit.Config{Network: n}))
		if err != nil {
			t.Fatal(err)
		}
		kept := []*hlo.Value{s.Embedding, s.Prediction, s.Logits, s.Projection[0], s.Projection[1]}
		for _, segment := range []*hlo.Segment{s.Load, s.Prepare[0], s.Prepare[1]} {
			kept = append(kept, segment.Results...)
		}
		reused := 0
		for i, segment := range s.Program.Segments {
			for _, v := range s.Dead[segment] {
				if slices.Contains(kept, v) {
					t.Errorf("%s: %s is dead behind %s, and was to be kept", name, v.Name, segment.Name)
				}
				for _, later := range s.Program.Segments[i+1:] {
					if slices.Contains(later.Parameters, v) {
						t.Errorf("%s: %s is dead behind %s, and %s uses it", name, v.Name, segment.Name, later.Name)
					}
				}
			}
			for _, v := range segment.Reused {
				if reused++; !slices.Contains(s.Dead[segment], v) {
					t.Errorf("%s: %s reuses %s, which is not dead", name, segment.Name, v.Name)
				}
			}
		}
		if (reused == 0) != n.LocalBatchNorm { // then a network is one segment
			t.Errorf("%s: %d values are reused", name, reused)
		}
	}
}

// TestEncoded: an encoder takes the images of both views of a shard, but never too many.
func TestEncoded(t *testing.T) {
	for _, c := range []struct{ size, images, want int }{{224, 256, 64}, {224, 8, 16}, {32, 256, 512}, {32, 4096, 3136},
		{4096, 1, 1}} {
		if got := (emit.Config{Network: engine.Network{ImageSize: c.size}, Images: c.images}).Encoded(); got != c.want {
			t.Errorf("%d images of %d: %d at once, want %d", c.images, c.size, got, c.want)
		}
	}
}

// TestCounts: how many executions a step of one shard has, and how many programs are different.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		arch                string
		images, size        int
		launches, different int
		stages              int // that wait for sums
	}{
		{"resnet18", 256, 224, 83, 70, 56},
		{"resnet50", 256, 224, 211, 118, 152},
	} {
		e, err := arch.Find(c.arch)
		if err != nil {
			t.Fatal(err)
		}
		s, err := emit.New(emit.Config{Network: engine.Network{Encoder: e, Padding: "symmetric", ImageSize: c.size,
			ProjectorHidden: 4096, ProjectorOut: 256, PredictorHidden: 4096, Classes: 1000}, Images: c.images,
			Precision: emit.BF16})
		if err != nil {
			t.Fatal(err)
		}
		different := map[[32]byte]bool{}
		for _, g := range s.Program.Segments {
			different[g.Digest()] = true
		}
		waits := 0
		for _, stage := range slices.Concat(s.Online, s.Target, s.Backward) {
			if stage.Sums != nil {
				waits++
			}
		}
		if len(s.Program.Segments) != c.launches || len(different) != c.different || waits != c.stages {
			t.Errorf("%s: %d launches of %d programs, %d with sums; want %d of %d, %d", c.arch, len(s.Program.Segments),
				len(different), waits, c.launches, c.different, c.stages)
		}
	}
}

// TestRefusals: what cannot be emitted is said in words.
func TestRefusals(t *testing.T) {
	good := small(emit.Config{Network: network(false, arch.CIFAR)})
	for _, c := range []struct {
		want   string
		change func(*emit.Config)
	}{
		{"0 images in a shard", func(c *emit.Config) { c.Images = 0 }},
		{`padding "valid": want symmetric or same`, func(c *emit.Config) { c.Padding = "valid" }},
		{`padding ""`, func(c *emit.Config) { c.Padding = "" }},
		{"precision 7", func(c *emit.Config) { c.Precision = 7 }},
		{"two ablations", func(c *emit.Config) { c.NoPredictor, c.NoStopGradient = true, true }},
		{"the images are too small", func(c *emit.Config) { c.ImageSize = 0 }},
	} {
		bad := good
		c.change(&bad)
		if _, err := emit.New(bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
		if _, err := emit.All(bad); err == nil {
			t.Errorf("%s: programs all the same", c.want)
		}
	}
}
