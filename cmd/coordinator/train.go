package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"byol/coordinator"
	"byol/coordinator/logs"
	"byol/coordinator/report"
	"byol/coordinator/settings"
	"byol/internal/disk"
	"byol/internal/network"
	pb "byol/proto"
)

// train is the root command: plan, show the plan, run it, show the result. Signals are taken from the first moment on,
// so that there is none at which they would end the program without a word.
func train(cmd *cobra.Command, s *settings.Values) error {
	show := newScreen(cmd.OutOrStdout())
	ctx, stopping := stopOnSignal(cmd.Context(), show)
	defer stopping.release()
	err := start(ctx, cmd, s, show, stopping)
	if sig := stopping.signal(); sig != nil {
		return interrupted(sig, show.status(), err)
	}
	return err
}

func start(ctx context.Context, cmd *cobra.Command, s *settings.Values, show *screen, stopping *stopping) error {
	r, err := resolve(runFlags(cmd), s, os.Environ())
	if err != nil {
		return err
	}
	show.settle(s)
	r.say = func(text string) { show.say("WARN %s", text) }
	p, err := makePlan(ctx, r)
	if err != nil {
		return err
	}
	if s.DryRun {
		out := cmd.OutOrStdout()
		fmt.Fprint(out, banner(p, ""), "\n", timeouts(s.FailureTimeout))
		fmt.Fprintln(out, "\ndry run: nothing was started")
		return nil
	}
	log, err := openLog(s)
	if err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			log.Error("panic", zap.Any("value", v), zap.StackSkip("stack", 2))
			panic(v) // failure.Guard tells the person
		}
		_ = log.Sync()
	}()
	if err := p.keepStart(); err != nil {
		return err
	}
	feed := newFeed(show)
	o := p.options(log, feed)
	if p.guard, err = protect(p); err != nil {
		return err
	}
	p.guard.apply(&o)
	if p.admin, err = openAdmin(ctx, p); err != nil {
		return err
	}
	o.Board = p.admin.board
	sent, endSpans := openSpans(ctx, p, log)
	defer endSpans()
	o.Spans = sent
	c, err := coordinator.New(ctx, o)
	if err != nil {
		return errors.Join(err, p.admin.close())
	}
	stopping.abortBy(c.Abort)
	if !s.Quiet {
		show.write(banner(p, pasteable(ctx, c.Addr())))
	}
	stop := p.admin.serve(ctx, c, log)
	defer stop()
	return runToEnd(ctx, p, c, feed)
}

// pasteable is an address of this host for people to copy.
func pasteable(ctx context.Context, address string) string {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = ""
	}
	limited, cancel := context.WithTimeout(ctx, time.Second) // for a name server that does not answer
	defer cancel()
	return network.Named(limited, network.System{}, address, hostname)
}

// runToEnd runs the coordinator and ends with the summary.
func runToEnd(ctx context.Context, p *plan, c *coordinator.Coordinator, feed *feed) error {
	var printing sync.WaitGroup
	printing.Go(feed.drain)
	err := c.Run(ctx)
	feed.close()
	printing.Wait()
	st := feed.show.status()
	if st != nil && st.GetProgress().GetStep() > 0 {
		text := summary(st, p.evaluationNote())
		if err == nil {
			text += p.leaveEncoder(ctx, st)
		}
		feed.show.write("\n" + text)
		feed.show.write(endReport(ctx, p, st))
	}
	if err != nil {
		return err
	}
	return checkGain(st, p.settings.RequireGain)
}

