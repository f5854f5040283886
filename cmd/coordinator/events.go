package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	cmd := &cobra.Command{Use: "events", Short: "Show what happened: joins, losses, saves, pauses, unreadable images",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
			if e.output == "json" {
				if err := printJSON(cmd, ev); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %-18s %s\n", clock(ev.Time), ev.Type, joinWords(ev.Worker, ev.Text))
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
