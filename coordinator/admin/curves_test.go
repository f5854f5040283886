package admin

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/coordinator/report"
)

// step is a committed step whose every figure is its number.
func step(n int64) *report.Past {
	x := float64(n)
	return &report.Past{Step: report.Step{Step: n, Loss: x, Std: x, LR: x, Tau: x, ImagesPerSecond: x, ProbeTop1: x}}
}

// TestCurves adds steps, with gaps, and steps that are run again: the points are means of what is committed, as a list
// of all steps says it, and no more than there may be. A reader that takes now and then what is new has the same.
func TestCurves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBoard("test")
		var all []int64
		read, at := columns{Epoch: -1}, newCursor()
		look := func() {
			n, _ := b.since(&at)
			if n.Curves == nil {
				return
			}
			if n.Curves.Epoch != read.Epoch {
				read = columns{Epoch: n.Curves.Epoch}
			}
			from := n.Curves.From
			read.Step = append(read.Step[:from:from], n.Curves.Step...)
			read.Loss = append(read.Loss[:from:from], n.Curves.Loss...)
		}
		next := int64(1)
		for range rapid.IntRange(1, 6).Draw(t, "stretches") {
			for range rapid.IntRange(1, 900).Draw(t, "steps") {
				b.Committed(step(next).Step)
				all = append(all, next)
				if next++; rapid.IntRange(0, 60).Draw(t, "what") == 0 {
					look()
				}
			}
			if rapid.Bool().Draw(t, "again") {
				to := rapid.Int64Range(max(0, next-300), next-1).Draw(t, "to")
				b.Rewound(to)
				kept := int64(0) // points that are of both go: what is kept is what they say
				for _, p := range b.curves.points {
					kept = p.last
				}
				for len(all) > 0 && all[len(all)-1] > kept {
					all = all[:len(all)-1]
				}
				next = to + 1
			} else {
				next += rapid.Int64Range(0, 50).Draw(t, "gap")
			}
		}
		look()
		points, width := b.curves.since(0), b.curves.width
		if len(points.Step) > curvePoints {
			t.Fatalf("%d points, want %d at most", len(points.Step), curvePoints)
		}
		sums, counts, lasts := map[int64]float64{}, map[int64]float64{}, map[int64]int64{}
		for _, n := range all {
			at := (n - 1) / width
			sums[at], counts[at], lasts[at] = sums[at]+float64(n), counts[at]+1, n
		}
		if len(points.Step) != len(sums) {
			t.Fatalf("%d points of width %d, want %d", len(points.Step), width, len(sums))
		}
		for i, last := range points.Step {
			at := (last - 1) / width
			if want := sums[at] / counts[at]; math.Abs(float64(points.Loss[i])-want) > 1e-6*want || lasts[at] != last {
				t.Fatalf("point %d ends at %d with %v, want %d with %v", i, last, points.Loss[i], lasts[at], want)
			}
			if read.Step[i] != last || read.Loss[i] != points.Loss[i] {
				t.Fatalf("a reader has %d, %v at %d, want %d, %v", read.Step[i], read.Loss[i], i, last, points.Loss[i])
			}
		}
		if len(read.Step) != len(points.Step) {
			t.Fatalf("a reader has %d points, want %d", len(read.Step), len(points.Step))
		}
	})
}

// TestUnknownFigures are null: JSON has no numbers for them.
func TestUnknownFigures(t *testing.T) {
	c := newCurves()
	p := step(1)
	p.FromLog, p.Loss = true, math.Inf(1)
	c.add(p)
	c.evaluated(report.Evaluation{Step: 1, Measures: []report.Measure{{Name: "knn_top1", Ratio: 0.5}}})
	c.evaluated(report.Evaluation{Step: 2, Error: "broken"})
	got, err := json.Marshal(c.since(0))
	want := `{"epoch":0,"from":0,"step":[1],"loss":[null],"std":[null],"lr":[1],"tau":[1],"ips":[null],"probe":[null],` +
		`"evaluations":[{"step":1,"measures":{"knn_top1":0.5}}]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

// TestTimeline joins what is the same, and forgets the oldest.
func TestTimeline(t *testing.T) {
	var l timeline
	at := time.UnixMilli(1000)
	for _, s := range []stretch{{Kind: "waiting"}, {Kind: "waiting", Why: "2 of 3"},
		{Kind: "running", Generation: 1, Step: 4},
		{Kind: "running", Generation: 1, Step: 9}, {Kind: "running", Generation: 2, Step: 9}} {
		l.saw(s, at)
		at = at.Add(time.Second)
	}
	want := []stretch{{"waiting", 0, 1000, 3000, 0, "2 of 3"}, {"running", 1, 3000, 5000, 9, ""},
		{"running", 2, 5000, 5000, 9, ""}}
	if len(l.stretches) != len(want) {
		t.Fatalf("got %+v", l.stretches)
	}
	for i := range want {
		if l.stretches[i] != want[i] {
			t.Errorf("%d: got %+v, want %+v", i, l.stretches[i], want[i])
		}
	}
	for i := range 2 * stretchesKept {
		l.saw(stretch{Kind: "running", Generation: int64(i)}, at)
	}
	if len(l.stretches) != stretchesKept || l.stretches[stretchesKept-1].Generation != 2*stretchesKept-1 {
		t.Errorf("%d stretches are kept, the last %+v", len(l.stretches), l.stretches[len(l.stretches)-1])
	}
}
