package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"byol/coordinator/report"
	"byol/coordinator/settings"
	pb "byol/proto"
)

// TestJSONScreen writes all that a screen shows as lines of JSON, with the keys that docs promise.
func TestJSONScreen(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	s.settle(&settings.Values{LogFormat: settings.JSON})
	now := time.Unix(1000, 0)
	s.write("byol v1   run r\n\n  WARN      look here\n")
	s.say("stopping \"at once\"")
	s.happened(report.Event{ID: 1, Type: "worker-lost", Worker: "worker-1", Text: "worker-1 was lost"}, now)
	st := &pb.Status{RunId: "r", State: pb.RunState_RUN_STATE_RUNNING, Progress: &pb.Progress{Step: 3, TargetSteps: 9},
		Learning: &pb.Learning{Loss: 1.5}, Warnings: []string{"an old one"}}
	s.update(st, now)
	sick := &pb.Status{State: pb.RunState_RUN_STATE_RUNNING, Progress: &pb.Progress{Step: 4},
		Learning: &pb.Learning{Loss: math.NaN()}}
	s.update(sick, now.Add(time.Hour))
	var got []string
	for line := range strings.Lines(out.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if _, err := time.Parse(time.RFC3339Nano, l["time"].(string)); err != nil {
			t.Error(err)
		}
		delete(l, "time")
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	want := []string{`{"level":"info","msg":"byol v1   run r"}`, `{"level":"warn","msg":"look here"}`,
		`{"level":"info","msg":"stopping \"at once\""}`,
		`{"event":"worker-lost","level":"info","msg":"worker-1 was lost","worker":"worker-1"}`,
		`{"epoch":0,"eta_seconds":0,"images_per_second":0,"learning_rate":0,"level":"info","loss":1.5,"msg":"progress",` +
			`"run_id":"r","state":"running","std":0,"step":3,"target_steps":9,"tau":0,"workers_ready":0}`,
		`{"epoch":0,"eta_seconds":0,"images_per_second":0,"learning_rate":0,"level":"warn","loss":0,` +
			`"msg":"progress: the figures are no numbers","run_id":"","state":"running","std":0,"step":4,"target_steps":0,` +
			`"tau":0,"workers_ready":0}`}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}
