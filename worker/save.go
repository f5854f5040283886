package worker

import (
	"sync"
	"time"

	"go.uber.org/zap"

	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/control"
)

// saver writes checkpoints behind the training, one at a time.
type saver struct {
	wg      sync.WaitGroup
	started bool
	step    int64 // of the last one started
	version int64 // of the plan that asked for it

	withdraw func() // takes back what was said of the last one written; the writer's

	mu     sync.Mutex // guards failed
	failed bool       // the last one could not be written
}

// due reports whether a plan's order to save step is a new one: plans repeat it, and after a failure only a later
// plan means another try.
func (v *saver) due(step, version int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.started || step != v.step || (v.failed && version > v.version)
}

// wait returns when nothing is being written.
func (v *saver) wait() { v.wg.Wait() }

// save copies the state of the committed step to the host and writes it in the background. It waits for the
// checkpoint before, if that is still being written: memory for one copy is enough.
func (s *session) save(p *pb.Plan) error {
	v := &s.w.saves
	v.wait()
	config, err := configText(s.w.cfg)
	if err != nil {
		return err
	}
	state := s.w.replica.Snapshot(config)
	v.mu.Lock()
	v.started, v.step, v.version, v.failed = true, state.Step, p.Version, false
	v.mu.Unlock()
	v.wg.Go(func() { s.w.store(state) })
	return nil
}

// store writes a checkpoint and reports it.
func (w *worker) store(state checkpoint.State) {
	start := time.Now()
	m := &pb.CheckpointSaved{Step: state.Step}
	info, err := checkpoint.Save(w.cfg.CheckpointDir, state)
	m.Seconds = time.Since(start).Seconds()
	if err != nil {
		m.Error = err.Error()
		w.saves.mu.Lock()
		w.saves.failed = true
		w.saves.mu.Unlock()
		w.log.Error("checkpoint", zap.Int64("step", state.Step), zap.Error(err))
	} else {
		m.Path, m.SizeBytes, m.StateSha256 = info.Path, uint64(info.Bytes), info.StateSHA256
		w.log.Info("checkpoint", zap.Int64("step", state.Step), zap.String("path", info.Path),
			zap.Int64("bytes", info.Bytes), zap.Float64("seconds", m.Seconds))
	}
	if w.saves.withdraw != nil {
		w.saves.withdraw() // this one says it better
	}
	w.saves.withdraw = w.line.Say(control.Statement{
		Messages: []*pb.FromWorker{{Message: &pb.FromWorker_CheckpointSaved{CheckpointSaved: m}}},
		Settled:  func(*pb.Plan) bool { return false }, // a plan does not tell; hearing it twice does no harm
	})
}
