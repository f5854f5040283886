package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "byol/proto"
)

func watchCommand() *cobra.Command {
	var e endpoint
	interval := time.Second
	cmd := &cobra.Command{Use: "watch", Short: "Follow a run until it ends", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.call(cmd, 0, func(ctx context.Context, c pb.CoordinatorClient) error {
				return watch(ctx, cmd, c, &e, interval)
			})
		}}
	e.addFlags(cmd)
	cmd.Flags().DurationVar(&interval, "interval", interval, "shortest time between updates")
	return cmd
}

// watch prints each status: as JSON, as a screen that is drawn anew, or off a terminal as a line.
func watch(ctx context.Context, cmd *cobra.Command, c pb.CoordinatorClient, e *endpoint, every time.Duration) error {
	stream, err := c.WatchStatus(ctx, &pb.WatchStatusRequest{MinInterval: durationpb.New(every)})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	var last *pb.Status
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
		case isTerminal(out):
			var b strings.Builder
			printStatus(&b, st)
			fmt.Fprint(out, "\x1b[H\x1b[2J"+b.String())
		default:
			for _, line := range news(last, st) {
				fmt.Fprintln(out, line)
			}
			fmt.Fprintln(out, progressLine(st))
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
