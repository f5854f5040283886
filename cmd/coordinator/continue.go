package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"byol/coordinator"
	"byol/coordinator/settings"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// continued is the run that another one goes on with from a checkpoint.
type continued struct {
	path   string
	step   int64
	config *pb.RunConfig
}

// kept are the fields of RunConfig that a run cannot change that goes on from a checkpoint of another one: what the
// tensors are of, and which pictures are read at which step.
func (c *continued) kept() []string {
	return []string{"arch", "width", "stem", "padding", "projector_hidden", "projector_out", "predictor_hidden", "classes",
		"ablation", "batch_size", "seed", "samples", "manifest_hash"}
}

// fromCheckpoint gives a new run that goes on from a checkpoint the settings of the run that wrote it.
func (r *resolution) fromCheckpoint() error {
	s := r.settings
	if r.stored != nil || s.Resume == coordinator.ResumeAuto || s.Resume == coordinator.ResumeNever || s.FromScratch {
		return nil
	}
	info, text, err := checkpoint.Config(s.Resume)
	if err != nil {
		return checkpointFailure(s.Resume, err)
	}
	c := &continued{path: s.Resume, step: info.Step, config: &pb.RunConfig{}}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), c.config); err != nil {
		return checkpointFailure(s.Resume, fmt.Errorf("read its configuration: %w", err))
	}
	origin := "checkpoint " + short(s.Resume)
	for name, value := range c.settings() {
		if err := r.set(name, value, origin); err != nil {
			return err
		}
	}
	r.continues = c
	return nil
}

// settings are those of the run that can be read from its configuration. Where it writes what is about its own place
// and its workers' is not among them.
func (c *continued) settings() map[string]string {
	m := c.config.ProtoReflect()
	values := map[string]string{}
	for _, row := range settings.All() {
		if field := m.Descriptor().Fields().ByName(protoreflect.Name(row.Field)); row.Field != "" &&
			row.Life != settings.Once && m.Has(field) {
			values[row.Name] = m.Get(field).String()
		}
	}
	if c.config.Samples > 0 { // half a step more is not cut off by rounding
		values["warmup-epochs"] = fmt.Sprint((float64(c.config.WarmupSteps) + 0.5) * float64(c.config.BatchSize) /
			float64(c.config.Samples))
	}
	if c.config.WarmupSteps == 0 {
		values["warmup-epochs"] = "0"
	}
	for name, value := range map[string]string{"wire": c.config.Wire, "precision": c.config.Precision} {
		if value != "" {
			values[name] = value
		}
	}
	for option, value := range c.config.AugmentOptions() {
		values[settings.ViewPrefix+option] = value
	}
	return values
}

// checkContinued says what of a plan cannot be that goes on from a checkpoint of another run.
func (p *plan) checkContinued() error {
	c := p.continues
	if c == nil {
		return nil
	}
	if c.config.Arch == "" {
		return nil // of a program that did not say
	}
	was, now := c.config.ProtoReflect(), p.config.ProtoReflect()
	var differ []string
	for _, name := range c.kept() {
		f := was.Descriptor().Fields().ByName(protoreflect.Name(name))
		if !was.Get(f).Equal(now.Get(f)) {
			differ = append(differ, fmt.Sprintf("%s: %v, now %v", strings.ReplaceAll(name, "_", " "), was.Get(f), now.Get(f)))
		}
	}
	if len(differ) > 0 {
		return usage(fmt.Sprintf("%s cannot go on with these settings", short(c.path)), strings.Join(differ, "; "),
			"network, heads, batch size, seed and data stay as they were; epochs, image size, augmentation, learning rate and "+
				"decay may change. Other data or another batch size: --init with its exported encoder")
	}
	if end := p.config.EndStep(); c.step >= end {
		return usage(fmt.Sprintf("%s has nothing left to do", short(c.path)),
			fmt.Sprintf("it is of step %s, and the run ends at step %s", grouped(c.step), grouped(end)),
			fmt.Sprintf("more --epochs than %g", c.config.Epochs))
	}
	return nil
}

// adopt leaves a copy of the checkpoint where the new run keeps its own, and has the run begin from that: so it needs
// no other directory when it goes on before its first checkpoint, or runs a step again.
func (p *plan) adopt() error {
	if p.continues == nil {
		return nil
	}
	info, err := checkpoint.Adopt(p.config.CheckpointDir, p.continues.path)
	if err != nil {
		f := checkpointFailure(p.continues.path, err)
		f.What = fmt.Sprintf("%s cannot be taken to %s", short(p.continues.path), short(p.config.CheckpointDir))
		return f
	}
	p.settings.Resume = info.Path
	return nil
}

// line is what the banner says of it: where it goes on, and with what other settings.
func (c *continued) line(now *pb.RunConfig) string {
	text := fmt.Sprintf("step %s of run %s", grouped(c.step), c.config.RunId)
	was, is := c.config.ProtoReflect(), now.ProtoReflect()
	var changed []string
	for _, row := range settings.All() {
		f := was.Descriptor().Fields().ByName(protoreflect.Name(row.Field))
		if row.Field == "" || !row.Decides() || was.Get(f).Equal(is.Get(f)) {
			continue
		}
		changed = append(changed, fmt.Sprintf("%s %v → %v", row.Name, was.Get(f), is.Get(f)))
	}
	if !c.config.SameSums(now) {
		changed = append(changed, "shards added "+c.config.OrderOfSums()+" → "+now.OrderOfSums())
	}
	if len(changed) > 0 {
		text += "; " + strings.Join(changed, ", ")
	}
	return text
}

// keepStart leaves what the run starts from in its directory.
func (p *plan) keepStart() error {
	if err := p.adopt(); err != nil {
		return err
	}
	return p.keepInitial()
}

// readStart reads where the run starts, where that is not the seed. It is in one place: a run that goes on from a
// checkpoint has no use for an encoder, also if the one that wrote the checkpoint had.
func (p *plan) readStart() error {
	s := p.settings
	if p.continues != nil && p.origins["init"] == "flag" {
		return usage("--init and --resume name two places to start from",
			"a checkpoint holds both networks whole, and --init only their encoders",
			"--resume "+s.Resume+" to go on, or --init for a new run")
	}
	if p.continues != nil {
		s.Init = ""
	}
	return p.readInitial()
}
