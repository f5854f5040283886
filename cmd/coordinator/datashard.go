package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"byol/worker/data/shards"
)

func dataShard() *cobra.Command {
	var where access
	o := shards.Options{}
	cmd := &cobra.Command{Use: "shard SRC DST", Short: "Write images as WebDataset tars, in their order, with checksums",
		Long: "Write images as WebDataset tars, in their order, with checksums.\n\n" +
			"SRC is anything that --data takes. DST is there whole or not at all: until then the work lies in " +
			"DST.unfinished,\nand the same command goes on with it.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("data shard wants what to read and a folder to write to", "", "coordinator data shard photos shards")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.MiB < 1 || o.MiB > 1<<20 {
				return usage(fmt.Sprintf("--shard-mib cannot be %d", o.MiB), "", "--shard-mib 256")
			}
			images, err := openData(cmd, args[0], where)
			if err != nil {
				return err
			}
			defer images.Close()
			terminal := isTerminal(cmd.ErrOrStderr())
			o.Progress = func(done, total int) {
				if terminal {
					fmt.Fprintf(cmd.ErrOrStderr(), "\r%s %s/%s\x1b[K", bar(float64(done)/float64(total), maxBar), grouped(int64(done)),
						grouped(int64(total)))
				}
			}
			x, err := shards.Write(cmd.Context(), images, args[1], o)
			if terminal {
				fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
			}
			if err != nil {
				return dataFailure("data", args[0], err)
			}
			var bytes int64
			for _, s := range x.Shards {
				bytes += s.Bytes
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s images in %d shards, %s\n", grouped(int64(x.Images)), len(x.Shards),
				size(uint64(bytes)))
			if x.Renamed > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "%s images have other names there, so that a sample is one image\n",
					grouped(int64(x.Renamed)))
			}
			printOmitted(cmd.OutOrStdout(), images)
			full, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "train on it:  coordinator --data %s\n", quoted(shards.Pattern(full, x)))
			return nil
		}}
	where.addFlags(cmd)
	cmd.Flags().IntVar(&o.MiB, "shard-mib", 256, "size of a shard")
	return cmd
}
