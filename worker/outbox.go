package worker

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"byol/internal/vector"
	pb "byol/proto"
)

// sliceBytes is the most data in one Slice message.
const sliceBytes = 1 << 20

// outbox serialises what goes to the coordinator. It is safe for concurrent use.
type outbox struct {
	mu     sync.Mutex // held while sending
	stream attachStream
}

// send sends m. An error wraps errStreamEnded: the inbox knows the reason.
func (o *outbox) send(m *pb.FromWorker) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.stream.Send(m)
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errStreamEnded
	}
	return fmt.Errorf("%w: %w", errStreamEnded, err)
}

// sendSpan sends elements [off, off+len(x)) of a flat vector of step in slices.
func (o *outbox) sendSpan(generation, step int64, off int, x []float32) error {
	for len(x) > 0 {
		n := min(len(x), sliceBytes/4)
		s := &pb.Slice{Generation: generation, Step: step, Offset: int64(off), Data: vector.Bytes(x[:n])}
		if err := o.send(&pb.FromWorker{Message: &pb.FromWorker_Slice{Slice: s}}); err != nil {
			return err
		}
		off, x = off+n, x[n:]
	}
	return nil
}
