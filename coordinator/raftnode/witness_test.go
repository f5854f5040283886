package raftnode

import (
	"testing"
	"time"
)

// TestToldOfWhoWasAway has a follower come back after six seconds. It is there at once, and gets what it missed seconds
// later only: the leader knows when.
func TestToldOfWhoWasAway(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c")
		n := c.leader()
		s := beginSteps(t, n)
		away := "a"
		if n.o.ID == away {
			away = "b"
		}
		c.stop(away)
		i := 0
		next := func() {
			if err := s.next(n, i); err != nil {
				t.Fatal(err)
			}
			i++
			time.Sleep(200 * time.Millisecond)
		}
		for range 30 {
			next()
		}
		if !n.Told() {
			t.Error("it waits for one that is not there")
		}
		c.start(away)
		back := time.Now()
		for len(n.Info().Absent) > 0 {
			next()
		}
		next()
		var took time.Duration
		for !n.Told() && took < time.Minute {
			time.Sleep(10 * time.Millisecond)
			took = time.Since(back)
		}
		if got, _ := c.nodes[away].View(); got.Version != s.want.Version {
			t.Errorf("told, and it is at version %d of %d", got.Version, s.want.Version)
		}
		if took < time.Second || took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
