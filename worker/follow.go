package worker

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/train"
)

// follow does what the newest plan says until it ends this worker's part.
func (w *worker) follow(ctx context.Context) error {
	var s *session
	broken := int64(-1) // the newest generation whose group broke
	var own unfit
	defer func() { s.close() }()
	for {
		plan, err := w.await(ctx, s, broken)
		if err == nil && control.Final(plan.State) {
			if own.why != nil && own.step == w.replica.Step() {
				return own.why
			}
			return w.outcome(plan)
		}
		if err == nil {
			s, err = w.act(ctx, s, plan)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, control.ErrReplanned) && ctx.Err() == nil:
		case s != nil && ctx.Err() == nil && brokenBy(err) != nil:
			broken = s.generation
			w.complain(s, brokenBy(err))
		case s != nil && s.training != nil && ctx.Err() == nil && dataFailure(err) != nil:
			broken, own = s.generation, unfit{w.replica.Step(), dataFailure(err)}
			w.giveUp(s, own.why)
		default:
			return w.explain(ctx, err)
		}
		s.close()
		s = nil
	}
}

// unfit is why a worker could not do its part of a step.
type unfit struct {
	step int64
	why  *failure.Failure
}

// dataFailure is what is wrong with this worker's data in err, nil where it is something else.
func dataFailure(err error) *failure.Failure {
	var f *failure.Failure
	if errors.As(err, &f) && f.Code == failure.Data {
		return f
	}
	return nil
}

// giveUp tells the coordinator that this worker cannot do its part of a step. It holds the committed state, which
// perhaps nobody else does any more, until it is let go: its data may be everybody's.
func (w *worker) giveUp(s *session, why *failure.Failure) {
	w.log.Warn("the step cannot be computed here", zap.Int64("generation", s.generation),
		zap.Int64("step", w.replica.Step()), zap.Error(why))
	c := &pb.Complaint{Generation: s.generation, Step: w.replica.Step(), Phase: w.activity.now().phase,
		SuspectRank: -1, Reason: why.Error(), ExitCode: int32(why.Code), Hint: why.Try}
	w.say(&pb.FromWorker{Message: &pb.FromWorker_Complaint{Complaint: c}}, s.generation)
}

// await returns the newest plan once it asks for something that has not been done. How long that takes is the
// coordinator's business, as long as there is one.
func (w *worker) await(ctx context.Context, s *session, broken int64) (*pb.Plan, error) {
	switch {
	case s != nil && s.waits != "":
		w.activity.setPhase(s.waits)
	case s == nil && broken >= 0:
		w.activity.setPhase(fmt.Sprintf("waiting for a new group: that of generation %d broke", broken))
	default:
		w.activity.setPhase("waiting for the plan")
	}
	return w.line.Await(ctx, func(p *pb.Plan) bool {
		switch {
		case control.Final(p.State):
			return true
		case s != nil && s.generation == p.Generation:
			return s.due(p)
		}
		return p.Generation > broken && p.State == pb.RunState_RUN_STATE_RUNNING && len(p.Peers) > 0
	})
}

// act carries out a plan that is due, in the session of its generation.
func (w *worker) act(ctx context.Context, s *session, plan *pb.Plan) (*session, error) {
	guarded, release := w.line.Guard(ctx, plan.Generation)
	defer release()
	var err error
	if s == nil || s.generation != plan.Generation {
		s.close()
		s, err = w.enter(guarded, plan)
	} else {
		err = s.act(guarded, plan)
	}
	// What the guard ended fails in many words; the guard knows the reason. A failure of our own comes first.
	var own *failure.Failure
	if err != nil && guarded.Err() != nil && !errors.As(err, &own) {
		err = context.Cause(guarded)
	}
	return s, err
}

// brokenBy is what is wrong with the group in err: its *allreduce.PeerError or *train.NotFiniteError. It is nil where
// err is this worker's own: that one ends it.
func brokenBy(err error) error {
	var own *failure.Failure
	var peer *allreduce.PeerError
	var odd *train.NotFiniteError
	switch {
	case errors.As(err, &own):
		return nil
	case errors.As(err, &odd):
		return odd
	case errors.As(err, &peer):
		return peer
	}
	return nil
}

// complain tells the coordinator that a session's group broke, or made no sense of its step. The step in flight is
// dropped; the committed state stays, and so does the step that was computed, which may have been committed. What comes
// next is for the coordinator to say: it hears all ranks.
func (w *worker) complain(s *session, why error) {
	phase := w.activity.now().phase
	c := &pb.Complaint{Generation: s.generation, Step: w.replica.Step(), Phase: phase, SuspectRank: -1,
		Reason: why.Error(), Stacks: control.Stacks()}
	var peer *allreduce.PeerError
	if c.NotFinite = !errors.As(why, &peer); !c.NotFinite {
		c.WaitingSeconds = peer.Waited.Seconds()
		if r := peer.Rank; r >= 0 && r < len(s.peers) && r != s.rank {
			c.SuspectRank, c.Address = int32(r), s.peers[r].Address
		}
	}
	w.log.Warn("the group broke", zap.Int64("generation", s.generation), zap.Int64("step", c.Step),
		zap.String("phase", phase), zap.Error(why))
	w.say(&pb.FromWorker{Message: &pb.FromWorker_Complaint{Complaint: c}}, s.generation)
}

// say makes a statement about a generation that stands until the next one.
func (w *worker) say(m *pb.FromWorker, generation int64) {
	w.line.Say(control.Statement{Messages: []*pb.FromWorker{m},
		Settled: func(p *pb.Plan) bool { return p.Generation > generation || control.Final(p.State) }})
}
