package worker

import (
	"context"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/failure"
	"byol/internal/fault"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data"
	"byol/worker/eval"
	"byol/worker/programs"
	"byol/worker/train"
)

// session is what a worker does in one generation: as a rank of its group, or beside it.
type session struct {
	w            *worker
	generation   int64
	rank         int // −1: not of the group
	peers        []*pb.Peer
	group        *allreduce.Group
	loader       *data.Loader
	training     *train.Generation // nil: it takes no part in this generation any more
	waits        string            // what it waits for where it takes no part
	withdraw     []func()          // what was said and may still stand
	readyVersion int64             // the plan that made us ready; a later one of the generation is the go signal
	evaluated    int64             // step, −1 for none
	atWork       bool              // its group holds the state
}

// enter begins what a plan of a new generation asks for. The session is returned with an error too, so that it can be
// closed and its generation is known.
func (w *worker) enter(ctx context.Context, p *pb.Plan) (*session, error) {
	s := &session{w: w, generation: p.Generation, rank: int(p.Rank), peers: p.Peers, readyVersion: p.Version,
		evaluated: -1}
	w.activity.setStep(p.Generation, p.CommittedStep)
	w.shareAmong(p.Peers)
	switch {
	case s.rank >= len(p.Peers):
		return s, fmt.Errorf("plan gives rank %d of %d peers", s.rank, len(p.Peers))
	case s.rank < 0:
		return s, s.standBy(ctx)
	}
	return s, s.join(ctx, p)
}

// shareAmong says whose programs this worker may take: those of the group's machines.
func (w *worker) shareAmong(group []*pb.Peer) {
	if w.opts.programs == nil {
		return
	}
	var peers []programs.Peer
	for _, p := range group {
		peers = append(peers, programs.Peer{Host: p.Host, Address: p.Address})
	}
	w.opts.programs.Among(w.host, peers)
}

// join forms the group of a plan, restores the state and says that this worker is ready.
func (s *session) join(ctx context.Context, p *pb.Plan) error {
	w, begin, end := s.w, int(p.Peers[s.rank].ShardBegin), int(p.Peers[s.rank].ShardEnd)
	if large := w.tooLarge(end-begin, w.neighbours(p)); large != nil {
		large.Generation, s.waits = s.generation, fmt.Sprintf("waiting for a plan of at most %d shards", large.MaxShards)
		w.log.Warn("the plan gives more shards than there is memory for", zap.Int("shards", end-begin),
			zap.Int32("most", large.MaxShards), zap.String("reason", large.Reason))
		w.say(&pb.FromWorker{Message: &pb.FromWorker_TooLarge{TooLarge: large}}, s.generation)
		return nil
	}
	w.activity.setPhase("form group")
	w.opts.Points.Pass(fault.Form)
	var err error
	if s.group, err = w.form(ctx, p); err != nil {
		return err
	}
	w.activity.setPhase(restoring)
	w.opts.Points.Pass(fault.Restore)
	if have, err := s.restore(ctx, p, end-begin); err != nil || !have {
		return err
	}
	w.opts.Points.Pass(fault.Restored)
	s.cutBuckets()
	w.equipment.contents.again()
	s.loader = w.equipment.loader(begin, end, p.CommittedStep, func(i int, name string, err error) {
		w.unreadable(&pb.ImageUnreadable{Index: int64(i), Name: name, Error: err.Error()})
	})
	w.opts.Metrics.Queues(s.loader.Queued)
	s.training = train.New(train.Options{Config: w.cfg, Generation: p.Generation, ShardBegin: begin,
		CheckpointMark: w.mark(), OnPhase: w.activity.setPhase,
		Faults: w.opts.Faults, Tries: &w.tries, Trace: w.activity.trace, OnCommitted: w.opts.Metrics.Committed,
		Kill: w.opts.Kill, Points: w.opts.Points, Log: w.log},
		train.Parts{Coordinator: w.line, Group: s.group, Images: s.loader, Replica: w.replica, Sums: w.sums})
	fingerprint := w.equipment.fingerprint()
	w.log.Info("ready", zap.Int64("generation", s.generation), zap.Int("rank", s.rank),
		zap.Int64("step", w.replica.Step()), zap.Int("shard_begin", begin), zap.Int("shard_end", end),
		zap.String("fingerprint", fingerprint))
	withdraw, err := s.training.Ready(p.Version, fingerprint, w.equipment.train.Manifest())
	if err != nil {
		return err
	}
	s.withdraw = append(s.withdraw, withdraw)
	return nil
}

