// Package control is a worker's line to the coordinators of its run. A Line outlives streams: when one ends it
// attaches again, to the same coordinator or another one that leads by now, as the same worker (the incarnation stays),
// for as long as the run's timeouts allow. What is above it sees plans and slices come and does not notice.
//
// What comes in goes through an inbox: of plans the newest counts, of slices of ξ' those that were asked for. What
// goes out is of two kinds. A Statement is something that the run needs to hear: it is said again on each new stream,
// until a plan shows that it arrived or its owner withdraws it. A message that is told once (Tell) may be lost with
// its stream.
//
// Ownership. Open starts the goroutines of a Line: one receives and attaches again, and per stream one sends
// heartbeats and repeats statements. Close ends them all and returns then. Every other method may be called from any
// goroutine.
//
// When it fails: Open returns a *failure.Failure. After it, a stream that ends is no failure, only the end of the
// Line is: when the run has ended and the coordinator hangs up, when it refuses for good to take the worker back, or
// when all of them stay away for too long. Then everything that waits ends with ErrEnded, and Err says why.
package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"byol/internal/network"
	pb "byol/proto"
)

var (
	// ErrEnded says that nothing more comes from any coordinator.
	ErrEnded = errors.New("control: the line to the coordinator has ended")
	// ErrReplanned ends work that the newest plan no longer asks for.
	ErrReplanned = errors.New("control: the plan has changed")
)

const (
	// retryPause is between two tries to reach a coordinator.
	retryPause = 200 * time.Millisecond
	// defaultFailure is for a run that has not said its failure timeout.
	defaultFailure = 5 * time.Second
)

// Options say whom a Line attaches to, and as whom.
type Options struct {
	Network      network.Network
	Coordinators []string // host:port each, a host may be a name of several; any of them may lead the run
	// Join presents this worker. Open adds the incarnation, the id once the run has given one, and what is held.
	Join *pb.Join
	// Held tells how many steps are committed in the state that this worker holds, −1 for none. nil: none.
	Held func() int64
	// JoinTimeout bounds Open.
	JoinTimeout time.Duration
	// Heartbeat is asked again and again what the worker does.
	Heartbeat func() *pb.Heartbeat
	Log       *zap.Logger
}

// Line is a worker's connection to the coordinators, from Join to Leave.
type Line struct {
	o       Options
	welcome *pb.Welcome
	times   network.Timeouts
	inbox   *inbox
	outbox  outbox
	dump    chan struct{} // holds a token while stacks are asked for

	// Where the next stream is tried first; they belong to who attaches.
	leader string // that a coordinator named, "" for none
	last   string // that a stream led to, "" for none
	silent string // that fell silent and is asked after all others, "" for none
	others bool   // there are other coordinators to ask

	alive  context.Context // of all streams
	end    context.CancelFunc
	wanted context.Context // ends before: no new stream is wanted
	leave  context.CancelFunc
	hurry  context.Context // ends when this worker is to go
	going  context.CancelFunc
	wg     sync.WaitGroup
	closed sync.Once
}

// stream is one attachment.
type stream struct {
	grpc.BidiStreamingClient[pb.FromWorker, pb.ToWorker]
	conn    *grpc.ClientConn
	at      string // the coordinator's address
	cancel  context.CancelFunc
	planned chan struct{} // closed with the first plan on it
	mute    atomic.Bool   // it was ended because nothing came on it
	lag     network.Lag   // of what the coordinator sends
}

func (s *stream) close() {
	s.cancel()
	_ = s.conn.Close()
}

// Open attaches, waiting for a coordinator if need be. The Line outlives ctx, so that a worker that is asked to stop
// can say so.
func Open(ctx context.Context, o Options) (*Line, error) {
	o.Join.Incarnation = rand.Text()
	l := &Line{o: o, inbox: newInbox(o.Log), times: network.TimeoutsOf(defaultFailure), dump: make(chan struct{}, 1)}
	l.alive, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.wanted, l.leave = context.WithCancel(l.alive)
	l.hurry, l.going = context.WithCancel(l.alive)
	s, err := l.first(ctx)
	if err != nil {
		l.end()
		return nil, err
	}
	if t := l.welcome.GetConfig().GetFailureTimeoutSeconds(); t > 0 {
		l.times = network.TimeoutsOf(time.Duration(t * float64(time.Second)))
	}
	o.Join.WorkerId = l.welcome.GetWorkerId()
	l.outbox.attach(s) // at once: what is said after Open is not lost
	l.wg.Go(func() { l.keep(s) })
	return l, nil
}

// Welcome is how the coordinator first greeted this worker.
func (l *Line) Welcome() *pb.Welcome { return l.welcome }