// options is the plan as the coordinator wants it. feed is nil where nobody watches.
func (p *plan) options(log *zap.Logger, feed *feed) coordinator.Options {
	s := p.settings
	o := coordinator.Options{
		Config: p.config, Workers: s.Workers, MinWorkers: s.MinWorkers, Processes: len(p.processes),
		OnNaN: s.OnNaN, MaxSkips: s.OnNaNLimit,
		Straggler: s.Straggler, Balance: s.Balance, RunDir: s.RunDir, Listen: s.Listen, Launcher: p.launcher,
		WorkerBinary: p.worker, WorkerArgs: workerArgs(s), Accelerators: p.accelerators(),
		JoinTimeout:    s.JoinTimeout,
		FailureTimeout: s.FailureTimeout, Build: buildName(),
		Grace: s.Grace, MaxRestarts: s.MaxRestarts,
		Checkpoints: catalogue{dir: p.config.CheckpointDir, run: p.config}, Resume: s.Resume, FromScratch: s.FromScratch,
		Log: log, Settings: p.marshal(),
		NodeID: s.NodeID, Peers: p.peers, RaftListen: s.RaftListen, Advertise: s.Advertise,
	}
	if p.initial != nil {
		o.InitFile = filepath.Join(s.RunDir, initFile)
	}
	if feed != nil {
		o.OnProgress, o.OnEvent = feed.offer, feed.tell
	}
	return o
}

// openLog makes the run directory and the coordinator's log file in it.
func openLog(s *settings.Values) (*zap.Logger, error) {
	if err := disk.MkdirAll(disk.System{}, s.RunDir); err != nil {
		return nil, usage("cannot make the run directory "+s.RunDir, err.Error(), "--run-dir with a place you may write to")
	}
	level, err := zapcore.ParseLevel(s.LogLevel)
	if err != nil {
		return nil, usage("--log-level: "+err.Error(), "", "--log-level info")
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(level)
	config.Sampling = nil
	if s.LogFormat == settings.Console {
		config.Encoding = "console"
	}
	path, err := filepath.Abs(filepath.Join(s.RunDir, coordinatorLog)) // zap takes another one for a URL
	if err != nil {
		return nil, usage("cannot find the log of the run", err.Error(), "--run-dir with an absolute path")
	}
	config.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	file, err := logs.Open(path, logs.OfCoordinator, func() error { return crashInto(path) })
	if err != nil {
		return nil, usage("cannot open the log of the run", err.Error(), "--run-dir with a place you may write to")
	}
	encoder := zapcore.NewJSONEncoder(config.EncoderConfig)
	if config.Encoding == "console" {
		encoder = zapcore.NewConsoleEncoder(config.EncoderConfig)
	}
	log := zap.New(zapcore.NewCore(encoder, file, config.Level), zap.AddCaller(), zap.AddStacktrace(zap.ErrorLevel),
		zap.ErrorOutput(zapcore.AddSync(&lostLines{to: os.Stderr})))
	return log.With(zap.String("run_id", s.RunName)), nil
}

// lostLines is told by zap of each line that the disk did not take, and tells a person once.
type lostLines struct {
	to   io.Writer
	once sync.Once
}

// Write implements io.Writer.
func (l *lostLines) Write(p []byte) (int, error) {
	l.once.Do(func() {
		why := strings.TrimSpace(string(p))
		if _, after, ok := strings.Cut(why, " write error: "); ok {
			why = after
		}
		fmt.Fprintf(l.to, "WARN lines of the log are lost: %s\n", why)
	})
	return len(p), nil
}

// crashInto has the Go runtime write a panic of any goroutine to the end of the log as well.
func crashInto(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close()) // it keeps a descriptor of its own
}

// feed carries statuses and events from the coordinator, which must not wait, to the screen, which may. Of statuses
// only the newest counts; events that are too many are lost for the screen.
type feed struct {
	newest chan *pb.Status
	events chan report.Event
	show   *screen
}

func newFeed(show *screen) *feed {
	return &feed{newest: make(chan *pb.Status, 1), events: make(chan report.Event, 256), show: show}
}

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

// tell hands over an event.
func (f *feed) tell(e report.Event) {
	select {
	case f.events <- e:
	default:
	}
}

func (f *feed) close() {
	close(f.newest)
	close(f.events)
}

// drain shows what happened before how it went on.
func (f *feed) drain() {
	events := f.events
	for {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			f.show.happened(e, time.Now())
			continue
		default:
		}
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			f.show.happened(e, time.Now())
		case st, ok := <-f.newest:
			if !ok {
				return
			}
			f.show.update(st, time.Now())
		}
	}
}
