// Package worker is a worker of a training run. It joins the coordinator, and from then on follows the plan: form
// a group with the other workers, restore the state, train step by step, evaluate, save, until the plan says that
// the run has ended. The plan is a level, not an edge: only the newest one counts.
//
// Ownership. Run starts every goroutine of a worker and returns when all have ended: one receives from the
// coordinator, one sends heartbeats, at most one writes a checkpoint, one per step reduces gradient buckets while
// the backward pass goes on, one per step carries the update to the coordinator and the new target back while the
// next step begins, and a few hash in parallel. The device and the learner belong to the goroutine of
// Run. Sending to the coordinator is serialised by an outbox; what comes from it goes through an inbox.
//
// When it fails: Run returns a *Failure with what happened, why, what to try and an exit code, after telling the
// coordinator, if that still listens. A group error (a peer died) drops the step: the worker keeps its committed
// state and waits one failure timeout for a new plan. When the stream to the coordinator ends the worker leaves.
package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/fault"
	"byol/internal/vector"
	"byol/model/device"
	pb "byol/proto"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
)

// DeviceOptions says which device to open and how it computes.
type DeviceOptions struct {
	Name    string // see --device
	Threads int
	Kernels string // auto, or direct: convolutions without fast algorithms
}

// Options say how a worker joins and what it runs on.
type Options struct {
	// Coordinator is host:port of the run's coordinator.
	Coordinator string
	// ID names the worker in the run; "" lets the coordinator choose.
	ID string
	// Index is the rank to ask for, −1 for any.
	Index int
	// Listen is where peers reach the worker: host:port. "" picks a free port on the interface that leads to the
	// coordinator.
	Listen string
	// Device overrides the configuration's device unless it is "" or "auto".
	Device string
	// Threads overrides the configuration's number unless it is 0.
	Threads int
	// Build is this binary's version and commit.
	Build string
	// Decoder turns bytes into images; nil: the Go library's.
	Decoder    picture.Decoder
	OpenDevice func(DeviceOptions) (device.Device, error)
	// CacheDir keeps indexes of data between runs; "" keeps none.
	CacheDir string
	// JoinTimeout bounds the wait for the coordinator to answer; default 30 s.
	JoinTimeout time.Duration
	// NoSharedMemory keeps the ranks of one host on sockets.
	NoSharedMemory bool
	// Log receives what happens; nil: nothing is logged.
	Log *zap.Logger
	// Faults are carried out, for tests.
	Faults fault.Plan
	// Kill ends this process the hard way when Faults say so; nil: SIGKILL.
	Kill func()
}

const (
	defaultJoinTimeout    = 30 * time.Second
	defaultFailureTimeout = 5 * time.Second
	heartbeatPeriod       = time.Second
	// groupTimeout is only the last resort: a silent peer is noticed by the coordinator long before, and then
	// the plan ends the wait.
	groupTimeout = 10 * time.Minute
)

// worker is one membership in one run.
type worker struct {
	opts     Options
	log      *zap.Logger
	cfg      *pb.RunConfig
	listener *allreduce.Listener
	inbox    *inbox
	outbox   *outbox
	board    *board
	saves    saver
	fixture  *fixture
	replica  *replica // the state; nil before the first restore
}

// Run joins the run and works until it ends. It returns nil when the run was completed or stopped in good order,
// and a *Failure otherwise.
func Run(ctx context.Context, opts Options) error {
	opts.setDefaults()
	err := run(ctx, opts)
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{What: "the worker broke", Why: err.Error(), Try: "report this with the worker's log",
		Code: ExitInternal}
}

func (o *Options) setDefaults() {
	if o.JoinTimeout <= 0 {
		o.JoinTimeout = defaultJoinTimeout
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Decoder == nil {
		o.Decoder = jpeg.NewDecoder()
	}
	if o.Kill == nil {
		o.Kill = func() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) }
	}
}

