// Package encoder is a trained encoder as others take it: the tensors of one network's encoder by torchvision's
// names, with all that somebody needs who has nothing but the file. It is read out of a checkpoint, written as
// safetensors or as ONNX with a card in words beside it, and read back as where another run starts.
//
// An Encoder is a value that owns its tensors; nothing else is owned, and no goroutine is started.
//
// When it fails: FromCheckpoint and Open answer an error of the file, which wraps checkpoint.ErrInvalid or
// safetensors.ErrFormat where its bytes are not what they must be. Fit says in words which tensors do not fit a
// network. What is written to a writer that failed is void; who writes a file does so through package atomicfile.
package encoder

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model/arch"
	"byol/model/engine"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/data/views"
)

// The networks of a checkpoint. BYOL evaluates the online one.
const (
	Online = "online"
	Target = "target"
)

const (
	prefix        = "encoder." // of a layout's names
	meanSuffix    = ".running_mean"
	varSuffix     = ".running_var"
	counterSuffix = ".num_batches_tracked"
)

// Shape is the network that an encoder's tensors are of.
type Shape struct {
	Arch          string
	Width         int
	Stem, Padding string
	ImageSize     int // side of the images it was trained on
}

// ShapeOf is the encoder of a run.
func ShapeOf(c *pb.RunConfig) Shape {
	s := Shape{Arch: c.GetArch(), Width: max(int(c.GetWidth()), 1), Stem: c.GetStem(), Padding: c.GetPadding(),
		ImageSize: int(c.GetImageSize())}
	if e, err := arch.Find(s.Arch); err == nil && s.Stem == "" {
		s.Stem = e.Stem
	}
	if s.Padding == "" {
		s.Padding = "symmetric"
	}
	return s
}

// String is the shape in words.
func (s Shape) String() string {
	text := fmt.Sprintf("%s, %s stem", s.Arch, s.Stem)
	if s.Width > 1 {
		text = fmt.Sprintf("%s ×%d, %s stem", s.Arch, s.Width, s.Stem)
	}
	if s.Padding != "symmetric" {
		text += ", padding " + s.Padding
	}
	return text
}

// network is one with the encoder, and the smallest heads.
func (s Shape) network() (engine.Network, error) {
	e, err := arch.Find(s.Arch)
	if err != nil {
		return engine.Network{}, err
	}
	e.Stem = s.Stem
	return engine.Network{Encoder: e.Widened(s.Width), Padding: s.Padding, ImageSize: s.ImageSize,
		ProjectorHidden: 1, ProjectorOut: 1, PredictorHidden: 1}, nil
}

// layout lays the encoder out.
func (s Shape) layout() (*engine.Layout, error) {
	n, err := s.network()
	if err != nil {
		return nil, err
	}
	return engine.Describe(n)
}

// place is a tensor that an encoder of a shape has.
type place struct {
	name  string
	shape []int
}

// places are all of them, in torchvision's order.
func (s Shape) places() ([]place, error) {
	l, err := s.layout()
	if err != nil {
		return nil, err
	}
	var out []place
	norms := l.Norms
	for _, p := range l.Params {
		name, ok := strings.CutPrefix(p.Name, prefix)
		if !ok {
			break // the heads follow
		}
		out = append(out, place{name, p.Shape})
		if p.Kind == engine.Beta {
			norm := strings.TrimPrefix(norms[0].Name, prefix)
			out = append(out, place{norm + meanSuffix, []int{norms[0].C}}, place{norm + varSuffix, []int{norms[0].C}})
			norms = norms[1:]
		}
	}
	return out, nil
}

// Encoder is one network's encoder.
type Encoder struct {
	Shape
	Features int
	// Sight is what its images are made of.
	Sight views.Evaluation
	// Network is Online or Target, Step the committed steps that made it, StateSHA256 the checkpoint it is of.
	Network     string
	Step        int64
	StateSHA256 string
	// Version is the program that wrote it, Augment the training's augmentation, Run the run's name.
	Version, Augment, Run string
	// Tensors are float32 in the order of the network's layers, without the counters that PyTorch wants.
	Tensors []safetensors.Tensor
}

// Digest is the SHA-256, in hexadecimal, of names, shapes and bytes of the tensors. It depends on nothing else: the
// same weights have it in any file.
func (e *Encoder) Digest() string { return checkpoint.Digest(checkpoint.State{Tensors: e.Tensors}) }

// Values is how many numbers the tensors hold.
func (e *Encoder) Values() int64 {
	n := int64(0)
	for _, t := range e.Tensors {
		n += int64(len(t.Data) / 4)
	}
	return n
}

// FromCheckpoint reads an encoder out of the checkpoint at path, which is verified whole, and the configuration that
// trained it.
func FromCheckpoint(path, network, version string) (*Encoder, *pb.RunConfig, error) {
	state, err := checkpoint.LoadPart(path, func(name string) bool { return strings.HasPrefix(name, network+"/"+prefix) })
	if err != nil {
		return nil, nil, err
	}
	info, _, err := checkpoint.Config(path)
	if err != nil {
		return nil, nil, err
	}
	var c pb.RunConfig
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(state.Config), &c); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: read its configuration: %w", checkpoint.ErrInvalid, path, err)
	}
	look, err := views.ParseAugment(c.Augment, int(c.ImageSize))
	if err == nil {
		look, err = look.With(c.AugmentOptions())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", checkpoint.ErrInvalid, path, err)
	}
	e := &Encoder{Shape: ShapeOf(&c), Sight: look.Evaluation(), Network: network, Step: state.Step,
		StateSHA256: info.StateSHA256, Version: version, Augment: augmentOf(&c), Run: c.RunId}
	for _, t := range state.Tensors {
		t.Name = strings.TrimPrefix(t.Name, network+"/"+prefix)
		e.Tensors = append(e.Tensors, t)
	}
	if err := e.fit(e.Shape); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", checkpoint.ErrInvalid, path, err)
	}
	return e, &c, nil
}

