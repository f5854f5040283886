package testcluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byol/coordinator/steplog"
	"byol/internal/fault"
	pb "byol/proto"
	"byol/worker/data"
)

// s3Faults kill, stop and cut off workers and the coordinator, ask workers to leave, have others join, so that the
// group is of 4, 2, 3 and 4 again, and break, damage and slow lines: more than 20 faults over 300 steps.
var s3Faults = strings.Join([]string{
	"kill worker-1 step=15 at=bucket for=1s", "break worker-2->worker-3 step=28",
	"flip worker-0->worker-1 step=38 after=500", "stop worker-2 step=45 at=proposed for=7s",
	"break *<->coordinator step=65", "leave worker-3 step=75 for=1s",
	"delay worker-0->worker-1 by=20ms step=88 for=1s", "kill worker-0 step=95 at=committed for=1s",
	"flip coordinator->worker-2 step=108 after=500",
	"leave worker-2 step=115", "leave worker-3 step=117", "join worker-2 step=130", "join worker-3 step=145",
	"limit *->coordinator rate=2000000 step=160 for=2s", "cut worker-1<->* step=165 for=8s",
	"cut *<->coordinator step=185 for=3s", "kill worker-2 step=190 at=adopted for=1s",
	"cut worker-3->coordinator step=200 for=7s", "stop worker-1 step=220 at=bucket for=9s", "break *<->* step=235",
	"cut coordinator->worker-0 step=240 for=4s", "delay *->worker-3 by=10ms step=245 for=2s",
	"kill worker-3 step=255 at=restored for=1s", "kill leader step=265 at=broadcast for=1s",
	"leave worker-0 step=275 for=1s", "break worker-1->worker-2 step=285"}, "; ")

// s3Leaders kill the leader of three coordinators five times.
var s3Leaders = strings.Join([]string{
	"kill leader step=40 at=propose for=3s", "kill leader step=90 at=log-written for=3s",
	"kill leader step=140 at=apply for=3s", "kill leader step=190 at=broadcast for=3s",
	"kill leader step=240 at=broadcast-end for=3s"}, "; ")

// proof is a run: what it committed, and what it ended with.
type proof struct {
	log    steplog.Content
	sha256 string
}

// prove plays d to its last step and audits it, by the log of each coordinator that was there at the end.
func prove(t *testing.T, d drama) proof {
	t.Helper()
	d.dir = t.TempDir()
	d.config.TotalSteps, d.config.SaveEverySteps = 1000, 50
	var got proof
	inBubble(t, d, func(t *testing.T, p *play) { got = p.prove(t) })
	return got
}

func (p *play) prove(t *testing.T) (got proof) {
	t.Helper()
	for _, err := range p.wrong {
		t.Error(err)
	}
	steps := p.config.MaxSteps
	newest, _, err := catalogue{p.config.CheckpointDir}.Newest()
	if err != nil || newest.Step != steps {
		t.Errorf("the newest checkpoint is of step %d, want %d: %v", newest.GetStep(), steps, err)
	}
	got.sha256 = newest.GetStateSha256()
	for i := range p.coordinators {
		name := p.coordinatorName(i)
		content, err := steplog.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if ends := p.actors[name].ends; len(ends) > 0 && ends[len(ends)-1] != nil {
			continue // it was not there at the end
		}
		audit(t, name, content, p.config)
		if differs := apart(got, proof{content, got.sha256}); differs != "" {
			t.Errorf("%s has another log than others: %s", name, differs)
		}
		got.log = content
	}
	return got
}

// audit looks whether each step is there once, with the images that it should have.
func audit(t *testing.T, name string, content steplog.Content, c *pb.RunConfig) {
	t.Helper()
	order := data.Sampler{Seed: c.Seed, Batch: int(c.BatchSize), Len: 200}
	found, err := steplog.Audit(content, steplog.Rules{Images: 200, Batch: int64(c.BatchSize), Shards: int(c.Shards),
		Order: func(step int64, v int) []int {
			var images []int
			for _, p := range order.Shard(step, v, int(c.Shards)) {
				index, _ := order.Image(p)
				images = append(images, index)
			}
			return images
		}}, -1)
	if err != nil || found.Next != c.MaxSteps || found.Whole != c.MaxSteps*int64(c.BatchSize)/200 {
		t.Errorf("audit of %s: %+v, %v", name, found, err)
	}
}

// apart names the first step in which two runs have other bits, "" if there is none.
func apart(a, b proof) string {
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

// TestS3 is the proof of promise S3: 300 steps by 1 worker, by 4, by 4 with faults of all kinds and changes of size,
// and by 4 with 3 coordinators of which the leader is killed 5 times, commit the same bits at every step and end with
// the same state. Its canary, one bit of one shard's gradient, does not.
func TestS3(t *testing.T) {
	steps := int64(300)
	if testing.Short() {
		t.Skip("-short: four runs of 300 steps; make unit runs it")
	}
	one := prove(t, drama{config: Tiny(steps), coordinators: 1, workers: 1})
	t.Logf("1 worker: %d steps, state %s", steps, one.sha256)
	for _, d := range []drama{
		{name: "4 workers", coordinators: 1, workers: 4},
		{name: "4 workers, faults of all kinds", coordinators: 1, workers: 4, script: s3Faults, pace: 5 * time.Millisecond},
		{name: "4 workers, 3 coordinators, 5 leaders killed", coordinators: 3, workers: 4, script: s3Leaders,
			pace: 5 * time.Millisecond},
	} {
		t.Run(d.name, func(t *testing.T) {
			d.config = Tiny(steps)
			got := prove(t, d)
			if differs := apart(one, got); differs != "" {
				t.Error(differs)
			}
			t.Logf("%s: %d faults, state %s", d.name, strings.Count(d.script, ";"), got.sha256)
		})
	}
	flip, err := fault.Parse("flip gradient shard=5 step=40 element=10 bit=20")
	if err != nil {
		t.Fatal(err)
	}
	canary := prove(t, drama{config: Tiny(45), coordinators: 1, workers: 1, faults: flip})
	if differs := apart(canary, one); !strings.HasPrefix(differs, "step 40: online") {
		t.Errorf("a flipped bit of a gradient: got %q, want step 40 named", differs)
	}
}
