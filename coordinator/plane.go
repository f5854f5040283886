package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/coordinator/lead"
	"byol/coordinator/target"
	"byol/internal/network"
	"byol/internal/network/secure"
	pb "byol/proto"
)

// attachment is a worker's stream.
type attachment struct {
	id       lead.Stream
	outbox   *outbox
	seen     atomic.Int64           // when something was heard: nanoseconds since the coordinator began
	joined   chan struct{}          // closed when the first message has come
	dropped  chan string            // has the reason to hang up
	familiar func()                 // says that it has joined
	refused  bool                   // written before the letter with its Join is answered
	name     atomic.Pointer[string] // of the worker, once it is welcome
	clocks   clocks
}

// drop has the stream end, without waiting for it.
func (a *attachment) drop(why string) {
	a.outbox.close()
	select {
	case a.dropped <- why:
	default: // it ends already
	}
}

// intake is where the goroutines that receive slices find the target, while it is open.
type intake struct {
	mu               sync.RWMutex // held for reading while a slice is folded in; guards what follows
	target           *target.Target
	generation, step int64
	ranks            map[lead.Stream]int
	repeated         map[lead.Stream]bool // its span is complete and comes again
	open             bool
}

// admit opens the intake for the slices of a step.
func (i *intake) admit(t *target.Target, generation, step int64, ranks map[lead.Stream]int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.target, i.generation, i.step, i.ranks, i.open = t, generation, step, ranks, true
	i.repeated = map[lead.Stream]bool{}
}

// resume gives one stream the place of another.
func (i *intake) resume(was, is lead.Stream) {
	i.mu.Lock()
	defer i.mu.Unlock()
	rank, known := i.ranks[was]
	if !known {
		return
	}
	delete(i.ranks, was)
	i.ranks[is] = rank
	if i.open {
		i.repeated[is] = !i.target.Restart(rank)
	}
}

// shut returns when no slice is being folded in, and none will be.
func (i *intake) shut() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open = false
}

// rank is that of a stream in the group of a generation.
func (i *intake) rank(from lead.Stream, generation int64) (rank int, known bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	rank, known = i.ranks[from]
	return rank, known && i.generation == generation
}

// put folds a slice in. What comes of it is nil for a slice inside a span.
func (i *intake) put(from lead.Stream, s *pb.Slice) lead.Event {
	i.mu.RLock()
	defer i.mu.RUnlock()
	rank, known := i.ranks[from]
	misplaced := lead.Misplaced{Stream: from, Generation: s.Generation, Step: s.Step}
	if !i.open || !known || s.Generation != i.generation || s.Step != i.step {
		return misplaced
	}
	if i.repeated[from] {
		return nil
	}
	complete, err := i.target.Write(rank, s.Offset, s.Data)
	switch {
	case err != nil:
		misplaced.Why = err.Error()
		return misplaced
	case complete:
		return lead.Whole{Stream: from, Generation: s.Generation, Step: s.Step}
	}
	return nil
}

// plane serves the workers.
type plane struct {
	pb.UnimplementedWorkerPlaneServer
	c *Coordinator
}

// strangers is how many streams may be open that have not joined: all workers may come at once, twice, and each of
// those that never join holds no more than a message.
func strangers(workers int) int { return 16 + 2*workers }

// Attach serves one worker from its Join to the end of its stream, or until it is dropped. A stream that says nothing
// for the failure timeout is no worker's.
func (p plane) Attach(stream pb.WorkerPlane_AttachServer) error {
	c := p.c
	select {
	case c.strange <- struct{}{}:
	default:
		return status.Error(codes.Unavailable, "too many streams have not joined: try again")
	}
	familiar := sync.OnceFunc(func() { <-c.strange })
	defer familiar()
	a := &attachment{familiar: familiar, id: lead.Stream(c.attached.Add(1)), outbox: newOutbox(),
		joined: make(chan struct{}), dropped: make(chan string, 1)}
	sent, ended := make(chan struct{}), make(chan error, 1)
	c.start(func() {
		defer close(sent)
		a.outbox.deliver(stream.Send)
	})
	c.start(func() {
		ended <- p.receive(stream, a)
		a.outbox.close()
	})
	mute := time.NewTimer(c.opts.FailureTimeout)
	defer mute.Stop()
	joined := a.joined
	alive := time.NewTicker(network.TimeoutsOf(c.opts.FailureTimeout).Heartbeat)
	defer alive.Stop()
	for {
		select {
		case <-alive.C:
			if joined == nil {
				a.outbox.push(parcel{message: aliveNow()})
			}
		case err := <-ended:
			<-sent
			return err
		case why := <-a.dropped:
			return status.Error(codes.Aborted, why)
		case <-joined:
			joined = nil
			mute.Stop()
		case <-mute.C:
			a.outbox.close()
			return status.Errorf(codes.DeadlineExceeded, "no Join came in %v", c.opts.FailureTimeout)
		}
	}
}

