package coordinator

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/run"
	pb "byol/proto"
)

// runStates are the phases of a run on the wire.
var runStates = map[run.Phase]pb.RunState{
	run.Waiting: pb.RunState_RUN_STATE_WAITING_FOR_WORKERS, run.Running: pb.RunState_RUN_STATE_RUNNING,
	run.Evaluating: pb.RunState_RUN_STATE_EVALUATING, run.Paused: pb.RunState_RUN_STATE_PAUSED,
	run.Stopping: pb.RunState_RUN_STATE_STOPPING, run.Completed: pb.RunState_RUN_STATE_COMPLETED,
	run.Stopped: pb.RunState_RUN_STATE_STOPPED, run.Failed: pb.RunState_RUN_STATE_FAILED,
}

func planMessage(p run.Plan) *pb.Plan {
	m := &pb.Plan{Version: p.Version, Generation: p.Generation, State: runStates[p.Phase], Rank: int32(p.Rank),
		CommittedStep: p.Step, Save: p.Save, Evaluate: p.Evaluate, Reason: p.Reason, TargetDigest: p.Target,
		Restore: &pb.Restore{Kind: pb.Restore_KIND_FRESH}}
	if r := p.Restore; r.Path != "" {
		m.Restore = &pb.Restore{Kind: pb.Restore_KIND_CHECKPOINT, Path: r.Path, Step: r.Step, StateSha256: r.SHA256}
	}
	for _, e := range p.Peers {
		m.Peers = append(m.Peers, &pb.Peer{WorkerId: string(e.ID), Address: e.Address, Host: e.Host,
			ShardBegin: int32(e.ShardBegin), ShardEnd: int32(e.ShardEnd)})
	}
	return m
}

func checkpointMessage(k run.Checkpoint) *pb.CheckpointInfo {
	return &pb.CheckpointInfo{Step: k.Step, Path: k.Path, SizeBytes: k.Bytes, StateSha256: k.SHA256,
		Created: timestamppb.New(time.Unix(0, k.UnixNano))}
}

func checkpointValue(k *pb.CheckpointInfo) run.Checkpoint {
	c := run.Checkpoint{Step: k.GetStep(), Path: k.GetPath(), Bytes: k.GetSizeBytes(), SHA256: k.GetStateSha256()}
	if k.GetCreated().IsValid() {
		c.UnixNano = k.GetCreated().AsTime().UnixNano()
	}
	return c
}
