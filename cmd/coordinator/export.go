package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"byol/internal/atomicfile"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/encoder"
)

// exportOrder is what an export is asked for.
type exportOrder struct{ format, network, output string }

// formats are the names of the formats, which are also what files of them end with.
var formats = []string{"safetensors", "onnx"}

func exportCommand() *cobra.Command {
	var o exportOrder
	cmd := &cobra.Command{Use: "export RUN_DIR|CKPT -o FILE", Short: "Write the encoder alone, as safetensors or ONNX",
		Long: "Write the encoder of a checkpoint, or of the newest checkpoint of a run directory, with torchvision's\n" +
			"parameter names and layouts, and a model card beside it. Its metadata say which network it is and how images\n" +
			"are prepared for it: docs/using-the-encoder.md has a program in Python that follows them.",
		Args: oneArgument("checkpoint or run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.settle(); err != nil {
				return err
			}
			if err := checkPlace(o.output); err != nil { // "-" is a file in a folder that is there
				return err
			}
			return export(cmd, args[0], o)
		}}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", strings.Join(formats, " or ")+" (default: as the file's name ends)")
	f.StringVar(&o.network, "network", encoder.Online,
		"online, which BYOL evaluates, or target, its moving average")
	f.StringVarP(&o.output, "output", "o", "", "`FILE` to write; - for standard output")
	offer(cmd, "format", formats, false)
	offer(cmd, "network", []string{encoder.Online, encoder.Target}, false)
	return cmd
}

// settle checks an order and decides its format.
func (o *exportOrder) settle() error {
	if o.output == "" {
		return usage("export wants a file to write", "", "-o encoder.safetensors, or -o - for standard output")
	}
	if o.network != encoder.Online && o.network != encoder.Target {
		return usage(fmt.Sprintf("--network cannot be %q", o.network), "a run has two networks",
			"--network online, which BYOL evaluates, or --network target")
	}
	const two = "there are two formats, safetensors and onnx"
	ending := strings.TrimPrefix(filepath.Ext(o.output), ".")
	switch {
	case o.format == "" && o.output == "-":
		o.format = formats[0]
	case o.format == "":
		o.format = ending
		if ending != formats[0] && ending != formats[1] {
			return usage(fmt.Sprintf("the name %s does not say a format", o.output), two,
				"-o encoder.safetensors or -o encoder.onnx, or --format with one of them")
		}
	case o.format != formats[0] && o.format != formats[1]:
		return usage(fmt.Sprintf("--format cannot be %q", o.format), two, "--format safetensors or --format onnx")
	case (ending == formats[0] || ending == formats[1]) && ending != o.format:
		return usage(fmt.Sprintf("--format is %s and the file is called %s", o.format, filepath.Base(o.output)),
			"whoever opens it goes by its name", "-o with a name that ends in ."+o.format+", or without --format")
	}
	return nil
}

// write writes an encoder in the order's format.
func (o *exportOrder) write(e *encoder.Encoder, w io.Writer) error {
	if o.format == "onnx" {
		return e.WriteONNX(w)
	}
	return e.WriteSafetensors(w)
}

func export(cmd *cobra.Command, path string, o exportOrder) error {
	file, err := newestOf(path)
	if err != nil {
		return err
	}
	e, config, err := encoder.FromCheckpoint(file, o.network, buildName())
	if err != nil {
		return checkpointFailure(file, err)
	}
	if o.output == "-" {
		return o.write(e, cmd.OutOrStdout())
	}
	dir := path // of the run
	if !isDir(path) || path == filepath.Dir(file) {
		dir = filepath.Dir(filepath.Dir(file))
	}
	card, err := o.leave(e, config, figuresOf(dir, e.Step))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(),
		"%s: the %s encoder after step %s, %s, %d tensors, %s values, running statistics included\n%s: its model card\n",
		o.output, o.network, grouped(e.Step), e.Shape, len(e.Tensors), grouped(e.Values()), card)
	return err
}

// newestOf is path where that is a file, else the newest good checkpoint of that directory, or of the run in it.
func newestOf(path string) (string, error) {
	if !isDir(path) {
		return path, nil
	}
	path = checkpointsIn(path)
	info, problems, err := checkpoint.Newest(path)
	switch {
	case err == nil:
		return info.Path, nil
	case len(problems) > 0: // the newest, as a run says it that has none to go on from
		return "", checkpointFailure(problems[0].Path, problems[0].Err)
	case errors.Is(err, checkpoint.ErrNone):
		return "", &failure.Failure{What: "there is no checkpoint in " + short(path),
			Why: "no file there has the name of one",
			Try: "coordinator runs ls lists runs, coordinator checkpoints ls RUN_DIR what is in one", Code: failure.Checkpoint}
	}
	return "", checkpointFailure(path, err)
}

// leave writes the encoder's file, reads it again, and leaves its card beside it.
func (o *exportOrder) leave(e *encoder.Encoder, config *pb.RunConfig,
	figures []encoder.Figure) (card string, err error) {
	cannot := func(path string, err error) error {
		return &failure.Failure{What: "cannot write " + path, Why: err.Error(), Code: failure.Checkpoint, Err: err,
			Try: "-o with a place that has room"}
	}
	if err := atomicfile.Replace(o.output, func(w io.Writer) error { return o.write(e, w) }); err != nil {
		return "", cannot(o.output, err)
	}
	if o.format == formats[0] {
		if err := readBack(o.output, e); err != nil {
			return "", &failure.Failure{What: o.output + " does not hold what was written", Why: err.Error(),
				Try: "another disk: this one gives other bytes than it was given", Code: failure.Checkpoint}
		}
	}
	name := filepath.Base(o.output)
	if card, err = cardPath(o.output); err != nil {
		return "", cannot(card, err)
	}
	if err := atomicfile.Write(card, []byte(e.Card(name, config, figures))); err != nil {
		return "", cannot(card, err)
	}
	return card, nil
}

// readBack compares a written file with what it is of.
func readBack(path string, e *encoder.Encoder) error {
	read, _, err := encoder.Open(path)
	if err != nil {
		return err
	}
	if got, want := read.Digest(), e.Digest(); got != want {
		return fmt.Errorf("weights_sha256 is %s, not %s", got, want)
	}
	return nil
}

// cardPath is where the card of a file goes: README.md beside it, unless that is something else; then a file of the
// same name that ends in .md.
func cardPath(output string) (string, error) {
	path := filepath.Join(filepath.Dir(output), "README.md")
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && encoder.IsCard(string(text), filepath.Base(output)):
		return path, nil
	case err != nil:
		return path, err
	}
	return output + ".md", nil
}
