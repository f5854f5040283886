package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/report"
	"byol/internal/failure"
	pb "byol/proto"
)

// eventPage is how many events one call asks for; followInterval is the pause between calls of events -f.
const (
	eventPage      = 500
	followInterval = time.Second
)

func eventsCommand() *cobra.Command {
	var e endpoint
	var follow bool
	cmd := &cobra.Command{Use: "events [RUN_DIR]",
		Short: "Show what happened: joins, losses, saves, pauses, unreadable images",
		Long:  "Show what happened in a run. With a run directory: also in one that is over, all of it, from its files.",
		Args:  maybeRun, ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if st, err := e.past(args); err != nil {
				return err
			} else if st != nil {
				return pastEvents(cmd, args[0], &e)
			}
			return e.call(cmd, 0, func(ctx context.Context, c pb.CoordinatorClient) error {
				return listEvents(ctx, cmd, c, &e, follow)
			})
		}}
	e.addFlags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens next")
	return cmd
}

func listEvents(ctx context.Context, cmd *cobra.Command, c pb.CoordinatorClient, e *endpoint, follow bool) error {
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	var after int64
	for {
		page, err := nextEvents(ctx, c, after)
		if err != nil {
			return err
		}
		for _, ev := range page.Events {
			after = ev.Id
			if err := printEvent(cmd, e, ev); err != nil {
				return err
			}
		}
		if len(page.Events) == eventPage {
			continue
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func printEvent(cmd *cobra.Command, e *endpoint, ev *pb.Event) error {
	if e.structured() {
		return e.printMessage(cmd, ev)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s  %-18s %s\n", clock(ev.Time), ev.Type, joinWords(ev.Worker, ev.Text))
	return err
}

// pastEvents lists what happened in a run that is over.
func pastEvents(cmd *cobra.Command, dir string, e *endpoint) error {
	h, err := report.Read(dir)
	if err != nil {
		return &failure.Failure{What: "the events of the run in " + dir + " cannot be read", Why: err.Error(),
			Try: "check the disk and the permissions", Code: failure.Data}
	}
	for _, ev := range h.Events {
		if err := printEvent(cmd, e, &pb.Event{Id: ev.ID, Time: timestamppb.New(ev.Time), Type: ev.Type, Worker: ev.Worker,
			Text: ev.Text}); err != nil {
			return err
		}
	}
	return nil
}

func nextEvents(ctx context.Context, c pb.CoordinatorClient, after int64) (*pb.ListEventsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.ListEvents(ctx, &pb.ListEventsRequest{AfterId: after, PageSize: eventPage})
}

// joinWords puts the worker before the text, unless the text speaks of it.
func joinWords(worker, text string) string {
	if worker == "" || strings.Contains(text, worker) {
		return text
	}
	return worker + ": " + text
}
