package coordinator

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"byol/internal/network"
	"byol/internal/vector"
	pb "byol/proto"
)

const fakeParameters = 9*vector.Block + 7

// deed is what a fake worker does wrong, once, or always.
type deed struct {
	step    int64
	always  bool
	digest  func(*pb.Digests) // change what it reports
	result  func(*pb.StepResult)
	trace   func(step int64) *pb.Trace // of each step
	ready   func(*pb.Ready)
	die     bool // drop the connection
	mute    bool // say nothing any more
	leave   *pb.Leave
	stale   bool // first send results of the generation before and of one to come, and a slice of another step
	garble  bool // send a slice out of place
	evalErr string
	delay   time.Duration
	stay    bool          // attach again when the stream ends
	accuse  *pb.Complaint // send this one
}

// fake is a worker that follows the protocol with tiny vectors. Instead of a ring, every fake computes everything.
type fake struct {
	address  string
	network  network.Network // nil: the system's
	join     *pb.Join
	disk     *disk
	deed     deed
	complain func(format string, args ...any) // reports what the coordinator does wrong

	sendMu sync.Mutex // held while sending; guards closed
	closed bool
	stream pb.WorkerPlane_AttachClient
	cfg    *pb.RunConfig
	lost   chan string // addresses of workers that ended

	state      fakeState
	has        bool // it holds state
	next       []float32
	peers      []*pb.Peer
	complained int64 // generation
	generation int64
	rank, n    int
	shards     [2]int32
	sent       int64 // step whose result was sent
	evaluated  int64
	saved      int64
	received   int // elements of our span of the target
	last       *pb.Plan
}

// errRefused is what a refused fake ends with.
type errRefused struct{ *pb.Refused }

func (e errRefused) Error() string { return e.Reason + " / " + e.Hint }

func (f *fake) send(m *pb.FromWorker) {
	f.sendMu.Lock()
	defer f.sendMu.Unlock()
	if !f.closed {
		_ = f.stream.Send(m) // the receiving side says why
	}
}

// run works until the run ends and returns the last plan.
func (f *fake) run(ctx context.Context) (*pb.Plan, error) {
	for {
		p, err := f.attach(ctx)
		if c := status.Code(err); !f.deed.stay || c != codes.Aborted && c != codes.Unavailable || ctx.Err() != nil {
			return p, err
		}
		f.last = nil // another coordinator counts its plans anew
		time.Sleep(100 * time.Millisecond)
	}
}

// dial makes a connection, whose socket is there once it is used.
func (f *fake) dial() (*grpc.ClientConn, *atomic.Pointer[net.Conn], error) {
	socket := new(atomic.Pointer[net.Conn])
	conn, err := grpc.NewClient("passthrough:///"+f.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := cmp.Or(f.network, network.Network(network.System{})).Dial(ctx, address)
			socket.Store(&c)
			return c, err
		}))
	return conn, socket, err
}

// attach works as long as its stream lasts.
func (f *fake) attach(ctx context.Context) (*pb.Plan, error) {
	conn, socket, err := f.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	streaming, hangUp := context.WithCancel(ctx)
	defer hangUp()
	if f.stream, err = pb.NewWorkerPlaneClient(conn).Attach(streaming, grpc.WaitForReady(true)); err != nil {
		return nil, err
	}
	f.sent, f.evaluated, f.saved = -1, -1, -1
	f.lost = make(chan string, 16)
	f.disk.enter(f)
	defer f.disk.exit(f)
	f.send(&pb.FromWorker{Message: &pb.FromWorker_Join{Join: f.join}})
	beats, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer hangUp()
	defer stop()
	inbox := make(chan received)
	wg.Go(func() { f.receive(streaming, inbox) })
	for {
		var in received
		select {
		case address := <-f.lost:
			f.ringBroke(address)
			continue
		case in = <-inbox:
		case <-ctx.Done():
			return f.last, ctx.Err()
		}
		if in.err != nil {
			return f.last, in.err
		}
		switch m := in.m.Message.(type) {
		case *pb.ToWorker_Refused:
			return nil, errRefused{m.Refused}
		case *pb.ToWorker_Welcome:
			f.cfg = m.Welcome.Config
			wg.Go(func() { f.beat(beats) })
		case *pb.ToWorker_Slice:
			f.take(m.Slice)
		case *pb.ToWorker_Plan:
			end, err := f.follow(m.Plan)
			if err == errMute {
				stop()
				<-ctx.Done()
				return f.last, err
			}
			if errors.Is(err, errLeft) {
				_, end := f.leave(inbox)
				return f.last, errors.Join(err, end)
			}
			if errors.Is(err, errDied) {
				(*socket.Load()).Close() // as the system does for a process that ends
			}
			if err != nil {
				return f.last, err
			}
			if end {
				return f.leave(inbox)
			}
		}
	}
}

