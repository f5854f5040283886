package main

import (
	"context"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func stopCommand() *cobra.Command {
	var now bool
	cmd := operation("stop", "Save and end the run", "stopping", callTimeout,
		func(ctx context.Context, c pb.CoordinatorClient, id string) (*pb.RunOperation, error) {
			return c.Stop(ctx, &pb.StopRequest{RequestId: id, Now: now})
		})
	cmd.Flags().BoolVar(&now, "now", false, "without a checkpoint")
	return cmd
}
