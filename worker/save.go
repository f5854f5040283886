package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"byol/internal/failure"
	"byol/internal/fault"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/control"
)

// saver writes checkpoints behind the training, one at a time. It lives as long as the worker: what is being written
// when a group breaks is written to its end, and reported.
type saver struct {
	mu      sync.Mutex    // guards what follows
	writing chan struct{} // closed when the last one begun has ended; nil before the first
	begun   int64         // its step
	order   int64         // the newest one taken
	said    []said        // reports that stand, the newest last
}

// said is the report of a step's checkpoint, and how to take it back.
type said struct {
	step     int64
	withdraw func()
}

// saidKept bounds the reports that stand: so many checkpoints a run waits for at most.
const saidKept = 4

// due reports whether a plan's order is a new one: plans repeat it.
func (v *saver) due(order int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return order > v.order
}

// take notes an order as the newest.
func (v *saver) take(order int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.order = order
}

// idle waits until nothing is being written: at most for as long as ctx lasts. Otherwise it tells which step is.
func (v *saver) idle(ctx context.Context) (step int64, ok bool) {
	v.mu.Lock()
	writing, step := v.writing, v.begun
	v.mu.Unlock()
	if writing == nil {
		return 0, true
	}
	select {
	case <-writing:
		return 0, true
	case <-ctx.Done():
		return step, false
	}
}

// begin runs write as the one that is writing.
func (v *saver) begin(step int64, write func()) {
	done := make(chan struct{})
	v.mu.Lock()
	v.writing, v.begun = done, step
	v.mu.Unlock()
	go func() {
		defer close(done)
		write()
	}()
}

// lastSave waits until nothing is being written: at most until ctx ends, or for the grace. A disk that stands still
// keeps nobody; what it had of the checkpoint does not count, and err says so.
func (w *worker) lastSave(ctx context.Context, err error) error {
	limited, cancel := context.WithTimeout(ctx, w.opts.Grace)
	defer cancel()
	step, ok := w.saves.idle(limited)
	if ok {
		return err
	}
	text := fmt.Sprintf("the checkpoint of step %d was still being written to %s", step, w.cfg.CheckpointDir)
	w.log.Error("went before its checkpoint was written", zap.String("reason", text))
	var f *failure.Failure
	if errors.As(err, &f) {
		said := *f
		said.Why = strings.TrimPrefix(said.Why+"; "+text, "; ")
		return &said
	}
	return err
}

// save copies the state of the committed step to the host and has it written in the background. There is memory for
// one copy: while an earlier one is still being written it waits for a moment, and then says that it cannot. Others
// wait for this worker meanwhile, so a disk that stands still must not keep it.
func (s *session) save(ctx context.Context, p *pb.Plan) error {
	v, w := &s.w.saves, s.w
	w.opts.Points.Pass(fault.Snapshot)
	v.take(p.SaveOrder)
	m := &pb.CheckpointSaved{Step: p.CommittedStep, SaveOrder: p.SaveOrder}
	limited, cancel := context.WithTimeout(ctx, w.line.Timeouts().Failure/2)
	defer cancel()
	if busy, ok := v.idle(limited); !ok {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m.Error = fmt.Sprintf("the checkpoint of step %d is still being written to %s", busy, w.cfg.CheckpointDir)
		w.report(m)
		return nil
	}
	config, err := configText(w.cfg)
	if err != nil {
		return err
	}
	state, err := w.replica.Snapshot(config)
	if err != nil {
		return err
	}
	v.begin(state.Step, func() { w.store(state, m) })
	return nil
}

// mark is the word that is found in the directory of checkpoints, by which the coordinator tells whether it sees the
// same one.
func (w *worker) mark() string {
	word, err := checkpoint.Marked(w.cfg.CheckpointDir)
	if err != nil {
		w.log.Warn("the checkpoint directory cannot be read", zap.Error(err))
	}
	return control.Text(word)
}

// store writes a checkpoint and reports it.
func (w *worker) store(state checkpoint.State, m *pb.CheckpointSaved) {
	start := time.Now()
	info, err := checkpoint.SaveOn(w.opts.Disk, w.cfg.CheckpointDir, state)
	w.opts.Points.Pass(fault.Saved)
	w.activity.trace.Did("checkpoint", state.Step-1, start, time.Now())
	m.Seconds = time.Since(start).Seconds()
	if err != nil {
		m.Error = err.Error()
	} else {
		m.Path, m.SizeBytes, m.StateSha256 = info.Path, uint64(info.Bytes), info.StateSHA256
	}
	w.report(m)
}

// report says what became of an order: again on each new stream, until the next one for the same step says it better.
// No plan tells that it was heard, and hearing it twice does no harm.
func (w *worker) report(m *pb.CheckpointSaved) {
	if m.Error != "" {
		w.log.Error("checkpoint", zap.Int64("step", m.Step), zap.String("error", m.Error))
	} else {
		w.log.Info("checkpoint", zap.Int64("step", m.Step), zap.String("path", m.Path),
			zap.Uint64("bytes", m.SizeBytes), zap.Float64("seconds", m.Seconds))
	}
	withdraw := w.line.Say(control.Statement{
		Messages: []*pb.FromWorker{{Message: &pb.FromWorker_CheckpointSaved{CheckpointSaved: m}}},
		Settled:  func(*pb.Plan) bool { return false },
	})
	if moot := w.saves.reported(m.Step, withdraw); moot != nil {
		moot()
	}
}

// reported notes a report that stands from now on. It returns how to take back one that does no longer.
func (v *saver) reported(step int64, withdraw func()) (moot func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.said, func(o said) bool { return o.step == step })
	v.said = append(v.said, said{step, withdraw})
	if i < 0 && len(v.said) > saidKept {
		i = 0
	}
	if i < 0 {
		return nil
	}
	moot = v.said[i].withdraw
	v.said = slices.Delete(v.said, i, i+1)
	return moot
}