// augmentOf is the training's augmentation with the options that were chosen, as views.ParseAugment reads it:
// byol,blur=0.5/0.1.
func augmentOf(c *pb.RunConfig) string {
	text, options := c.GetAugment(), c.AugmentOptions()
	for _, name := range slices.Sorted(maps.Keys(options)) {
		text += fmt.Sprintf(",%s=%s", name, strings.ReplaceAll(options[name], ",", "/"))
	}
	return text
}

// fit keeps the tensors that an encoder of that shape has, in its order, and sets Features.
func (e *Encoder) fit(s Shape) error {
	l, err := s.layout()
	if err != nil {
		return err
	}
	fitted, err := s.Fit(e.Tensors)
	if err != nil {
		return err
	}
	e.Features, e.Tensors = l.Features, fitted
	return nil
}

// ignored reports whether a file may have a tensor that no encoder has: the classifier that torchvision's networks end
// with, and PyTorch's counters.
func ignored(name string) bool {
	return strings.HasPrefix(name, "fc.") || strings.HasSuffix(name, counterSuffix)
}

// MismatchError says how tensors differ from those of a network.
type MismatchError struct {
	Shape
	Matched, Wanted int
	// Differences are all that were found, in the network's order: those that are missing or have another shape, then
	// those that it has no place for.
	Differences []string
	// Other is a shape that the tensors do fit, nil for none that is known.
	Other *Shape
}

// shown is how many differences are told.
const shown = 3

// Error implements error.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("matched %d of %d tensors of %s: %s", e.Matched, e.Wanted, e.Shape,
		strings.Join(e.Differences[:min(shown, len(e.Differences))], "; "))
	if more := len(e.Differences) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// Fit returns the tensors of a network of this shape, in the order of its layers, from among those of a file, or a
// *MismatchError. A classifier fc.* and PyTorch's counters are passed over. A value that is no number is an error,
// too.
func (s Shape) Fit(tensors []safetensors.Tensor) ([]safetensors.Tensor, error) {
	wanted, err := s.places()
	if err != nil {
		return nil, err
	}
	fitted, differences := fit(wanted, tensors)
	if len(differences) > 0 {
		return nil, &MismatchError{Shape: s, Matched: len(fitted), Wanted: len(wanted), Differences: differences,
			Other: s.recognise(tensors)}
	}
	for _, t := range fitted {
		if err := finite(t); err != nil {
			return nil, err
		}
	}
	return fitted, nil
}

// fit sorts tensors into places, and lists what is in none or lacks.
func fit(wanted []place, tensors []safetensors.Tensor) (fitted []safetensors.Tensor, differences []string) {
	byName := map[string]safetensors.Tensor{}
	for _, t := range tensors {
		if !ignored(t.Name) {
			byName[t.Name] = t
		}
	}
	for _, p := range wanted {
		t, ok := byName[p.name]
		delete(byName, p.name)
		switch {
		case !ok:
			differences = append(differences, fmt.Sprintf("%s is missing, want %v", p.name, p.shape))
		case t.DType != safetensors.F32:
			differences = append(differences, fmt.Sprintf("%s: have %s, want F32", p.name, t.DType))
		case !slices.Equal(t.Shape, p.shape):
			differences = append(differences, fmt.Sprintf("%s: have %v, want %v", p.name, t.Shape, p.shape))
		default:
			fitted = append(fitted, t)
		}
	}
	for _, t := range tensors {
		if _, left := byName[t.Name]; left {
			differences = append(differences, fmt.Sprintf("%s: have %v, which the network lacks", t.Name, t.Shape))
		}
	}
	return fitted, differences
}

// widest is up to which width shapes are tried.
const widest = 4

// recognise looks for a known shape that the tensors fit.
func (s Shape) recognise(tensors []safetensors.Tensor) *Shape {
	for _, name := range arch.Names() {
		for width := 1; width <= widest; width++ {
			for _, stem := range []string{arch.ImageNet, arch.CIFAR} {
				other := Shape{Arch: name, Width: width, Stem: stem, Padding: s.Padding, ImageSize: s.ImageSize}
				wanted, err := other.places()
				if err != nil {
					continue
				}
				if _, differences := fit(wanted, tensors); len(differences) == 0 {
					return &other
				}
			}
		}
	}
	return nil
}

// ValueError is a weight that is no number, or a running variance below 0.
type ValueError struct {
	Tensor    string
	Index, Of int // the weight, and how many the tensor has
	Value     float32
}

// Error implements error.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: value %d of %d is %v", e.Tensor, e.Index, e.Of, e.Value)
}

// finite says which value of a tensor is no number. A running variance below 0 is none either.
func finite(t safetensors.Tensor) error {
	variance := strings.HasSuffix(t.Name, varSuffix)
	for i, x := range vector.Floats(t.Data) {
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) || variance && v < 0 {
			return &ValueError{t.Name, i, len(t.Data) / 4, x}
		}
	}
	return nil
}

// Open reads a safetensors file of an encoder, with the description in its metadata where a program of ours wrote it:
// then its digest is verified, and known is true. Without one the tensors are as the file has them.
func Open(path string) (e *Encoder, known bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("open encoder: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("open encoder: %w", err)
	}
	if st.IsDir() {
		return nil, false, fmt.Errorf("open encoder: %s: %w", path, errors.New("it is a directory"))
	}
	return Read(f, st.Size())
}
