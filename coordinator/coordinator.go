// Package coordinator runs a training: it lets workers join, tells them the plan, collects what each of them would
// commit, checks that all agree, computes the target network, commits, and answers operators over gRPC.
//
// Decisions are made by two pure packages: run, what all coordinators agree on, and lead, what the one that leads does
// about it. This package is the shell around them: it has the streams, the clock, the vectors and the log, tells the
// leader what happens, and does what it says. A Coordinator owns every goroutine of the control plane: Run starts them,
// and returns only when all have ended. The goroutine of Run alone talks to the leader; the goroutines that receive
// from workers fold slices into the target themselves and hand everything else to it.
//
// # When it fails
//
// Run returns a *failure.Failure that says what happened, why and what to try, with the exit code to use. What workers
// do wrong, and their loss, is lead's to mend. A coordinator that leads no more follows whoever does, and ends as the
// run does; one whose disk is full, broken or stands still ends. A Coordinator is single-use.
package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"

	"byol/coordinator/launch"
	"byol/coordinator/raftnode"
	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/status"
	"byol/coordinator/trace"
	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/network"
	pb "byol/proto"
)

// The server moves a network's worth of slices in each step: windows that hold them, and buffers that fill packets.
const (
	windowBytes  = 64 << 20
	bufferBytes  = 512 << 10
	messageBytes = 2 << 20 // twice the data of a slice
	headerBytes  = 16 << 10
	mostStreams  = 64 // of one connection
	greeting     = 5 * time.Second
	hangUp       = time.Second // for calls of operators that are under way at the end
	openTimeout  = 30 * time.Second
)

// How long a coordinator hears nothing of the leader before it asks for votes. One that is alone has nobody to be
// patient with.
const (
	electionTimeout      = time.Second
	electionTimeoutAlone = 50 * time.Millisecond
)

// Coordinator is one run's coordinator.
type Coordinator struct {
	opts     Options
	runDir   string
	listener net.Listener
	server   *grpc.Server
	health   *health.Server
	started  time.Time
	attached atomic.Int64  // streams so far: their names
	strange  chan struct{} // has a token for each stream that has not joined
	events   chan envelope
	ended    chan struct{} // closed when nobody takes events any more
	aborted  chan struct{}
	abort    sync.Once
	life     context.Context
	tasks    sync.WaitGroup // all goroutines of the run, started by start
	intake   intake
	latest   *status.Latest
	node     ledger
	report   atomic.Pointer[report.Report] // nil before this coordinator leads
	worked   work
	scribe   *scribe
	// trace is nil before the first record; traceLost says that the last could not be written. Both are the scribe's.
	trace     *trace.Log
	traceLost bool
	telling   sync.Mutex
	// proposing is when the proposal that is under way was made, nanoseconds since the coordinator began; 0: none is.
	// stalled says that a disk stands still, "" while none does.
	proposing atomic.Int64
	stalled   atomic.Pointer[string]
	host      string               // this machine's name, "" if it has none
	named     string               // where workers reach this coordinator, for people to copy
	mark      string               // that this coordinator left where the checkpoints are
	warnings  []string             // of checkpoints that were passed over
	moved     string               // what became of a damaged log, "" for nothing
	begun     bool                 // the run directory was taken up
	adopted   bool                 // it has the settings of the run that others lead
	served    bool                 // it got as far as to serve others
	answers   atomic.Bool          // operators may ask
	opening   bool                 // the next term takes the run up
	asked     time.Time            // when it was asked to go while others can lead; it belongs to the goroutine of Run
	replayed  map[int64]run.Record // steps that were committed and are run again
}

// ledger is the log that coordinators agree on: a raftnode.Node.
type ledger interface {
	Propose(ctx context.Context, c run.Command) error
	View() (run.State, <-chan struct{})
	Leadership() (term uint64, changed <-chan struct{})
	Barrier() error
	Info() raftnode.Info
	Failed() (<-chan struct{}, error)
	Ended() bool
	Told() bool
	Leader() (id, address string)
	Members() []raftnode.Member
	AddMember(ctx context.Context, id, address string) error
	RemoveMember(id string) error
	Transfer(id string) error
}

