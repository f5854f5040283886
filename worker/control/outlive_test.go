package control

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/network/memory"
	pb "byol/proto"
)

// TestLogBegunAnew lets a worker outlive the log of its run. It tells what it has seen to who leads then: what is said
// above counts, what is said below is that of somebody who was left behind.
func TestLogBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		defer f.stop()
		r, at := attached(t, n, f, "a:7000")
		newest := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			if got := r.Newest().Version; got != want {
				t.Errorf("%s: the plan is %d, want %d", when, got, want)
			}
		}
		at.plan(500, 40, 57)
		newest("at first", 500)
		at.over <- errLost
		at = <-f.arrivals
		if j := at.join; j.SeenVersion != 500 || j.SeenGeneration != 40 {
			t.Errorf("came back as %v", j)
		}
		at.plan(2, 1, 50)
		newest("from a log that does not know", 500)
		at.plan(501, 41, 50)
		newest("from one that goes on above", 501)
		if got := r.Newest().CommittedStep; got != 50 {
			t.Errorf("the run goes on at step %d, want 50", got)
		}
		r.Close(&pb.Leave{})
	})
}

// TestGoingWithoutCoordinator loses the only coordinator of a worker that was, or is then, asked to go: it looks for
// another no longer than the failure timeout. One that answers before is attached to.
func TestGoingWithoutCoordinator(t *testing.T) {
	for _, c := range []struct {
		name         string
		before, then time.Duration // asked to go so long before the loss, or after it
		after        time.Duration // the line's end, after the loss
	}{
		{"asked before", time.Second, 0, 4 * time.Second},
		{"asked while it looks", 0, 20 * time.Second, 24 * time.Second},
		{"asked when its time is nearly over", 0, 46 * time.Second, 48 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memory.New()
				f := serve(t, n, "a")
				r, _ := attached(t, n, f, "a:7000")
				if c.before > 0 {
					r.Going()
					time.Sleep(c.before)
				}
				start := time.Now()
				f.stop()
				if c.then > 0 {
					time.Sleep(c.then)
					r.Going()
				}
				if _, err := r.Await(t.Context(), func(*pb.Plan) bool { return false }); !errors.Is(err, ErrEnded) {
					t.Errorf("waiting ended with %v", err)
				}
				if took := time.Since(start); took < c.after || took > c.after+time.Second {
					t.Errorf("it ended after %v, want %v", took, c.after)
				}
				r.Close(&pb.Leave{})
			})
		})
	}
	t.Run("another one leads soon", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := memory.New()
			a := serve(t, n, "a")
			r, _ := attached(t, n, a, "a:7000", "b:7000")
			r.Going()
			a.stop()
			time.Sleep(2 * time.Second)
			b := serve(t, n, "b")
			defer b.stop()
			at := <-b.arrivals
			time.Sleep(time.Minute) // it stays until it is let go
			at.final()
			if p, err := r.Await(t.Context(), func(p *pb.Plan) bool { return Final(p.State) }); err != nil {
				t.Errorf("got %v, %v", p, err)
			}
			r.Close(&pb.Leave{})
		})
	})
}
