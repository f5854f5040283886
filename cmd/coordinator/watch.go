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
	interval, plainly := time.Second, false
	cmd := &cobra.Command{Use: "watch", Short: "Follow a run until it ends",
		Long: "Follow a run until it ends: on a terminal as a screen that is drawn anew in its size, elsewhere, with\n" +
			"--plain or with NO_COLOR a line for each change.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.call(cmd, 0, func(ctx context.Context, c pb.CoordinatorClient) error {
				return watch(ctx, cmd, c, &e, watching{interval, plainly})
			})
		}}
	e.addFlags(cmd)
	cmd.Flags().DurationVar(&interval, "interval", interval, "shortest time between updates")
	cmd.Flags().BoolVar(&plainly, "plain", false, "lines on a terminal, too: no escape sequences")
	return cmd
}

// watching is how a run is followed.
type watching struct {
	every   time.Duration
	plainly bool
}

// watch prints each status: as JSON, as a screen that is drawn anew, or off a terminal as a line.
func watch(ctx context.Context, cmd *cobra.Command, c pb.CoordinatorClient, e *endpoint, how watching) error {
	stream, err := c.WatchStatus(ctx, &pb.WatchStatusRequest{MinInterval: durationpb.New(how.every)})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	draws := isTerminal(out) && !how.plainly && os.Getenv("NO_COLOR") == ""
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
		case draws:
			var b strings.Builder
			printStatus(&b, st)
			width, height := terminalSize(out)
			width-- // what fills the last column would be erased with the rest of the line
			fmt.Fprint(out, inPlace(frame(b.String(), width, height)))
		default:
			for _, line := range news(last, st) {
				fmt.Fprintln(out, line)
			}
			fmt.Fprintln(out, progressLine(st))
		}
		last = st
	}
}

// frame is text in a window: lines that are longer than it is wide go on below, and the last line says how many there
// is no room for.
func frame(text string, width, height int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		runes := []rune(strings.TrimRight(line, " \n"))
		for len(runes) > width {
			lines = append(lines, string(runes[:width]))
			runes = runes[width:]
		}
		lines = append(lines, string(runes))
	}
	if more := len(lines) - height; more > 0 {
		lines = append(lines[:height-1], fmt.Sprintf("… %d more lines", more+1))
	}
	return lines
}

// inPlace puts lines in place of what a terminal shows. It erases behind what is written, not before: nothing flickers.
func inPlace(lines []string) string {
	return "\x1b[H" + strings.Join(lines, "\x1b[K\r\n") + "\x1b[K\x1b[J"
}

// terminalSize is that of the terminal, or of an old one where nobody knows.
func terminalSize(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 1 {
			return width, height
		}
	}
	return 80, 24
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
