// Package coordinator runs a training: it lets workers join, tells them the plan, collects what each of them would
// commit, checks that all agree, computes the target network, commits, and answers operators over gRPC.
//
// Decisions are made by the pure package run; this package is the shell around it, which turns messages, silence and
// signals into commands and the state into plans. A Coordinator owns every goroutine of the control plane: Run starts
// them, and returns only when all have ended. One of them, the driver, owns all soft state; the goroutines that
// receive from workers fold slices into the target themselves and hand everything else to the driver.
//
// # When it fails
//
// Run returns a *Failure that says what happened, why and what to try, with the exit code to use. A lost worker ends
// the run: the others are told and leave, and the committed steps up to the newest checkpoint survive, from which the
// same command goes on. A Coordinator is single-use.
package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"

	"byol/coordinator/raftnode"
	"byol/coordinator/report"
	"byol/coordinator/run"
	pb "byol/proto"
)

// The server moves a network's worth of slices in each step: windows that hold them, and buffers that fill packets.
const (
	windowBytes  = 64 << 20
	bufferBytes  = 512 << 10
	messageBytes = 4 << 20
	hangUp       = time.Second // for calls of operators that are under way at the end
	openTimeout  = 30 * time.Second
)

// This coordinator as a voter. It is the only one, and so has nobody to be patient with.
const (
	nodeID          = "coordinator-0"
	electionTimeout = 50 * time.Millisecond
)

// Coordinator is one run's coordinator.
type Coordinator struct {
	opts     Options
	runDir   string
	listener net.Listener
	server   *grpc.Server
	health   *health.Server
	started  time.Time
	joinBy   time.Time
	events   chan envelope
	ended    chan struct{} // closed when the driver listens no more
	aborted  chan struct{}
	abort    sync.Once
	life     context.Context
	tasks    sync.WaitGroup // all goroutines of the run, started by start
	intake   intake
	board    *board
	node     *raftnode.Node
	report   *report.Report
}

// New checks the options and binds the address, so that Addr is known before Run.
func New(opts Options) (*Coordinator, error) {
	opts.setDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opts.RunDir)
	if err != nil {
		return nil, fmt.Errorf("find run directory: %w", err)
	}
	listener, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, &Failure{What: fmt.Sprintf("cannot listen on %s", opts.Listen), Why: err.Error(),
			Try: "--listen with another port, or port 0 for a free one", Code: ExitUsage}
	}
	opts.Config = proto.Clone(opts.Config).(*pb.RunConfig)
	c := &Coordinator{opts: opts, runDir: dir, listener: listener, health: health.NewServer(), board: newBoard(),
		events: make(chan envelope), ended: make(chan struct{}), aborted: make(chan struct{}), started: time.Now()}
	c.server = grpc.NewServer(grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(messageBytes),
		grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(windowBytes),
		grpc.ReadBufferSize(bufferBytes), grpc.WriteBufferSize(bufferBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	healthpb.RegisterHealthServer(c.server, c.health)
	pb.RegisterCoordinatorServer(c.server, service{c: c})
	pb.RegisterWorkerPlaneServer(c.server, plane{c: c})
	reflection.Register(c.server)
	return c, nil
}

// Addr returns the address the server is bound to.
func (c *Coordinator) Addr() string { return c.listener.Addr().String() }

// reachable is Addr as a process of this machine dials it.
func (c *Coordinator) reachable() string {
	host, port, err := net.SplitHostPort(c.Addr())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return c.Addr()
}

// period is how often the driver looks at the clock.
func (c *Coordinator) period() time.Duration {
	return max(10*time.Millisecond, min(250*time.Millisecond, c.opts.FailureTimeout/10))
}

// start runs f on a goroutine that Run waits for.
func (c *Coordinator) start(f func()) { c.tasks.Go(f) }

// Abort ends the run at once, without a checkpoint: what the second Ctrl-C asks for.
func (c *Coordinator) Abort() { c.abort.Do(func() { close(c.aborted) }) }

// Run trains until the run has ended. When ctx ends it saves and stops, and returns a Failure with ExitTemporary.
// It returns nil when the run is complete, or was stopped by an operator.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.listener.Close()
	var cancel context.CancelFunc
	c.life, cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := os.MkdirAll(c.runDir, 0o755); err != nil {
		return &Failure{What: "the run directory cannot be made", Why: err.Error(), Try: "another --run-dir", Code: ExitUsage}
	}
	d, err := c.open(ctx)
	if c.node != nil {
		defer func() { _ = c.node.Close() }() // what was committed is on disk
	}
	if err != nil {
		return err
	}
	defer func() { _ = c.report.Close() }()
	if d == nil {
		return nil
	}
	card := filepath.Join(c.runDir, "coordinator.json")
	if err := c.writeCard(card); err != nil {
		return err
	}
	defer os.Remove(card)
	return c.serve(ctx, d)
}

