package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

// admission bounds the time in which a new coordinator must have taken over the log.
const admission = 2 * time.Minute

// look is how often who waits for a new coordinator is told how far it is.
const look = 2 * time.Second

// memberAct carries out a command about members with its words; what takes a while is told to the writer.
type memberAct func(context.Context, pb.CoordinatorClient, []string, io.Writer) (*pb.ListMembersResponse, error)

func memberCommand() *cobra.Command {
	return parent("member", "The coordinators of a run: list, add, remove",
		memberCall("ls", "List the coordinators", 0, callTimeout,
			func(ctx context.Context, c pb.CoordinatorClient, _ []string, _ io.Writer) (*pb.ListMembersResponse,
				error) {
				return c.ListMembers(ctx, &pb.ListMembersRequest{})
			}),
		memberCall("add ID HOST:PORT", "Let a coordinator in that was started with --node-id ID and --raft-listen", 2,
			admission,
			func(ctx context.Context, c pb.CoordinatorClient, a []string, show io.Writer) (*pb.ListMembersResponse,
				error) {
				return addMember(ctx, c, a[0], a[1], show)
			}),
		memberCall("remove ID", "Go on without a coordinator", 1, callTimeout,
			func(ctx context.Context, c pb.CoordinatorClient, a []string, _ io.Writer) (*pb.ListMembersResponse,
				error) {
				return c.RemoveMember(ctx, &pb.RemoveMemberRequest{NodeId: a[0]})
			}))
}

// memberCall is a command that answers with the coordinators as they are then.
func memberCall(use, short string, words int, timeout time.Duration,
	f memberAct) *cobra.Command {
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
				answer, err := f(ctx, c, args, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				if e.structured() {
					return e.printMessage(cmd, answer)
				}
				printMembers(cmd.OutOrStdout(), answer)
				return nil
			})
		}}
	e.addFlags(cmd)
	return cmd
}

// addMember waits until a coordinator was let in and has its vote, and tells what that waits for.
func addMember(ctx context.Context, c pb.CoordinatorClient, id, at string, show io.Writer) (*pb.ListMembersResponse,
	error) {
	waiting, done := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() {
		tick := time.NewTicker(look)
		defer tick.Stop()
		last := ""
		for {
			select {
			case <-tick.C:
			case <-waiting.Done():
				return
			}
			members, err := c.ListMembers(waiting, &pb.ListMembersRequest{})
			if now := admitting(members, id, at); err == nil && now != last {
				fmt.Fprintln(show, now)
				last = now
			}
		}
	})
	answer, err := c.AddMember(ctx, &pb.AddMemberRequest{NodeId: id, RaftAddress: at})
	done()
	told.Wait()
	return answer, err
}

// admitting says what letting a coordinator in waits for.
func admitting(members *pb.ListMembersResponse, id, at string) string {
	for _, m := range members.GetMembers() {
		if m.NodeId == id && !m.Voter {
			return fmt.Sprintf("%s takes over the log; it gets its vote when it has kept up for 10s (%v at most)", id, admission)
		}
	}
	return fmt.Sprintf("waiting for %s to answer at %s", id, at)
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
