package checkpoint

import (
	"fmt"
	"io"
	"strings"

	"byol/internal/safetensors"
)

const (
	encoderPrefix = "online/encoder."
	meanSuffix    = ".running_mean"
	countSuffix   = ".num_batches_tracked"
)

// Export writes the online encoder of s alone, with torchvision's names and layouts, so that
// load_state_dict takes it as it is. Every batch norm gets the scalar num_batches_tracked PyTorch expects:
// two per step, one per view.
func Export(w io.Writer, s State) error {
	tensors, err := Encoder(s)
	if err != nil {
		return err
	}
	if err := safetensors.Write(w, tensors, map[string]string{"format": "pt"}); err != nil {
		return fmt.Errorf("export encoder: %w", err)
	}
	return nil
}

// Encoder returns the tensors Export writes.
func Encoder(s State) ([]safetensors.Tensor, error) {
	var out []safetensors.Tensor
	for _, t := range s.Tensors {
		name, ok := strings.CutPrefix(t.Name, encoderPrefix)
		if !ok {
			continue
		}
		t.Name = name
		out = append(out, t)
		if norm, ok := strings.CutSuffix(name, meanSuffix); ok {
			count := safetensors.FromInt64s([]int64{2 * s.Step})
			out = append(out, safetensors.Tensor{Name: norm + countSuffix, DType: safetensors.I64, Data: count})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("export encoder: the checkpoint of step %d has no tensors %s*", s.Step, encoderPrefix)
	}
	return out, nil
}