// received is a message of the coordinator, or the end of its stream.
type received struct {
	m   *pb.ToWorker
	err error
}

func (f *fake) receive(ctx context.Context, inbox chan<- received) {
	for {
		m, err := f.stream.Recv()
		select {
		case inbox <- received{m, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// ringBroke complains of a member of our group that ended.
func (f *fake) ringBroke(address string) {
	rank := slices.IndexFunc(f.peers, func(p *pb.Peer) bool { return p.Address == address })
	if rank < 0 || f.complained == f.generation {
		return
	}
	f.complained = f.generation
	f.send(&pb.FromWorker{Message: &pb.FromWorker_Complaint{Complaint: &pb.Complaint{Generation: f.generation,
		Step: f.state.step, Phase: "ring", SuspectRank: int32(rank), Address: address, Reason: "connection reset"}}})
}

var (
	errMute = errors.New("fake: mute")
	errDied = errors.New("fake: died")
	errLeft = errors.New("fake: left")
)

func (f *fake) beat(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		f.send(&pb.FromWorker{Message: &pb.FromWorker_Heartbeat{Heartbeat: &pb.Heartbeat{Phase: "ring", Device: "fake",
			Step: 3, WaitingFor: "rank 1, all-reduce bucket 2"}}})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (f *fake) leave(inbox <-chan received) (*pb.Plan, error) {
	f.send(&pb.FromWorker{Message: &pb.FromWorker_Leave{Leave: &pb.Leave{Reason: "the run has ended"}}})
	f.sendMu.Lock()
	f.closed = true
	err := f.stream.CloseSend()
	f.sendMu.Unlock()
	if err != nil {
		return f.last, err
	}
	for {
		select {
		case in := <-inbox:
			if errors.Is(in.err, io.EOF) {
				return f.last, nil
			}
			if in.err != nil {
				return f.last, in.err
			}
		case <-f.stream.Context().Done():
			return f.last, nil
		}
	}
}

// follow carries out a plan; end says that the run is over.
func (f *fake) follow(p *pb.Plan) (end bool, err error) {
	if f.last != nil && p.Version <= f.last.Version {
		f.complain("plan %d came after plan %d", p.Version, f.last.Version)
	}
	f.last = p
	switch p.State {
	case pb.RunState_RUN_STATE_WAITING_FOR_WORKERS:
		return false, nil
	case pb.RunState_RUN_STATE_COMPLETED, pb.RunState_RUN_STATE_STOPPED, pb.RunState_RUN_STATE_FAILED:
		if p.CommittedStep == f.state.step+1 && p.Generation == f.generation && f.rank >= 0 && f.next != nil {
			f.commit(p)
		}
		return true, nil
	}
	if p.Generation != f.generation {
		return false, f.restore(p)
	}
	if f.rank < 0 || f.complained == f.generation {
		return false, nil
	}
	if p.CommittedStep == f.state.step+1 {
		f.commit(p)
	}
	if p.CommittedStep != f.state.step {
		f.complain("plan for step %d, we are at %d", p.CommittedStep, f.state.step)
	}
	if p.Save && f.saved < p.SaveOrder {
		f.saved = p.SaveOrder
		saved := f.disk.save(f.state)
		saved.SaveOrder = p.SaveOrder
		f.send(&pb.FromWorker{Message: &pb.FromWorker_CheckpointSaved{CheckpointSaved: saved}})
	}
	if p.State != pb.RunState_RUN_STATE_RUNNING || !p.Started {
		return false, nil
	}
	if p.Evaluate {
		if f.evaluated == f.state.step { // a plan that says something else too
			return false, nil
		}
		f.evaluate()
		return false, nil
	}
	if f.sent == f.state.step {
		return false, nil
	}
	return false, f.step()
}

// restore makes the plan's group ours and brings us to its step: with what we hold, with what we computed, from a peer,
// or from where the plan says.
func (f *fake) restore(p *pb.Plan) error {
	f.generation, f.rank, f.n, f.peers = p.Generation, int(p.Rank), len(p.Peers), p.Peers
	f.sent, f.evaluated = -1, -1
	if f.rank < 0 {
		f.peers = nil
		return nil
	}
	f.shards = [2]int32{p.Peers[f.rank].ShardBegin, p.Peers[f.rank].ShardEnd}
	r := &pb.Ready{Generation: p.Generation, Step: p.CommittedStep, Fingerprint: "fake", CheckpointMark: f.disk.marked(),
		ManifestHash: "m", Parameters: fakeParameters}
	if f.has = f.recover(p); f.has {
		f.disk.hold(f.join.DataAddress, f.state)
		r.Digests = f.digests(f.state.theta, f.state.xi)
	} else {
		r.LacksState, r.Problem, r.Digests = true, "no peer holds it", &pb.Digests{}
	}
	f.next, f.received = nil, 0
	if f.deed.ready != nil {
		f.deed.ready(r)
	}
	f.send(&pb.FromWorker{Message: &pb.FromWorker_Ready{Ready: r}})
	if r.Parameters == fakeParameters && f.has {
		f.sendSpan(f.state.xi)
	}
	return nil
}

// recover reports whether we hold the state of the plan's step now.
func (f *fake) recover(p *pb.Plan) bool {
	step, known := p.CommittedStep, p.GetCommitted()
	if f.has && f.state.step == step && (known == nil || known.Target == vector.Digest(f.state.xi)) {
		return true
	}
	if f.has && f.next != nil && f.state.step+1 == step && known.GetOnline() == vector.Digest(f.next) {
		if xi := f.target(); vector.Digest(xi) == known.GetTarget() {
			f.state = fakeState{step: step, theta: f.next, xi: xi, momentum: f.next}
			return true
		}
	}
	if p.Restore.Step == step && p.Restore.Kind == pb.Restore_KIND_FRESH {
		f.state = initialState(f.cfg.Seed)
		return true
	}
	for range 20 { // they may not have restored it yet
		if s, ok := f.disk.peer(p); ok {
			f.state = s
			return true
		}
		if s, ok := f.disk.load(p.Restore.Path); ok && p.Restore.Step == step && s.step == step {
			f.state = s
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func initialState(seed uint64) fakeState {
	s := fakeState{theta: make([]float32, fakeParameters), xi: make([]float32, fakeParameters),
		momentum: make([]float32, fakeParameters)}
	for i := range s.theta {
		s.theta[i] = float32(math.Sin(float64(uint64(i)*7 + seed)))
		s.xi[i] = float32(math.Cos(float64(uint64(i)*5 + seed)))
	}
	return s
}

// digests are of the state; sent is the vector of which this worker sends its span.
func (f *fake) digests(theta, sent []float32) *pb.Digests {
	return &pb.Digests{Online: vector.Digest(theta), Momentum: vector.Digest(f.state.momentum), Statistics: 17,
		Target: vector.Digest(f.state.xi), Slice: vector.Digest(f.span().Of(sent))}
}

func (f *fake) span() vector.Span { return vector.PartOfBlocks(fakeParameters, f.rank, f.n) }

func (f *fake) sendSpan(x []float32) {
	begin, end := f.span().Off, f.span().End()
	for begin < end {
		to := min(end, begin+700)
		f.sendSlice(&pb.Slice{Generation: f.generation, Step: f.state.step, Offset: int64(begin),
			Data: vector.Bytes(x[begin:to])})
		begin = to
	}
}

func (f *fake) sendSlice(s *pb.Slice) {
	f.send(&pb.FromWorker{Message: &pb.FromWorker_Slice{Slice: s}})
}

// step computes θ' and sends what it would commit.
func (f *fake) step() error {
	s := f.state.step
	f.sent = s
	wrong := deed{}
	if f.deed.step == s {
		wrong = f.deed
		if !f.deed.always {
			f.deed.step = -1
		}
	}
	time.Sleep(wrong.delay)
	switch {
	case wrong.die:
		return errDied
	case wrong.mute:
		return errMute
	case wrong.leave != nil:
		f.send(&pb.FromWorker{Message: &pb.FromWorker_Leave{Leave: wrong.leave}})
		return errLeft
	case wrong.accuse != nil:
		wrong.accuse.Generation, f.complained = f.generation, f.generation
		f.send(&pb.FromWorker{Message: &pb.FromWorker_Complaint{Complaint: wrong.accuse}})
		return nil
	case wrong.garble:
		f.sendSlice(&pb.Slice{Generation: f.generation, Step: s, Offset: 1 << 40, Data: make([]byte, 8)})
	}
	f.next = make([]float32, fakeParameters)
	for i, v := range f.state.theta {
		f.next[i] = float32(v*0.9) + float32(math.Sin(float64(i)+float64(s)))
	}
	r := &pb.StepResult{Generation: f.generation, Step: s, Digests: f.digests(f.next, f.next), EmbeddingStdRatio: 0.5,
		Phases: []*pb.PhaseSeconds{{Phase: "forward", Seconds: 0.25}, {Phase: "ring", Seconds: 0.75}}}
	for v := f.shards[0]; v < f.shards[1]; v++ {
		r.Shards = append(r.Shards, &pb.ShardResult{Shard: v, LossSum: 2 * (1 + float64(v)), Images: 2, Labelled: 1,
			ProbeCorrect: 1})
	}
	if f.deed.trace != nil {
		r.Trace = f.deed.trace(s)
	}
	if wrong.digest != nil {
		wrong.digest(r.Digests)
	}
	if wrong.result != nil {
		wrong.result(r)
	}
	if wrong.stale {
		for _, generation := range []int64{f.generation - 1, f.generation + 1} {
			other := &pb.StepResult{Generation: generation, Step: s}
			f.send(&pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: other}})
		}
		f.sendSlice(&pb.Slice{Generation: f.generation, Step: s - 1, Data: []byte{0, 0, 0, 0}})
	}
	f.received = 0
	f.sendSpan(f.next)
	f.send(&pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: r}})
	return nil
}

// take checks our span of the new target against our own computation of it.
func (f *fake) take(s *pb.Slice) {
	begin, end := int64(f.span().Off), int64(f.span().End())
	if s.Generation != f.generation || s.Step != f.state.step || s.Offset != begin+int64(f.received) {
		f.complain("slice of generation %d step %d at %d", s.Generation, s.Step, s.Offset)
		return
	}
	want := vector.Bytes(f.target()[s.Offset:min(end, s.Offset+int64(len(s.Data)/4))])
	if !slices.Equal(s.Data, want) {
		f.complain("the target of step %d differs at %d", s.Step, s.Offset)
	}
	f.received += len(s.Data) / 4
}

func (f *fake) target() []float32 {
	rate := float32(scheduleOf(f.cfg).OneMinusTau(f.state.step))
	xi := make([]float32, fakeParameters)
	for i, v := range f.state.xi {
		d := f.next[i] - v
		xi[i] = v + float32(rate*d)
	}
	return xi
}

func (f *fake) commit(p *pb.Plan) {
	if f.received != f.span().Len {
		f.complain("plan of step %d came after %d of %d elements", p.CommittedStep, f.received, f.span().Len)
	}
	xi := f.target()
	if d := vector.Digest(xi); d != p.GetCommitted().GetTarget() {
		f.complain("target digest %016x at step %d, plan says %016x", d, p.CommittedStep, p.GetCommitted().GetTarget())
	}
	f.state = fakeState{step: f.state.step + 1, theta: f.next, xi: xi, momentum: f.next}
	f.next = nil
	f.disk.hold(f.join.DataAddress, f.state)
}

func (f *fake) evaluate() {
	f.evaluated = f.state.step
	f.send(&pb.FromWorker{Message: &pb.FromWorker_EvalResult{EvalResult: &pb.EvalResult{Generation: f.generation,
		Step: f.state.step, Error: f.deed.evalErr, Counts: []*pb.Count{
			{Name: "knn_top1", Total: 10, Correct: min(10, 2+f.state.step/4)}, {Name: "pixels_top1", Total: 10, Correct: 3}}}}})
}
