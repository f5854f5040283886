// Package worker is a worker of a training run. It joins the coordinator, and from then on follows the plan: form
// a group with the other workers, restore the state, train step by step, evaluate, save, until the plan says that
// the run has ended. The plan is a level, not an edge: only the newest one counts.
//
// What a worker is made of is cut by how long it lives: the line to the coordinators (package control) and the state
// (package replica) last as long as the worker, whatever becomes of streams and groups; a generation's training
// (package train) lasts as long as its group. This package opens what they need, and moves from one generation to the
// next.
//
// Ownership. Run starts every goroutine of a worker and returns when all have ended: those of the line, at most one
// that writes a checkpoint, which is left behind where the disk stands still for longer than the grace, and those of a
// step. The engine and the replica belong to the goroutine of Run.
//
// When it fails: Run returns a *failure.Failure with what happened, why, what to try and an exit code, after telling
// the coordinator, if that still listens. What breaks its group is no failure: the step is dropped, the worker keeps
// its committed state and what it computed, complains, and waits for the plan of another group. When the line to the
// coordinators ends the worker leaves. One that is asked to go works on until the coordinator lets it.
package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/disk"
	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/vector"
	"byol/model/engine"
	"byol/model/pjrt/share"
	pb "byol/proto"
	"byol/worker/admin"
	"byol/worker/control"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/programs"
	"byol/worker/replica"
	"byol/worker/train"
	"byol/worker/transfer"
)

// EngineOptions says which engine to open and how it computes.
type EngineOptions struct {
	Name    string // see --device
	Threads int
	Kernels string // auto, or direct: convolutions without fast algorithms
	ISA     string // see --isa
	// Precision of activations and products: "" or fp32, or bf16.
	Precision string
	// Memory is where vectors go that other workers of the host reach; nil: anywhere.
	Memory engine.PeerMemory
	// Programs reaches the workers of other machines that may have compiled programs; nil: none of them is asked.
	Programs share.Exchange
	// Preparing is told what an engine prepares that takes its time, and "" when it is ready; nil: nobody is.
	Preparing func(what string)
}

// Options say how a worker joins and what it runs on.
type Options struct {
	// Coordinator is host:port of the run's coordinator; of several, with commas between, whichever answers.
	Coordinator string
	// Network is what coordinators are reached by, PeerNetwork what other workers are; nil: network.System, and Network.
	Network, PeerNetwork network.Network
	// ID names the worker in the run; "" lets the coordinator choose.
	ID string
	// Index is the rank to ask for, −1 for any.
	Index int
	// Workers is how many of the run's workers this process stands for, 0 for one: its shards are in proportion.
	Workers int
	// Listen is where peers reach the worker: host:port. "" picks a free port on the interface that leads to the
	// coordinator.
	Listen string
	// Advertise is what peers are told instead, HOST or HOST:PORT: where a port is published, or a host has several names.
	Advertise string
	// Device overrides the configuration's device unless it is "" or "auto".
	Device string
	// Threads overrides the configuration's number unless it is 0.
	Threads int
	// ISA overrides the configuration's instructions unless it is "" or "auto".
	ISA string
	// Build is this binary's version and commit.
	Build string
	// Decoder turns bytes into images; nil: the Go library's.
	Decoder    picture.Decoder
	OpenEngine func(EngineOptions) (engine.Engine, error)
	// CacheDir keeps indexes of data between runs; "" keeps none.
	CacheDir string
	// Roots say where this machine has the data that the run names.
	Roots source.Roots
	// JoinTimeout bounds the wait for the coordinator to answer; default 30 s.
	JoinTimeout time.Duration
	// Grace is how long a worker that is asked to go works on, so that it leaves at a boundary; default 90 s.
	Grace time.Duration
	// NoSharedMemory keeps the ranks of one host on sockets.
	NoSharedMemory bool
	// SharePrograms has compiled programs come from workers of other machines, and go to them. They are code that runs in
	// the worker, so it is for networks whose peers show certificates.
	SharePrograms bool
	// Log receives what happens; nil: nothing is logged.
	Log *zap.Logger
	// Metrics are told what this worker does; nil: nobody looks.
	Metrics *admin.Metrics
	// Faults are carried out, for tests.
	Faults fault.Plan
	// Points are told what this worker comes by, for tests.
	Points fault.Points
	// Disk is where checkpoints are written; nil: disk.System.
	Disk disk.FS
	// Kill ends this process the hard way when Faults say so; nil: SIGKILL.
	Kill func()

	preparing func(what string)  // is told what the engine prepares; nil: nobody is
	programs  *programs.Exchange // nil: programs are not shared
}