func run(ctx context.Context, opts Options) (err error) {
	if !vector.LittleEndian() {
		return &Failure{What: "this machine cannot take part", Why: "its numbers are big-endian",
			Try: "a little-endian machine, such as amd64 or arm64", Code: ExitUsage}
	}
	local, err := reach(ctx, opts.Coordinator, opts.JoinTimeout)
	if err != nil {
		return err
	}
	listener, address, err := listen(ctx, opts.Listen, local)
	if err != nil {
		return err
	}
	defer listener.Close()
	conn, err := attach(ctx, opts, address)
	if err != nil {
		return err
	}
	defer conn.close()
	w := &worker{opts: opts, log: opts.Log, cfg: conn.welcome.GetConfig(), listener: listener,
		inbox: newInbox(opts.Log), outbox: &outbox{stream: conn.stream}, board: &board{now: time.Now}}
	w.log.Info("joined", zap.String("run_id", conn.welcome.GetRunId()), zap.String("worker", conn.welcome.GetWorkerId()),
		zap.String("address", address))

	var receiver, beater sync.WaitGroup
	beats, stopBeats := context.WithCancel(ctx)
	receiver.Go(func() { w.inbox.receive(conn.stream) })
	beater.Go(func() { w.heartbeats(beats) })
	err = w.work(ctx)
	w.saves.wait()
	// A coordinator that no longer takes messages must not keep this worker.
	patience := time.AfterFunc(w.failureTimeout(), conn.cancel)
	defer patience.Stop()
	stopBeats()
	beater.Wait()
	w.leave(err)
	conn.finish(w.inbox, w.failureTimeout())
	receiver.Wait()
	return err
}

// work opens what the run needs and follows the plan until it ends.
func (w *worker) work(ctx context.Context) (err error) {
	guarded, release := w.inbox.guard(ctx, anyGeneration)
	w.board.setPhase("open device and data")
	w.fixture, err = openFixture(guarded, w.opts, w.cfg)
	cause := context.Cause(guarded)
	release()
	switch {
	case err != nil && errors.Is(cause, errReplanned):
		return outcome(w.inbox.newest())
	case err != nil && cause != nil:
		return w.explain(ctx, cause)
	case err != nil:
		return w.explain(ctx, err)
	}
	defer func() { err = errors.Join(err, w.fixture.close()) }()
	w.board.setDevice(w.fixture.dev.Name())
	return w.follow(ctx)
}

// heartbeats tells the coordinator each second that this worker lives, and what it does.
func (w *worker) heartbeats(ctx context.Context) {
	tick := time.NewTicker(heartbeatPeriod)
	defer tick.Stop()
	for {
		if err := w.outbox.send(w.board.heartbeat()); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// leave is the worker's last message; the coordinator may be gone already.
func (w *worker) leave(err error) {
	m := &pb.Leave{Reason: "the run has ended", SuspectRank: -1}
	var f *Failure
	if errors.As(err, &f) {
		m = &pb.Leave{Reason: f.Error(), Hint: f.Try, Failed: f.Code != ExitTemporary, ExitCode: int32(f.Code),
			SuspectRank: -1}
		var peer *allreduce.PeerError
		if errors.As(f.Err, &peer) && peer.Rank != allreduce.Nobody {
			m.SuspectRank = int32(peer.Rank)
		}
	} else if err != nil {
		m = &pb.Leave{Reason: err.Error(), Failed: true, ExitCode: int32(ExitInternal), SuspectRank: -1}
	}
	if err := w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_Leave{Leave: m}}); err != nil {
		w.log.Debug("leave", zap.Error(err))
	}
}

func (w *worker) failureTimeout() time.Duration {
	if s := w.cfg.GetFailureTimeoutSeconds(); s > 0 {
		return time.Duration(s * float64(time.Second))
	}
	return defaultFailureTimeout
}

// explain gives errors that cross the package's border the shape of a Failure.
func (w *worker) explain(ctx context.Context, err error) error {
	var f *Failure
	var peer *allreduce.PeerError
	switch {
	case errors.As(err, &f):
		return f
	case ctx.Err() != nil:
		return &Failure{What: "the worker was asked to stop", Why: context.Cause(ctx).Error(),
			Try: "start it again; the run goes on from its newest checkpoint", Code: ExitTemporary}
	case errors.Is(err, errStreamEnded):
		return &Failure{What: "the coordinator is gone", Why: w.inbox.streamError().Error(),
			Try:  "look at the coordinator's log; run the same command again to go on from the newest checkpoint",
			Code: ExitUnreachable}
	case errors.As(err, &peer):
		f := &Failure{What: fmt.Sprintf("rank %d broke the group", peer.Rank), Why: peer.Error(),
			Try:  "look at that worker's log; run the same command again to go on from the newest checkpoint",
			Code: ExitTraining, Err: peer}
		if peer.Rank == allreduce.Nobody {
			f.What = "the group broke"
		}
		return f
	}
	return err
}
