package raftnode

import (
	"fmt"

	"byol/coordinator/run"
	pb "byol/proto"
)

// entryMessage is c as the log holds it.
func entryMessage(c run.Command) *pb.LogEntry {
	switch c := c.(type) {
	case run.Create:
		return &pb.LogEntry{Command: &pb.LogEntry_Create{Create: &pb.LogCreate{Settings: settingsMessage(c.Settings)}}}
	case run.Join:
		return &pb.LogEntry{Command: &pb.LogEntry_Join{Join: &pb.LogJoin{Member: memberMessage(c.Member)}}}
	case run.Leave:
		return &pb.LogEntry{Command: &pb.LogEntry_Leave{Leave: &pb.LogLeave{Worker: string(c.Worker), Reason: c.Reason,
			Quarantine: c.Quarantine}}}
	case run.Depart:
		return &pb.LogEntry{Command: &pb.LogEntry_Depart{Depart: &pb.LogDepart{Worker: string(c.Worker), Reason: c.Reason}}}
	case run.Prepare:
		return &pb.LogEntry{Command: &pb.LogEntry_Prepare{Prepare: &pb.LogPrepare{Worker: string(c.Worker)}}}
	case run.Balance:
		m := &pb.LogBalance{Generation: c.Generation}
		for _, v := range c.Speeds {
			m.Speeds = append(m.Speeds, &pb.LogSpeed{Worker: string(v.Worker), Speed: v.Speed})
		}
		return &pb.LogEntry{Command: &pb.LogEntry_Balance{Balance: m}}
	case run.Surpass:
		return &pb.LogEntry{Command: &pb.LogEntry_Surpass{Surpass: &pb.LogSurpass{Version: c.Version,
			Generation: c.Generation}}}
	case run.Form:
		return &pb.LogEntry{Command: &pb.LogEntry_Form{Form: &pb.LogForm{Generation: c.Generation}}}
	case run.Regroup:
		return &pb.LogEntry{Command: &pb.LogEntry_Regroup{Regroup: &pb.LogRegroup{Generation: c.Generation, Reason: c.Reason,
			Turn: c.Turn}}}
	case run.Limit:
		return &pb.LogEntry{Command: &pb.LogEntry_Limit{Limit: &pb.LogLimit{Worker: string(c.Worker),
			MaxShards: int32(c.MaxShards), Reason: c.Reason}}}
	case run.TakeUp:
		return &pb.LogEntry{Command: &pb.LogEntry_TakeUp{TakeUp: &pb.LogTakeUp{Settings: settingsMessage(c.Settings)}}}
	case run.Started:
		return &pb.LogEntry{Command: &pb.LogEntry_Started{Started: &pb.LogStarted{Generation: c.Generation, Step: c.Step,
			Target: c.Target, Fingerprint: c.Fingerprint}}}
	case run.Commit:
		return &pb.LogEntry{Command: &pb.LogEntry_Commit{Commit: &pb.LogCommit{Record: recordMessage(c.Record)}}}
	case run.Pause:
		return &pb.LogEntry{Command: &pb.LogEntry_Pause{Pause: &pb.LogPause{Request: c.Request}}}
	case run.Resume:
		return &pb.LogEntry{Command: &pb.LogEntry_Resume{Resume: &pb.LogResume{Request: c.Request}}}
	case run.RequestSave:
		return &pb.LogEntry{Command: &pb.LogEntry_RequestSave{RequestSave: &pb.LogRequestSave{Request: c.Request}}}
	case run.Saved:
		return &pb.LogEntry{Command: &pb.LogEntry_Saved{Saved: &pb.LogSaved{Checkpoint: checkpointMessage(&c.Checkpoint),
			Error: c.Error}}}
	case run.EvalDone:
		return &pb.LogEntry{Command: &pb.LogEntry_Evaluated{Evaluated: &pb.LogEvaluated{Generation: c.Generation,
			Evaluation: evaluationMessage(c.Evaluation)}}}
	case run.Stop:
		return &pb.LogEntry{Command: &pb.LogEntry_Stop{Stop: &pb.LogStop{Request: c.Request, Reason: c.Reason, Now: c.Now,
			Code: int32(c.Code)}}}
	case run.Fail:
		return &pb.LogEntry{Command: &pb.LogEntry_Fail{Fail: &pb.LogFail{Reason: c.Reason, Code: int32(c.Code)}}}
	case run.Rewind:
		return &pb.LogEntry{Command: &pb.LogEntry_Rewind{Rewind: &pb.LogRewind{Settings: settingsMessage(c.Settings),
			Checkpoint: checkpointMessage(c.Checkpoint), Keep: c.Keep, Reason: c.Reason}}}
	}
	panic(fmt.Sprintf("raftnode: command %T has no message", c))
}

