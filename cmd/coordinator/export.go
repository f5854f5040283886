package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/worker/checkpoint"
)

func exportCommand() *cobra.Command {
	var format, output string
	cmd := &cobra.Command{Use: "export CKPT -o FILE", Short: "Write the online encoder alone, with torchvision's names",
		Long: "Write the online encoder of a checkpoint, or of the newest checkpoint of a run directory, as safetensors\n" +
			"with torchvision's parameter names and layouts: load_state_dict takes it as it is.",
		Args: oneArgument("checkpoint or run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "safetensors" {
				return usage(fmt.Sprintf("--format cannot be %q", format), "there is one: safetensors", "--format safetensors")
			}
			if output == "" {
				return usage("export wants a file to write", "", "-o encoder.safetensors, or -o - for standard output")
			}
			return export(cmd, args[0], output)
		}}
	cmd.Flags().StringVar(&format, "format", "safetensors", "safetensors")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write; - for standard output")
	return cmd
}

func export(cmd *cobra.Command, path, output string) error {
	if isDir(path) {
		path = checkpointsIn(path)
		info, _, err := checkpoint.Newest(path)
		if err != nil {
			return checkpointFailure(path, err)
		}
		path = info.Path
	}
	state, err := checkpoint.Load(path)
	if err != nil {
		return checkpointFailure(path, err)
	}
	encoder, err := checkpoint.Encoder(state)
	if err != nil {
		return checkpointFailure(path, err)
	}
	if output == "-" {
		return checkpoint.Export(cmd.OutOrStdout(), state)
	}
	if err := atomicfile.Replace(output, func(w io.Writer) error { return checkpoint.Export(w, state) }); err != nil {
		return &failure.Failure{What: "cannot write " + output, Why: err.Error(), Try: "-o with a place that has room",
			Code: failure.Checkpoint}
	}
	values := 0
	for _, t := range encoder {
		if t.DType == "F32" {
			values += len(t.Data) / 4
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(),
		"%s: the online encoder after step %s, %d tensors, %s values, running statistics included\n",
		output, grouped(state.Step), len(encoder), grouped(int64(values)))
	return err
}
