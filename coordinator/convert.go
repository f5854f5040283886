package coordinator

import (
	"fmt"
	"time"

	"byol/coordinator/lead"
	"byol/coordinator/run"
	"byol/coordinator/status"
	pb "byol/proto"
)

func planMessage(p run.Plan) *pb.Plan {
	m := &pb.Plan{Version: p.Version, Generation: p.Generation, State: status.State(p.Phase), Rank: int32(p.Rank),
		CommittedStep: p.Step, Save: p.Save, SaveOrder: p.SaveOrder, Evaluate: p.Evaluate, Reason: p.Reason,
		Started: p.Started, Verify: p.Verify, BySignal: p.Phase == run.Stopped && p.Reason == lead.BySignal,
		ExitCode: int32(p.FailCode), Restore: restoreMessage(p)}
	if c := p.Committed; c.Parts || c.Target != 0 {
		m.Committed = &pb.Digests{Online: c.Online, Momentum: c.Momentum, Statistics: c.Statistics, Target: c.Target}
	}
	for _, e := range p.Peers {
		m.Peers = append(m.Peers, &pb.Peer{WorkerId: string(e.ID), Address: e.Address, Host: e.Host,
			ShardBegin: int32(e.ShardBegin), ShardEnd: int32(e.ShardEnd)})
	}
	return m
}

// restoreMessage says where the state of the plan's step is, if a seed or a checkpoint gives it.
func restoreMessage(p run.Plan) *pb.Restore {
	r := p.Restore
	switch {
	case r.Step != p.Step:
		return &pb.Restore{Kind: pb.Restore_KIND_PEER, Step: p.Step}
	case r.Path == "":
		return &pb.Restore{Kind: pb.Restore_KIND_FRESH}
	}
	return &pb.Restore{Kind: pb.Restore_KIND_CHECKPOINT, Path: r.Path, Step: r.Step, StateSha256: r.SHA256}
}

func checkpointValue(k *pb.CheckpointInfo) run.Checkpoint {
	c := run.Checkpoint{Step: k.GetStep(), Path: k.GetPath(), Bytes: k.GetSizeBytes(), SHA256: k.GetStateSha256()}
	if k.GetCreated().IsValid() {
		c.UnixNano = k.GetCreated().AsTime().UnixNano()
	}
	return c
}

func joinValue(j *pb.Join) lead.Join {
	return lead.Join{ID: j.WorkerId, Index: int(j.Index), Address: j.DataAddress, Host: j.Host, Build: j.Build,
		Incarnation: j.Incarnation, PID: int(j.Pid), Held: j.HeldStep,
		SeenVersion: j.SeenVersion, SeenGeneration: j.SeenGeneration, Workers: int(j.Workers)}
}

// messageValue is a member's message as the lead knows it.
func messageValue(m *pb.FromWorker) lead.Message {
	switch m := m.Message.(type) {
	case *pb.FromWorker_Heartbeat:
		b := m.Heartbeat
		return lead.Beat{Step: b.Step, Phase: b.Phase, WaitingFor: b.WaitingFor, Device: b.Device,
			Resident: b.ResidentBytes, Peak: b.PeakResidentBytes, Evaluated: b.Evaluated,
			Evaluating: time.Duration(b.EvaluatingSeconds * float64(time.Second))}
	case *pb.FromWorker_Ready:
		r := m.Ready
		return lead.Ready{Generation: r.Generation, Step: r.Step, Digests: digestsValue(r.Digests),
			Fingerprint: r.Fingerprint, Manifest: r.ManifestHash, Parameters: r.Parameters, Lacks: r.LacksState,
			Problem: r.Problem, Mark: r.CheckpointMark}
	case *pb.FromWorker_StepResult:
		return resultValue(m.StepResult)
	case *pb.FromWorker_EvalResult:
		r := m.EvalResult
		e := lead.Measured{Generation: r.Generation, Step: r.Step, Error: r.Error}
		for _, c := range r.Counts {
			e.Counts = append(e.Counts, run.Count{Name: c.Name, Correct: c.Correct, Total: c.Total})
		}
		return e
	case *pb.FromWorker_CheckpointSaved:
		s := m.CheckpointSaved
		return lead.Saved{Step: s.Step, Path: s.Path, SHA256: s.StateSha256, Bytes: s.SizeBytes, Error: s.Error,
			Seconds: s.Seconds, Order: s.SaveOrder}
	case *pb.FromWorker_Leave:
		l := m.Leave
		return lead.Leave{Reason: l.Reason, Hint: l.Hint, Failed: l.Failed, Code: int(l.ExitCode)}
	case *pb.FromWorker_Complaint:
		c := m.Complaint
		return lead.Complaint{Generation: c.Generation, Step: c.Step, Phase: c.Phase, Suspect: int(c.SuspectRank),
			Address: c.Address, Reason: c.Reason, Waiting: time.Duration(c.WaitingSeconds * float64(time.Second)),
			Stacks: string(c.Stacks), NotFinite: c.NotFinite, Code: int(c.ExitCode), Hint: c.Hint}
	case *pb.FromWorker_Leaving:
		return lead.Leaving{Reason: m.Leaving.Reason}
	case *pb.FromWorker_TooLarge:
		t := m.TooLarge
		return lead.TooLarge{Generation: t.Generation, MaxShards: int(t.MaxShards), Reason: t.Reason}
	case *pb.FromWorker_Stacks:
		return lead.Stacks{Text: string(m.Stacks.Text)}
	case *pb.FromWorker_ImageContents:
		var c lead.Contents
		for _, i := range m.ImageContents.GetImages() {
			c.Images = append(c.Images, lead.Content{Index: i.GetIndex(), Sum: i.GetCrc32C(), Name: i.GetName()})
		}
		return c
	case *pb.FromWorker_ImageUnreadable:
		u := m.ImageUnreadable
		return lead.Unreadable{Index: u.Index, Name: u.Name, Error: u.Error, Evaluation: u.Evaluation}
	}
	return lead.Strange{Type: fmt.Sprintf("%T", m.Message)}
}

func resultValue(r *pb.StepResult) lead.Result {
	v := lead.Result{Generation: r.Generation, Step: r.Step, Digests: digestsValue(r.Digests), Std: r.EmbeddingStdRatio,
		Norm: r.GradientNorm}
	for _, s := range r.Shards {
		v.Shards = append(v.Shards, lead.Shard{Shard: int(s.Shard), Loss: s.LossSum, ProbeLoss: s.ProbeLossSum,
			Correct: s.ProbeCorrect, Labelled: s.Labelled, Images: s.Images,
			Samples: s.Samples, Gradient: s.Gradient})
	}
	for _, p := range r.Phases {
		v.Phases = append(v.Phases, lead.Phase{Name: p.Phase, Seconds: p.Seconds, Latency: p.LatencySeconds})
	}
	return v
}

func digestsValue(d *pb.Digests) lead.Digests {
	return lead.Digests{Online: d.GetOnline(), Momentum: d.GetMomentum(), Statistics: d.GetStatistics(),
		Target: d.GetTarget(), Slice: d.GetSlice()}
}
