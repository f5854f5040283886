package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

// operation is a command that changes a run and answers with the state it led to.
func operation(use, short, done string, timeout time.Duration,
	f func(context.Context, pb.CoordinatorClient, string) (*pb.RunOperation, error)) *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: use, Short: short, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.call(cmd, timeout, func(ctx context.Context, c pb.CoordinatorClient) error {
				op, err := f(ctx, c, rand.Text())
				if err != nil {
					return err
				}
				if e.structured() {
					return e.printMessage(cmd, op)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s at step %s; the run is %s\n", done, grouped(op.Step), stateName(op.State))
				if ck := op.Checkpoint; ck.GetPath() != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "checkpoint %s (%s)\n", ck.Path, size(ck.SizeBytes))
				}
				return nil
			})
		}}
	e.addFlags(cmd)
	return cmd
}
