package main

import (
	"context"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func checkpointCommand() *cobra.Command {
	var wait bool
	cmd := operation("checkpoint", "Save at the next step", "checkpoint", 0,
		func(ctx context.Context, c pb.CoordinatorClient, id string) (*pb.RunOperation, error) {
			if !wait {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, callTimeout)
				defer cancel()
			}
			return c.Checkpoint(ctx, &pb.CheckpointRequest{RequestId: id, Wait: wait})
		})
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the file is durable")
	return cmd
}
