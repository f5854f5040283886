package cpu

import (
	"sync/atomic"
	"testing"
)

// counted counts how often each job ran.
type counted struct{ ran [100]atomic.Int32 }

func (c *counted) do(_, job int) { c.ran[job].Add(1) }

// Each job runs exactly once, however late the helpers come: thousands of short tasks make them late.
func TestPoolRunsEachJobOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := newPool(threads)
		var c counted
		total := make([]int32, len(c.ran))
		for round := range 5000 {
			jobs := round % len(c.ran)
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
