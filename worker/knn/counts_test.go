package knn

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"byol/internal/vector"
)

// TestCountsOfLightly: on the same features the vote counts what lightly's does; testdata/make_counts.py has its
// formula, computed with numpy. The bank comes in two parts, whose nearest are merged.
func TestCountsOfLightly(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "features.f32"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "counts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Dim, Classes  int
		Bank, Queries []int32
		Counts        []struct {
			K          int
			T          float64
			Top1, Top5 int
		}
	}
	if err := json.Unmarshal(text, &want); err != nil || len(want.Counts) == 0 {
		t.Fatal(err)
	}
	all := slices.Clone(vector.Floats(raw))
	Normalize(all, want.Dim)
	bank, queries := all[:len(want.Bank)*want.Dim], all[len(want.Bank)*want.Dim:]
	half := len(want.Bank) / 2 * want.Dim
	for _, c := range want.Counts {
		cfg := Config{K: c.K, Temperature: c.T, Classes: want.Classes}
		var near [2]*Scorer
		for i, part := range [][]float32{bank[:half], bank[half:]} {
			near[i] = NewScorer(cfg, len(want.Queries))
			near[i].Add(cosines(queries, part, want.Dim), 0, len(part)/want.Dim, i*half/want.Dim)
		}
		ballot, top1, top5 := NewBallot(cfg), 0, 0
		for q, label := range want.Queries {
			ranked := ballot.Rank(Merge(near[0].Nearest(q), near[1].Nearest(q), c.K), want.Bank, 5)
			if ranked[0] == label {
				top1++
			}
			if slices.Contains(ranked, label) {
				top5++
			}
		}
		if top1 != c.Top1 || top5 != c.Top5 {
			t.Errorf("k %d, T %g: %d and %d among five, lightly counts %d and %d", c.K, c.T, top1, top5, c.Top1, c.Top5)
		}
	}
}
