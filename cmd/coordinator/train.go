package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"byol/coordinator"
	"byol/coordinator/settings"
	"byol/internal/failure"
	pb "byol/proto"
)

// train is the root command: plan, show the plan, run it, show the result.
func train(cmd *cobra.Command, s *settings.Values) error {
	r, err := resolve(runFlags(cmd), s, os.Environ())
	if err != nil {
		return err
	}
	p, err := makePlan(cmd.Context(), r)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if s.DryRun {
		fmt.Fprint(out, banner(p, ""))
		fmt.Fprintln(out, "\ndry run: nothing was started")
		return nil
	}
	log, err := openLog(s)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }()
	show := newScreen(out, s)
	feed := newFeed()
	c, err := coordinator.New(cmd.Context(), p.options(log, feed.offer))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.RunDir, storedConfig), p.marshal(), 0o644); err != nil {
		return usage("cannot write into the run directory "+s.RunDir, err.Error(), "--run-dir with a place you may write to")
	}
	if !s.Quiet {
		fmt.Fprint(out, banner(p, c.Addr()))
	}
	return runToEnd(cmd, p, c, show, feed)
}

// runToEnd runs the coordinator under the program's signals and ends with the summary.
func runToEnd(cmd *cobra.Command, p *plan, c *coordinator.Coordinator, show *screen, feed *feed) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	stopped := stopOnSignal(show, stop, c.Abort)
	var printing sync.WaitGroup
	printing.Go(func() { feed.drain(show) })
	err := c.Run(ctx)
	feed.close()
	printing.Wait()
	st := show.status()
	if st != nil && st.GetProgress().GetStep() > 0 {
		fmt.Fprint(cmd.OutOrStdout(), "\n"+summary(st))
	}
	if sig, ok := stopped.Load().(os.Signal); ok {
		return interrupted(sig, st, err)
	}
	if err != nil {
		return err
	}
	return checkGain(st, p.settings.RequireGain)
}

// interrupted is the end of a run that a signal stopped.
func interrupted(sig os.Signal, st *pb.Status, err error) error {
	code := failure.Interrupted
	if sig == syscall.SIGTERM {
		code = failure.Temporary
	}
	var f *failure.Failure
	if errors.As(err, &f) && f.Code != failure.Temporary && f.Code != failure.Interrupted {
		return f
	}
	why := "nothing was trained yet"
	if ck := st.GetLastCheckpoint(); ck.GetPath() != "" {
		why = fmt.Sprintf("the state after step %s is in %s", grouped(ck.Step), short(ck.Path))
	}
	return &failure.Failure{What: "stopped by " + sig.String(), Why: why, Code: code,
		Try: "the same command again goes on from there"}
}

// lastGrace is how long an aborted run gets to end its workers before the program ends without it.
const lastGrace = 3 * time.Second

// stopOnSignal lets the first Ctrl-C or SIGTERM stop the run in good order, and the second abort it.
func stopOnSignal(show *screen, stop, abort func()) *atomic.Value {
	var first atomic.Value
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-signals
		first.Store(sig)
		show.say("%s: saving and stopping; once more stops at once", sig)
		stop()
		<-signals
		show.say("stopping at once")
		abort()
		time.Sleep(lastGrace)
		os.Exit(failure.Interrupted)
	}()
	return &first
}

// options is the plan as the coordinator wants it.
func (p *plan) options(log *zap.Logger, progress func(*pb.Status)) coordinator.Options {
	s := p.settings
	return coordinator.Options{
		Config: p.config, Workers: s.Workers, RunDir: s.RunDir, Listen: s.Listen, Launcher: p.launcher,
		WorkerBinary: p.worker, JoinTimeout: s.JoinTimeout, FailureTimeout: s.FailureTimeout, Build: buildName(),
		Checkpoints: catalogue{dir: p.config.CheckpointDir}, Resume: s.Resume, Log: log, OnProgress: progress,
	}
}

// openLog makes the run directory and the coordinator's log file in it.
func openLog(s *settings.Values) (*zap.Logger, error) {
	if err := os.MkdirAll(s.RunDir, 0o755); err != nil {
		return nil, usage("cannot make the run directory "+s.RunDir, err.Error(), "--run-dir with a place you may write to")
	}
	level, err := zapcore.ParseLevel(s.LogLevel)
	if err != nil {
		return nil, usage("--log-level: "+err.Error(), "", "--log-level info")
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(level)
	config.Sampling = nil
	config.OutputPaths = []string{filepath.Join(s.RunDir, "coordinator.log")}
	config.ErrorOutputPaths = []string{"stderr"}
	config.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	log, err := config.Build()
	if err != nil {
		return nil, usage("cannot open the log of the run", err.Error(), "--run-dir with a place you may write to")
	}
	return log.With(zap.String("run_id", s.RunName)), nil
}

// feed carries statuses from the coordinator, which must not wait, to the screen, which may: only the newest
// counts.
type feed struct{ newest chan *pb.Status }

func newFeed() *feed { return &feed{newest: make(chan *pb.Status, 1)} }

// offer replaces what waits; it is called by one goroutine.
func (f *feed) offer(st *pb.Status) {
	for {
		select {
		case f.newest <- st:
			return
		default:
		}
		select {
		case <-f.newest:
		default:
		}
	}
}

func (f *feed) close() { close(f.newest) }

func (f *feed) drain(show *screen) {
	for st := range f.newest {
		show.update(st, time.Now())
	}
}