const (
	defaultJoinTimeout = 30 * time.Second
	defaultGrace       = 90 * time.Second
)

// worker is one membership in one run.
type worker struct {
	opts      Options
	log       *zap.Logger
	host      string          // as others know it; empty: programs are not shared
	asked     context.Context // ends when this worker is asked to go
	cfg       *pb.RunConfig
	listener  *allreduce.Listener
	line      *control.Line
	activity  *activity
	offers    *transfer.Server
	saves     saver
	told      reported
	equipment *equipment
	sums      *train.Sums
	tries     train.Tries
	traffic   allreduce.Traffic
	replica   *replica.Replica
	worked    map[string]int // shards that workers have memory for, by their names: it belongs to the goroutine of Run
	held      atomic.Int64   // the replica's step, for those who may not ask it
}

// Run joins the run and works until it ends, or until it is let go after ctx has ended. It returns nil when the run was
// completed or stopped in good order, and a *failure.Failure otherwise.
func Run(ctx context.Context, opts Options) error {
	opts.setDefaults()
	if err := run(ctx, opts); err != nil {
		return failure.Of(err, failure.Failure{What: "the worker broke", Try: "report this with the worker's log",
			Code: failure.Internal})
	}
	return nil
}

func (o *Options) setDefaults() {
	if o.JoinTimeout <= 0 {
		o.JoinTimeout = defaultJoinTimeout
	}
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	if o.Network == nil {
		o.Network = network.System{}
	}
	if o.PeerNetwork == nil {
		o.PeerNetwork = o.Network
	}
	if o.Disk == nil {
		o.Disk = disk.System{}
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

func run(ctx context.Context, opts Options) error {
	if !vector.LittleEndian() {
		return bigEndian()
	}
	coordinators, err := control.Addresses(opts.Coordinator)
	if err != nil {
		return err
	}
	local, err := control.Reach(ctx, opts.Network, coordinators, opts.JoinTimeout)
	if err != nil {
		return err
	}
	listener, address, err := listen(ctx, opts, local)
	if err != nil {
		return err
	}
	defer listener.Close()
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	w := &worker{opts: opts, log: opts.Log, asked: ctx, listener: listener, sums: &train.Sums{},
		activity: &activity{clock: time.Now, trace: train.NewTrace(time.Now)}}
	w.held.Store(-1)
	opts.Metrics.Carries(&w.traffic)
	w.line, err = control.Open(ctx, control.Options{Network: opts.Network, Coordinators: coordinators,
		JoinTimeout: opts.JoinTimeout, Heartbeat: w.activity.heartbeat, Held: w.held.Load, Log: opts.Log,
		Join: &pb.Join{WorkerId: opts.ID, Index: int32(opts.Index), DataAddress: address, Host: host,
			Pid: int32(os.Getpid()), Build: opts.Build, Workers: int32(opts.Workers)}})
	if err != nil {
		return err
	}
	welcome := w.line.Welcome()
	w.cfg = welcome.GetConfig()
	w.log.Info("joined", zap.String("run_id", welcome.GetRunId()), zap.String("worker", welcome.GetWorkerId()),
		zap.String("address", address))
	w.offers = transfer.NewServer(w.cfg.RunId, w.line.Timeouts().Fetch)
	listener.Handle(transfer.Magic, w.offers.Serve)
	if opts.SharePrograms {
		w.host, w.opts.programs = host, programs.New(opts.PeerNetwork, w.cfg.RunId, w.line.Timeouts().Fetch)
		listener.Handle(programs.Magic, w.opts.programs.Serve)
	}
	err = w.serve(ctx)
	w.line.Close(goodbye(err))
	return err
}

func bigEndian() error {
	return &failure.Failure{What: "this machine cannot take part", Why: "its numbers are big-endian",
		Try: "a little-endian machine, such as amd64 or arm64", Code: failure.Usage}
}

// serve works until the run ends this worker's part; once ctx has ended, for as long as the grace lasts.
func (w *worker) serve(ctx context.Context) error {
	working, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { w.askedToGo(ctx, end, ended) })
	err := w.lastSave(working, w.work(working))
	close(ended)
	watch.Wait()
	return err
}

// listen opens the port on which peers reach this worker, and the address to tell them.
func listen(ctx context.Context, opts Options, local string) (*allreduce.Listener, string, error) {
	want := network.HostPort(opts.Listen)
	if want == "" {
		want = ":0"
		if ip := net.ParseIP(local); (ip == nil || ip.IsLoopback()) && opts.Advertise == "" {
			want = net.JoinHostPort(local, "0")
		}
	}
	l, err := allreduce.Listen(ctx, opts.PeerNetwork, want)
	if err != nil {
		return nil, "", failure.Of(err, failure.Failure{What: "cannot listen on " + want,
			Try: network.ListenHint(want, err), Code: failure.Usage})
	}
	host, port, err := net.SplitHostPort(l.Addr())
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = local
	}
	if opts.Advertise == "" {
		return l, net.JoinHostPort(host, port), nil
	}
	address, err := network.Advertised(opts.Advertise, port)
	if err != nil {
		return nil, "", errors.Join(&failure.Failure{What: fmt.Sprintf("--advertise %q is no address", opts.Advertise),
			Why: err.Error(), Try: "--advertise HOST or HOST:PORT, as other workers reach this one", Code: failure.Usage},
			l.Close())
	}
	return l, address, nil
}

