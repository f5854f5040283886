package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/control"
)

// errGrace ends the work of a worker that was asked to go, and was not let go in time.
var errGrace = errors.New("worker: the grace is over")

// askedToGo waits for ctx, by which a worker is asked to go. It tells the coordinator, which lets the worker go at the
// next boundary; where that takes longer than the grace, it calls end. It returns when ended is closed.
func (w *worker) askedToGo(ctx context.Context, end context.CancelCauseFunc, ended <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	reason := context.Cause(ctx).Error()
	w.log.Info("asked to go", zap.String("reason", reason), zap.Duration("grace", w.opts.Grace))
	w.line.Say(control.Statement{
		Messages: []*pb.FromWorker{{Message: &pb.FromWorker_Leaving{Leaving: &pb.Leaving{
			Reason: reason, GraceSeconds: w.opts.Grace.Seconds()}}}},
		Settled: func(p *pb.Plan) bool { return control.Final(p.State) },
	})
	w.line.Going()
	grace := time.NewTimer(w.opts.Grace)
	defer grace.Stop()
	select {
	case <-grace.C:
		end(errGrace)
	case <-ended:
	}
}

// outcome is how a final plan ends a worker.
func (w *worker) outcome(plan *pb.Plan) error {
	w.log.Info("let go", zap.Stringer("state", plan.State), zap.Int64("step", plan.CommittedStep),
		zap.String("reason", plan.Reason))
	switch {
	case plan.State == pb.RunState_RUN_STATE_FAILED:
		return &failure.Failure{What: "the run failed", Why: plan.Reason, Code: ended(plan),
			Try: "see the coordinator's last lines: they say what to do"}
	case plan.State == pb.RunState_RUN_STATE_STOPPED && w.asked.Err() != nil:
		return &failure.Failure{What: fmt.Sprintf("left at step %d, as asked to", plan.CommittedStep),
			Why: context.Cause(w.asked).Error(), Try: "start it again", Code: failure.Temporary}
	case plan.State == pb.RunState_RUN_STATE_STOPPED && plan.BySignal:
		return &failure.Failure{What: fmt.Sprintf("the run stopped at step %d", plan.CommittedStep),
			Why: "a signal asked the coordinator to go", Try: "start it again with the coordinator", Code: failure.Temporary}
	}
	return nil
}

// ended is the exit code of a run that failed: its workers end with the same.
func ended(plan *pb.Plan) failure.Code {
	if plan.ExitCode == 0 {
		return failure.Training
	}
	return failure.Code(plan.ExitCode)
}

// leftAlone is the end of a worker that was asked to go and has no coordinator left to let it.
func (w *worker) leftAlone() error {
	step, saved := w.held.Load(), "the newest checkpoint counts"
	if r := w.line.Newest().GetRestore(); r.GetKind() == pb.Restore_KIND_CHECKPOINT && r.GetStep() == step {
		saved = "that step is saved in " + r.GetPath()
	}
	return &failure.Failure{What: fmt.Sprintf("left at step %d, as asked to: no coordinator was there to let it go", step),
		Why: fmt.Sprintf("%v; the coordinator: %v", context.Cause(w.asked), w.line.Err()), Code: failure.Temporary,
		Try: saved + "; start it again with the coordinators"}
}
