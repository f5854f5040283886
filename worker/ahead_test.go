package worker

import (
	"testing"
	"time"

	pb "byol/proto"
)

// late holds back what a coordinator sends of ξ', for each rank by another time, so that ranks are ahead when it
// comes.
func late(rank int, m *pb.ToWorker) *pb.ToWorker {
	if s := m.GetSlice(); s != nil {
		time.Sleep(time.Duration(1+(7*rank+3*int(s.Step))%5) * time.Millisecond)
	}
	return m
}

// TestOverlapSameBits: steps that begin before the one before them is committed give the bits of steps that wait,
// also where an evaluation that nobody foresaw comes between.
func TestOverlapSameBits(t *testing.T) {
	for _, norm := range []string{"sync", "local"} {
		want := ""
		for _, n := range []int{1, 2, 4, 8} {
			if n > 2 && testing.Short() {
				continue // many workers take minutes under the race detector
			}
			for _, wait := range []bool{true, false} {
				c := &conductor{workers: n, until: 4, cfg: tiny(t), hook: late, eval: map[int64]bool{2: true}}
				c.cfg.NoOverlap, c.cfg.BatchNorm = wait, norm
				got := trained(t, c, nil)
				if want == "" {
					want = got
				}
				if got != want {
					t.Errorf("%s: %d workers, no overlap %v: the run ends with %s, want %s", norm, n, wait, got, want)
				}
			}
		}
	}
}

// TestDroppedStep begins a new generation when all ranks have proposed a step, and are busy with the next one: the
// step is run again, and the state is that of a run in which this did not happen.
func TestDroppedStep(t *testing.T) {
	want := trained(t, &conductor{workers: 3, until: 5}, nil)
	c := &conductor{workers: 3, until: 5, drop: 2}
	if got := trained(t, c, nil); got != want {
		t.Errorf("with step 2 dropped once the run ends with %s, without with %s", got, want)
	}
	last := c.result.ready[len(c.result.ready)-1]
	if len(c.result.ready) != 6 || last.Generation != 2 || last.Step != 2 {
		t.Errorf("ready: %v, want 3 of generation 1 and 3 of generation 2 at step 2", c.result.ready)
	}
	if d := c.result.steps; len(d) != 6 || d[2].Digests.String() != d[3].Digests.String() {
		t.Errorf("rank 0 proposed %d steps, want 6, of which 2 and 3 are one", len(d))
	}
}
