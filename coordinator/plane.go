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

	"byol/coordinator/run"
	"byol/coordinator/target"
	pb "byol/proto"
)

// member is a worker that has joined, as the shell sees it. Fields without a comment belong to the driver.
type member struct {
	id     run.WorkerID
	join   *pb.Join
	outbox *outbox
	seen   atomic.Int64 // when it last said something: nanoseconds since the coordinator began
	rank   atomic.Int32 // −1 until ranks are given
	stale  atomic.Int64 // messages of another generation or step

	plan   run.Plan
	sent   bool // plan was sent
	beat   *pb.Heartbeat
	ready  *pb.Ready
	result *pb.StepResult
	whole  bool // its span of what is collected is complete
	eval   *pb.EvalResult
	left   *pb.Leave
	gone   bool // its stream has ended
}

// intake is where the goroutines that receive slices find the target, while the driver lets them.
type intake struct {
	mu               sync.RWMutex // held for reading while a slice is folded in; guards what follows
	target           *target.Target
	generation, step int64
	open             bool
}

// admit opens the intake for the slices of a step.
func (i *intake) admit(t *target.Target, generation, step int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.target, i.generation, i.step, i.open = t, generation, step, true
}

// shut returns when no slice is being folded in, and none will be.
func (i *intake) shut() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open = false
}

// errStale says that a message was for another generation or step.
var errStale = errors.New("coordinator: stale message")

// put folds a slice in; complete says that the rank's span is.
func (i *intake) put(rank int, s *pb.Slice) (complete bool, err error) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if !i.open || rank < 0 || s.Generation != i.generation || s.Step != i.step {
		return false, fmt.Errorf("%w: slice of generation %d step %d, have generation %d step %d", errStale,
			s.Generation, s.Step, i.generation, i.step)
	}
	return i.target.Write(rank, s.Offset, s.Data)
}

// plane serves the workers.
type plane struct {
	pb.UnimplementedWorkerPlaneServer
	c *Coordinator
}

// Attach serves one worker from its Join to the end of its stream.
func (p plane) Attach(stream pb.WorkerPlane_AttachServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	join := first.GetJoin()
	if join == nil {
		return status.Errorf(codes.InvalidArgument, "the first message is %T, want Join", first.Message)
	}
	c := p.c
	m := &member{join: join, outbox: newOutbox()}
	m.rank.Store(-1)
	m.seen.Store(c.sinceStart())
	sent := make(chan struct{})
	c.start(func() {
		defer close(sent)
		m.outbox.deliver(stream.Send)
	})
	defer func() {
		m.outbox.close()
		<-sent
	}()
	answer := &joining{m: m}
	if err := c.post(stream.Context(), answer); err != nil {
		return err
	}
	if answer.refused {
		return nil
	}
	return p.receive(stream, m)
}

// receive hands on what m says until its stream ends.
func (p plane) receive(stream pb.WorkerPlane_AttachServer, m *member) error {
	for {
		message, err := stream.Recv()
		m.seen.Store(p.c.sinceStart())
		if err != nil {
			text := status.Convert(err).Message()
			switch {
			case errors.Is(err, io.EOF):
				text = "it closed the stream"
			case status.Code(err) == codes.Canceled:
				text = "its socket was closed"
			}
			return p.c.post(context.WithoutCancel(stream.Context()), &departed{m: m, why: text})
		}
		var e event = &said{m: m, message: message}
		if s := message.GetSlice(); s != nil {
			complete, err := p.c.intake.put(int(m.rank.Load()), s)
			switch {
			case err != nil:
				e = &misplaced{m: m, err: err}
			case complete:
				e = &arrived{m: m}
			default:
				continue
			}
		}
		if err := p.c.post(stream.Context(), e); err != nil {
			return err
		}
	}
}

// event is something the driver is told; it is carried out on the driver's goroutine.
type event interface{ happen(*driver) error }

type envelope struct {
	event event
	done  chan struct{}
}

// post hands e to the driver and returns when it has been carried out.
func (c *Coordinator) post(ctx context.Context, e event) error {
	letter := envelope{event: e, done: make(chan struct{})}
	select {
	case c.events <- letter:
	case <-c.ended:
		return status.Error(codes.Unavailable, "the coordinator has ended")
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	<-letter.done // what the driver takes it carries out, and it closes ended after that
	return nil
}

// sinceStart is the monotonic clock of this process's coordinator.
func (c *Coordinator) sinceStart() int64 { return int64(time.Since(c.started)) }

type joining struct {
	m       *member
	refused bool
}

func (e *joining) happen(d *driver) error {
	reason, hint, err := d.join(e.m)
	if reason != "" {
		e.refused = true
		e.m.outbox.push(parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Refused{
			Refused: &pb.Refused{Reason: reason, Hint: hint}}}})
	}
	return err
}

type departed struct {
	m   *member
	why string
}

func (e *departed) happen(d *driver) error { return d.departed(e.m, e.why) }

type misplaced struct {
	m   *member
	err error
}

func (e *misplaced) happen(d *driver) error {
	if errors.Is(e.err, errStale) {
		d.refuse(e.m, e.err.Error())
		return nil
	}
	return d.fail(&Failure{What: fmt.Sprintf("%s broke the protocol", e.m.id), Why: e.err.Error(),
		Try: "use binaries of one build; " + d.resumeHint(), Code: ExitInternal})
}

// arrived says that a rank's span is complete. Until all are, the intake belongs to the goroutines that receive.
type arrived struct{ m *member }

func (e *arrived) happen(d *driver) error {
	e.m.whole = true
	return d.progress()
}

type said struct {
	m       *member
	message *pb.FromWorker
}

func (e *said) happen(d *driver) error { return d.hear(e.m, e.message) }
