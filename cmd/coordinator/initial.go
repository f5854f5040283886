package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"byol/coordinator"
	"byol/coordinator/past"
	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/worker/encoder"
)

// initFile is the run's own copy of the encoder that it starts from: workers get it, and the run needs no other file
// when it goes on.
const initFile = "init.safetensors"

// initial is the encoder that both networks of a run start from.
type initial struct {
	path    string // it was read from
	sha256  string
	encoder *encoder.Encoder // nil where only the digest is known: a run that has begun, whose copy is gone
}

// readInitial reads what --init names, and checks that it is the encoder of this run's network. Where the run
// directory says so, its copy goes first.
func (p *plan) readInitial() error {
	s := p.settings
	if s.Init == "" {
		return nil
	}
	given := p.origins["init"] != filepath.Join(s.RunDir, coordinator.SettingsFile)
	path := s.Init
	if kept := filepath.Join(s.RunDir, initFile); !given && isFile(kept) {
		path = kept
	}
	e, known, err := encoder.Open(path)
	if errors.Is(err, os.ErrNotExist) && !given {
		if config, err := past.Config(s.RunDir); err == nil && config.InitSha256 != "" {
			p.initial = &initial{path: path, sha256: config.InitSha256}
			return nil
		}
	}
	if err != nil {
		return &failure.Failure{What: "the encoder --init " + path + " cannot be read", Why: err.Error(), Code: failure.Data,
			Try: "a safetensors file of float32, as coordinator export or safetensors.torch.save_file write it"}
	}
	want := p.shape()
	if known && e.Padding != want.Padding {
		p.warnings = append(p.warnings, fmt.Sprintf("--init %s was trained with --padding %s, and this run has %s", path,
			e.Padding, want.Padding))
	}
	fitted, err := want.Fit(e.Tensors)
	if err != nil {
		return misfit(path, err)
	}
	e.Tensors = fitted
	p.initial = &initial{path: path, sha256: e.Digest(), encoder: e}
	return nil
}

// shape is the encoder of the run.
func (p *plan) shape() encoder.Shape {
	s := p.settings
	return encoder.Shape{Arch: s.Arch, Width: s.Width, Stem: s.Stem, Padding: s.Padding, ImageSize: s.ImageSize}
}

// badWeights is what to do about a weight that is no number.
const badWeights = "weights that are numbers: this training diverged, or the file is damaged"

// misfit says why tensors are not the encoder of the run's network, and of which they are where that is known.
func misfit(path string, err error) error {
	f := &failure.Failure{What: "--init " + path + " is not an encoder to start from", Why: err.Error(),
		Code: failure.Data, Try: badWeights}
	var m *encoder.MismatchError
	if errors.As(err, &m) {
		f.What, f.Code = "--init "+path+" does not fit the network", failure.Usage
		f.Try = "the file of another encoder, with torchvision's names; or another --arch, --width or --stem"
		if o := m.Other; o != nil {
			f.Try = fmt.Sprintf("it holds %s: --arch %s --width %d --stem %s", o, o.Arch, o.Width, o.Stem)
		}
	}
	return f
}

// keepInitial leaves the run's own copy in its directory.
func (p *plan) keepInitial() error {
	if p.initial == nil || p.initial.encoder == nil {
		return nil
	}
	path := filepath.Join(p.settings.RunDir, initFile)
	if have, _, err := encoder.Open(path); err == nil && have.Digest() == p.initial.sha256 {
		return nil
	}
	err := atomicfile.Replace(path, func(w io.Writer) error {
		return safetensors.Write(w, p.initial.encoder.Tensors, map[string]string{"format": "pt"})
	})
	if err != nil {
		return usage("cannot keep the encoder that the run starts from", err.Error(),
			"--run-dir with a place you may write to, with room for it")
	}
	return nil
}

// line is what the banner says of it.
func (i *initial) line() string {
	if i.encoder == nil {
		return fmt.Sprintf("encoder %.12s, whose file is gone: the run goes on from a checkpoint", i.sha256)
	}
	n := len(i.encoder.Tensors)
	return fmt.Sprintf("both networks' encoders from %s: matched %d of %d, weights_sha256 %.12s", short(i.path), n, n,
		i.sha256)
}