func (w *worker) form(ctx context.Context, p *pb.Plan) (*allreduce.Group, error) {
	wire, err := allreduce.ParseWire(w.cfg.Wire)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	cfg := allreduce.GroupConfig{RunID: w.cfg.RunId, Generation: uint64(p.Generation), Rank: int(p.Rank),
		Listener: w.listener, Timeout: w.line.Timeouts().Form, OnWait: w.activity.wait, NoSharedMemory: w.opts.NoSharedMemory,
		Memory: w.equipment.peers, Wire: wire, Traffic: &w.traffic}
	for _, peer := range p.Peers {
		cfg.Peers = append(cfg.Peers, allreduce.Peer{Address: peer.Address, Host: peer.Host, Name: peer.WorkerId,
			ShardBegin: int(peer.ShardBegin), ShardEnd: int(peer.ShardEnd)})
	}
	return allreduce.Form(ctx, cfg)
}

// leastBuckets is how many parts a gradient is cut into at least: something to sum while the rest is computed.
const leastBuckets = 4

// bucketBytes is how long the buckets of a gradient are, and what says so: the configuration, or else what the group
// measured when it formed. It is the same on all ranks, and does not show in sums.
func bucketBytes(cfg *pb.RunConfig, measured, size, parameters int) (bytes int, by string) {
	switch {
	case cfg.BucketBytes > 0:
		return int(cfg.BucketBytes), "the configuration"
	case size == 1:
		return 0, "one worker"
	}
	return min(measured, 4*parameters/leastBuckets), "measurement"
}

// cutBuckets cuts gradients into buckets for this group, and logs what was measured and chosen.
func (s *session) cutBuckets() {
	l, tuning := s.w.replica.Learner(), s.group.Tuning()
	bytes, by := bucketBytes(s.w.cfg, tuning.BucketBytes, s.group.Size(), l.Parameters())
	l.SetBuckets(bytes)
	s.w.log.Info("group formed", zap.Int64("generation", s.generation), zap.String("transport", s.group.Transport()),
		zap.String("wire", s.group.Wire().String()),
		zap.Duration("alpha", tuning.Alpha), zap.Float64("gigabytes_per_second", tuning.Rate/1e9),
		zap.Int("one_hop_bytes", tuning.SmallBytes), zap.Int("buckets", len(l.Buckets())),
		zap.Int("bucket_bytes", 4*l.Buckets()[0].Len), zap.String("chosen_by", by))
}

// step trains one step.
func (s *session) step(ctx context.Context, verify bool) error {
	err := s.training.Step(ctx, verify)
	s.w.tellContents()
	s.w.activity.setStep(s.generation, s.w.replica.Step())
	return err
}

// evaluate measures the online encoder of the committed step, together with the other ranks, and says what was found.
// It returns an error only for what breaks the group or the run.
func (s *session) evaluate(ctx context.Context) error {
	w, step := s.w, s.w.replica.Step()
	w.activity.setPhase("evaluate")
	w.opts.Points.Pass(fault.Evaluate)
	setup := eval.Setup{Encoder: w.replica.Learner(), Ranks: s.training.Ranks(), Products: w.equipment.engine,
		Side: w.equipment.augment.Size, Progress: w.activity.evaluating}
	w.activity.evaluating(0, 0)
	defer w.activity.evaluating(0, 0)
	var err error
	if setup.Probe.Weight, setup.Probe.Bias, err = w.replica.Learner().Probe(); err != nil {
		return err
	}
	problem := w.equipment.images(ctx, &setup, w.unreadable)
	if problem != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	method := eval.Neighbours{K: int(w.cfg.KnnK), Temperature: w.cfg.KnnTemperature, Pixels: step == 0}
	found, err := eval.Run(ctx, setup, problem, method.Measure)
	if err != nil {
		return err
	}
	result := &pb.EvalResult{Generation: s.generation, Step: step, Error: found.Problem}
	for _, c := range found.Counts {
		result.Counts = append(result.Counts, &pb.Count{Name: c.Name, Correct: c.Correct, Total: c.Total})
	}
	s.evaluated = step
	w.log.Info("evaluated", zap.Int64("step", step), zap.Stringers("counts", result.Counts),
		zap.String("error", result.Error))
	s.withdraw = append(s.withdraw, w.line.Say(control.Statement{
		Messages: []*pb.FromWorker{{Message: &pb.FromWorker_EvalResult{EvalResult: result}}},
		Settled: func(p *pb.Plan) bool {
			return p.Generation != result.Generation || p.CommittedStep != step || !p.Evaluate
		}}))
	return nil
}

