package replica

import (
	"context"
	"errors"
	"fmt"

	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/worker/checkpoint"
)

// Source is where a state comes from. The same source gives the same state on every worker.
type Source interface {
	// Fill sets the learner's state to that of step. After an error the learner holds nothing of use.
	Fill(ctx context.Context, l *model.Learner, step int64) error
}

// Seed is the state before the first step.
type Seed uint64

// Fill implements Source.
func (s Seed) Fill(ctx context.Context, l *model.Learner, step int64) error {
	if step != 0 {
		return Nobody{Why: "a seed gives the state of step 0 only"}.Fill(ctx, l, step)
	}
	return l.Init(uint64(s))
}

// File is a checkpoint.
type File struct {
	Path   string
	SHA256 string // its state_sha256, "" for any
}

// Fill implements Source.
func (f File) Fill(_ context.Context, l *model.Learner, step int64) error {
	unusable := func(why string) error {
		return &failure.Failure{What: "checkpoint " + f.Path + " cannot be used", Why: why,
			Try: "`coordinator checkpoints verify`; --resume PATH takes another one", Code: failure.Checkpoint}
	}
	info, _, err := checkpoint.Config(f.Path)
	switch {
	case err != nil:
		return unusable(err.Error())
	case info.Step != step:
		return unusable(fmt.Sprintf("it holds step %d, the plan says %d", info.Step, step))
	case f.SHA256 != "" && info.StateSHA256 != f.SHA256:
		return unusable(fmt.Sprintf("its state_sha256 is %s, the plan says %s", info.StateSHA256, f.SHA256))
	}
	stored, err := checkpoint.Load(f.Path) // recomputes the digest
	if err != nil {
		return unusable(err.Error())
	}
	if err := l.Load(tensors(stored.Tensors)); err != nil {
		return unusable(err.Error())
	}
	return nil
}

// First is several sources, of which the first that has the state gives it.
type First []Source

// Fill implements Source.
func (f First) Fill(ctx context.Context, l *model.Learner, step int64) error {
	var all error
	for _, s := range f {
		err := s.Fill(ctx, l, step)
		if err == nil || ctx.Err() != nil {
			return err
		}
		all = errors.Join(all, err)
	}
	return all
}

// tensors gives stored tensors the learner's form. Data is shared, not copied.
func tensors(stored []safetensors.Tensor) []model.Tensor {
	var out []model.Tensor
	for _, t := range stored {
		if t.DType == safetensors.F32 {
			out = append(out, model.Tensor{Name: t.Name, Shape: t.Shape, Data: vector.Floats(t.Data)})
		}
	}
	return out
}

// Nobody is the source of a state that nobody has.
type Nobody struct{ Why string }

// Fill implements Source.
func (n Nobody) Fill(_ context.Context, _ *model.Learner, step int64) error {
	return &failure.Failure{What: fmt.Sprintf("nobody holds the state of step %d", step), Why: n.Why,
		Try: "run the same command again to go on from the newest checkpoint", Code: failure.Checkpoint}
}
