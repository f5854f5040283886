package control

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap"

	"byol/internal/vector"
	pb "byol/proto"
)

// AnyGeneration guards work that only the end of the run or of the line stops.
const AnyGeneration = -1

// inbox keeps what the coordinator said: of plans the newest, of slices those that were asked for.
type inbox struct {
	log *zap.Logger

	mu      sync.Mutex // guards everything below
	plan    *pb.Plan
	changed chan struct{} // closed when anything here changes, and replaced
	err     error         // why the line ended
	wanted  *wanted
	guards  map[*guard]struct{}
}

// wanted is the span of ξ' that is waited for. Slices come in order.
type wanted struct {
	generation, step int64
	off              int
	dst              []float32
	filled           int
}

func (w *wanted) complete() bool { return w.filled == len(w.dst) }

type guard struct {
	generation int64
	cancel     context.CancelCauseFunc
}

func newInbox(log *zap.Logger) *inbox {
	return &inbox{log: log, changed: make(chan struct{}), guards: map[*guard]struct{}{}}
}

func (in *inbox) wakeLocked() {
	close(in.changed)
	in.changed = make(chan struct{})
}

// end says that nothing more comes, and why.
func (in *inbox) end(why error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.err = why
	for g := range in.guards {
		g.cancel(ErrEnded)
	}
	in.wakeLocked()
}

// over reports whether the newest plan ends this worker's part.
func (in *inbox) over() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.plan != nil && Final(in.plan.State)
}

// seen are the numbers of the newest plan, 0 without one.
func (in *inbox) seen() (version, generation int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.plan.GetVersion(), in.plan.GetGeneration()
}

// restart begins a new stream: a span that the old one left unfinished comes again from its start.
func (in *inbox) restart() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if w := in.wanted; w != nil && !w.complete() {
		w.filled = 0
	}
}

// take reports whether p is the newest plan now.
func (in *inbox) take(p *pb.Plan) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.plan != nil && p.Version < in.plan.Version {
		in.log.Warn("refused an older plan", zap.Int64("version", p.Version), zap.Int64("have", in.plan.Version))
		return false
	}
	p.Reason = Text(p.Reason)
	in.log.Debug("plan", zap.Int64("version", p.Version), zap.Int64("generation", p.Generation),
		zap.Stringer("state", p.State), zap.Int64("step", p.CommittedStep), zap.Bool("save", p.Save),
		zap.Bool("evaluate", p.Evaluate))
	in.plan = p
	for g := range in.guards {
		if g.obsolete(p) {
			g.cancel(ErrReplanned)
		}
	}
	in.wakeLocked()
	return true
}

// obsolete reports whether plan p has no more use for the work.
func (g *guard) obsolete(p *pb.Plan) bool {
	return Final(p.State) || (g.generation != AnyGeneration && p.Generation != g.generation)
}

// Final reports whether a run in state s has ended.
func Final(s pb.RunState) bool {
	return s == pb.RunState_RUN_STATE_COMPLETED || s == pb.RunState_RUN_STATE_STOPPED || s == pb.RunState_RUN_STATE_FAILED
}

// Guard returns a context for work of a generation: it ends with ErrReplanned when a plan makes the work useless,
// with ErrEnded when the line ends. release must be called.
func (l *Line) Guard(ctx context.Context, generation int64) (guarded context.Context, release func()) {
	in := l.inbox
	guarded, cancel := context.WithCancelCause(ctx)
	g := &guard{generation: generation, cancel: cancel}
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.err != nil:
		cancel(ErrEnded)
	case in.plan != nil && g.obsolete(in.plan):
		cancel(ErrReplanned)
	}
	in.guards[g] = struct{}{}
	return guarded, func() {
		in.mu.Lock()
		delete(in.guards, g)
		in.mu.Unlock()
		cancel(nil)
	}
}

// Await returns the newest plan once due says that there is something to do. What was due when the line ended still
// is.
func (l *Line) Await(ctx context.Context, due func(*pb.Plan) bool) (*pb.Plan, error) {
	return l.inbox.await(ctx, due)
}

func (in *inbox) await(ctx context.Context, due func(*pb.Plan) bool) (*pb.Plan, error) {
	for {
		in.mu.Lock()
		plan, changed, err := in.plan, in.changed, in.err
		in.mu.Unlock()
		if plan != nil && due(plan) {
			return plan, nil
		}
		if err != nil {
			return nil, ErrEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Newest is the newest plan, nil before the first.
func (l *Line) Newest() *pb.Plan {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	return l.inbox.plan
}

// Expect says that dst, elements from off on of step's new target, is to be filled.
func (l *Line) Expect(generation, step int64, off int, dst []float32) {
	l.inbox.expect(&wanted{generation: generation, step: step, off: off, dst: dst})
}

// Forget ends Expect; its dst is the caller's again.
func (l *Line) Forget() { l.inbox.expect(nil) }

func (in *inbox) expect(w *wanted) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.wanted = w
}

func (in *inbox) fill(s *pb.Slice) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := in.wanted
	n := len(s.Data) / 4
	switch {
	case w == nil || s.Generation != w.generation || s.Step != w.step:
		in.log.Debug("a slice nobody waits for", zap.Int64("generation", s.Generation), zap.Int64("step", s.Step))
		return
	case w.complete():
		return // it came again, after the stream broke
	case len(s.Data)%4 != 0 || s.Offset != int64(w.off+w.filled) || n > len(w.dst)-w.filled:
		in.log.Warn("refused a slice out of place", zap.Int64("offset", s.Offset), zap.Int("bytes", len(s.Data)))
		return
	}
	copy(vector.Bytes(w.dst[w.filled:][:n]), s.Data)
	w.filled += n
	if w.complete() {
		in.wakeLocked()
	}
}

// Committed returns the plan after step was committed and the span that Expect named is complete.
func (l *Line) Committed(ctx context.Context, step int64) (*pb.Plan, error) {
	in := l.inbox
	return in.await(ctx, func(p *pb.Plan) bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return p.CommittedStep > step && in.wanted != nil && in.wanted.complete()
	})
}

// Err says why the line ended.
func (l *Line) Err() error {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	if l.inbox.err == nil {
		return errors.New("the connection broke")
	}
	return l.inbox.err
}
