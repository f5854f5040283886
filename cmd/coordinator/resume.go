package main

import (
	"context"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func resumeCommand() *cobra.Command {
	return operation("resume", "Go on after pause", "going on", callTimeout,
		func(ctx context.Context, c pb.CoordinatorClient, id string) (*pb.RunOperation, error) {
			return c.Resume(ctx, &pb.ResumeRequest{RequestId: id})
		})
}
