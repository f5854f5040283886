package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func embedCommand() *cobra.Command {
	e, o := &evalFlags{}, embedOrder{}
	cmd := &cobra.Command{Use: "embed RUN_DIR|CKPT|ENCODER --data URI -o FILE",
		Short: "Write the encoder's features of images to a file",
		Long: "Write the encoder's features of the images of --data, with their names and labels. The file's name says\n" +
			"how: NAME.npy has the features, beside it are NAME.labels.npy (-1: none), NAME.names.txt and NAME.classes.txt;\n" +
			"NAME.safetensors has tensors features and labels, names and classes as JSON in its metadata;\n" +
			"NAME.parquet has columns name, label (null: none) and features, as Hugging Face's datasets read them.\n" +
			"Images that cannot be decoded are left out.\n\n" + subjectHelp,
		Args: oneArgument("run directory, checkpoint or encoder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var known bool
			o.write, known = embedFormats()[filepath.Ext(o.output)]
			switch {
			case o.output == "":
				return usage("embed wants a file to write", "", "-o features.npy, features.safetensors or features.parquet")
			case !known:
				return usage(fmt.Sprintf("the name %s does not say a format", o.output),
					"it ends in .npy, .safetensors or .parquet",
					"-o "+strings.TrimSuffix(o.output, filepath.Ext(o.output))+".npy")
			}
			if err := cmp.Or(e.check(), checkPlace(o.output)); err != nil {
				return err
			}
			o.encoder = args[0]
			return untilAsked(cmd, func(ctx context.Context) error { return e.embed(ctx, cmd, o) })
		}}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "`URI` of the images (default: the run's --data)")
	f.StringVarP(&o.output, "output", "o", "", "`FILE` to write: NAME.npy, NAME.safetensors or NAME.parquet")
	f.StringVar(&e.out, "out", "", "`DIR` for features under way (default: eval in the run's directory)")
	e.endpoint.output = "table"
	e.addJob(cmd)
	return cmd
}
