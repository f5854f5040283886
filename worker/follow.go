package worker

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/control"
)

// follow does what the newest plan says until the run has ended.
func (w *worker) follow(ctx context.Context) error {
	var s *session
	broken := int64(-1) // the newest generation whose group broke
	defer func() { s.close() }()
	for {
		plan, err := w.await(ctx, s, broken)
		if err == nil && control.Final(plan.State) {
			return outcome(plan)
		}
		if err == nil {
			s, err = w.act(ctx, s, plan)
		}
		var peer *allreduce.PeerError
		switch {
		case err == nil:
		case errors.Is(err, control.ErrReplanned) && ctx.Err() == nil:
			s.close()
			s = nil
		case errors.As(err, &peer) && s != nil && ctx.Err() == nil:
			broken = s.generation
			w.log.Warn("the group broke", zap.Int64("generation", broken), zap.Error(err))
			s.close()
			if err := w.regroup(ctx, broken, err); err != nil {
				return err
			}
			s = nil
		default:
			return w.explain(ctx, err)
		}
	}
}

// await returns the newest plan once it asks for something that has not been done.
func (w *worker) await(ctx context.Context, s *session, broken int64) (*pb.Plan, error) {
	w.activity.setPhase("waiting for the plan")
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
		s, err = w.join(guarded, plan)
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

// regroup waits one failure timeout for a plan that says how to go on after generation broken fell apart because
// of err. The coordinator knows better than this worker who is to blame, so its word comes first.
func (w *worker) regroup(ctx context.Context, broken int64, err error) error {
	limited, cancel := context.WithTimeoutCause(ctx, w.line.Patience(), errNoPlan)
	defer cancel()
	_, waited := w.line.Await(limited, func(p *pb.Plan) bool { return control.Final(p.State) || p.Generation > broken })
	switch {
	case waited == nil:
		return nil
	case errors.Is(waited, errNoPlan):
		return w.explain(ctx, err)
	}
	return w.explain(ctx, waited)
}

var errNoPlan = errors.New("worker: no new plan came")

// outcome is how a final plan ends a worker.
func outcome(plan *pb.Plan) error {
	if plan.State != pb.RunState_RUN_STATE_FAILED {
		return nil
	}
	return &failure.Failure{What: "the run failed", Why: plan.Reason,
		Try: "see the coordinator's last lines; the same command goes on from the newest checkpoint", Code: failure.Training}
}
