package main

import (
	"context"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func pauseCommand() *cobra.Command {
	return operation("pause", "Stop training at the next step; workers keep their state", "pausing", callTimeout,
		func(ctx context.Context, c pb.CoordinatorClient, id string) (*pb.RunOperation, error) {
			return c.Pause(ctx, &pb.PauseRequest{RequestId: id})
		})
}