// command is the inverse of entryMessage, nil for an empty entry. Parts that are missing are zero.
func command(e *pb.LogEntry) run.Command {
	switch c := e.Command.(type) {
	case *pb.LogEntry_Create:
		return run.Create{Settings: settings(c.Create.Settings)}
	case *pb.LogEntry_Join:
		return run.Join{Member: member(c.Join.Member)}
	case *pb.LogEntry_Leave:
		return run.Leave{Worker: run.WorkerID(c.Leave.Worker), Reason: c.Leave.Reason, Quarantine: c.Leave.Quarantine}
	case *pb.LogEntry_Depart:
		return run.Depart{Worker: run.WorkerID(c.Depart.Worker), Reason: c.Depart.Reason}
	case *pb.LogEntry_Prepare:
		return run.Prepare{Worker: run.WorkerID(c.Prepare.Worker)}
	case *pb.LogEntry_Balance:
		b := run.Balance{Generation: c.Balance.Generation}
		for _, v := range c.Balance.Speeds {
			b.Speeds = append(b.Speeds, run.Speed{Worker: run.WorkerID(v.Worker), Speed: v.Speed})
		}
		return b
	case *pb.LogEntry_Surpass:
		return run.Surpass{Version: c.Surpass.Version, Generation: c.Surpass.Generation}
	case *pb.LogEntry_Form:
		return run.Form{Generation: c.Form.Generation}
	case *pb.LogEntry_Regroup:
		return run.Regroup{Generation: c.Regroup.Generation, Reason: c.Regroup.Reason, Turn: c.Regroup.Turn}
	case *pb.LogEntry_Limit:
		return run.Limit{Worker: run.WorkerID(c.Limit.Worker), MaxShards: int(c.Limit.MaxShards), Reason: c.Limit.Reason}
	case *pb.LogEntry_TakeUp:
		return run.TakeUp{Settings: settings(c.TakeUp.Settings)}
	case *pb.LogEntry_Started:
		s := c.Started
		return run.Started{Generation: s.Generation, Step: s.Step, Target: s.Target, Fingerprint: s.Fingerprint}
	case *pb.LogEntry_Commit:
		return run.Commit{Record: record(c.Commit.Record)}
	case *pb.LogEntry_Pause:
		return run.Pause{Request: c.Pause.Request}
	case *pb.LogEntry_Resume:
		return run.Resume{Request: c.Resume.Request}
	case *pb.LogEntry_RequestSave:
		return run.RequestSave{Request: c.RequestSave.Request}
	case *pb.LogEntry_Saved:
		return run.Saved{Checkpoint: checkpoint(c.Saved.Checkpoint), Error: c.Saved.Error}
	case *pb.LogEntry_Evaluated:
		return run.EvalDone{Generation: c.Evaluated.Generation, Evaluation: evaluation(c.Evaluated.Evaluation)}
	case *pb.LogEntry_Stop:
		return run.Stop{Request: c.Stop.Request, Reason: c.Stop.Reason, Now: c.Stop.Now,
			Code: int(c.Stop.Code)}
	case *pb.LogEntry_Fail:
		return run.Fail{Reason: c.Fail.Reason, Code: int(c.Fail.Code)}
	case *pb.LogEntry_Rewind:
		r := run.Rewind{Settings: settings(c.Rewind.Settings), Keep: c.Rewind.Keep, Reason: c.Rewind.Reason}
		if c.Rewind.Checkpoint != nil {
			k := checkpoint(c.Rewind.Checkpoint)
			r.Checkpoint = &k
		}
		return r
	}
	return nil
}

