package train

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pb "byol/proto"
)

func TestStopwatch(t *testing.T) {
	now := time.Unix(0, 0)
	shown := ""
	s := newStopwatch(func() time.Time { return now }, func(p string) { shown = p })
	for _, phase := range []string{"data", "forward", "sync", "forward", "idle", "ring"} {
		s.begin(phase)
		now = now.Add(time.Second)
	}
	got := map[string]float64{}
	for _, p := range s.report() {
		got[p.Phase] = p.Seconds
	}
	if d := cmp.Diff(map[string]float64{"data": 1, "forward": 2, "sync": 1, "ring": 1}, got); d != "" || shown != "ring" {
		t.Errorf("shown %q (-want +got):\n%s", shown, d)
	}
	now = now.Add(3 * time.Second)
	if r := s.report(); len(r) != 1 || r[0].Phase != "ring" || r[0].Seconds != 3 {
		t.Errorf("second report: %v, want the phase at hand alone", r)
	}
	s.begin("commit")
	now = now.Add(time.Second)
	s.took("commit", 5*time.Second)
	if r := s.report(); len(r) != 2 || r[1].Seconds != 1 || r[1].LatencySeconds != 5 || r[0].LatencySeconds != 0 {
		t.Errorf("report of a commit of 5 s of which 1 s was waited for: %v", r)
	}
	if r := s.report(); r[0].LatencySeconds != 0 {
		t.Errorf("the next report tells it again: %v", r)
	}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  *pb.RunConfig
		want []bool // of steps 1, 2, …
	}{
		{"to the end", &pb.RunConfig{TotalSteps: 4}, []bool{true, true, true, false}},
		{"to max-steps", &pb.RunConfig{TotalSteps: 4, MaxSteps: 2}, []bool{true, false, false}},
		{"between evaluations", &pb.RunConfig{TotalSteps: 9, EvalData: "x", EvalEverySteps: 2},
			[]bool{true, false, true, false}},
		{"evaluation at the end alone", &pb.RunConfig{TotalSteps: 3, EvalData: "x"}, []bool{true, true, false}},
		{"no data to evaluate", &pb.RunConfig{TotalSteps: 9, EvalEverySteps: 1}, []bool{true, true}},
		{"switched off", &pb.RunConfig{TotalSteps: 9, NoOverlap: true}, []bool{false, false}},
	} {
		for i, want := range c.want {
			if got := overlaps(c.cfg, int64(i+1)); got != want {
				t.Errorf("%s: step %d is begun early: %v, want %v", c.name, i+1, got, want)
			}
		}
	}
}
