package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

// admission bounds the time in which a new coordinator must have taken over the log.
const admission = 2 * time.Minute

func memberCommand() *cobra.Command {
	return parent("member", "The coordinators of a run: list, add, remove",
		memberCall("ls", "List the coordinators", 0, callTimeout,
			func(ctx context.Context, c pb.CoordinatorClient, _ []string) (*pb.ListMembersResponse, error) {
				return c.ListMembers(ctx, &pb.ListMembersRequest{})
			}),
		memberCall("add ID HOST:PORT", "Let a coordinator in that was started with --node-id ID and --raft-listen", 2,
			admission,
			func(ctx context.Context, c pb.CoordinatorClient, a []string) (*pb.ListMembersResponse, error) {
				return c.AddMember(ctx, &pb.AddMemberRequest{NodeId: a[0], RaftAddress: a[1]})
			}),
		memberCall("remove ID", "Go on without a coordinator", 1, callTimeout,
			func(ctx context.Context, c pb.CoordinatorClient, a []string) (*pb.ListMembersResponse, error) {
				return c.RemoveMember(ctx, &pb.RemoveMemberRequest{NodeId: a[0]})
			}))
}

// memberCall is a command that answers with the coordinators as they are then.
func memberCall(use, short string, words int, timeout time.Duration,
	f func(context.Context, pb.CoordinatorClient, []string) (*pb.ListMembersResponse, error)) *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == words {
				return nil
			}
			return usage(fmt.Sprintf("%s wants %d words, not %d", cmd.CommandPath(), words, len(args)), "",
				"coordinator member "+use)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.call(cmd, timeout, func(ctx context.Context, c pb.CoordinatorClient) error {
				answer, err := f(ctx, c, args)
				if err != nil {
					return err
				}
				if e.output == "json" {
					return printJSON(cmd, answer)
				}
				printMembers(cmd.OutOrStdout(), answer)
				return nil
			})
		}}
	e.addFlags(cmd)
	return cmd
}

func printMembers(w io.Writer, answer *pb.ListMembersResponse) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COORDINATOR\tPART\tRAFT ADDRESS\tADDRESS")
	for _, m := range answer.Members {
		part := "no vote yet"
		switch {
		case m.Leader:
			part = "leads"
		case m.Voter:
			part = "follows"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.NodeId, part, m.RaftAddress, m.Address)
	}
	_ = table.Flush()
}