// open takes up the run directory. The driver is nil when nothing is left to do.
func (c *Coordinator) open(ctx context.Context) (*driver, error) {
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var err error
	c.node, err = raftnode.Open(raftnode.Options{Dir: filepath.Join(c.runDir, "raft"), ID: nodeID, Bootstrap: true,
		ElectionTimeout: electionTimeout, Log: c.opts.Log})
	if err == nil {
		err = c.lead(limited)
	}
	if err != nil {
		return nil, c.openFailure(err)
	}
	settings, err := settingsOf(&c.opts)
	if err != nil {
		return nil, err
	}
	before, _ := c.node.View()
	b, err := takeUp(before, settings, &c.opts)
	if err != nil {
		return nil, err
	}
	for _, command := range b.commands {
		if err := c.node.Propose(limited, command); err != nil {
			return nil, fmt.Errorf("begin the run: %w", err)
		}
	}
	if c.report, err = report.Open(c.runDir, b.step, time.Now); err != nil {
		return nil, &Failure{What: "the run directory cannot be written", Why: err.Error(), Try: "another --run-dir",
			Code: ExitUsage}
	}
	d := &driver{c: c, ctx: ctx, log: c.node, report: c.report, members: map[run.WorkerID]*member{},
		rates: scheduleOf(c.opts.Config), saveAt: time.Now(), progressAt: time.Now(), replayed: map[int64]run.Record{}}
	d.view, _ = c.node.View()
	c.opts.Config.RunId = d.view.Settings.RunID
	if b.done {
		d.publish()
		return nil, nil
	}
	for _, r := range before.Records {
		if r.Step >= b.step {
			d.replayed[r.Step] = r
		}
	}
	for _, text := range b.events {
		d.event("coordinator-started", "", text)
	}
	return d, writeConfig(c.runDir, c.opts.Config)
}

// lead waits until this node leads and has applied the whole log.
func (c *Coordinator) lead(ctx context.Context) error {
	for {
		term, changed := c.node.Leadership()
		if term > 0 {
			return c.node.Barrier()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for leadership: %w", context.Cause(ctx))
		}
	}
}

// openFailure says who holds the log, if somebody does.
func (c *Coordinator) openFailure(err error) error {
	f := &Failure{What: "the run's log cannot be opened", Why: err.Error(), Try: "another --run-dir", Code: ExitUsage}
	var version *raftnode.VersionError
	if errors.As(err, &version) {
		f.What = fmt.Sprintf("the log of %s was written by another version", c.opts.RunDir)
		f.Why = version.Error()
		f.Try = fmt.Sprintf("the binary that wrote it, or move %s away: the run goes on from its newest checkpoint",
			filepath.Join(c.opts.RunDir, "raft"))
	}
	if errors.Is(err, raftnode.ErrLocked) {
		f.What = fmt.Sprintf("another coordinator uses %s", c.opts.RunDir)
		f.Try = "coordinator stop --run-dir " + c.opts.RunDir + ", or another --run-dir"
		text, _ := os.ReadFile(filepath.Join(c.runDir, "coordinator.json"))
		var card card
		if json.Unmarshal(text, &card) == nil {
			f.Why = fmt.Sprintf("process %d serves it at %s", card.PID, card.Address)
		}
	}
	return f
}

// card tells commands on this machine where the coordinator of a run directory is.
type card struct {
	Address string    `json:"address"`
	PID     int       `json:"pid"`
	RunID   string    `json:"run_id"`
	Started time.Time `json:"started"`
}

func (c *Coordinator) writeCard(path string) error {
	text, err := json.Marshal(card{Address: c.reachable(), PID: os.Getpid(), RunID: c.opts.Config.RunId,
		Started: c.started})
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return writeAtomically(path, append(text, '\n'))
}

// serve runs the server, the workers and the driver, and returns when all of them have ended.
func (c *Coordinator) serve(ctx context.Context, d *driver) error {
	c.start(func() {
		_ = c.server.Serve(c.listener) // it ends when the server is stopped; a broken listener shows as missing workers
	})
	for _, name := range []string{"", pb.Coordinator_ServiceDesc.ServiceName} {
		c.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	c.joinBy = time.Now().Add(c.opts.JoinTimeout)
	var err error
	if c.opts.Launcher == LauncherLocal {
		d.local, err = c.launch()
	}
	if err == nil {
		err = d.drive(ctx)
	}
	close(c.ended)
	c.health.Shutdown()
	if d.local != nil {
		if err == nil && d.failure == nil {
			d.local.wait(c.opts.Grace)
		}
		d.local.stop(min(c.opts.Grace, killAfter))
	}
	stop := time.AfterFunc(hangUp, c.server.Stop)
	c.server.GracefulStop()
	stop.Stop()
	c.tasks.Wait()
	return d.verdict(err)
}

// killAfter is how long a worker that was asked to end may take.
const killAfter = 3 * time.Second

// verdict is what Run returns.
func (d *driver) verdict(err error) error {
	var f *Failure
	switch {
	case errors.As(err, &f):
		return f
	case err != nil:
		return &Failure{What: "the coordinator broke", Why: err.Error(), Try: d.resumeHint(), Code: ExitInternal}
	case d.failure != nil:
		return d.failure
	case d.signalled && d.view.Phase == run.Stopped:
		return &Failure{What: fmt.Sprintf("stopped at step %d of %d", d.view.Step, d.view.Settings.EndStep),
			Why: "a signal asked to stop", Try: d.resumeHint(), Code: ExitTemporary}
	}
	return nil
}
