package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/status"

	"byol/internal/vector"
	pb "byol/proto"
)

var (
	// errStreamEnded says that nothing more comes from the coordinator.
	errStreamEnded = errors.New("worker: stream to the coordinator ended")
	// errReplanned ends work that the newest plan no longer asks for.
	errReplanned = errors.New("worker: the plan has changed")
)

// anyGeneration guards work that only the end of the run or of the stream stops.
const anyGeneration = -1

// inbox keeps what the coordinator said: of plans the newest, of slices those that were asked for.
type inbox struct {
	log *zap.Logger

	mu      sync.Mutex // guards everything below
	plan    *pb.Plan
	changed chan struct{} // closed when anything here changes, and replaced
	err     error         // why the stream ended
	wanted  *wanted
	guards  map[*guard]struct{}
	refused int64 // messages of another generation or step
}

// wanted is the span of ξ' that is waited for. Slices come in order.
type wanted struct {
	generation, step int64
	off              int
	dst              []float32
	filled           int
}

type guard struct {
	generation int64
	cancel     context.CancelCauseFunc
}

func newInbox(log *zap.Logger) *inbox {
	return &inbox{log: log, changed: make(chan struct{}), guards: map[*guard]struct{}{}}
}

// receive reads the stream until it ends.
func (in *inbox) receive(stream attachStream) {
	for {
		m, err := stream.Recv()
		if err != nil {
			in.end(err)
			return
		}
		switch m := m.Message.(type) {
		case *pb.ToWorker_Plan:
			in.take(m.Plan)
		case *pb.ToWorker_Slice:
			in.fill(m.Slice)
		default:
			in.log.Warn("unexpected message", zap.String("type", fmt.Sprintf("%T", m)))
		}
	}
}

func (in *inbox) wakeLocked() {
	close(in.changed)
	in.changed = make(chan struct{})
}

func (in *inbox) end(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if errors.Is(err, io.EOF) {
		err = errors.New("it closed the connection")
	} else if s, ok := status.FromError(err); ok {
		err = errors.New(s.Message())
	}
	in.err = err
	for g := range in.guards {
		g.cancel(errStreamEnded)
	}
	in.wakeLocked()
}

func (in *inbox) take(p *pb.Plan) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.plan != nil && p.Version < in.plan.Version {
		in.refused++
		in.log.Warn("refused an older plan", zap.Int64("version", p.Version), zap.Int64("have", in.plan.Version))
		return
	}
	in.log.Debug("plan", zap.Int64("version", p.Version), zap.Int64("generation", p.Generation),
		zap.Stringer("state", p.State), zap.Int64("step", p.CommittedStep), zap.Bool("save", p.Save),
		zap.Bool("evaluate", p.Evaluate))
	in.plan = p
	for g := range in.guards {
		if g.obsolete(p) {
			g.cancel(errReplanned)
		}
	}
	in.wakeLocked()
}

// obsolete reports whether plan p has no more use for the work.
func (g *guard) obsolete(p *pb.Plan) bool {
	return final(p.State) || (g.generation != anyGeneration && p.Generation != g.generation)
}

func final(s pb.RunState) bool {
	return s == pb.RunState_RUN_STATE_COMPLETED || s == pb.RunState_RUN_STATE_STOPPED || s == pb.RunState_RUN_STATE_FAILED
}

// guard returns a context for work of a generation: it ends with errReplanned when a plan makes the work useless,
// with errStreamEnded when the coordinator is gone. release must be called.
func (in *inbox) guard(ctx context.Context, generation int64) (guarded context.Context, release func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	g := &guard{generation: generation, cancel: cancel}
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.err != nil:
		cancel(errStreamEnded)
	case in.plan != nil && g.obsolete(in.plan):
		cancel(errReplanned)
	}
	in.guards[g] = struct{}{}
	return guarded, func() {
		in.mu.Lock()
		delete(in.guards, g)
		in.mu.Unlock()
		cancel(nil)
	}
}

// await returns the newest plan once due says that there is something to do.
func (in *inbox) await(ctx context.Context, due func(*pb.Plan) bool) (*pb.Plan, error) {
	for {
		in.mu.Lock()
		plan, changed, err := in.plan, in.changed, in.err
		in.mu.Unlock()
		if plan != nil && due(plan) {
			return plan, nil
		}
		if err != nil {
			return nil, errStreamEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// newest is the newest plan, nil before the first.
func (in *inbox) newest() *pb.Plan {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.plan
}

// expect says that dst, elements from off on of step's new target, is to be filled.
func (in *inbox) expect(generation, step int64, off int, dst []float32) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.wanted = &wanted{generation: generation, step: step, off: off, dst: dst}
}

// forget ends expect; dst is the caller's again.
func (in *inbox) forget() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.wanted = nil
}

func (in *inbox) fill(s *pb.Slice) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := in.wanted
	n := len(s.Data) / 4
	switch {
	case w == nil || s.Generation != w.generation || s.Step != w.step:
		in.refused++
		in.log.Warn("refused a slice", zap.Int64("generation", s.Generation), zap.Int64("step", s.Step))
		return
	case len(s.Data)%4 != 0 || s.Offset != int64(w.off+w.filled) || n > len(w.dst)-w.filled:
		in.refused++
		in.log.Warn("refused a slice out of place", zap.Int64("offset", s.Offset), zap.Int("bytes", len(s.Data)))
		return
	}
	copy(vector.Bytes(w.dst[w.filled:][:n]), s.Data)
	w.filled += n
	if w.filled == len(w.dst) {
		in.wakeLocked()
	}
}

// committed returns the plan after step was committed and the wanted span is complete.
func (in *inbox) committed(ctx context.Context, step int64) (*pb.Plan, error) {
	return in.await(ctx, func(p *pb.Plan) bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return p.CommittedStep > step && in.wanted != nil && in.wanted.filled == len(in.wanted.dst)
	})
}

// streamError says why the stream ended.
func (in *inbox) streamError() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		return errors.New("the connection broke")
	}
	return in.err
}

// waitEnd waits until the stream has ended, at most limit.
func (in *inbox) waitEnd(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		in.mu.Lock()
		changed, err := in.changed, in.err
		in.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		}
	}
}
