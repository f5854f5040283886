package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"byol/coordinator/past"
	"byol/internal/failure"
	"byol/internal/safetensors"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/data/source"
	"byol/worker/data/views"
	"byol/worker/encoder"
)

// subject is the encoder that is judged.
type subject struct {
	*encoder.Encoder
	path string
	run  *pb.RunConfig // that trained it, nil for a file that does not say
	base string        // directory under which results go
	seen string        // otherwise than the encoder says; "" for as it says
}

// openSubject reads the encoder that path names, and lets flags say what it does not say of itself.
func (e *evalFlags) openSubject(path string) (*subject, error) {
	base := ""
	if isDir(path) {
		file, err := newestOf(path)
		if err != nil {
			return nil, err
		}
		if past.IsRun(path) { // its checkpoints may be elsewhere
			base = path
		}
		path = file
	}
	s := &subject{path: path, base: cmp.Or(base, besideCheckpoints(path))}
	if _, _, err := checkpoint.Config(path); err == nil {
		s.Encoder, s.run, err = encoder.FromCheckpoint(path, e.network, buildName())
		if err != nil {
			return nil, checkpointFailure(path, err)
		}
		if e.untrained {
			if err := s.untrain(); err != nil {
				return nil, err
			}
		}
		return s, e.settleShape(s)
	} else if errors.Is(err, os.ErrNotExist) {
		return nil, checkpointFailure(path, err)
	}
	var known bool
	var err error
	if s.Encoder, known, err = encoder.Open(path); err != nil {
		return nil, encoderFailure(path, err)
	}
	if e.untrained {
		return nil, usage(short(path)+" does not say what it was before training", "--untrained is drawn by a run's seed",
			"its run's directory, or a checkpoint")
	}
	if !known {
		return s, e.describe(s)
	}
	if e.network != s.Network {
		return nil, usage(fmt.Sprintf("%s is the %s network", short(path), s.Network), "--network "+e.network,
			"--network "+s.Network+", or a checkpoint, which has both")
	}
	return s, e.settleShape(s)
}

// untrain gives the subject the weights that its run began with: those of --init, or those that the seed draws.
func (s *subject) untrain() error {
	sum := s.run.GetInitSha256()
	if sum == "" {
		if err := s.Untrain(s.run); err != nil {
			return checkpointFailure(s.path, err)
		}
		return nil
	}
	path := filepath.Join(s.base, initFile)
	given, _, err := encoder.Open(path)
	if err != nil {
		return encoderFailure(path, err)
	}
	if s.Tensors, err = s.Fit(given.Tensors); err != nil {
		return encoderFailure(path, err)
	}
	if got := s.Digest(); got != sum {
		return encoderFailure(path, fmt.Errorf("the run began with weights %.12s, these are %.12s", sum, got))
	}
	s.Step, s.StateSHA256 = 0, ""
	return nil
}

func encoderFailure(path string, err error) error {
	f := &failure.Failure{What: fmt.Sprintf("the encoder %s cannot be used", short(path)), Why: err.Error(),
		Code: failure.Checkpoint, Err: err, Try: "a file that coordinator export writes, or a checkpoint"}
	var differs *encoder.MismatchError
	var value *encoder.ValueError
	switch {
	case errors.As(err, &value):
		f.Try = badWeights
	case errors.As(err, &differs) && differs.Other != nil:
		o := differs.Other
		f.Try = fmt.Sprintf("--arch %s --width %d --stem %s", o.Arch, o.Width, o.Stem)
	case errors.As(err, &differs):
		f.Try = "--arch, --width and --stem of the network that it is of"
	case errors.Is(err, safetensors.ErrFormat):
		f.Why += "; it is no safetensors file, or damaged"
	}
	return f
}

// describe says of a file without metadata what the flags say.
func (e *evalFlags) describe(s *subject) error {
	shape := e.shape
	if shape.Arch == "" || shape.ImageSize == 0 {
		return usage(short(s.path)+" does not say which network it is of", "its metadata is not this program's",
			"--arch resnet50 --image-size 224 (and --stem, --width, --augment, if they are others than usual)")
	}
	cfg := &pb.RunConfig{Arch: shape.Arch, Stem: shape.Stem, Width: int32(shape.Width), ImageSize: int32(shape.ImageSize)}
	s.Shape, s.Augment, s.Network = encoder.ShapeOf(cfg), "byol", e.network
	fitted, err := s.Fit(s.Tensors)
	if err != nil {
		return encoderFailure(s.path, err)
	}
	s.Tensors = fitted
	return e.settleShape(s)
}