// New checks the options and binds the address, so that Addr is known before Run.
func New(ctx context.Context, opts Options) (*Coordinator, error) {
	opts.setDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opts.RunDir)
	if err != nil {
		return nil, fmt.Errorf("find run directory: %w", err)
	}
	listener, err := opts.Network.Listen(ctx, opts.Listen)
	if err != nil {
		return nil, failure.Of(err, failure.Failure{What: fmt.Sprintf("cannot listen on %s", opts.Listen),
			Try: network.ListenHint(opts.Listen, err), Code: failure.Usage})
	}
	opts.Config = proto.Clone(opts.Config).(*pb.RunConfig)
	if opts.several() {
		opts.Config.RunId = runName(&opts)
	}
	listener = &doorway{Listener: listener, mostSilent: mostSilent(opts.Workers), most: mostConnections(opts.Workers)}
	c := &Coordinator{opts: opts, runDir: dir, listener: listener, health: health.NewServer(), latest: status.NewLatest(),
		strange: make(chan struct{}, strangers(opts.Workers)),
		events:  make(chan envelope), worked: make(work, opts.Workers), ended: make(chan struct{}),
		aborted: make(chan struct{}), started: time.Now()}
	if c.host, err = os.Hostname(); err != nil {
		c.host = ""
	}
	limited, cancel := context.WithTimeout(ctx, time.Second) // for a name server that does not answer
	defer cancel()
	c.named = network.Named(limited, network.System{}, c.Addr(), c.host)
	c.server = grpc.NewServer(append(opts.Board.ServerOptions(), grpc.WaitForHandlers(true),
		grpc.MaxRecvMsgSize(messageBytes), grpc.Creds(lifted{}),
		grpc.ChainUnaryInterceptor(guardCall), grpc.ChainStreamInterceptor(guardStream),
		grpc.InTapHandle((&calls{}).admit),
		grpc.MaxConcurrentStreams(mostStreams), grpc.MaxHeaderListSize(headerBytes), grpc.ConnectionTimeout(greeting),
		grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(windowBytes),
		grpc.ReadBufferSize(bufferBytes), grpc.WriteBufferSize(bufferBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))...)
	healthpb.RegisterHealthServer(c.server, c.health)
	pb.RegisterCoordinatorServer(c.server, service{c: c})
	pb.RegisterWorkerPlaneServer(c.server, plane{c: c})
	reflection.Register(c.server)
	opts.Board.Serves(c.server)
	return c, nil
}

// Addr returns the address the server is bound to.
func (c *Coordinator) Addr() string { return c.listener.Addr().String() }

// period is how often the leader looks at the clock.
func (c *Coordinator) period() time.Duration {
	return max(10*time.Millisecond, min(250*time.Millisecond, c.opts.FailureTimeout/10))
}

// start runs f on a goroutine that Run waits for.
func (c *Coordinator) start(f func()) { c.tasks.Go(f) }

// Abort ends the run at once, without a checkpoint: what the second Ctrl-C asks for.
func (c *Coordinator) Abort() { c.abort.Do(func() { close(c.aborted) }) }

// Run trains until the run has ended. When ctx ends it saves and stops, and returns a Failure with code Temporary.
// It returns nil when the run is complete, or was stopped by an operator.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.listener.Close()
	var cancel context.CancelFunc
	c.life, cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := os.MkdirAll(c.runDir, 0o755); err != nil {
		return &failure.Failure{What: "the run directory cannot be made", Why: err.Error(), Try: "another --run-dir",
			Code: failure.Usage}
	}
	node, err := c.openLog(ctx)
	if err != nil {
		return c.openFailure(err)
	}
	defer func() { _ = node.Close() }() // what was committed is on disk
	c.node, c.scribe = node, newScribe()
	defer func() {
		c.scribe.finish()
		if files := c.report.Load(); files != nil {
			_ = files.Close()
		}
		if c.trace != nil {
			_ = c.trace.Close() // nothing depends on it
		}
		c.leaveStatus()
	}()
	if !c.opts.several() {
		if done, err := c.beginAlone(ctx); err != nil || done {
			return early(ctx, err)
		}
	}
	removeKeys, err := c.leaveKeys()
	if err != nil {
		return unwritable(err)
	}
	defer removeKeys()
	remove, err := Card{Address: network.Dialable(c.Addr()), PID: os.Getpid(), RunID: c.opts.Config.RunId,
		Started: c.started}.leave(c.runDir)
	if err != nil {
		return unwritable(err)
	}
	defer remove()
	err = c.serve(ctx)
	c.linger()
	return err
}

// beginAlone begins before anybody is served: nobody else could lead.
func (c *Coordinator) beginAlone(ctx context.Context) (done bool, err error) {
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if _, err := c.elected(limited); err != nil {
		return false, c.openFailure(err)
	}
	return c.begin(limited)
}

// begin takes up the run directory, once, before this coordinator's first term. done says that nothing is left to do.
func (c *Coordinator) begin(ctx context.Context) (done bool, err error) {
	settings, err := settingsOf(&c.opts)
	if err != nil {
		return false, err
	}
	before, _ := c.node.View()
	b, err := takeUp(before, settings, &c.opts)
	if c.opts.several() && (before.Phase != "" && !before.Phase.Final() || c.node.Ended()) {
		b, err = takeOver(before, &c.opts)
	}
	if err != nil {
		return false, err
	}
	for _, command := range b.commands {
		if err := c.node.Propose(ctx, command); err != nil {
			return false, fmt.Errorf("begin the run: %w", err)
		}
	}
	if err := c.openReport(b.step); err != nil {
		return false, err
	}
	c.begun = true
	if view, _ := c.node.View(); !c.opts.several() { // otherwise all have one name
		c.opts.Config.RunId = view.Settings.RunID
	}
	if b.done {
		c.newTerm(0).publish()
		return true, nil
	}
	c.replayed = map[int64]run.Record{}
	for _, r := range before.Records {
		if r.Step >= b.step {
			c.replayed[r.Step] = r
		}
	}
	c.sayBegun(b)
	if err := writeConfig(c.runDir, &c.opts); err != nil {
		return false, unwritable(err)
	}
	return false, nil
}

