package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// saver writes checkpoints behind the training, one at a time.
type saver struct {
	wg      sync.WaitGroup
	started bool
	step    int64 // of the last one started
	version int64 // of the plan that asked for it

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
	state := checkpoint.State{Step: s.state.step, Config: config, Tensors: fromModel(s.state.learner.Tensors())}
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
	if err := w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_CheckpointSaved{CheckpointSaved: m}}); err != nil {
		w.log.Debug("report checkpoint", zap.Error(err))
	}
}

// configText is the configuration as a checkpoint holds it. Compact, because protojson varies its spaces on purpose.
func configText(cfg *pb.RunConfig) (string, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(cfg)
	if err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	return b.String(), nil
}

// fromModel gives a learner's tensors the form of a checkpoint. Data is shared, not copied.
func fromModel(tensors []model.Tensor) []safetensors.Tensor {
	out := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		out[i] = safetensors.Tensor{Name: t.Name, DType: safetensors.F32, Shape: t.Shape, Data: vector.Bytes(t.Data)}
		if t.Ints != nil {
			out[i].DType, out[i].Data = safetensors.I64, safetensors.FromInt64s(t.Ints)
		}
	}
	return out
}

// toModel is the inverse of fromModel for float tensors, the only ones a state holds. Data is shared, not copied.
func toModel(tensors []safetensors.Tensor) []model.Tensor {
	var out []model.Tensor
	for _, t := range tensors {
		if t.DType == safetensors.F32 {
			out = append(out, model.Tensor{Name: t.Name, Shape: t.Shape, Data: vector.Floats(t.Data)})
		}
	}
	return out
}