func settingsMessage(t run.Settings) *pb.LogSettings {
	return &pb.LogSettings{RunId: t.RunID, Workers: int32(t.Workers), Shards: int32(t.Shards), TotalSteps: t.TotalSteps,
		EndStep: t.EndStep, SaveEvery: t.SaveEvery, Evaluates: t.Evaluates, EvalEvery: t.EvalEvery, Config: t.Config,
		MinWorkers: int32(t.MinWorkers), VerifyEvery: t.VerifyEvery}
}

func settings(m *pb.LogSettings) run.Settings {
	return run.Settings{RunID: m.GetRunId(), Workers: int(m.GetWorkers()), Shards: int(m.GetShards()),
		TotalSteps: m.GetTotalSteps(), EndStep: m.GetEndStep(), SaveEvery: m.GetSaveEvery(), Evaluates: m.GetEvaluates(),
		EvalEvery: m.GetEvalEvery(), Config: m.GetConfig(), MinWorkers: int(m.GetMinWorkers()),
		VerifyEvery: m.GetVerifyEvery()}
}

func memberMessage(o run.Member) *pb.LogMember {
	return &pb.LogMember{Id: string(o.ID), Wished: int32(o.Wished), Rank: int32(o.Rank), Address: o.Address, Host: o.Host,
		Incarnation: o.Incarnation, Leaving: o.Leaving, Prepared: o.Prepared, Speed: o.Speed, MaxShards: int32(o.MaxShards),
		ShardBegin: int32(o.ShardBegin),
		ShardEnd:   int32(o.ShardEnd), Workers: int32(o.Workers)}
}

func member(m *pb.LogMember) run.Member {
	return run.Member{ID: run.WorkerID(m.GetId()), Wished: int(m.GetWished()), Rank: int(m.GetRank()),
		Address: m.GetAddress(), Host: m.GetHost(), Incarnation: m.GetIncarnation(),
		Leaving: m.GetLeaving(), Prepared: m.GetPrepared(), Speed: m.GetSpeed(), MaxShards: int(m.GetMaxShards()),
		ShardBegin: int(m.GetShardBegin()),
		ShardEnd:   int(m.GetShardEnd()), Workers: int(m.GetWorkers())}
}

func recordMessage(r run.Record) *pb.LogRecord {
	return &pb.LogRecord{Step: r.Step, Generation: r.Generation, Online: r.Online, Momentum: r.Momentum,
		Statistics: r.Statistics, Target: r.Target, Loss: r.Loss, Images: r.Images, UnixNano: r.UnixNano,
		Samples: r.Samples, Skipped: r.Skipped}
}

func record(m *pb.LogRecord) run.Record {
	return run.Record{Step: m.GetStep(), Generation: m.GetGeneration(), Online: m.GetOnline(), Momentum: m.GetMomentum(),
		Statistics: m.GetStatistics(), Target: m.GetTarget(), Loss: m.GetLoss(), Images: m.GetImages(),
		UnixNano: m.GetUnixNano(), Samples: m.GetSamples(), Skipped: m.GetSkipped()}
}

func checkpointMessage(k *run.Checkpoint) *pb.LogCheckpoint {
	if k == nil {
		return nil
	}
	return &pb.LogCheckpoint{Step: k.Step, Path: k.Path, Bytes: k.Bytes, Sha256: k.SHA256, UnixNano: k.UnixNano}
}

func checkpoint(m *pb.LogCheckpoint) run.Checkpoint {
	return run.Checkpoint{Step: m.GetStep(), Path: m.GetPath(), Bytes: m.GetBytes(), SHA256: m.GetSha256(),
		UnixNano: m.GetUnixNano()}
}

func evaluationMessage(e run.Evaluation) *pb.LogEvaluation {
	m := &pb.LogEvaluation{Step: e.Step, Error: e.Error}
	for _, c := range e.Counts {
		m.Counts = append(m.Counts, &pb.LogCount{Name: c.Name, Correct: c.Correct, Total: c.Total})
	}
	return m
}

func evaluation(m *pb.LogEvaluation) run.Evaluation {
	e := run.Evaluation{Step: m.GetStep(), Error: m.GetError()}
	for _, c := range m.GetCounts() {
		e.Counts = append(e.Counts, run.Count{Name: c.Name, Correct: c.Correct, Total: c.Total})
	}
	return e
}

