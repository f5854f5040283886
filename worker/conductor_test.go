package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"byol/internal/network"
	"byol/internal/vector"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	pb "byol/proto"
)

// conductor is the simplest coordinator that can be: it lets a fixed number of workers join, runs steps first to
// last, and checks nothing but what a test asks for. The real one is tested together with workers in
// internal/testcluster.
type conductor struct {
	pb.UnimplementedWorkerPlaneServer
	t       *testing.T
	cfg     *pb.RunConfig
	workers int
	restore *pb.Restore
	until   int64
	save    map[int64]bool
	eval    map[int64]bool
	// hook, where set, may change what is sent to a rank; nil sends nothing.
	hook func(rank int, m *pb.ToWorker) *pb.ToWorker
	// regroup, where set, begins a new generation after the evaluation of that step.
	regroup int64
	// drop, where set, begins a new generation in place of the first commit of that step.
	drop int64
	// hangUp, where set, ends all streams before the commit of a step.
	hangUp func(step int64) bool
	// forgive lets workers that have lost their stream attach again.
	forgive bool
	// lose, where set, has nobody hear of the commit of that step: a new generation begins behind it.
	lose int64
	// heal goes on with those who are left when one has gone, and lets new ones stand by and enter.
	heal bool

	// gather, where set, has the last step wait until so many members are there and prepared.
	gather int

	network network.Network // nil: the host's own
	address string
	server  *grpc.Server
	serving sync.WaitGroup

	mu         sync.Mutex // guards everything below
	members    []*member
	version    int64
	generation int64
	step       int64
	xi         []float32
	state      pb.RunState
	reason     string
	count      map[string]int // messages of a kind in the step at hand
	theta      []float32
	committed  *pb.Digests // of the state after step steps; nil: unknown
	result     outcomeOf
	done       chan struct{}
	held       bool // the boundary waits for members
}

// outcomeOf is what a conducted run left.
type outcomeOf struct {
	steps  []*pb.StepResult // of rank 0
	ready  []*pb.Ready
	bad    []unreadable
	evals  []*pb.EvalResult
	saved  []*pb.CheckpointSaved
	leaves []*pb.Leave
	last   *pb.Digests // of rank 0's last step
	broken []*pb.Complaint
	large  []*pb.TooLarge
	asked  []*pb.Leaving
	lacks  []*pb.Ready
}

// unreadable is an image and the rank that reported it.
type unreadable struct {
	rank, index int
	evaluation  bool
	name        string
}

type member struct {
	rank     int
	join     *pb.Join
	stream   grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]
	end      chan struct{}
	attached int    // times
	elements int    // came of the slice at hand
	told     string // what it was heard for in the step at hand: ready or result
	leaving  bool
	prepared bool // its heartbeats name a device
}

// group are the members that have a rank, in the order in which they came.
func (c *conductor) group() []*member {
	var all []*member
	for _, m := range c.members {
		if m.rank >= 0 {
			all = append(all, m)
		}
	}
	return all
}

func (c *conductor) start() {
	if c.network == nil {
		c.network = network.System{}
	}
	l, err := c.network.Listen(c.t.Context(), "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.address, c.server, c.done = l.Addr().String(), grpc.NewServer(), make(chan struct{})
	c.state, c.count, c.generation = pb.RunState_RUN_STATE_RUNNING, map[string]int{}, 1
	if c.restore == nil {
		c.restore = &pb.Restore{Kind: pb.Restore_KIND_FRESH}
	}
	c.step = c.restore.Step
	pb.RegisterWorkerPlaneServer(c.server, c)
	c.serving.Go(func() { _ = c.server.Serve(l) })
	c.t.Cleanup(c.stop)
}

func (c *conductor) stop() {
	c.server.Stop()
	c.serving.Wait()
}

// Attach implements pb.WorkerPlaneServer.
func (c *conductor) Attach(stream grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	join := first.GetJoin()
	c.mu.Lock()
	m, end, refused := c.admit(join, stream)
	c.mu.Unlock()
	if refused != nil {
		return stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: refused}})
	}
	for {
		in, err := stream.Recv()
		if err != nil {
			c.mu.Lock()
			c.gone(m, stream)
			c.mu.Unlock()
			return nil
		}
		c.mu.Lock()
		if m.stream == stream {
			c.take(m, in)
		}
		c.mu.Unlock()
		select {
		case <-end:
			return errors.New("the conductor hung up")
		default:
		}
	}
}