// Timeouts are the run's.
func (l *Line) Timeouts() network.Timeouts { return l.times }

// Going says that this worker was asked to go: from now on a coordinator that is lost is looked for no longer than the
// failure timeout, in which another one leads where there are others. There is nothing to keep a state for.
func (l *Line) Going() { l.going() }

// keep serves one stream after the other until the Line ends.
func (l *Line) keep(s *stream) {
	for {
		var speaker sync.WaitGroup
		speaker.Go(func() { l.speak(s) })
		why := l.receive(s)
		s.cancel()
		l.outbox.detach()
		speaker.Wait()
		_ = s.conn.Close()
		if errors.Is(why, io.EOF) {
			why = errors.New("it closed the connection")
		}
		if l.wanted.Err() != nil || l.inbox.over() {
			l.inbox.end(why)
			return
		}
		l.o.Log.Warn("lost the coordinator", zap.String("at", s.at), zap.Error(why))
		if s = l.again(why); s == nil {
			return
		}
		if !l.outbox.attach(s) { // Close came first
			s.close()
			l.inbox.end(why)
			return
		}
		l.o.Log.Info("attached again", zap.String("at", s.at))
	}
}

// receive takes what comes on s until it ends. A coordinator that says that it lives must go on to do so: one that
// stands still keeps its connections, and another may lead by then.
func (l *Line) receive(s *stream) error {
	l.inbox.restart()
	var silence *time.Timer
	for {
		m, err := s.Recv()
		switch {
		case s.mute.Load():
			l.silent, l.last = s.at, ""
			return fmt.Errorf("it was not heard for %v", l.times.Leader)
		case errors.Is(err, io.EOF):
			return err
		case err != nil:
			return plain(err)
		case silence != nil:
			silence.Reset(l.times.Leader)
		}
		switch m := m.Message.(type) {
		case *pb.ToWorker_Alive:
			if sent := m.Alive.GetSentUnixNanos(); sent != 0 {
				s.lag.Saw(time.Unix(0, sent), time.Now())
			}
			if silence == nil && l.others { // otherwise there is nobody else to turn to
				silence = time.AfterFunc(l.times.Leader, func() {
					s.mute.Store(true)
					s.cancel()
				})
				defer silence.Stop()
			}
		case *pb.ToWorker_Plan:
			if l.inbox.take(m.Plan) {
				l.outbox.settle(m.Plan)
			}
			select {
			case <-s.planned:
			default:
				close(s.planned)
			}
		case *pb.ToWorker_Slice:
			l.inbox.fill(m.Slice)
		case *pb.ToWorker_Dump:
			select {
			case l.dump <- struct{}{}:
			default:
			}
		default:
			l.o.Log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", m)))
		}
	}
}

// speak sends heartbeats on s until it ends, and repeats what stands when the coordinator has told its plan: by that
// the worker knows what need not be said again.
func (l *Line) speak(s *stream) {
	tick := time.NewTicker(l.times.Heartbeat)
	defer tick.Stop()
	planned := s.planned
	for {
		l.Tell(&pb.FromWorker{Message: &pb.FromWorker_Heartbeat{Heartbeat: l.heartbeat(s)}})
		select {
		case <-planned:
			l.outbox.repeat(s)
			planned = nil
		case <-l.dump:
			l.Tell(&pb.FromWorker{Message: &pb.FromWorker_Stacks{Stacks: &pb.Stacks{Text: Stacks()}}})
		case <-tick.C:
		case <-l.wanted.Done():
			return
		case <-s.Context().Done():
			return
		}
	}
}

// heartbeat is what the worker does now, and what is known of the clock of the coordinator on s.
func (l *Line) heartbeat(s *stream) *pb.Heartbeat {
	h := l.o.Heartbeat()
	h.SentUnixNanos = time.Now().UnixNano()
	if least, known := s.lag.Least(); known {
		h.AliveLagNanos = least.Nanoseconds()
	}
	return h
}

// Stacks are those of all goroutines of this process, cut where a message must end.
func Stacks() []byte {
	const most = 64 << 10
	b := make([]byte, most)
	return b[:runtime.Stack(b, true)]
}

// Close says goodbye with m and waits until the coordinator has hung up and all goroutines have ended: at most for the
// failure timeout, and not at all while there is no stream. It may be called again.
func (l *Line) Close(m *pb.Leave) {
	l.closed.Do(func() {
		// A coordinator that no longer takes messages must not keep this worker.
		patience := time.AfterFunc(l.times.Failure, l.end)
		defer patience.Stop()
		l.leave()
		l.outbox.finish(&pb.FromWorker{Message: &pb.FromWorker_Leave{Leave: m}})
		l.wg.Wait()
		l.end()
	})
}
