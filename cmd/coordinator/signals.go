package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"byol/internal/failure"
	"byol/internal/signals"
	pb "byol/proto"
)

// lastGrace is how long an aborted run gets to end its workers before the program ends without it.
const lastGrace = 3 * time.Second

// stopping is what signals have asked for: the first one ends the context, and with it the run in good order; another
// one that comes later aborts it. That nobody reads the output any more asks for the end as a signal does.
type stopping struct {
	listener *signals.Listener
	stop     func()                        // the context's
	first    atomic.Value                  // a reason
	abort    atomic.Pointer[func()]        // of the run, once there is one
	exit     func(status int)              // os.Exit, but for tests
	say      func(format string, a ...any) // to the person
	released chan struct{}                 // closed when the program ends by itself
}

// reason is a signal, of whatever type it is.
type reason struct{ os.Signal }

// stopOnSignal listens until release.
func stopOnSignal(parent context.Context, show *screen) (context.Context, *stopping) {
	ctx, stop := context.WithCancel(parent)
	s := &stopping{stop: stop, exit: os.Exit, say: show.say, released: make(chan struct{})}
	s.listener = signals.Listen(s.inOrder, s.atOnce)
	show.unreadBy(func() { s.listener.Raise(signals.Unread) })
	return ctx, s
}

func (s *stopping) inOrder(sig os.Signal) {
	s.first.Store(reason{sig})
	s.say("%s: saving and stopping; once more stops at once", sig)
	s.stop()
}

func (s *stopping) atOnce(os.Signal) {
	s.say("stopping at once")
	if abort := s.abort.Load(); abort != nil {
		(*abort)()
		limit := time.NewTimer(lastGrace)
		defer limit.Stop()
		select {
		case <-limit.C:
		case <-s.released:
			return
		}
	}
	s.exit(failure.Interrupted)
}

// abortBy says how a second signal ends the run that has begun.
func (s *stopping) abortBy(abort func()) { s.abort.Store(&abort) }

// signal is the first one that came, nil when none has.
func (s *stopping) signal() os.Signal {
	r, _ := s.first.Load().(reason)
	return r.Signal
}

// release gives the signals back to the system.
func (s *stopping) release() {
	close(s.released)
	s.listener.Close()
	s.stop()
}

// interrupted is the end of a run that a signal stopped. One that came to its end all the same has done so. What kept
// it from stopping in good order is told instead, a second signal among it; before it began, only that can.
func interrupted(sig os.Signal, st *pb.Status, err error) error {
	if err == nil {
		return nil
	}
	var f *failure.Failure
	if errors.As(err, &f) && (f.Code == failure.Interrupted || st != nil && f.Code != failure.Temporary) {
		return f
	}
	why, try := "nothing was trained yet", "the same command again goes on from there"
	if steps := st.GetProgress().GetStep(); steps > 0 && st.GetStale() {
		why, try = "another coordinator led, and knows what is saved", "the same command brings this one back"
	} else if steps > 0 {
		why = fmt.Sprintf("no checkpoint was written: %s steps are lost", grouped(steps))
		try = "the same command with --restart-from-scratch begins again at step 0"
	}
	if ck := st.GetLastCheckpoint(); ck.GetPath() != "" {
		why = fmt.Sprintf("the state after step %s is in %s", grouped(ck.Step), short(ck.Path))
		try = "the same command again goes on from there"
	}
	return &failure.Failure{What: "stopped by " + sig.String(), Why: why, Code: failure.Temporary, Try: try}
}
