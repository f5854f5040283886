package coordinator

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"byol/coordinator/lead"
	"byol/coordinator/run"
	pb "byol/proto"
)

// FuzzWorkerSays: a leader takes any message from a worker that has joined, and any join, without breaking, and what it
// keeps or tells of it is bounded and prints.
func FuzzWorkerSays(f *testing.F) {
	for _, m := range []*pb.FromWorker{
		{Message: &pb.FromWorker_Join{Join: &pb.Join{WorkerId: "a\x1b[2J", Index: -7, DataAddress: "x:1", Host: "h"}}},
		{Message: &pb.FromWorker_StepResult{StepResult: &pb.StepResult{Generation: 1, Step: 3}}},
		{Message: &pb.FromWorker_Heartbeat{Heartbeat: &pb.Heartbeat{Step: -1, WaitingFor: "rank 3"}}},
		{Message: &pb.FromWorker_Ready{Ready: &pb.Ready{}}}, {},
	} {
		text, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m := &pb.FromWorker{}
		if proto.Unmarshal(text, m) != nil {
			return
		}
		now := time.Unix(1e9, 0)
		state := run.State{Settings: run.Settings{RunID: "r", Workers: 2, MinWorkers: 1, Shards: 4}}
		l := lead.New(lead.Settings{FailureTimeout: time.Second, JoinTimeout: time.Minute}, state, now)
		var did []lead.Action
		if join := m.GetJoin(); join != nil {
			did = l.Step(now, lead.Joining{Stream: 1, Join: joinValue(join)})
		} else {
			_ = l.Step(now, lead.Joining{Stream: 1, Join: lead.Join{ID: "w", Index: 0, Address: "a:1"}})
			did = l.Step(now, lead.Said{Stream: 1, Message: messageValue(m)})
		}
		for _, a := range did {
			told, ok := a.(lead.Tell)
			if ok && (len(told.Text) > 3*run.MaxText || lead.Plain(told.Text, len(told.Text)) != told.Text) {
				t.Errorf("told %q", told.Text)
			}
		}
	})
}