// admit welcomes a worker, and one that has been here before with the plan at hand, where that is forgiven. What it
// had said of the step at hand it says again.
func (c *conductor) admit(j *pb.Join, stream grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]) (*member,
	chan struct{}, *pb.Refused) {
	var m *member
	for _, o := range c.members {
		if o.join.Incarnation == j.Incarnation {
			m = o
		}
	}
	if m != nil && !c.forgive {
		return nil, nil, &pb.Refused{Reason: "the conductor forgives nothing", Hint: "start again"}
	}
	again := m != nil
	if !again {
		m = &member{join: j, rank: int(j.Index)}
		c.members = append(c.members, m)
	}
	m.stream, m.end, m.attached = stream, make(chan struct{}), m.attached+1
	welcome := &pb.Welcome{WorkerId: fmt.Sprintf("worker-%d", j.Index), RunId: c.cfg.RunId, Config: c.cfg}
	_ = stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Welcome{Welcome: welcome}})
	switch {
	case again:
		c.unhear(m)
		c.sendPlan(m)
	case c.heal && len(c.members) > c.workers:
		m.rank = -1
		c.sendPlan(m)
	case len(c.members) == c.workers:
		c.broadcastPlan()
	}
	return m, m.end, nil
}

// gone goes on without a worker that has hung up, or was told to.
func (c *conductor) gone(m *member, stream grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]) {
	if !c.heal || m.stream != stream {
		return
	}
	was := m.rank
	c.members = slices.DeleteFunc(c.members, func(o *member) bool { return o == m })
	if len(c.members) > 0 && was >= 0 && c.state == pb.RunState_RUN_STATE_RUNNING {
		c.deal()
	}
}

// deal gives ranks and shards out again, to all that are prepared, in a new generation.
func (c *conductor) deal() {
	c.workers = 0
	for _, m := range c.members {
		if m.rank >= 0 || m.prepared {
			m.rank = c.workers
			c.workers++
		}
	}
	c.renew()
	c.broadcastPlan()
}

// unhear forgets what m has said of the step at hand.
func (c *conductor) unhear(m *member) {
	c.count["elements"] -= m.elements
	if m.told != "" {
		c.count[m.told]--
	}
	m.elements, m.told = 0, ""
}

func (c *conductor) take(m *member, in *pb.FromWorker) {
	switch x := in.Message.(type) {
	case *pb.FromWorker_Heartbeat:
		m.prepared = m.prepared || x.Heartbeat.Device != ""
		if c.held {
			c.goOn()
		}
	case *pb.FromWorker_Complaint:
		c.result.broken = append(c.result.broken, x.Complaint)
		if x.Complaint.Generation == c.generation && !c.heal {
			c.renew()
			c.broadcastPlan()
		}
	case *pb.FromWorker_TooLarge:
		c.result.large = append(c.result.large, x.TooLarge)
	case *pb.FromWorker_Leaving:
		c.result.asked, m.leaving = append(c.result.asked, x.Leaving), true
	case *pb.FromWorker_Ready:
		if x.Ready.Generation != c.generation {
			return
		}
		if x.Ready.LacksState {
			c.result.lacks = append(c.result.lacks, x.Ready)
			if len(c.result.lacks) == c.workers {
				c.state, c.reason = pb.RunState_RUN_STATE_FAILED, x.Ready.Problem
				c.broadcastPlan()
			}
			return
		}
		c.result.ready = append(c.result.ready, x.Ready)
		if c.xi == nil {
			c.xi, c.theta = make([]float32, x.Ready.Parameters), make([]float32, x.Ready.Parameters)
		}
		c.count["ready"]++
		m.told = "ready"
		c.settle()
	case *pb.FromWorker_Slice:
		c.takeSlice(m, x.Slice)
	case *pb.FromWorker_StepResult:
		c.takeResult(m, x.StepResult)
	case *pb.FromWorker_EvalResult:
		if x.EvalResult.Generation != c.generation {
			return
		}
		c.result.evals = append(c.result.evals, x.EvalResult)
		if c.count["eval"]++; c.count["eval"] == c.workers {
			c.count["eval"] = 0
			delete(c.eval, c.step)
			if c.regroup == c.step {
				c.renew()
			}
			c.broadcastPlan()
		}
	case *pb.FromWorker_CheckpointSaved:
		c.result.saved = append(c.result.saved, x.CheckpointSaved)
		delete(c.save, x.CheckpointSaved.Step)
		if c.step >= c.until {
			c.broadcastPlan()
		}
	case *pb.FromWorker_ImageUnreadable:
		u := x.ImageUnreadable
		c.result.bad = append(c.result.bad, unreadable{m.rank, int(u.Index), u.Evaluation, u.Name})
	case *pb.FromWorker_Leave:
		c.takeLeave(x.Leave)
	}
}

