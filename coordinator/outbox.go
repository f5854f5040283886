package coordinator

import (
	"sync"

	"byol/internal/vector"
	pb "byol/proto"
)

// sliceElements is the most elements in one Slice message: 1 MiB.
const sliceElements = 1 << 18

// piece is a part of the committed target on its way to a worker. Its values stay as they are until the step after
// the next commit, which every worker's receipt of it precedes.
type piece struct {
	generation, step, offset int64
	values                   []float32
}

// parcel is one thing to send.
type parcel struct {
	message *pb.ToWorker
	piece   *piece
}

// outbox is the queue of what one worker is to receive. It never blocks those who fill it.
type outbox struct {
	mu     sync.Mutex // guards what follows
	queue  []parcel
	closed bool
	wake   chan struct{} // has a token when there is something to see
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) push(p parcel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.queue = append(o.queue, p)
		o.nudgeLocked()
	}
}

// close lets deliver return after what is queued.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.nudgeLocked()
}

func (o *outbox) nudgeLocked() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns the next parcel; ok is false when the outbox is closed and empty.
func (o *outbox) take() (p parcel, ok bool) {
	for {
		o.mu.Lock()
		if len(o.queue) > 0 {
			p, o.queue = o.queue[0], o.queue[1:]
			o.mu.Unlock()
			return p, true
		}
		closed := o.closed
		o.mu.Unlock()
		if closed {
			return parcel{}, false
		}
		<-o.wake
	}
}

// deliver sends until the outbox is closed. After an error of send it drops the rest: the stream is dead, and its
// receiving side says why.
func (o *outbox) deliver(send func(*pb.ToWorker) error) {
	var broken error
	for {
		p, ok := o.take()
		switch {
		case !ok:
			return
		case broken != nil:
		case p.piece != nil:
			broken = p.piece.send(send)
		default:
			broken = send(p.message)
		}
	}
}

func (s *piece) send(send func(*pb.ToWorker) error) error {
	offset, values := s.offset, s.values
	for len(values) > 0 {
		n := min(len(values), sliceElements)
		slice := &pb.Slice{Generation: s.generation, Step: s.step, Offset: offset, Data: vector.Bytes(values[:n])}
		if err := send(&pb.ToWorker{Message: &pb.ToWorker_Slice{Slice: slice}}); err != nil {
			return err
		}
		offset, values = offset+int64(n), values[n:]
	}
	return nil
}
