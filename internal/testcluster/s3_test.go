package testcluster

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"byol/coordinator/steplog"
	"byol/internal/fault"
	"byol/worker/data"
)

// s3Faults cut workers off for longer than the failure timeout, so that the group shrinks to three and two and grows
// again, and break, damage and slow lines: 20 faults over 300 steps.
var s3Faults = strings.Join([]string{
	"cut worker-1<->* step=20 for=8s", "break worker-2->worker-3 step=40", "flip worker-0->worker-1 step=55 after=3000",
	"break *<->coordinator step=70", "cut worker-3->coordinator step=85 for=7s",
	"delay worker-0->worker-1 by=20ms step=95 for=1s",
	"flip coordinator->worker-2 step=100 after=3000", "cut worker-0<->* step=115 for=9s",
	"cut worker-2<->* step=118 for=12s",
	"break worker-0->worker-1 step=140", "limit *->coordinator rate=2000000 step=150 for=2s",
	"cut *<->coordinator step=160 for=3s",
	"break worker-3->coordinator step=175", "flip worker-2->worker-3 step=190 after=9000",
	"cut coordinator->worker-1 step=205 for=4s",
	"cut worker-2<->* step=220 for=8s", "break *<->* step=240", "delay *->worker-3 by=10ms step=250 for=2s",
	"cut worker-3<->* step=262 for=8s", "break worker-1->worker-2 step=285"}, "; ")

// s3 is a run of the proof: what it committed, and what it ended with.
type s3 struct {
	log    steplog.Content
	sha256 string
}

// prove runs so many steps and audits them.
func prove(t *testing.T, workers int, steps int64, lines string, o Options) s3 {
	t.Helper()
	o.Config, o.Workers, o.RunDir = Tiny(steps), workers, t.TempDir()
	o.Config.TotalSteps, o.Config.SaveEverySteps = 1000, 50
	var got s3
	synctest.Test(t, func(t *testing.T) {
		d := exercise(t, o, lines)
		if d.Coordinator != nil || d.Newest.Step != steps {
			t.Fatalf("%d workers: it ends with %v at step %d", workers, d.Coordinator, d.Newest.Step)
		}
		got.sha256 = d.Newest.StateSHA256
	})
	var err error
	if got.log, err = steplog.ReadFile(o.RunDir); err != nil {
		t.Fatal(err)
	}
	order := data.Sampler{Seed: o.Config.Seed, Batch: int(o.Config.BatchSize), Len: 200}
	found, err := steplog.Audit(got.log, steplog.Rules{Images: 200, Batch: int64(o.Config.BatchSize),
		Shards: int(o.Config.Shards), Order: func(step int64, v int) []int {
			var images []int
			for _, p := range order.Shard(step, v, int(o.Config.Shards)) {
				index, _ := order.Image(p)
				images = append(images, index)
			}
			return images
		}}, -1)
	if err != nil || found.Next != steps || found.Whole != steps*16/200 {
		t.Errorf("%d workers: audit of %s: %+v, %v", workers, o.RunDir, found, err)
	}
	return got
}

// apart names the first step in which two runs have other bits, "" if there is none.
func apart(a, b s3) string {
	for _, l := range a.log.Lines {
		if l.Kind != steplog.Committed {
			continue
		}
		other, ok := b.log.Last(l.Record.Step)
		if parts := steplog.Differences(l.Record, other); !ok || len(parts) > 0 {
			return fmt.Sprintf("step %d: %s", l.Record.Step, strings.Join(parts, "; "))
		}
	}
	if a.sha256 != b.sha256 {
		return fmt.Sprintf("state %s and %s", a.sha256, b.sha256)
	}
	return ""
}

// TestS3 is the proof of promise S3: 300 steps by 1 worker, by 4, and by 4 with 20 faults and changes of size, commit
// the same bits at every step and end with the same state. Its canary, one bit of one shard's gradient, does not.
func TestS3(t *testing.T) {
	if testing.Short() {
		t.Skip("three runs of 300 steps")
	}
	one := prove(t, 1, 300, "", Options{})
	for _, c := range []struct {
		name  string
		lines string
	}{{"4 workers", ""}, {"4 workers and 20 faults", s3Faults}} {
		if differs := apart(one, prove(t, 4, 300, c.lines, Options{})); differs != "" {
			t.Errorf("%s: %s", c.name, differs)
		}
	}
	flip, err := fault.Parse("flip gradient shard=5 step=40 element=10 bit=20")
	if err != nil {
		t.Fatal(err)
	}
	if differs := apart(prove(t, 1, 45, "", Options{Faults: flip}), one); !strings.HasPrefix(differs, "step 40: online") {
		t.Errorf("a flipped bit of a gradient: got %q, want step 40 named", differs)
	}
}