func (c *conductor) takeLeave(x *pb.Leave) {
	c.result.leaves = append(c.result.leaves, x)
	if x.Failed && !c.heal && c.state == pb.RunState_RUN_STATE_RUNNING {
		c.state, c.reason = pb.RunState_RUN_STATE_FAILED, x.Reason
		c.broadcastPlan()
	}
	if len(c.result.leaves) == c.workers && !c.heal {
		close(c.done)
	}
}

func (c *conductor) takeSlice(m *member, x *pb.Slice) {
	if x.Step < c.step || x.Generation != c.generation {
		return // it was committed: its sender has not heard
	}
	to := c.theta
	if !c.started() {
		to = c.xi
	}
	copy(vector.Bytes(to[x.Offset:]), x.Data)
	c.count["elements"] += len(x.Data) / 4
	m.elements += len(x.Data) / 4
	c.settle()
}

func (c *conductor) takeResult(m *member, x *pb.StepResult) {
	if x.Generation != c.generation {
		return
	}
	if x.Step < c.step {
		c.sendTarget(m, x.Step)
		return
	}
	if m.rank == 0 {
		c.result.steps = append(c.result.steps, x)
		c.result.last = x.Digests
	}
	c.count["result"]++
	m.told = "result"
	c.settle()
}

func (c *conductor) started() bool { return c.count["started"] > 0 }

// settle goes on when everything of a boundary has come.
func (c *conductor) settle() {
	if c.count["elements"] != len(c.xi) {
		return
	}
	switch {
	case !c.started() && c.count["ready"] == c.workers:
		c.count["started"] = 1
		c.nextStep()
		c.broadcastPlan()
	case c.count["result"] == c.workers:
		if c.hangUp != nil && c.hangUp(c.step) {
			for _, m := range c.members {
				close(m.end)
			}
			c.hangUp = nil
			return
		}
		if c.drop > 0 && c.drop == c.step {
			c.drop = 0
			time.Sleep(20 * time.Millisecond) // which the workers spend on the next step
			c.renew()
			c.broadcastPlan()
			return
		}
		c.commit()
	}
}

// renew begins a new generation.
func (c *conductor) renew() {
	c.generation++
	c.count = map[string]int{}
	c.nextStep()
	c.xi = nil
}

func (c *conductor) commit() {
	vector.Average(c.xi, c.xi, c.theta, float32(learnerConfig(c.cfg).Schedule.OneMinusTau(c.step)))
	c.committed = proto.Clone(c.result.last).(*pb.Digests)
	c.committed.Target, c.committed.Slice = vector.Digest(c.xi), 0
	if c.lose > 0 && c.lose == c.step {
		c.lose = 0
		c.step++
		c.renew()
		c.broadcastPlan()
		return
	}
	for _, m := range c.group() {
		c.sendTarget(m, c.step)
	}
	c.step++
	c.nextStep()
	c.goOn()
}

// goOn leaves a boundary, unless it waits for members.
func (c *conductor) goOn() {
	there := 0
	for _, m := range c.members {
		if m.prepared {
			there++
		}
	}
	c.held = c.gather > 0 && c.step == c.until-1 && there < c.gather
	if !c.held && !c.change() {
		c.broadcastPlan()
	}
}

// change lets go who was asked to go, and enter who stands by.
func (c *conductor) change() bool {
	changed := false
	for _, m := range slices.Clone(c.members) {
		changed = changed || m.rank < 0 && m.prepared
		if m.leaving && c.heal {
			c.send(m, &pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: &pb.Plan{Version: c.version + 1, Rank: -1,
				Generation: c.generation + 1, State: pb.RunState_RUN_STATE_STOPPED, CommittedStep: c.step}}})
			c.members = slices.DeleteFunc(c.members, func(o *member) bool { return o == m })
			changed = true
		}
	}
	if changed && c.step < c.until && len(c.members) > 0 {
		c.deal()
		return true
	}
	return false
}

// nextStep has heard nothing yet.
func (c *conductor) nextStep() {
	c.count["result"], c.count["elements"] = 0, 0
	for _, m := range c.members {
		m.elements, m.told = 0, ""
	}
}

