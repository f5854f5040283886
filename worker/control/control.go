// Package control is a worker's line to the coordinators of its run. A Line outlives streams: when one ends it
// attaches again, to the same coordinator or the next of the list, as the same worker (the incarnation stays), for as
// long as Options.Patience allows. What is above it sees plans and slices come and does not notice.
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
// Line is: when the coordinator ends the stream in good order, refuses to take the worker back, or stays away for
// longer than Patience. Then everything that waits ends with ErrEnded, and Err says why.
package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
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
	heartbeatPeriod = time.Second
	// silence is how long a coordinator's machine may leave our heartbeats unacknowledged.
	silence = 10 * time.Second
	// retryPause is between two tries to reach a coordinator.
	retryPause = 200 * time.Millisecond
	// defaultPatience is for a run that does not say its failure timeout.
	defaultPatience = 5 * time.Second
)

// Options say whom a Line attaches to, and as whom.
type Options struct {
	Network      network.Network
	Coordinators []string // host:port each; any of them may lead the run
	// Join presents this worker. Open adds the incarnation, and the id once the run has given one.
	Join *pb.Join
	// JoinTimeout bounds Open.
	JoinTimeout time.Duration
	// Heartbeat is asked each second what the worker does.
	Heartbeat func() *pb.Heartbeat
	Log       *zap.Logger
}

// Line is a worker's connection to the coordinators, from Join to Leave.
type Line struct {
	o        Options
	welcome  *pb.Welcome
	patience time.Duration // how long a Line without a stream lives
	inbox    *inbox
	outbox   outbox
	asked    int // which of the coordinators is asked next

	alive  context.Context // of all streams
	end    context.CancelFunc
	wanted context.Context // ends before: no new stream is wanted
	leave  context.CancelFunc
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
}

func (s *stream) close() {
	s.cancel()
	_ = s.conn.Close()
}

// Open attaches, waiting for a coordinator if need be. The Line outlives ctx, so that a worker that is asked to stop
// can say so.
func Open(ctx context.Context, o Options) (*Line, error) {
	o.Join.Incarnation = rand.Text()
	l := &Line{o: o, inbox: newInbox(o.Log)}
	l.alive, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.wanted, l.leave = context.WithCancel(l.alive)
	s, err := l.first(ctx)
	if err != nil {
		l.end()
		return nil, err
	}
	l.patience = defaultPatience
	if t := l.welcome.GetConfig().GetFailureTimeoutSeconds(); t > 0 {
		l.patience = time.Duration(t * float64(time.Second))
	}
	o.Join.WorkerId = l.welcome.GetWorkerId()
	l.outbox.attach(s) // at once: what is said after Open is not lost
	l.wg.Go(func() { l.keep(s) })
	return l, nil
}

// Welcome is how the coordinator first greeted this worker.
func (l *Line) Welcome() *pb.Welcome { return l.welcome }

// Patience is the run's failure timeout: how long a Line without a stream lives.
func (l *Line) Patience() time.Duration { return l.patience }

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
			l.inbox.end(errors.New("it closed the connection"))
			return
		}
		if l.wanted.Err() != nil {
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

// receive takes what comes on s until it ends.
func (l *Line) receive(s *stream) error {
	l.inbox.restart()
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return err
		}
		if err != nil {
			return plain(err)
		}
		switch m := m.Message.(type) {
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
		default:
			l.o.Log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", m)))
		}
	}
}

// speak sends heartbeats on s until it ends, and repeats what stands when the coordinator has told its plan: by that
// the worker knows what need not be said again.
func (l *Line) speak(s *stream) {
	tick := time.NewTicker(heartbeatPeriod)
	defer tick.Stop()
	planned := s.planned
	for {
		l.Tell(&pb.FromWorker{Message: &pb.FromWorker_Heartbeat{Heartbeat: l.o.Heartbeat()}})
		select {
		case <-planned:
			l.outbox.repeat(s)
			planned = nil
		case <-tick.C:
		case <-l.wanted.Done():
			return
		case <-s.Context().Done():
			return
		}
	}
}

// Close says goodbye with m and waits until the coordinator has hung up and all goroutines have ended: at most for as
// long as Patience, and not at all while there is no stream. It may be called again.
func (l *Line) Close(m *pb.Leave) {
	l.closed.Do(func() {
		// A coordinator that no longer takes messages must not keep this worker.
		patience := time.AfterFunc(l.patience, l.end)
		defer patience.Stop()
		l.leave()
		l.outbox.finish(&pb.FromWorker{Message: &pb.FromWorker_Leave{Leave: m}})
		l.wg.Wait()
		l.end()
	})
}
