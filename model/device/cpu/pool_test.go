package cpu

import (
	"sync/atomic"
	"testing"
)

// counted counts how often each job ran.
type counted struct{ ran [100]atomic.Int32 }

func (c *counted) do(_, job int) { c.ran[job].Add(1) }

// Each job runs exactly once, however late the helpers come: thousands of short tasks make them late, and now and
// then a pause is long enough for them to park.
func TestPoolRunsEachJobOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := newPool(threads, genericPause)
		var c counted
		total := make([]int32, len(c.ran))
		for round := range 5000 {
			jobs := round % len(c.ran)
			if round%64 == 0 {
				genericPause(10 * lookTurns * pauses)
			}
			p.run(&c, jobs)
			for j := range jobs {
				total[j]++
			}
		}
		p.close()
		for j := range total {
			if got, want := c.ran[j].Load(), total[j]; got != want {
				t.Errorf("%d threads: job %d ran %d times, want %d", threads, j, got, want)
			}
		}
	}
}

func TestEvenSplit(t *testing.T) {
	for _, c := range []struct{ jobs, split, most, threads, want int }{
		{3, 3, 32, 2, 4}, {3, 3, 3, 2, 3}, {4, 2, 8, 2, 2}, {1, 8, 8, 2, 8}, {1, 5, 16, 4, 8}, {27, 1, 4, 1, 1},
	} {
		if got := evenSplit(c.jobs, c.split, c.most, c.threads); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}
