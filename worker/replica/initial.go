package replica

import (
	"bytes"
	"context"
	"fmt"

	"byol/model"
	"byol/worker/encoder"
)

// Initial is the state before the first step of a run whose encoders are given: the heads are the seed's.
type Initial struct {
	Seed uint64
	// SHA256 is the digest of the encoder, and Fetch gives a safetensors file of it.
	SHA256 string
	Fetch  func(ctx context.Context, sha256 string) ([]byte, error)
}

// Fill implements Source.
func (i Initial) Fill(ctx context.Context, l *model.Learner, step int64) error {
	if step != 0 {
		return Nobody{Why: "a given encoder makes the state of step 0 only"}.Fill(ctx, l, step)
	}
	file, err := i.Fetch(ctx, i.SHA256)
	if err != nil {
		return err
	}
	e, _, err := encoder.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return err
	}
	if got := e.Digest(); got != i.SHA256 {
		return fmt.Errorf("the encoder that was fetched has weights_sha256 %s, the run's is %s", got, i.SHA256)
	}
	return l.InitFrom(i.Seed, tensors(e.Tensors))
}
