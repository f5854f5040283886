package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"

	"byol/coordinator/lead"
	"byol/internal/pause"
	pb "byol/proto"
)

// What the screen of watch hears, besides keys and sizes.
type (
	sawStatus struct {
		status *pb.Status
		at     time.Time
	}
	lostSight struct {
		why string
		at  time.Time
	}
	sawEvents []*pb.Event
	ticked    time.Time
	answered  struct {
		done string
		op   *pb.RunOperation
		err  error
	}
)

// watchScreen is watched on a terminal. It belongs to the goroutine of the program that draws it.
type watchScreen struct {
	*watched
	// ask has the coordinator do something, and says what came of it.
	ask func(order) tea.Msg
}

// Init implements tea.Model.
func (watchScreen) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (s watchScreen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
	case tea.KeyPressMsg:
		switch o := s.key(m.String()); o {
		case nothing:
		case quit:
			return s, tea.Quit
		case suspend:
			return s, tea.Suspend
		default:
			s.said = "asked; waiting for the answer"
			return s, func() tea.Msg { return s.ask(o) }
		}
	case sawStatus:
		if s.sees(m.status, m.at); ended(m.status.GetState()) {
			return s, tea.Quit
		}
	case lostSight:
		s.loses(m.why, m.at)
	case sawEvents:
		s.happened(m)
	case recorded:
		s.recalls(m)
	case ticked:
		s.now = time.Time(m)
	case answered:
		s.answers(m.done, m.op, m.err)
	}
	return s, nil
}

// View implements tea.Model.
func (s watchScreen) View() tea.View {
	v := tea.NewView(strings.Join(s.draw(), "\n"))
	v.AltScreen = true
	return v
}

// watchFeed tells the screen what a coordinator says, for as long as its context lasts: one that goes away is looked
// for again, wherever it is then.
type watchFeed struct {
	e     *endpoint
	every time.Duration
	send  func(tea.Msg)
}

// lookAgain is the pause before a coordinator that does not answer is asked again.
const lookAgain = time.Second

// statuses tells of each status, and of each time that there are no more.
func (f *watchFeed) statuses(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.e.reach(ctx, 0, func(ctx context.Context, c pb.CoordinatorClient) error {
			stream, err := c.WatchStatus(ctx, &pb.WatchStatusRequest{MinInterval: durationpb.New(f.every)})
			for err == nil {
				var st *pb.Status
				if st, err = stream.Recv(); err == nil {
					f.send(sawStatus{st, time.Now()})
				}
			}
			return err
		})
		if errors.Is(err, io.EOF) {
			err = errors.New("the coordinator has ended")
		}
		f.send(lostSight{lead.Plain(err.Error(), saidBytes), time.Now()})
		if !pause.For(ctx, lookAgain) {
			return
		}
	}
}

// events tells of all events, and of those that come.
func (f *watchFeed) events(ctx context.Context) {
	after := int64(0)
	for ctx.Err() == nil {
		_ = f.e.reach(ctx, 0, func(ctx context.Context, c pb.CoordinatorClient) error { // statuses tells why
			for {
				page, err := nextEvents(ctx, c, after)
				if err != nil {
					return err
				}
				if n := len(page.Events); n > 0 {
					f.send(sawEvents(page.Events))
					if after = page.Events[n-1].Id; n == eventPage {
						continue
					}
				}
				if !pause.For(ctx, followInterval) {
					return ctx.Err()
				}
			}
		})
		if !pause.For(ctx, lookAgain) {
			return
		}
	}
}

// clock tells what time it is.
func (f *watchFeed) clock(ctx context.Context) {
	for pause.For(ctx, time.Second) {
		f.send(ticked(time.Now()))
	}
}

// asking carries out an order.
func (e *endpoint) asking(ctx context.Context, o order) tea.Msg {
	a := answered{}
	id := rand.Text()
	a.err = e.reach(ctx, callTimeout, func(ctx context.Context, c pb.CoordinatorClient) (err error) {
		switch o {
		case pauseRun:
			a.done = "pausing"
			a.op, err = c.Pause(ctx, &pb.PauseRequest{RequestId: id})
		case resumeRun:
			a.done = "going on"
			a.op, err = c.Resume(ctx, &pb.ResumeRequest{RequestId: id})
		case save:
			a.done = "a checkpoint is asked for"
			a.op, err = c.Checkpoint(ctx, &pb.CheckpointRequest{RequestId: id})
		}
		return err
	})
	return a
}

// watchFull follows a run on the terminal that cmd reads and writes, until it ends or somebody has seen enough. What is
// left then is how the run stands.
func watchFull(cmd *cobra.Command, e *endpoint, every time.Duration) error {
	if e.server == "" && e.runDir == "" { // a run that begins meanwhile is another one
		var err error
		if e.runDir, err = newestRun(runsDir); err != nil {
			return err
		}
	}
	var first *pb.Status
	if err := e.call(cmd, callTimeout, func(ctx context.Context, c pb.CoordinatorClient) (err error) {
		first, err = c.GetStatus(ctx, &pb.GetStatusRequest{})
		return err
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	w := &watched{every: every, paint: os.Getenv("NO_COLOR") == ""}
	w.sees(first, time.Now())
	program := tea.NewProgram(watchScreen{w, func(o order) tea.Msg { return e.asking(ctx, o) }}, tea.WithContext(ctx),
		tea.WithInput(cmd.InOrStdin()), tea.WithOutput(cmd.OutOrStdout()))
	feed := &watchFeed{e: e, every: every, send: program.Send}
	var feeding sync.WaitGroup
	for _, tell := range []func(context.Context){feed.statuses, feed.events, feed.clock, feed.recorded} {
		feeding.Go(func() { tell(ctx) })
	}
	_, err := program.Run()
	cancel()
	feeding.Wait()
	if err != nil && !errors.Is(err, tea.ErrInterrupted) {
		return err
	}
	var stands strings.Builder
	printStatus(&stands, w.status)
	for line := range strings.Lines(stands.String()) {
		fmt.Fprintln(cmd.OutOrStdout(), lead.Plain(strings.TrimRight(line, "\n"), saidBytes))
	}
	return nil
}

// recorded tells of the curves up to now, where the run's files are at hand.
func (f *watchFeed) recorded(context.Context) {
	if f.e.server == "" {
		f.send(recordedIn(f.e.runDir))
	}
}

// onTerminal reports whether a person sits at both ends of a command.
func onTerminal(cmd *cobra.Command) bool {
	in, ok := cmd.InOrStdin().(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && isTerminal(cmd.OutOrStdout())
}
