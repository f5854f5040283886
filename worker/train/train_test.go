package train

import (
	"testing"

	pb "byol/proto"
)

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
			if got := Overlaps(c.cfg, int64(i+1)); got != want {
				t.Errorf("%s: step %d is begun early: %v, want %v", c.name, i+1, got, want)
			}
		}
	}
}
