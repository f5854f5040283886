package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/vector"
	"byol/model"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/data"
)

// replica is the state of the run on this worker: a learner, and how many steps are committed in it. It outlives
// the groups it is trained in, as long as the number of shards it holds stays.
type replica struct {
	learner *model.Learner
	sync    *groupSums
	local   int // shards
	step    int64
}

// session is the work of one generation: a group, the images of its shards, and the replica.
type session struct {
	w            *worker
	generation   int64
	rank         int
	begin, end   int // shards
	group        *allreduce.Group
	loader       *data.Loader
	ahead        *data.Batch // images that were loaded and have not been learned from
	state        *replica
	spans        []allreduce.Span // of the flat vectors, by rank
	clock        clock
	readyVersion int64 // the plan that made us ready; a later one of the generation is the go signal
	evaluated    int64 // step, −1 for none
}

// join forms the group of a plan, restores the state and says that this worker is ready. The session is returned
// with an error too, so that it can be closed and its generation is known.
func (w *worker) join(ctx context.Context, p *pb.Plan) (*session, error) {
	s := &session{w: w, generation: p.Generation, rank: int(p.Rank), readyVersion: p.Version, evaluated: -1}
	s.clock = newClock(time.Now, w.board.setPhase)
	if s.rank < 0 || s.rank >= len(p.Peers) {
		return s, fmt.Errorf("plan gives rank %d of %d peers", s.rank, len(p.Peers))
	}
	own := p.Peers[s.rank]
	s.begin, s.end = int(own.ShardBegin), int(own.ShardEnd)
	w.board.setStep(p.Generation, p.CommittedStep)
	w.board.setPhase("form group")
	var err error
	if s.group, err = w.form(ctx, p); err != nil {
		return s, err
	}
	w.board.setPhase("restore")
	if err := s.restore(p); err != nil {
		return s, err
	}
	s.cutBuckets()
	total := s.state.learner.Parameters()
	for r := range p.Peers {
		part := vector.PartOfBlocks(total, r, len(p.Peers))
		s.spans = append(s.spans, allreduce.Span{Off: part.Off, Len: part.Len})
	}
	s.loader = w.fixture.loader(s.begin, s.end, s.state.step, w.unreadable)
	w.log.Info("ready", zap.Int64("generation", s.generation), zap.Int("rank", s.rank), zap.Int64("step", s.state.step),
		zap.Int("shard_begin", s.begin), zap.Int("shard_end", s.end), zap.String("fingerprint", w.fixture.fingerprint()))
	return s, s.ready()
}

