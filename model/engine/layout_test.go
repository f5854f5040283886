package engine_test

import (
	"testing"

	"byol/model/arch"
	"byol/model/engine"
)

// TestDescribe compares layouts with the counts of package arch and what every layout keeps.
func TestDescribe(t *testing.T) {
	heads := arch.Heads{ProjectorHidden: 24, ProjectorOut: 8, PredictorHidden: 20, Classes: 10}
	for _, e := range arch.Encoders() {
		for _, padding := range []string{"symmetric", "same"} {
			for _, width := range []int{1, 2} {
				n := engine.Network{Encoder: e.Widened(width), Padding: padding, ImageSize: 64, ProjectorHidden: 24,
					ProjectorOut: 8, PredictorHidden: 20, Classes: 10}
				l, err := engine.Describe(n)
				if err != nil {
					t.Fatalf("%s: %v", e.Name, err)
				}
				want := n.Encoder.Parameters() + heads.Parameters(n.Encoder.Features())
				if int64(l.Size) != want || l.Features != n.Encoder.Features() {
					t.Errorf("%s, width %d: %d parameters and %d features, want %d and %d", e.Name, width, l.Size, l.Features,
						want, n.Encoder.Features())
				}
				checkPlaces(t, e.Name, l)
			}
		}
	}
}

// checkPlaces wants tensors and running statistics side by side without gaps, and the offsets of a norm behind its
// scales.
func checkPlaces(t *testing.T, name string, l *engine.Layout) {
	t.Helper()
	at, names := 0, map[string]bool{}
	for _, p := range l.Params {
		if p.Off != at || names[p.Name] {
			t.Errorf("%s: %s lies at %d, want %d, and its name is new: %v", name, p.Name, p.Off, at, !names[p.Name])
		}
		at, names[p.Name] = p.End(), true
	}
	running := 0
	for _, n := range l.Norms {
		gamma, beta := l.Params[n.Gamma], l.Params[n.Beta]
		if gamma.Name != n.Name+".weight" || beta.Name != n.Name+".bias" || gamma.End() != beta.Off {
			t.Errorf("%s: %s has scales %s and offsets %s", name, n.Name, gamma.Name, beta.Name)
		}
		if n.Mean.Off != running || n.Var.Off != n.Mean.End() || n.Mean.Len != n.C || n.Var.Len != n.C {
			t.Errorf("%s: %s has its running statistics at %v and %v, want them from %d", name, n.Name, n.Mean, n.Var, running)
		}
		running = n.Var.End()
	}
	if at != l.Size || running != l.Statistics {
		t.Errorf("%s: %d parameters and %d statistics, want %d and %d", name, l.Size, l.Statistics, at, running)
	}
}

// TestDescribeTooSmall has a network that leaves nothing of its images.
func TestDescribeTooSmall(t *testing.T) {
	e, err := arch.Find("resnet18")
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Describe(engine.Network{Encoder: e, Padding: "symmetric", ProjectorHidden: 2, ProjectorOut: 2})
	if err == nil {
		t.Error("images of no pixels are large enough")
	}
}
