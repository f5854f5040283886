package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"byol/internal/failure"
	pb "byol/proto"
)

// lastGrace is how long an aborted run gets to end its workers before the program ends without it.
const lastGrace = 3 * time.Second

// stopping is what signals have asked for: the first Ctrl-C or SIGTERM ends the context, and with it the run in good
// order; the second aborts it.
type stopping struct {
	signals chan os.Signal
	first   atomic.Value                  // the os.Signal
	abort   atomic.Pointer[func()]        // of the run, once there is one
	exit    func(status int)              // os.Exit, but for tests
	say     func(format string, a ...any) // to the person
}

// stopOnSignal listens until release.
func stopOnSignal(parent context.Context, show *screen) (context.Context, *stopping) {
	s := &stopping{signals: make(chan os.Signal, 2), exit: os.Exit, say: show.say}
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(parent)
	go s.listen(stop)
	return ctx, s
}

func (s *stopping) listen(stop func()) {
	defer stop()
	sig, ok := <-s.signals
	if !ok {
		return
	}
	s.first.Store(sig)
	s.say("%s: saving and stopping; once more stops at once", sig)
	stop()
	if _, ok := <-s.signals; !ok {
		return
	}
	s.say("stopping at once")
	if abort := s.abort.Load(); abort != nil {
		(*abort)()
		time.Sleep(lastGrace)
	}
	s.exit(failure.Interrupted)
}

// abortBy says how a second signal ends the run that has begun.
func (s *stopping) abortBy(abort func()) { s.abort.Store(&abort) }

// signal is the first one that came, nil when none has.
func (s *stopping) signal() os.Signal {
	sig, _ := s.first.Load().(os.Signal)
	return sig
}

// release gives the signals back to the system.
func (s *stopping) release() {
	signal.Stop(s.signals)
	close(s.signals)
}

// interrupted is the end of a run that a signal stopped. One that came to its end all the same has done so. What kept
// it from stopping in good order is told instead, a second signal among it; before it began, only that can.
func interrupted(sig os.Signal, st *pb.Status, err error) error {
	if err == nil {
		return nil
	}
	code := failure.Interrupted
	if sig == syscall.SIGTERM {
		code = failure.Temporary
	}
	var f *failure.Failure
	if errors.As(err, &f) && (f.Code == failure.Interrupted || st != nil && f.Code != failure.Temporary) {
		return f
	}
	why := "nothing was trained yet"
	if ck := st.GetLastCheckpoint(); ck.GetPath() != "" {
		why = fmt.Sprintf("the state after step %s is in %s", grouped(ck.Step), short(ck.Path))
	}
	return &failure.Failure{What: "stopped by " + sig.String(), Why: why, Code: code,
		Try: "the same command again goes on from there"}
}