// restoring is the phase in which an engine plans.
const restoring = "restore"

// preparing shows what the engine prepares as what this worker does.
func (w *worker) preparing(what string) {
	if what == "" {
		what = restoring
	}
	w.activity.setPhase(what)
}

// work opens what the run needs and follows the plan until it ends.
func (w *worker) work(ctx context.Context) (err error) {
	guarded, release := w.line.Guard(ctx, control.AnyGeneration)
	w.activity.setPhase("open device and data")
	w.opts.preparing = w.preparing
	if err = checkOrder(w.cfg); err == nil {
		w.equipment, err = openEquipment(guarded, w.opts, w.cfg)
	}
	cause := context.Cause(guarded)
	release()
	switch {
	case err != nil && errors.Is(cause, control.ErrReplanned):
		return w.outcome(w.line.Newest())
	case err != nil && cause != nil:
		return w.explain(ctx, cause)
	case err != nil:
		return w.explain(ctx, err)
	}
	e := w.equipment
	defer func() { err = errors.Join(err, e.close()) }()
	defer w.offers.Withdraw()
	w.replica = replica.New(e.engine, replica.Config{Model: learnerConfig(w.cfg), Sums: w.sums,
		Parallel: e.threads > 1, Offers: w})
	p, err := w.line.Await(ctx, func(*pb.Plan) bool { return true })
	if err != nil {
		return w.explain(ctx, err)
	}
	if beside := p.Rank < 0 && len(p.Peers) > 0; !beside {
		w.opened()
	}
	return w.follow(ctx)
}

// opened says with the next heartbeats that this worker has all it needs.
func (w *worker) opened() { w.activity.setDevice(w.equipment.device()) }

// Offer implements replica.Offers.
func (w *worker) Offer(step int64, s transfer.State) {
	w.held.Store(step)
	w.offers.Offer(step, s)
}

// Withdraw implements replica.Offers.
func (w *worker) Withdraw() { w.offers.Withdraw() }

// goodbye is the worker's last message.
func goodbye(err error) *pb.Leave {
	m := &pb.Leave{Reason: "the run has ended"}
	if err == nil {
		return m
	}
	f := failure.Of(err, failure.Failure{What: "the worker broke", Code: failure.Internal})
	m.Reason, m.Hint, m.Failed, m.ExitCode = f.Error(), f.Try, f.Code != failure.Temporary, int32(f.Code)
	return m
}

// explain gives errors that cross the package's border the shape of a Failure. ctx is the work's.
func (w *worker) explain(ctx context.Context, err error) error {
	var f *failure.Failure
	switch {
	case errors.As(err, &f):
		return f
	case ctx.Err() != nil:
		return &failure.Failure{What: fmt.Sprintf("left at step %d before it was let go", w.held.Load()),
			Code: failure.Temporary,
			Why:  fmt.Sprintf("%v, and the grace of %v is over", context.Cause(w.asked), w.opts.Grace),
			Try:  "start it again; the others go on meanwhile"}
	case errors.Is(err, control.ErrEnded) && w.asked.Err() != nil:
		return w.leftAlone()
	case errors.Is(err, control.ErrEnded):
		return &failure.Failure{What: "the coordinator is gone", Why: w.line.Err().Error(), Code: failure.Temporary,
			Try: "look at the coordinator's log; start this worker again when there is one"}
	}
	return err
}
