package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"byol/internal/failure"
	pb "byol/proto"
)

// waitInterval is how often a run that is waited for says how far it is.
const waitInterval = 200 * time.Millisecond

func waitCommand() *cobra.Command {
	var e endpoint
	var what string
	var limit time.Duration
	cmd := &cobra.Command{Use: "wait --for CONDITION [RUN_DIR]", Short: "Wait until a run has come to something",
		Long: "Wait until a run has come to something: " + conditionsHelp + ".\n\n" +
			"Exit codes: 0 when it has; 75 when --timeout is over first; 4 when the run is over and never will;\n" +
			"3 when no coordinator answers; 2 when the condition is none.",
		Args: maybeRun, ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if what == "" {
				return usage(cmd.CommandPath()+" wants --for", "nothing says what to wait for", "--for state=completed")
			}
			c, err := parseCondition(what)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usage(fmt.Sprintf("--timeout cannot be %v", limit), "", "--timeout 2h; 0 waits for ever")
			}
			st, err := e.past(args)
			if err != nil {
				return err
			}
			if st != nil {
				return e.waited(cmd, c, st, st)
			}
			return e.wait(cmd, c, limit)
		}}
	e.addFlags(cmd)
	cmd.Flags().StringVar(&what, "for", "", "`CONDITION`: "+conditionsHelp)
	offer(cmd, "for", conditionWords(), false)
	cmd.Flags().DurationVar(&limit, "timeout", 0, "how long to wait at most; 0: for ever")
	return cmd
}

// wait follows a run until the condition is met, or cannot be any more.
func (e *endpoint) wait(cmd *cobra.Command, c condition, limit time.Duration) error {
	var first, last *pb.Status
	err := e.call(cmd, 0, func(ctx context.Context, client pb.CoordinatorClient) error {
		ctx, cancel := context.WithCancel(ctx) // a deadline would be the coordinator's, too, and it may be the first to tell
		defer cancel()
		if limit > 0 {
			defer time.AfterFunc(limit, cancel).Stop()
		}
		stream, err := client.WatchStatus(ctx, &pb.WatchStatusRequest{MinInterval: durationpb.New(waitInterval)})
		for err == nil {
			var st *pb.Status
			if st, err = stream.Recv(); err != nil {
				break
			}
			if last = st; first == nil {
				first = st
			}
			if c.met(first, st) || ended(st.State) {
				return nil
			}
		}
		return c.notMet(err, last, ctx.Err() != nil && cmd.Context().Err() == nil, limit)
	})
	if err != nil {
		return err
	}
	return e.waited(cmd, c, first, last)
}

// notMet says why who waited learns nothing more: err ended it, late says that this was the limit.
func (c condition) notMet(err error, last *pb.Status, late bool, limit time.Duration) error {
	switch {
	case late && last == nil:
		return status.Errorf(codes.DeadlineExceeded, "it has said nothing in %v", limit)
	case late:
		return &failure.Failure{What: fmt.Sprintf("%s has not come in %v", c.text, limit),
			Why: "the run is at " + progressLine(last), Try: "a longer --timeout", Code: failure.Temporary}
	case errors.Is(err, io.EOF) && last != nil:
		return &failure.Failure{What: "the coordinator has ended before " + c.text, Code: failure.Unreachable,
			Why: "the run was at " + progressLine(last), Try: "start it again, and wait again"}
	}
	return err
}

// waited says what came: the condition, or the end of the run without it.
func (e *endpoint) waited(cmd *cobra.Command, c condition, first, last *pb.Status) error {
	if !c.met(first, last) {
		return &failure.Failure{Why: last.StateReason,
			What: fmt.Sprintf("the run is over (%s) and will not come to %s", stateName(last.State), c.text),
			Try:  "coordinator status tells how it ended", Code: failure.Training}
	}
	if e.structured() {
		return e.printMessage(cmd, last)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", c.text, progressLine(last))
	return err
}