func (w *worker) form(ctx context.Context, p *pb.Plan) (*allreduce.Group, error) {
	wire, err := allreduce.ParseWire(w.cfg.Wire)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	cfg := allreduce.GroupConfig{RunID: w.cfg.RunId, Generation: uint64(p.Generation), Rank: int(p.Rank),
		Listener: w.listener, Timeout: groupTimeout, OnWait: w.board.wait, NoSharedMemory: w.opts.NoSharedMemory,
		Memory: w.fixture.peers, Wire: wire}
	for _, peer := range p.Peers {
		cfg.Peers = append(cfg.Peers, allreduce.Peer{Address: peer.Address, Host: peer.Host,
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
	l, tuning := s.state.learner, s.group.Tuning()
	bytes, by := bucketBytes(s.w.cfg, tuning.BucketBytes, s.group.Size(), l.Parameters())
	l.SetBuckets(bytes)
	s.w.log.Info("group formed", zap.Int64("generation", s.generation), zap.String("transport", s.group.Transport()),
		zap.String("wire", s.group.Wire().String()),
		zap.Duration("alpha", tuning.Alpha), zap.Float64("gigabytes_per_second", tuning.Rate/1e9),
		zap.Int("one_hop_bytes", tuning.SmallBytes), zap.Int("buckets", len(l.Buckets())),
		zap.Int("bucket_bytes", 4*l.Buckets()[0].Len), zap.String("chosen_by", by))
}

// restore makes the replica hold the plan's committed step: its own state where it already does, else what the plan
// names. The same plan gives the same state on every worker.
func (s *session) restore(p *pb.Plan) error {
	w, old := s.w, s.w.replica
	if old == nil || old.local != s.end-s.begin {
		fresh := &replica{sync: &groupSums{}, local: s.end - s.begin, step: -1}
		var err error
		if fresh.learner, err = model.New(w.fixture.dev, learnerConfig(w.cfg), fresh.local, fresh.sync); err != nil {
			return &Failure{What: "the network cannot be built", Why: err.Error(),
				Try: "check --arch, --image-size, --batch-size and --shards", Code: ExitUsage}
		}
		if old != nil && old.step == p.CommittedStep {
			if err := fresh.learner.Load(old.learner.Tensors()); err != nil {
				return fmt.Errorf("carry state over: %w", err)
			}
			fresh.step = old.step
		}
		w.replica = fresh
	}
	s.state = w.replica
	s.state.sync.group, s.state.sync.step, s.state.sync.next = s.group, 0, 0
	s.state.learner.Drop()
	s.state.learner.SetPhaseHook(s.clock.begin)
	if s.state.step == p.CommittedStep {
		return nil
	}
	s.state.step = -1
	if err := s.fetch(p); err != nil {
		return err
	}
	debug.FreeOSMemory() // a checkpoint is as large as the state itself
	s.state.step = p.CommittedStep
	s.state.learner.SetSteps(p.CommittedStep)
	return nil
}

// fetch fills the learner from where the plan says.
func (s *session) fetch(p *pb.Plan) error {
	r := p.Restore
	switch {
	case r.GetKind() == pb.Restore_KIND_FRESH && p.CommittedStep == 0:
		s.state.learner.Init(s.w.cfg.Seed)
		return nil
	case r.GetKind() == pb.Restore_KIND_CHECKPOINT && r.Step == p.CommittedStep:
		return s.load(r)
	}
	return &Failure{What: fmt.Sprintf("nobody holds the state of step %d", p.CommittedStep),
		Why: fmt.Sprintf("the plan offers %v of step %d", r.GetKind(), r.GetStep()),
		Try: "run the same command again to go on from the newest checkpoint", Code: ExitCheckpoint}
}

func (s *session) load(r *pb.Restore) error {
	unreadable := func(why string) error {
		return &Failure{What: "checkpoint " + r.Path + " cannot be used", Why: why,
			Try: "`coordinator checkpoints verify`; --resume PATH takes another one", Code: ExitCheckpoint}
	}
	info, _, err := checkpoint.Config(r.Path)
	if err != nil {
		return unreadable(err.Error())
	}
	if info.Step != r.Step {
		return unreadable(fmt.Sprintf("it holds step %d, the plan says %d", info.Step, r.Step))
	}
	if r.StateSha256 != "" && info.StateSHA256 != r.StateSha256 {
		return unreadable(fmt.Sprintf("its state_sha256 is %s, the plan says %s", info.StateSHA256, r.StateSha256))
	}
	stored, err := checkpoint.Load(r.Path) // recomputes the digest
	if err != nil {
		return unreadable(err.Error())
	}
	if err := s.state.learner.Load(toModel(stored.Tensors)); err != nil {
		return unreadable(err.Error())
	}
	return nil
}

// ready tells the coordinator what this worker holds, and gives it this rank's span of the target.
func (s *session) ready() error {
	w, l := s.w, s.state.learner
	if err := w.fixture.dev.Sync(); err != nil {
		return fmt.Errorf("restore on %s: %w", w.fixture.dev.Name(), err)
	}
	m := w.fixture.memory
	xi := m.view(slotXi, l.Xi())
	d := s.digests(m.view(slotTheta, l.Theta()), m.view(slotMomentum, l.Momentum()), l.Statistics(), xi)
	d.Slice = s.sliceDigest(xi)
	r := &pb.Ready{Generation: s.generation, Step: s.state.step, Digests: d, Fingerprint: w.fixture.fingerprint(),
		ManifestHash: w.fixture.train.Manifest(), Parameters: int64(l.Parameters())}
	w.board.setStep(s.generation, s.state.step)
	if err := w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_Ready{Ready: r}}); err != nil {
		return err
	}
	span := s.spans[s.rank]
	return w.outbox.sendSpan(s.generation, s.state.step, span.Off, xi[span.Off:][:span.Len])
}

// digests hashes a state. The digest of the slice that is sent is the caller's to add.
func (s *session) digests(theta, momentum, statistics, xi []float32) *pb.Digests {
	sums := digestAll(s.w.fixture.threads > 1, [][]float32{theta, momentum, statistics, xi})
	return &pb.Digests{Online: sums[0], Momentum: sums[1], Statistics: sums[2], Target: sums[3]}
}

// sliceDigest hashes what this rank sends of x.
func (s *session) sliceDigest(x []float32) uint64 {
	span := s.spans[s.rank]
	return vector.Digest(x[span.Off:][:span.Len])
}

// close ends the session's goroutines and connections. s may be nil; the replica lives on.
func (s *session) close() {
	if s == nil {
		return
	}
	if s.loader != nil {
		_ = s.loader.Close()
		s.loader = nil
	}
	if s.group != nil {
		_ = s.group.Close()
		s.group = nil
	}
}

// unreadable reports an image that could not be decoded and was replaced.
func (w *worker) unreadable(i int, name string, err error) {
	w.log.Warn("unreadable image", zap.Int("index", i), zap.String("name", name), zap.Error(err))
	m := &pb.ImageUnreadable{Index: int64(i), Name: name, Error: err.Error()}
	if err := w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_ImageUnreadable{ImageUnreadable: m}}); err != nil {
		w.log.Debug("report unreadable image", zap.Error(err))
	}
}

// groupSums brings batch-norm sums to all ranks; it is what a learner knows of the group. Sums of a step are
// numbered from 0, the same on every rank, and go on where a pass that was begun and dropped left off.
type groupSums struct {
	group *allreduce.Group
	step  uint64
	next  uint32
}

// begin says that the sums of step come next.
func (g *groupSums) begin(step int64) {
	if g.step != uint64(step) {
		g.step, g.next = uint64(step), 0
	}
}

// Gather implements nn.Syncer.
func (g *groupSums) Gather(ctx context.Context, local, all []float64) error {
	key := allreduce.Key{Step: g.step, Bucket: g.next}
	g.next++
	return g.group.Gather(ctx, key, local, all)
}
