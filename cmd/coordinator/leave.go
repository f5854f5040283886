package main

import (
	"context"
	"fmt"
	"path/filepath"

	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/encoder"
)

// encoderFile is where a run leaves its encoder in its directory.
const encoderFile = "encoder.safetensors"

// leaveEncoder writes the online encoder of a run's last checkpoint into the run directory, with its card, and
// returns the line of the summary that says so. That it cannot is no failure of the run, whose checkpoint is there;
// one that was asked to go by a signal does not stay for it.
func (p *plan) leaveEncoder(ctx context.Context, st *pb.Status) string {
	const line = "  encoder   %s\n"
	k := st.GetLastCheckpoint()
	if k.GetPath() == "" || ctx.Err() != nil {
		return ""
	}
	e, config, err := encoder.FromCheckpoint(k.Path, encoder.Online, buildName())
	if err != nil {
		return fmt.Sprintf(line, "not written, for this host does not see the checkpoint: coordinator export where it is")
	}
	o := exportOrder{format: formats[0], network: encoder.Online, output: filepath.Join(p.settings.RunDir, encoderFile)}
	card, err := o.leave(e, config, figuresOf(p.settings.RunDir, e.Step))
	if err != nil {
		return fmt.Sprintf(line, "not written: "+failure.Of(err, unforeseen).Error())
	}
	return fmt.Sprintf(line, short(o.output)+", and its model card "+filepath.Base(card))
}
