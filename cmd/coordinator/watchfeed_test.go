package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"google.golang.org/grpc"

	"byol/internal/network/memory"
	"byol/internal/pause"
	pb "byol/proto"
)

// lively is a coordinator that says where it is each second, until it is stopped.
type lively struct {
	operated
	step int64
}

func (l *lively) WatchStatus(_ *pb.WatchStatusRequest, s grpc.ServerStreamingServer[pb.Status]) error {
	for {
		if err := s.Send(at(l.step)); err != nil {
			return err
		}
		l.step++
		if !pause.For(s.Context(), time.Second) {
			return s.Context().Err()
		}
	}
}

// TestWatchOutlivesCoordinators: the screen hears of a coordinator's end, and then of the one that follows it; of
// events none is told twice.
func TestWatchOutlivesCoordinators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := memory.New()
		begin := func(step int64, events int) (end func()) {
			l, err := lines.Host("run").Listen(t.Context(), ":7400")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer()
			c := &lively{step: step}
			for i := range events {
				c.events = append(c.events, &pb.Event{Id: int64(i + 1), Text: fmt.Sprint(i + 1)})
			}
			pb.RegisterCoordinatorServer(server, c)
			ended := make(chan error)
			go func() { ended <- server.Serve(l) }()
			return func() { server.Stop(); <-ended }
		}
		w := &watched{every: time.Second}
		var heard sync.Mutex
		var story []string
		f := &watchFeed{e: &endpoint{server: "run:7400", through: lines.Host("laptop")}, every: time.Second,
			send: func(m tea.Msg) {
				heard.Lock()
				defer heard.Unlock()
				watchScreen{w, nil}.Update(m)
				since, why, silent := w.silent()
				if silent {
					story = append(story, fmt.Sprintf("silent for %v: %s", w.now.Sub(since).Round(time.Second), why))
				} else if _, status := m.(sawStatus); status {
					story = append(story, fmt.Sprintf("step %d", w.status.GetProgress().GetStep()))
				}
			}}
		end := begin(1, 700)
		ctx, cancel := context.WithCancel(t.Context())
		var feeding sync.WaitGroup
		for _, tell := range []func(context.Context){f.statuses, f.events, f.clock} {
			feeding.Go(func() { tell(ctx) })
		}
		time.Sleep(2500 * time.Millisecond)
		end()
		time.Sleep(3 * time.Second)
		end = begin(40, 702)
		time.Sleep(2500 * time.Millisecond)
		end()
		cancel()
		feeding.Wait()
		text := strings.Join(slices.Compact(story), "\n")
		first, last := strings.Index(text, "step 1\nstep 2"), strings.Index(text, "step 40\nstep 41")
		if between := strings.Index(text, "silent"); first < 0 || between < first || last < between ||
			!strings.Contains(text, "no coordinator answers at run:7400") {
			t.Errorf("what the screen showed:\n%s", text)
		}
		for i := 1; i < len(w.events); i++ {
			if w.events[i].Id != w.events[i-1].Id+1 {
				t.Fatalf("event %d behind %d", w.events[i].Id, w.events[i-1].Id)
			}
		}
		if w.newest != 702 {
			t.Errorf("the newest event is %d", w.newest)
		}
	})
}

// TestWatchAsks carries out what keys asked for.
func TestWatchAsks(t *testing.T) {
	o := &operated{}
	e := &endpoint{server: o.serve(t)}
	for _, c := range []struct {
		order order
		want  string
		asked any
	}{
		{pauseRun, "pausing at step 1 234; the run is paused", &pb.PauseRequest{}},
		{resumeRun, "going on at step 1 234; the run is paused", &pb.ResumeRequest{}},
		{save, "a checkpoint is asked for at step 1 234; the run is paused; r/checkpoints/step-1234",
			&pb.CheckpointRequest{}},
	} {
		o.asked = nil
		w := &watched{}
		watchScreen{w, nil}.Update(e.asking(t.Context(), c.order))
		if w.said != c.want || len(o.asked) != 1 || fmt.Sprintf("%T", o.asked[0]) != fmt.Sprintf("%T", c.asked) {
			t.Errorf("%q of %v, want %q of %T", w.said, o.asked, c.want, c.asked)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	e = &endpoint{server: l.Addr().String()}
	w := &watched{}
	if watchScreen(watchScreen{w, nil}).Update(e.asking(t.Context(), pauseRun)); !strings.HasPrefix(w.said,
		"not done: no coordinator answers at "+l.Addr().String()) {
		t.Errorf("nobody there: %q", w.said)
	}
}
