package features

import (
	"testing"

	"pgregory.net/rapid"
)

// TestDealing follows one story: what is dealt to whom.
func TestDealing(t *testing.T) {
	d := dealer{total: 5, window: 3}
	none := -1
	for i, s := range []struct {
		do     string
		worker int
		task   int
	}{
		{"deal", 1, 0}, {"deal", 1, 1}, {"deal", 1, none}, // two are enough
		{"deal", 2, 2}, {"deal", 2, none}, // three ahead of what was taken
		{"finish", 1, 1}, {"deal", 1, none},
		{"finish", 2, 2}, {"deal", 2, 0}, // nothing else to do: the oldest, which worker 1 may have stopped over
		{"deal", 3, none},              // one other is enough
		{"lose", 1, 0}, {"deal", 3, 0}, // worker 2 is alone with it now
		{"lose", 3, 0}, {"lose", 2, 0}, {"deal", 5, 0}, // given back
		{"finish", 5, 0}, {"release", 0, 3}, {"deal", 3, 3}, {"deal", 4, 4}, {"lose", 4, 0}, {"deal", 3, 4},
		{"finish", 3, 3}, {"finish", 3, 4}, {"deal", 3, none},
	} {
		switch s.do {
		case "deal":
			got, ok := d.deal(s.worker)
			if !ok {
				got = none
			}
			if got != s.task {
				t.Fatalf("line %d: worker %d got task %d, want %d", i, s.worker, got, s.task)
			}
		case "finish":
			d.finish(s.task)
		case "lose":
			d.lose(s.worker)
		case "release":
			d.release(s.task)
		}
	}
	if !d.over() {
		t.Error("it is not over")
	}
}

// TestDealerEnds: whoever comes and goes, as long as somebody stays all tasks are finished, none is dealt beyond the
// window, and nobody holds more than the depth.
func TestDealerEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := dealer{total: rapid.IntRange(0, 30).Draw(t, "tasks"), window: rapid.IntRange(1, 5).Draw(t, "window")}
		finished, taken := map[int]bool{}, 0
		next := 3
		workers := []int{0, 1, 2}
		for step := 0; !d.over(); step++ {
			if step > 10000 {
				t.Fatalf("no end: %+v", d)
			}
			i := rapid.IntRange(0, len(workers)-1).Draw(t, "worker")
			w := workers[i]
			switch held := d.holds(w); rapid.IntRange(0, 9).Draw(t, "does") {
			case 0:
				d.lose(w)
				if left := d.holds(w); len(left) > 0 {
					t.Fatalf("worker %d was lost and holds %v", w, left)
				}
				workers[i] = next
				next++
			case 1, 2, 3, 4:
				if len(held) > 0 {
					d.finish(held[0])
					finished[held[0]] = true
				}
				for finished[taken] {
					taken++
				}
				d.release(taken)
			default:
				task, ok := d.deal(w)
				if ok && (task >= taken+d.window || finished[task] || len(d.holds(w)) > depth) {
					t.Fatalf("task %d was dealt: taken %d, finished %v", task, taken, finished)
				}
			}
		}
		if len(finished) != d.total {
			t.Fatalf("%d of %d finished", len(finished), d.total)
		}
	})
}
