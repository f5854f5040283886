package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func transferCommand() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "transfer-leader [ID]", Short: "Have another coordinator lead",
		Long: "Have another coordinator lead: the one that is named, or whichever has most of the log. Workers attach\n" +
			"to it and keep their state; committed steps stay committed. coordinator member ls lists the coordinators.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return nil
			}
			return usage(cmd.CommandPath()+" takes one coordinator", "", cmd.CommandPath()+" --help")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &pb.TransferLeaderRequest{}
			if len(args) == 1 {
				request.NodeId = args[0]
			}
			return e.call(cmd, callTimeout, func(ctx context.Context, c pb.CoordinatorClient) error {
				answer, err := c.TransferLeader(ctx, request)
				if err != nil {
					return err
				}
				if e.structured() {
					return e.printMessage(cmd, answer)
				}
				for _, m := range answer.Members {
					if m.Leader {
						fmt.Fprintf(cmd.OutOrStdout(), "coordinator %s leads now\n", plain(m.NodeId))
					}
				}
				return nil
			})
		}}
	e.addFlags(cmd)
	return cmd
}
