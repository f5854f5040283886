package model

import (
	"slices"
	"strings"
	"testing"
)

// TestEncoderIsTheLearners: an encoder that was loaded from a learner's tensors gives its features, bit for bit, for
// any number of images at once. Tensors that are missing or of another shape are named.
func TestEncoderIsTheLearners(t *testing.T) {
	c := tiny()
	l := newLearner(t, onCPU(2), c)
	if err := l.Init(3); err != nil {
		t.Fatal(err)
	}
	stats := l.Current().Statistics // others than of a fresh network
	for i := range stats {
		stats[i] += float32(i%7) / 8
	}
	x := floats(11, 7*l.imageLen())
	want := make([]float32, 7*l.FeatureDim())
	if err := l.Encode(t.Context(), x, 7, want); err != nil {
		t.Fatal(err)
	}
	all, err := l.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	var tensors []Tensor
	for _, m := range all {
		if name, ok := strings.CutPrefix(m.Name, "online/encoder."); ok {
			m.Name = name
			tensors = append(tensors, m)
		}
	}
	for _, atOnce := range []int{1, 3, 16} {
		e, err := NewEncoder(t.Context(), onCPU(2), c, atOnce)
		if err == nil {
			err = e.Load(tensors)
		}
		got := make([]float32, len(want))
		if err == nil {
			err = e.Encode(t.Context(), x, 7, got)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d images at once: %v, want %v (%v)", atOnce, got, want, err)
		}
	}
	e, err := NewEncoder(t.Context(), onCPU(2), c, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(tensors[1:]); err == nil || !strings.Contains(err.Error(), `"encoder.conv1.weight" is missing`) {
		t.Errorf("without the first tensor: %v", err)
	}
	narrow := slices.Clone(tensors)
	narrow[0].Shape = []int{2, 3, 3, 3}
	if err := e.Load(narrow); err == nil || !strings.Contains(err.Error(), `"encoder.conv1.weight" has shape [2 3 3 3]`) {
		t.Errorf("a narrow tensor: %v", err)
	}
}
