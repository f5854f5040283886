package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCurveIsBounded adds steps, goes back now and then, and compares with the mean of what was added last of each
// step.
func TestCurveIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c curve
		kept := map[int64]float64{}
		step := int64(0)
		for range rapid.IntRange(1, 30).Draw(t, "stretches") {
			if rapid.IntRange(0, 9).Draw(t, "back") == 0 {
				step = rapid.Int64Range(0, step).Draw(t, "to") / 64 * 64 // where a point begins, of at most so many steps
				for s := range kept {
					if s > step {
						delete(kept, s)
					}
				}
			}
			for range rapid.IntRange(1, 300).Draw(t, "steps") {
				step++
				kept[step] = float64(step % 7)
				c.add(step, kept[step])
				c.add(step, 1e9)          // it was added
				c.add(step+1, math.NaN()) // it is no number
			}
		}
		width := max(1, c.width)
		if want := (int64(len(kept)) + width - 1) / width; len(c.points) > curvePoints || int64(len(c.points)) != want {
			t.Fatalf("%d points of %d steps, want %d", len(c.points), len(kept), want)
		}
		n, sum, want := int64(0), 0.0, 0.0
		for _, p := range c.points {
			n, sum = n+p.n, sum+p.sum
		}
		for _, v := range kept {
			want += v
		}
		if n != int64(len(kept)) || sum != want {
			t.Fatalf("%d steps that are together %v, want %d and %v", n, sum, len(kept), want)
		}
		if !slices.IsSortedFunc(c.points, func(a, b curvePoint) int { return int(a.last - b.last) }) {
			t.Fatalf("points of steps %v", c.points)
		}
		columns := rapid.IntRange(0, 300).Draw(t, "columns")
		if got := []rune(c.spark(columns)); len(got) > columns || columns > 0 && len(kept) > 0 && len(got) == 0 {
			t.Fatalf("%d columns of %d", len(got), columns)
		}
	})
}

func TestSpark(t *testing.T) {
	for _, c := range []struct {
		values  []float64
		columns int
		want    string
	}{
		{nil, 5, ""}, {[]float64{1}, 5, "▁"}, {[]float64{1, 1, 1}, 5, "▁▁▁"}, {[]float64{0, 1}, 5, "▁█"},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, "▁▂▃▄▅▆▇█"}, {[]float64{0, 0, 7, 7}, 2, "▁█"},
		{[]float64{-1e300, 1e300}, 2, "▁█"},
		{[]float64{1, 2}, 0, ""},
	} {
		var curve curve
		for i, v := range c.values {
			curve.add(int64(i+1), v)
		}
		if got := curve.spark(c.columns); got != c.want {
			t.Errorf("%v in %d columns: %s, want %s", c.values, c.columns, got, c.want)
		}
	}
	var sparse curve // a long pause between steps is a line
	sparse.add(1, 0)
	for step := int64(90); step <= 100; step++ {
		sparse.add(step, 7)
	}
	if got := sparse.spark(10); got != "▁▁▁▁▁▁▁▁██" {
		t.Errorf("a long pause: %s", got)
	}
}

// TestCurveOfFiles puts what the files of a run tell before what was seen since.
func TestCurveOfFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"metrics.jsonl": `{"step":1,"time":null,"loss":4,"std":0.5,"images_per_second":100}` + "\n" +
			`{"step":2,"time":null,"loss":3,"from_log":true}` + "\n" + `{"step":4,"time":null,"missing":1}` + "\n" + "torn",
		"evaluations.jsonl": `{"step":0,"queries":8,"knn_top1":0.25}` + "\n" + `{"step":2,"error":"no"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &watched{}
	w.loss.add(2, 9)
	w.loss.add(5, 2)
	w.recalls(recordedIn(dir))
	lasts := func(c *curve) string {
		var out []string
		for _, p := range c.points {
			out = append(out, strings.TrimSpace(grouped(p.last)))
		}
		return strings.Join(out, " ")
	}
	if got := []string{lasts(&w.loss), lasts(&w.std), lasts(&w.knn), lasts(&w.speed)}; !slices.Equal(got,
		[]string{"1 2 5", "1", "0", "1"}) || w.loss.points[1].mean() != 3 {
		t.Errorf("steps %q, %v", got, w.loss)
	}
}