// sendTarget sends m its span of ξ' of a step.
func (c *conductor) sendTarget(m *member, step int64) {
	own := vector.PartOfBlocks(len(c.xi), m.rank, c.workers)
	for at := own.Off; at < own.End(); at += 1 << 18 {
		part := c.xi[at:min(at+1<<18, own.End())]
		c.send(m, &pb.ToWorker{Message: &pb.ToWorker_Slice{Slice: &pb.Slice{
			Generation: c.generation, Step: step, Offset: int64(at), Data: vector.Bytes(part)}}})
	}
}

// broadcastPlan decides what comes next: evaluate, save before the end, the end, or the next step.
func (c *conductor) broadcastPlan() {
	if c.step >= c.until && c.started() && !c.eval[c.step] && c.state != pb.RunState_RUN_STATE_FAILED {
		c.state = pb.RunState_RUN_STATE_COMPLETED
		if c.save[c.step] {
			c.state = pb.RunState_RUN_STATE_PAUSED
		}
	}
	c.sendPlans()
}

func (c *conductor) sendPlans() {
	c.version++
	for _, m := range c.members {
		c.sendPlan(m)
	}
}

func (c *conductor) sendPlan(m *member) {
	p := &pb.Plan{Version: c.version, Generation: c.generation, State: c.state, Rank: int32(m.rank),
		CommittedStep: c.step, Restore: c.restore, Reason: c.reason, Save: c.save[c.step] && c.started(),
		Evaluate: c.eval[c.step] && c.started(), Committed: c.committed}
	p.Save, p.SaveOrder = p.Save && m.rank == 0, c.step+1
	p.Peers = make([]*pb.Peer, c.workers)
	for _, o := range c.group() {
		shards := vector.Part(int(c.cfg.Shards), o.rank, c.workers)
		p.Peers[o.rank] = &pb.Peer{WorkerId: fmt.Sprint(o.rank), Address: o.join.DataAddress, Host: o.join.Host,
			ShardBegin: int32(shards.Off), ShardEnd: int32(shards.End())}
	}
	c.send(m, &pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: p}})
}

func (c *conductor) send(m *member, msg *pb.ToWorker) {
	if c.hook != nil {
		if msg = c.hook(m.rank, msg); msg == nil {
			return
		}
	}
	_ = m.stream.Send(msg)
}

// tiny is the configuration of a run that takes milliseconds per step.
func tiny(t *testing.T) *pb.RunConfig {
	return &pb.RunConfig{RunId: t.Name(), Seed: 7, Arch: "resnet20", Width: 1, Stem: "cifar", Padding: "symmetric",
		ImageSize: 8, ProjectorHidden: 16, ProjectorOut: 8, PredictorHidden: 16, Classes: 10, BatchNorm: "sync",
		BatchSize: 16, Shards: 8, TotalSteps: 100, WarmupSteps: 2, BaseLr: 2, WeightDecay: 1e-6, BaseTau: 0.9,
		Momentum: 0.9, LarsEta: 0.1, Data: "synthetic:200,size=12,seed=1", EvalData: "synthetic:60,size=12,seed=2",
		KnnK: 5, KnnTemperature: 0.1, Device: "cpu", Threads: 1, CheckpointDir: t.TempDir(), FailureTimeoutSeconds: 2,
		Augment: "byol-noblur", BucketBytes: 64 << 10, Sums: "tree"}
}

func openTestEngine(o EngineOptions) (engine.Engine, error) {
	switch o.Name {
	case "cpu":
		dev, err := cpu.New(cpu.Options{Threads: o.Threads})
		if err != nil {
			return nil, err
		}
		return ops.New(dev, o.Memory), nil
	case "reference":
		return ops.New(reference.New(32), o.Memory), nil
	}
	return nil, fmt.Errorf("no device %q", o.Name)
}

// conduct runs workers against c until all have returned, and gives their errors by rank.
func (c *conductor) conduct(change func(rank int, o *Options)) []error {
	c.t.Helper()
	c.start()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	errs := make([]error, c.workers)
	var wg sync.WaitGroup
	for rank := range c.workers {
		o := Options{Coordinator: c.address, Network: c.network, Index: rank, OpenEngine: openTestEngine,
			Log: zaptest.NewLogger(c.t, zaptest.Level(zap.WarnLevel)).With(zap.Int("rank", rank))}
		if change != nil {
			change(rank, &o)
		}
		wg.Go(func() { errs[rank] = Run(ctx, o) })
	}
	wg.Wait()
	return errs
}
