package encoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"byol/internal/safetensors"
	"byol/worker/data/views"
)

// FormatVersion is the metadata's, in the key "byol_encoder".
const FormatVersion = 1

// Metadata describes the encoder in strings, as both formats carry it. docs/using-the-encoder.md explains each.
func (e *Encoder) Metadata() map[string]string {
	number := strconv.Itoa
	return map[string]string{
		"byol_encoder": number(FormatVersion), "byol_version": e.Version,
		"architecture": e.Arch, "width": number(e.Width), "stem": e.Stem, "padding": e.Padding,
		"image_size": number(e.Sight.Size), "feature_dim": number(e.Features),
		"network": e.Network, "step": strconv.FormatInt(e.Step, 10), "run": e.Run, "augment": e.Augment,
		"state_sha256": e.StateSHA256, "weights_sha256": e.Digest(),
		"input": "NCHW, RGB", "crop": "center_square", "crop_ratio": fmt.Sprintf("%d/%d", e.Sight.Part, e.Sight.Whole),
		"interpolation": "bicubic", "bicubic_a": strconv.FormatFloat(e.Sight.Cubic, 'g', -1, 64), "antialias": "false",
		"fraction_steps": number(e.Sight.Quantum), "mean": list(e.Sight.Mean), "std": list(e.Sight.Std),
		"preprocessing": e.Preprocessing(),
	}
}

// Preprocessing is in words what images are made of.
func (e *Encoder) Preprocessing() string {
	v := e.Sight
	crop := "the centre square"
	if v.Part != v.Whole {
		crop = fmt.Sprintf("the centre square of %d/%d of the shorter side", v.Part, v.Whole)
	}
	return fmt.Sprintf("crop %s, resize it to %d × %d (bicubic with a = %v, half-pixel centres, no antialiasing), "+
		"divide by 255, clip to 0 … 1, subtract mean %s, divide by std %s",
		crop, v.Size, v.Size, v.Cubic, list(v.Mean), list(v.Std))
}

// list is three numbers as JSON.
func list(x [3]float32) string {
	text, err := json.Marshal(x)
	if err != nil {
		panic("encoder: " + err.Error()) // means and deviations are finite
	}
	return strings.ReplaceAll(string(text), ",", ", ")
}

// WriteSafetensors writes the encoder so that PyTorch's load_state_dict takes it as it is: with the counter of batches
// that each batch norm has there, two per step, one per view.
func (e *Encoder) WriteSafetensors(w io.Writer) error {
	tensors := slices.Clone(e.Tensors)
	count := safetensors.FromInt64s([]int64{2 * e.Step})
	for _, t := range e.Tensors {
		if norm, ok := strings.CutSuffix(t.Name, meanSuffix); ok {
			tensors = append(tensors, safetensors.Tensor{Name: norm + counterSuffix, DType: safetensors.I64, Data: count})
		}
	}
	meta := e.Metadata()
	meta["format"] = "pt"
	if err := safetensors.Write(w, tensors, meta); err != nil {
		return fmt.Errorf("write encoder: %w", err)
	}
	return nil
}

// Read is Open of a file that is open already.
func Read(r io.ReaderAt, size int64) (e *Encoder, known bool, err error) {
	f, err := safetensors.Read(r, size)
	if err != nil {
		return nil, false, fmt.Errorf("read encoder: %w", err)
	}
	e = &Encoder{}
	for _, i := range f.Tensors() {
		if ignored(i.Name) {
			continue
		}
		t, err := f.Tensor(i.Name)
		if err != nil {
			return nil, false, fmt.Errorf("read encoder: %w", err)
		}
		e.Tensors = append(e.Tensors, t)
	}
	meta := f.Meta()
	if meta["byol_encoder"] == "" {
		return e, false, nil
	}
	if err := e.describe(meta); err != nil {
		return nil, true, fmt.Errorf("read encoder: its metadata: %w", err)
	}
	if err := e.fit(e.Shape); err != nil {
		return nil, true, fmt.Errorf("read encoder: its tensors are not those that its metadata say: %w", err)
	}
	if got := e.Digest(); got != meta["weights_sha256"] {
		return nil, true, fmt.Errorf("read encoder: %w: weights_sha256 is %q, the data's is %s", safetensors.ErrFormat,
			meta["weights_sha256"], got)
	}
	return e, true, nil
}

// describe is the inverse of Metadata.
func (e *Encoder) describe(meta map[string]string) error {
	r := reader{meta: meta}
	r.number("byol_encoder", 1, FormatVersion)
	e.Shape = Shape{Arch: meta["architecture"], Width: r.number("width", 1, most), Stem: meta["stem"],
		Padding: meta["padding"], ImageSize: r.number("image_size", 1, most)}
	e.Network, e.Step, e.StateSHA256 = meta["network"], int64(r.number("step", 0, math.MaxInt)), meta["state_sha256"]
	e.Run, e.Augment, e.Version = meta["run"], meta["augment"], meta["byol_version"]
	e.Sight = views.Evaluation{Size: e.ImageSize, Quantum: r.number("fraction_steps", 0, most), Cubic: r.real("bicubic_a"),
		Mean: r.three("mean"), Std: r.three("std")}
	if _, err := fmt.Sscanf(meta["crop_ratio"], "%d/%d", &e.Sight.Part, &e.Sight.Whole); err != nil {
		r.fail("crop_ratio", err)
	}
	for key, want := range map[string]string{"crop": "center_square", "interpolation": "bicubic", "antialias": "false"} {
		if meta[key] != want {
			r.fail(key, fmt.Errorf("want %q", want))
		}
	}
	return r.err
}

// reader reads values of metadata and keeps the first error.
type reader struct {
	meta map[string]string
	err  error
}

func (r *reader) fail(key string, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s is %q: %w", key, r.meta[key], err)
	}
}

// most is above any width, size and fraction that makes sense, and not too much to compute with.
const most = 8192

func (r *reader) number(key string, low, high int) int {
	n, err := strconv.Atoi(r.meta[key])
	if err == nil && (n < low || n > high) {
		err = fmt.Errorf("want %d to %d", low, high)
	}
	r.fail(key, err)
	return n
}

func (r *reader) real(key string) float64 {
	x, err := strconv.ParseFloat(r.meta[key], 64)
	r.fail(key, err)
	return x
}

func (r *reader) three(key string) (x [3]float32) {
	var values []float32
	err := json.Unmarshal([]byte(r.meta[key]), &values)
	if err == nil && copy(x[:], values) != len(values) || len(values) != len(x) {
		err = errors.New("want three numbers")
	}
	r.fail(key, err)
	return x
}

// keys of the metadata in their order, for files that list them.
func keys(meta map[string]string) []string { return slices.Sorted(maps.Keys(meta)) }