// sayBegun tells where the run begins, and what could not be used.
func (c *Coordinator) sayBegun(b beginning) {
	for _, text := range b.refused {
		c.warnings = append(c.warnings, "a checkpoint was passed over: "+text)
		c.tell("checkpoint-refused", "", "a checkpoint was passed over: "+text)
	}
	c.opening = true
	if c.moved != "" {
		b.events = []string{fmt.Sprintf("%s; going on at step %d", c.moved, b.step)}
		c.warnings = append(c.warnings, b.events[0])
	}
	for _, text := range b.events {
		c.tell("coordinator-started", "", text)
	}
}

// openReport begins or goes on with the report of a run whose next step is step.
func (c *Coordinator) openReport(step int64) error {
	files, err := report.Open(c.runDir, step, time.Now)
	if err != nil {
		return unwritable(err)
	}
	c.report.Store(files)
	c.opts.Board.Recall(c.runDir)
	return nil
}

func unwritable(err error) error {
	return &failure.Failure{What: "the run directory cannot be written", Why: err.Error(), Err: err,
		Try: "another --run-dir", Code: failure.Usage}
}

// early tells an end that was asked for while the run directory was being taken up from one that could not be helped.
func early(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) && !errors.Is(err, ctx.Err()) {
		return err
	}
	return &failure.Failure{What: "stopped before the run went on", Why: "a signal asked to stop", Err: err,
		Try: "the same command again", Code: failure.Temporary}
}

// serve runs the server, the workers and the terms, and returns when all of them have ended.
func (c *Coordinator) serve(ctx context.Context) error {
	steps, err := c.openSteps()
	if err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(c.runDir, StatusFile)) // it is of an end that is none any more
	c.served = true
	c.start(func() { c.keepSteps(steps) })
	c.answers.Store(true)
	for _, name := range []string{"", pb.Coordinator_ServiceDesc.ServiceName} {
		c.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	c.start(func() {
		_ = c.server.Serve(c.listener) // it ends when the server is stopped; a broken listener shows as missing workers
	})
	c.start(c.watchDisk)
	c.start(c.watchProtection)
	var workers *launch.Workers
	if c.opts.Launcher == LauncherLocal {
		workers, err = c.launch()
		defer context.AfterFunc(ctx, workers.Rest)() // a run that ends needs no new workers
	}
	if err == nil {
		err = c.lead(ctx)
	}
	close(c.ended)
	c.health.Shutdown()
	if workers != nil {
		if err == nil {
			workers.Wait(min(c.opts.Grace, max(c.opts.FailureTimeout, killAfter))) // all have left, or were silent
		}
		workers.Stop(min(c.opts.Grace, killAfter))
	}
	stop := time.AfterFunc(hangUp, c.server.Stop)
	c.server.GracefulStop()
	stop.Stop()
	c.tasks.Wait()
	if err == nil {
		return nil
	}
	return failure.Of(err, failure.Failure{What: "the coordinator broke", Code: failure.Internal,
		Try: "run the same command again to go on; if this looks like a bug, report it with the run's log directory"})
}

// lead follows whoever leads and goes from term to term of its own until the run has ended, and returns its failure.
func (c *Coordinator) lead(ctx context.Context) error {
	signalled := ctx.Done()
	for {
		number, err := c.elected(ctx)
		if errors.Is(err, errEnded) {
			return c.outcome()
		}
		if err != nil {
			return c.left(ctx, err)
		}
		c.opts.Points.Pass(fault.Elected)
		if !c.begun {
			done, err := c.begin(ctx)
			if deposed, _ := c.node.Leadership(); err != nil && deposed != number && c.opts.several() {
				continue // whoever leads now begins
			}
			if err != nil || done {
				return c.left(ctx, err)
			}
		}
		c.mark = c.leaveMark()
		c.fillReport()
		t := c.newTerm(number)
		if c.opts.several() {
			c.tell("leader-elected", "", fmt.Sprintf("coordinator %s leads from step %d on (term %d)", c.opts.NodeID,
				t.lead.View().State.Step, number))
		}
		c.opening = false
		switch err := t.run(signalled); {
		case errors.Is(err, errDeposed):
			t.dismiss()
		case err != nil:
			t.dismiss()
			return c.left(ctx, err)
		case t.failure != nil:
			return t.failure
		default:
			return nil
		}
	}
}