// close ends the session's goroutines and connections. s may be nil; the replica lives on.
func (s *session) close() {
	if s == nil {
		return
	}
	for _, withdraw := range s.withdraw {
		withdraw()
	}
	s.withdraw = nil
	if s.loader != nil {
		s.w.opts.Metrics.Queues(nil)
		_ = s.loader.Close()
		s.loader = nil
	}
	if s.group != nil {
		_ = s.group.Close()
		s.group = nil
	}
}

// reported is which images were reported unreadable. Loaders and evaluations come and go, and find the same ones
// again.
type reported struct {
	mu   sync.Mutex // guards seen
	seen map[reportedImage]bool
}

type reportedImage struct {
	evaluation bool
	index      int64
}

// first reports whether an image is reported for the first time.
func (r *reported) first(m *pb.ImageUnreadable) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := reportedImage{m.Evaluation, m.Index}
	if r.seen[key] {
		return false
	}
	if r.seen == nil {
		r.seen = map[reportedImage]bool{}
	}
	r.seen[key] = true
	return true
}

// unreadable reports, once, an image that could not be decoded. It may be called from any goroutine.
func (w *worker) unreadable(m *pb.ImageUnreadable) {
	if !w.told.first(m) {
		return
	}
	w.opts.Metrics.Unreadable(m.Evaluation)
	m.Name, m.Error = control.Text(m.Name), control.Text(m.Error)
	w.log.Warn("unreadable image", zap.Bool("evaluation", m.Evaluation), zap.Int64("index", m.Index),
		zap.String("name", m.Name), zap.String("error", m.Error))
	w.line.Tell(&pb.FromWorker{Message: &pb.FromWorker_ImageUnreadable{ImageUnreadable: m}})
}

// act carries out a due plan: save, evaluate, or the next step.
func (s *session) act(ctx context.Context, p *pb.Plan) error {
	if step := s.w.replica.Step(); p.CommittedStep != step {
		return &failure.Failure{What: fmt.Sprintf("the plan is at step %d, this worker at step %d", p.CommittedStep, step),
			Why: "it holds a state that was never committed", Try: "report this with the coordinator's log",
			Code: failure.Internal}
	}
	if !s.atWork {
		s.w.atWork(s.peers)
		s.atWork = true
	}
	if s.saveDue(p) {
		if err := s.save(ctx, p); err != nil {
			return err
		}
	}
	switch {
	case p.Evaluate && s.evaluated != p.CommittedStep:
		return s.evaluate(ctx)
	case p.Evaluate || p.State != pb.RunState_RUN_STATE_RUNNING:
		return nil
	}
	return s.step(ctx, p.Verify)
}

// due reports whether plan p of this generation asks for something that has not been done.
func (s *session) due(p *pb.Plan) bool {
	switch {
	case p.Version <= s.readyVersion || s.training == nil:
		return false
	case s.saveDue(p):
		return true
	case p.Evaluate:
		return s.evaluated != p.CommittedStep
	}
	return p.State == pb.RunState_RUN_STATE_RUNNING
}

func (s *session) saveDue(p *pb.Plan) bool {
	return p.Save && s.w.saves.due(p.SaveOrder)
}
