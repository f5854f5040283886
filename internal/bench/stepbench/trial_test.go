package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"byol/model/device/reference"
	"byol/model/engine/ops"
)

// tinyBench is a measurement small enough for the reference device.
func tinyBench(t *testing.T, args string) *bench {
	t.Helper()
	b, err := parse(strings.Fields(tiny + args))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPhasesComeInOrder, those of every step, as shares of them are told.
func TestPhasesComeInOrder(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string // without sync, which comes within others, and idle, which comes between
	}{
		{"-part byol", []string{"forward", "backward", "sum", "update"}},
		{"-part byol -batch 4 -shards 2", []string{"forward", "backward", "sum", "update"}},
		{"-part encoder", []string{"forward", "backward"}},
	} {
		b := tinyBench(t, c.args)
		work, err := b.trial(t.Context(), reference.New(32))
		if err != nil {
			t.Fatal(err)
		}
		for step := range int64(2) {
			var got []string
			if err := work.step(t.Context(), step, func(phase string) {
				if phase != "idle" && !slices.Contains(phases, phase) {
					t.Errorf("%s: phase %q is not told", c.args, phase)
				}
				if phase != "idle" && phase != "sync" && !slices.Contains(got, phase) {
					got = append(got, phase)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, step %d: phases %q, want %q", c.args, step, got, c.want)
			}
		}
	}
}

// TestAStepTrains: the whole step changes the online network, and with the same input twice it ends with the same bits.
func TestAStepTrains(t *testing.T) {
	var ends [2][]float32
	for i := range ends {
		b := tinyBench(t, "-batch 4 -shards 2")
		work, err := newBYOLTrial(t.Context(), ops.New(reference.New(32), nil), b.config())
		if err != nil {
			t.Fatal(err)
		}
		before := weights(work)
		for step := range int64(3) {
			if err := work.step(t.Context(), step, func(string) {}); err != nil {
				t.Fatal(err)
			}
		}
		if ends[i] = weights(work); slices.Equal(ends[i], before) {
			t.Error("three steps changed nothing")
		}
		for _, x := range ends[i] {
			if math.IsNaN(float64(x)) {
				t.Fatal("a weight is not a number")
			}
		}
	}
	if !slices.Equal(ends[0], ends[1]) {
		t.Error("the same steps end with other bits")
	}
}

// weights are those of the online network, on the host.
func weights(t *byolTrial) []float32 {
	return slices.Clone(t.l.Current().Theta.Host())
}

func TestStemsFollowTheImageSize(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-image-size 32", "cifar"}, {"-image-size 64", "cifar"}, {"-image-size 65", "imagenet"},
		{"-image-size 224 -stem cifar", "cifar"},
	} {
		if got := tinyBench(t, c.args).config().Stem; got != c.want {
			t.Errorf("%s: stem %q, want %q", c.args, got, c.want)
		}
	}
}

func TestNoiseIsTheSameEachTime(t *testing.T) {
	a, b := noise(rand.New(rand.NewPCG(1, 2)), 1000), noise(rand.New(rand.NewPCG(1, 2)), 1000)
	sum := float32(0)
	for _, x := range a {
		sum += x
	}
	if !slices.Equal(a, b) || math.Abs(float64(sum)) > 200 {
		t.Errorf("noise of mean %v, equal %v", sum/1000, slices.Equal(a, b))
	}
}