// receive hands on what a worker says, until its stream ends or it is refused.
func (p plane) receive(stream pb.WorkerPlane_AttachServer, a *attachment) error {
	c := p.c
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	close(a.joined)
	a.seen.Store(int64(time.Since(c.started)))
	join := first.GetJoin()
	if join == nil {
		return status.Errorf(codes.InvalidArgument, "the first message is %T, want Join", first.Message)
	}
	if refused := named(stream.Context(), join); refused != nil {
		a.outbox.push(parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: refused}}})
		return nil
	}
	err = c.post(stream.Context(), envelope{event: lead.Joining{Stream: a.id, Join: joinValue(join)}, from: a})
	if err != nil || a.refused {
		return err
	}
	a.familiar()
	here := context.WithoutCancel(stream.Context()) // who joined is told of to the end
	for {
		message, err := stream.Recv()
		a.seen.Store(int64(time.Since(c.started)))
		if err != nil {
			gone := lead.Gone{Stream: a.id, Why: streamEnd(err)}
			return c.post(here, envelope{event: gone})
		}
		e := p.hear(a, join.Host, message)
		if e == nil {
			continue
		}
		if err := c.post(here, envelope{event: e}); err != nil {
			return err
		}
	}
}

// hear does at once what a message asks for that is no decision, and returns what is one, or nil.
func (p plane) hear(a *attachment, host string, message *pb.FromWorker) lead.Event {
	switch m := message.Message.(type) {
	case *pb.FromWorker_Slice:
		return p.c.intake.put(a.id, m.Slice)
	case *pb.FromWorker_Heartbeat:
		a.clocks.beat(m.Heartbeat, time.Now())
	case *pb.FromWorker_StepResult:
		p.c.traced(a, host, m.StepResult)
	}
	return lead.Said{Stream: a.id, Message: messageValue(message)}
}

// aliveNow says that the coordinator is there, and when that was.
func aliveNow() *pb.ToWorker {
	return &pb.ToWorker{Message: &pb.ToWorker_Alive{Alive: &pb.Alive{SentUnixNanos: time.Now().UnixNano()}}}
}

// named has a worker's name be the one of its certificate, and refuses who calls itself otherwise.
func named(ctx context.Context, join *pb.Join) *pb.Refused {
	who, known := caller(ctx)
	switch {
	case !known || who.Name == secure.AnyName:
	case join.WorkerId == "":
		join.WorkerId = who.Name
	case !who.Calls(join.WorkerId):
		return &pb.Refused{Reason: fmt.Sprintf("the certificate is worker %s's, and it calls itself %s", who.Name,
			lead.Plain(join.WorkerId, maxShown)), Hint: "--id " + who.Name + ", or a certificate for that name"}
	}
	return nil
}

// streamEnd says how a stream ended.
func streamEnd(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "it closed the stream"
	case status.Code(err) == codes.Canceled:
		return "its socket was closed"
	}
	return status.Convert(err).Message()
}

// envelope brings an event to the goroutine of Run; without one it asks for a new status.
type envelope struct {
	event lead.Event
	from  *attachment // with a Joining
	done  chan struct{}
}

// post returns when the letter has been carried out.
func (c *Coordinator) post(ctx context.Context, letter envelope) error {
	letter.done = make(chan struct{})
	select {
	case c.events <- letter:
	case <-c.ended:
		return status.Error(codes.Unavailable, "the coordinator has ended")
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	<-letter.done // what is taken is carried out before ended closes
	return nil
}
