package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "byol/proto"
)

func watchCommand() *cobra.Command {
	var e endpoint
	interval, plainly := time.Second, false
	cmd := &cobra.Command{Use: "watch", Short: "Follow a run until it ends",
		Long: "Follow a run until it ends: on a terminal as a screen with curves, workers and events, elsewhere and with\n" +
			"--plain a line for each change. The screen's keys: ? shows them, q leaves, p pauses the training or goes on\n" +
			"with it, c saves a checkpoint, tab and arrows scroll. It survives the coordinator, and finds it again. Curves\n" +
			"begin with the run where its directory is on this machine, else when watch was started. NO_COLOR: no colours.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if onTerminal(cmd) && !plainly && !e.structured() {
				return watchFull(cmd, &e, interval)
			}
			return e.call(cmd, 0, func(ctx context.Context, c pb.CoordinatorClient) error {
				return watch(ctx, cmd, c, &e, interval)
			})
		}}
	e.addFlags(cmd)
	cmd.Flags().DurationVar(&interval, "interval", interval, "shortest time between updates")
	cmd.Flags().BoolVar(&plainly, "plain", false, "lines on a terminal, too: no escape sequences")
	return cmd
}

// watch prints each status: as JSON, or as lines.
func watch(ctx context.Context, cmd *cobra.Command, c pb.CoordinatorClient, e *endpoint, every time.Duration) error {
	stream, err := c.WatchStatus(ctx, &pb.WatchStatusRequest{MinInterval: durationpb.New(every)})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	var last *pb.Status
	said := ""
	for {
		st, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if last != nil && ended(last.State) {
				return nil
			}
			return err
		}
		switch {
		case e.structured():
			if err := e.printMessage(cmd, st); err != nil {
				return err
			}
		default:
			for _, line := range news(last, st) {
				fmt.Fprintln(out, line)
			}
			if line := progressLine(st); line != said {
				fmt.Fprintln(out, line)
				said = line
			}
		}
		last = st
	}
}

// isTerminal reports whether w is a terminal that redraws.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// ended reports whether a run in this state is over.
func ended(s pb.RunState) bool {
	return s == pb.RunState_RUN_STATE_COMPLETED || s == pb.RunState_RUN_STATE_STOPPED || s == pb.RunState_RUN_STATE_FAILED
}