// settleShape lets flags change what of an encoder is not in its tensors, and refuses flags that contradict these.
func (e *evalFlags) settleShape(s *subject) error {
	for _, c := range []struct{ flag, asked, is string }{
		{"arch", e.shape.Arch, s.Arch}, {"stem", e.shape.Stem, s.Stem},
		{"width", word(e.shape.Width), word(s.Width)},
	} {
		if c.asked != "" && c.asked != c.is {
			return usage(fmt.Sprintf("the encoder is %s, not --%s %s", s.Shape, c.flag, c.asked), "it says so itself",
				"without --"+c.flag)
		}
	}
	if size := e.shape.ImageSize; size > 0 && size != s.ImageSize {
		s.ImageSize, s.seen = size, fmt.Sprintf("-%d-pixels", size)
	}
	if e.augment != "" && e.augment != s.Augment {
		s.Augment = e.augment
		s.seen += "-" + strings.Trim(notInNames.ReplaceAllString(strings.ToLower(e.augment), "-"), "-")
	}
	look, err := views.ParseAugment(s.Augment, s.ImageSize)
	if err != nil {
		return usage(fmt.Sprintf("--augment cannot be %q", s.Augment), failure.Of(err, unforeseen).Why, "--augment byol")
	}
	s.Sight = look.Evaluation()
	return nil
}

// word is a number as a flag, "" for 0.
func word(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// name is that of the directory of the subject's results.
func (s *subject) name() string {
	if s.run == nil {
		return strings.TrimSuffix(filepath.Base(s.path), filepath.Ext(s.path)) + s.seen
	}
	name := fmt.Sprintf("step-%d", s.Step)
	if s.Network != encoder.Online {
		name += "-" + s.Network
	}
	return name + s.seen
}

// imageSet is a set of images of an evaluation, open.
type imageSet struct {
	dataset
	flag    string
	images  source.Source
	leftOut []string // classes that the other set lacks: their images have no label here
}

// openSet opens the images that a flag names. otherwise is what the run says.
func (e *evalFlags) openSet(ctx context.Context, flag, uri, otherwise string) (*imageSet, error) {
	if uri == "" {
		uri = otherwise
	}
	if uri == "" {
		return nil, usage("no images were named", "--"+flag+" is missing, and the encoder's run does not say which",
			"--"+flag+" with a folder, a pattern like train-{000000..000009}.tar, or synthetic:4096,size=32")
	}
	d, err := inspect(ctx, flag, uri, e.access)
	if err != nil {
		return nil, err
	}
	images, err := e.access.open(ctx, d.uri)
	if err != nil {
		return nil, dataFailure(flag, uri, err)
	}
	return &imageSet{dataset: d, flag: flag, images: images}, nil
}

// labels are those of all images, by the numbers of classes, −1 for none.
func (s *imageSet) labels(classes []string) []int32 {
	numbered := source.WithClasses(s.images, classes)
	out := make([]int32, s.images.Len())
	for i := range out {
		out[i] = int32(max(numbered.Label(i), -1))
	}
	return out
}

// labelledIn is how many images are of these classes.
func (s *imageSet) labelledIn(classes []string) (images int) {
	for _, l := range s.labels(classes) {
		if l >= 0 {
			images++
		}
	}
	return images
}

// closeSets closes what is open of sets.
func closeSets(sets ...*imageSet) {
	for _, s := range sets {
		if s != nil {
			_ = s.images.Close()
		}
	}
}

// openLabelled opens both sets of an evaluation and matches their classes. warning is for people, "" for none.
func (e *evalFlags) openLabelled(ctx context.Context, s *subject) (train, eval *imageSet, warning string, err error) {
	if train, err = e.openSet(ctx, "train-data", e.trainData, s.run.GetData()); err != nil {
		return nil, nil, "", err
	}
	if eval, err = e.openSet(ctx, "eval-data", e.evalData, s.run.GetEvalData()); err == nil {
		if err = needLabels("an evaluation", train.named(), eval.named()); err == nil {
			warning, err = matchClasses(train.named(), eval.named(), e.classes)
		}
	}
	if err != nil {
		closeSets(train, eval)
		return nil, nil, "", err
	}
	train.leftOut = without(train.names, eval.names)
	train.images = source.Among(train.images, eval.names)
	return train, eval, warning, nil
}

func (s *imageSet) named() namedSet { return namedSet{s.flag, s.dataset} }