// stateMessage is s as a snapshot holds it.
func stateMessage(s *run.State) *pb.LogState {
	m := &pb.LogState{Version: s.Version, Settings: settingsMessage(s.Settings), Generation: s.Generation,
		Phase: string(s.Phase), Reason: s.Reason, FailCode: int32(s.FailCode), Started: s.Started, InFlight: s.InFlight,
		PauseWanted: s.PauseWanted, StopWanted: s.StopWanted, SaveWanted: s.SaveWanted, StopReason: s.StopReason,
		Step: s.Step, Target: s.Target, TargetKnown: s.TargetKnown, Fingerprint: s.Fingerprint,
		Restore: &pb.LogRestore{Path: s.Restore.Path, Step: s.Restore.Step, Sha256: s.Restore.SHA256},
		Saving:  s.Saving, SaveAt: s.SaveAt, LastSaveError: s.LastSaveError,
		Formed: s.Formed, GrowWanted: s.GrowWanted, Saver: int64(s.SaveTries), Restarts: s.Restarts, Turn: s.Turn,
		DealWanted: s.DealWanted, Rerun: s.Rerun,
		SaveOrder: s.SaveOrder, LastSaveStep: s.LastSaveStep, LastSaveUnixNano: s.LastSaveNano}
	for _, b := range s.Quarantine {
		m.Quarantine = append(m.Quarantine, &pb.LogBan{Worker: string(b.Worker), Host: b.Host, Reason: b.Reason})
	}
	for _, o := range s.Members {
		m.Members = append(m.Members, memberMessage(o))
	}
	for _, r := range s.Records {
		m.Records = append(m.Records, recordMessage(r))
	}
	for _, k := range s.Checkpoints {
		m.Checkpoints = append(m.Checkpoints, checkpointMessage(&k))
	}
	for _, e := range s.Evaluations {
		m.Evaluations = append(m.Evaluations, evaluationMessage(e))
	}
	for _, r := range s.Requests {
		m.Requests = append(m.Requests, &pb.LogRequest{Id: r.ID, Kind: r.Kind, Step: r.Step, Done: r.Done, Error: r.Error})
	}
	return m
}

// state is the inverse of stateMessage.
func state(m *pb.LogState) run.State {
	r := m.GetRestore()
	s := run.State{Version: m.Version, Settings: settings(m.Settings), Generation: m.Generation,
		Phase: run.Phase(m.Phase), Reason: m.Reason, FailCode: int(m.FailCode), Started: m.Started, InFlight: m.InFlight,
		PauseWanted: m.PauseWanted, StopWanted: m.StopWanted, SaveWanted: m.SaveWanted, StopReason: m.StopReason,
		Step: m.Step, Target: m.Target, TargetKnown: m.TargetKnown, Fingerprint: m.Fingerprint,
		Restore: run.Restore{Path: r.GetPath(), Step: r.GetStep(), SHA256: r.GetSha256()},
		Saving:  m.Saving, SaveAt: m.SaveAt, LastSaveError: m.LastSaveError,
		Formed: m.Formed, GrowWanted: m.GrowWanted, SaveTries: int(m.Saver), Restarts: m.Restarts, Turn: m.Turn,
		DealWanted: m.DealWanted, Rerun: m.Rerun,
		SaveOrder: m.SaveOrder, LastSaveStep: m.LastSaveStep, LastSaveNano: m.LastSaveUnixNano}
	for _, b := range m.Quarantine {
		s.Quarantine = append(s.Quarantine, run.Ban{Worker: run.WorkerID(b.Worker), Host: b.Host, Reason: b.Reason})
	}
	for _, o := range m.Members {
		s.Members = append(s.Members, member(o))
	}
	for _, r := range m.Records {
		s.Records = append(s.Records, record(r))
	}
	for _, k := range m.Checkpoints {
		s.Checkpoints = append(s.Checkpoints, checkpoint(k))
	}
	for _, e := range m.Evaluations {
		s.Evaluations = append(s.Evaluations, evaluation(e))
	}
	for _, q := range m.Requests {
		s.Requests = append(s.Requests, run.Request{ID: q.Id, Kind: q.Kind, Step: q.Step, Done: q.Done, Error: q.Error})
	}
	return s
}
