package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"byol/internal/fault"
	"byol/internal/pause"
	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/replica"
	"byol/worker/transfer"
)

// restore makes the replica hold the state of the plan's step: its own, the step that it computed where that was
// committed, what the plan's seed or checkpoint gives, or what a peer gives. Where nobody does, the coordinator is
// told, and this worker waits for what it decides: it returns false.
func (s *session) restore(ctx context.Context, p *pb.Plan, local int) (have bool, err error) {
	w, began := s.w, time.Now()
	how, err := w.replica.Restore(ctx, local, wanted(p), w.sources(p))
	w.held.Store(w.replica.Step())
	var lacks *replica.LacksError
	switch {
	case err == nil:
		w.log.Info("restored", zap.Int64("step", p.CommittedStep), zap.String("how", how),
			zap.Duration("after", time.Since(began)))
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case !errors.As(err, &lacks):
		return false, err
	}
	w.log.Warn("nobody gives the state", zap.Int64("step", p.CommittedStep), zap.Error(err))
	s.waits = fmt.Sprintf("waiting for a plan: nobody gives the state of step %d", p.CommittedStep)
	w.say(&pb.FromWorker{Message: &pb.FromWorker_Ready{Ready: &pb.Ready{Generation: s.generation, Step: -1,
		LacksState: true, Problem: lacks.Err.Error(), CheckpointMark: w.mark()}}}, s.generation)
	return false, nil
}

// wanted is the state of a plan's committed step.
func wanted(p *pb.Plan) replica.Want {
	d := p.GetCommitted()
	return replica.Want{Step: p.CommittedStep, Digests: replica.Digests{Online: d.GetOnline(), Momentum: d.GetMomentum(),
		Statistics: d.GetStatistics(), Target: d.GetTarget()}}
}

// sources are where a plan says that the state of its committed step is, and behind it the peers, where the state has a
// name by which they know it.
func (w *worker) sources(p *pb.Plan) replica.Source {
	var from replica.First
	r := p.Restore
	switch {
	case r.GetKind() == pb.Restore_KIND_FRESH && p.CommittedStep == 0:
		from = append(from, w.beginning())
	case r.GetKind() == pb.Restore_KIND_CHECKPOINT && r.Step == p.CommittedStep:
		from = append(from, replica.File{Path: r.Path, SHA256: r.StateSha256})
	}
	if want := wanted(p); want.Complete() && len(p.Peers) > 0 {
		from = append(from, w.peersOf(p, want))
	}
	if len(from) == 0 {
		return replica.Nobody{Why: fmt.Sprintf("the plan offers %v of step %d", r.GetKind(), r.GetStep())}
	}
	return from
}

// beginning is the state before the first step.
func (w *worker) beginning() replica.Source {
	if w.cfg.InitSha256 == "" {
		return replica.Seed(w.cfg.Seed)
	}
	return replica.Initial{Seed: w.cfg.Seed, SHA256: w.cfg.InitSha256, Fetch: w.line.Initial}
}

// peersOf is the state as the group of a plan holds it. Each rank asks another one first.
func (w *worker) peersOf(p *pb.Plan, want replica.Want) replica.Peers {
	var peers []transfer.Peer
	for _, peer := range p.Peers {
		peers = append(peers, transfer.Peer{Name: peer.WorkerId, Address: peer.Address})
	}
	if r := int(p.Rank); r >= 0 {
		peers = slices.Concat(peers[r+1:], peers[:r])
	}
	return replica.Peers{Network: w.opts.PeerNetwork, Peers: peers,
		Want:  transfer.Want{RunID: w.cfg.RunId, Digests: transfer.Digests(want.Digests), Silence: w.line.Timeouts().Fetch},
		OnEnd: func(r transfer.Report) { w.log.Info("peers were asked for the state", zap.Stringer("answers", r)) }}
}

// standBy readies a worker for entering a group that trains without it: the state is fetched once, so that its memory
// and its lines are proven before the others wait for it. Then the coordinator is told which device it has, by which it
// knows that this worker may enter. What the group holds then is fetched then.
func (s *session) standBy(ctx context.Context) error {
	w := s.w
	s.waits = "standing by"
	for w.activity.now().device == "" {
		w.activity.setPhase("standing by: fetching the state")
		w.opts.Points.Pass(fault.StandBy)
		problem := w.rehearse(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case problem == nil:
			w.opened()
			return nil
		}
		var lacks *replica.LacksError
		if !errors.As(problem, &lacks) {
			return problem
		}
		w.log.Warn("cannot enter the group yet", zap.Error(problem))
		w.activity.setPhase("standing by: " + control.Text(problem.Error()))
		pause.For(ctx, w.line.Timeouts().Heartbeat)
	}
	return nil
}

// rehearse fetches the state of the newest committed step in as many shards as this worker would get.
func (w *worker) rehearse(ctx context.Context) error {
	p := w.line.Newest()
	want := wanted(p)
	if p.State != pb.RunState_RUN_STATE_RUNNING || len(p.Peers) == 0 || !want.Complete() {
		return nil // there is nobody to ask, or nothing to ask for
	}
	local := vector.Part(int(w.cfg.Shards), 0, min(len(p.Peers)+1, int(w.cfg.Shards))).Len
	if w.tooLarge(local, nil) != nil { // the others have what they need
		return nil // the plan that gives it shards is the one to refuse
	}
	w.atWork(p.Peers)
	_, err := w.replica.Restore(ctx, local, want, w.peersOf(p, want))
	w.held.Store(w.replica.Step())
	var fetch *transfer.Error
	if errors.As(err, &fetch) && fetch.Done > 0 {
		return nil // the group went on meanwhile: the line is there
	}
	return err
}
