package model

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInitFrom: both networks' encoders, with their running statistics, are the given one; all else is the seed's.
func TestInitFrom(t *testing.T) {
	l := newLearner(t, reference32(), tiny())
	if err := l.Init(1); err != nil {
		t.Fatal(err)
	}
	drawn := tensorsOf(t, l)
	var given []Tensor
	for _, x := range drawn {
		if name, ok := strings.CutPrefix(x.Name, "online/encoder."); ok {
			data := make([]float32, len(x.Data))
			for i := range data {
				data[i] = float32(i + len(given))
			}
			given = append(given, Tensor{Name: name, Shape: x.Shape, Data: data})
		}
	}
	if err := l.InitFrom(1, given); err != nil {
		t.Fatal(err)
	}
	for i, got := range tensorsOf(t, l) {
		want := drawn[i]
		_, name, ok := strings.Cut(got.Name, "/encoder.")
		if ok && !strings.HasPrefix(got.Name, momentumPrefix) {
			at := slices.IndexFunc(given, func(x Tensor) bool { return x.Name == name })
			want.Data = given[at].Data
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", got.Name, d)
		}
	}
	for name, bad := range map[string][]Tensor{
		"one lacks": given[1:], "one more": append(slices.Clone(given), Tensor{Name: "fc.bias"}),
		"another shape": append([]Tensor{{Name: given[0].Name, Shape: []int{1}, Data: []float32{1}}}, given[1:]...),
	} {
		if err := l.InitFrom(1, bad); err == nil || !strings.HasPrefix(err.Error(), "start from an encoder: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
