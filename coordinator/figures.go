package coordinator

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/report"
	"byol/coordinator/run"
	pb "byol/proto"
)

// figures are what status shows beyond the state.
type figures struct {
	durations      []time.Duration // of the last steps
	last           report.Step
	phases         []string // of a step, in the order workers report them
	unreadable     int64
	lastUnreadable string
}

const (
	durationsKept = 256
	rateWindow    = 16 // steps over which images per second are taken
)

func (f *figures) add(d time.Duration) {
	f.durations = append(f.durations, d)
	if len(f.durations) > durationsKept {
		f.durations = slices.Delete(f.durations, 0, 1)
	}
}

// recent is the mean duration of the last steps.
func (f *figures) recent() time.Duration {
	window := f.durations[max(0, len(f.durations)-rateWindow):]
	if len(window) == 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range window {
		sum += d
	}
	return sum / time.Duration(len(window))
}

// quantile is the duration that a share q of the steps did not exceed.
func (f *figures) quantile(q float64) time.Duration {
	if len(f.durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(f.durations))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (f *figures) median() time.Duration { return f.quantile(0.5) }

// account writes down a committed step.
func (d *driver) account(r run.Record, t totals, members []*member) {
	now := time.Now()
	d.figures.add(now.Sub(d.collecting.since))
	c := d.c.opts.Config
	s := report.Step{Step: r.Step, Loss: t.loss, ProbeLoss: t.probeLoss, ProbeTop1: t.probeTop1, Std: t.std,
		LR: d.rates.LR(r.Step), Tau: 1 - d.rates.OneMinusTau(r.Step), GradientNorm: t.norm,
		Seconds: now.Sub(d.collecting.since).Seconds(), Phases: map[string]float64{}, Latency: map[string]float64{},
		Digest: fmt.Sprintf("%016x", r.Target)}
	if c.Samples > 0 {
		s.Epoch = float64(r.Step+1) * float64(c.BatchSize) / float64(c.Samples)
	}
	if mean := d.figures.recent().Seconds(); mean > 0 {
		s.ImagesPerSecond = float64(t.images) / mean
	}
	d.figures.phases = d.figures.phases[:0]
	for _, m := range members {
		for _, p := range m.result.Phases {
			if _, known := s.Phases[p.Phase]; !known {
				d.figures.phases = append(d.figures.phases, p.Phase)
			}
			s.Phases[p.Phase] += p.Seconds / float64(len(members))
			if p.LatencySeconds > 0 {
				s.Latency[p.Phase] += p.LatencySeconds / float64(len(members))
			}
		}
	}
	d.figures.last = s
	if err := d.report.Step(s); err != nil {
		d.c.opts.Log.Warn("write metrics", zap.Error(err))
	}
	d.c.opts.Log.Debug("committed", zap.Int64("step", r.Step), zap.Float64("loss", t.loss), zap.String("target", s.Digest))
}

func (d *driver) accountEvaluation(e run.Evaluation) {
	knn, _ := e.Count("knn_top1")
	pixels, _ := e.Count("pixels_top1")
	line := report.Evaluation{Step: e.Step, Queries: knn.Total, Error: e.Error}
	text := fmt.Sprintf("evaluation after %d steps failed: %s", e.Step, e.Error)
	if e.Error == "" {
		line.KNNTop1, line.PixelsTop1 = knn.Ratio(), pixels.Ratio()
		text = fmt.Sprintf("k-NN accuracy after %d steps: %.2f %% of %d", e.Step, 100*line.KNNTop1, knn.Total)
	}
	d.event("evaluated", "", text)
	if err := d.report.Evaluation(line); err != nil {
		d.c.opts.Log.Warn("write evaluation", zap.Error(err))
	}
}

func ratio(part, whole int64) float64 { return float64(part) / float64(max(1, whole)) }

// status puts together what GetStatus answers. The result is not changed afterwards.
func (d *driver) status() *pb.Status {
	s, o := &d.view, d.c.opts
	st := &pb.Status{RunId: s.Settings.RunID, State: runStates[s.Phase], StateReason: d.reason(), Generation: s.Generation,
		AsOf: timestamppb.Now(), Progress: d.progressOf(), Learning: d.learning(), Throughput: d.throughput(),
		Config: o.Config, RunDir: d.c.runDir, Build: &pb.Build{Version: o.Build, GoVersion: runtime.Version()}}
	info := d.c.node.Info()
	st.Cluster = &pb.Cluster{LeaderId: info.LeaderID, Term: info.Term, CommitIndex: info.CommitIndex,
		WorkersExpected: int32(o.Workers), Launcher: o.Launcher}
	if n := len(s.Checkpoints); n > 0 {
		st.LastCheckpoint = checkpointMessage(s.Checkpoints[n-1])
	}
	for _, m := range d.ranked() {
		w := d.worker(m)
		if !m.gone {
			st.Cluster.WorkersReady++
		}
		st.Workers = append(st.Workers, w)
	}
	return st
}

// reason says more about the state.
func (d *driver) reason() string {
	s := &d.view
	switch {
	case s.Phase == run.Waiting:
		return fmt.Sprintf("%d of %d workers have joined", len(s.Members), d.c.opts.Workers)
	case !s.Phase.Final() && !s.Started:
		return "workers restore the state"
	case s.PauseWanted && s.Phase == run.Running:
		return "will pause after this step"
	case s.StopWanted && s.Busy():
		return "will stop after this step: " + s.StopReason
	}
	return s.Reason
}

func (d *driver) worker(m *member) *pb.Worker {
	seen := d.c.started.Add(time.Duration(m.seen.Load()))
	w := &pb.Worker{Id: string(m.id), Rank: m.rank.Load(), State: "joined", LastSeen: timestamppb.New(seen),
		Address: m.join.DataAddress, Host: m.join.Host, Pid: m.join.Pid}
	if b := m.beat; b != nil {
		w.Step, w.Device, w.WaitingFor = b.Step, b.Device, b.WaitingFor
		w.ResidentBytes, w.PeakResidentBytes = b.ResidentBytes, b.PeakResidentBytes
		w.State = b.Phase
	}
	switch {
	case m.left != nil:
		w.State = "left"
	case m.gone:
		w.State = "gone"
	case w.State == "":
		w.State = "joined"
	}
	for _, s := range d.trouble.signs {
		if s.worker == w.Id {
			w.LastError = s.f.Error()
		}
	}
	return w
}

func (d *driver) progressOf() *pb.Progress {
	s, c := &d.view, d.c.opts.Config
	end := s.Settings.EndStep
	p := &pb.Progress{Step: s.Step, TargetSteps: end, ImagesSeen: s.Step * int64(c.BatchSize),
		Fraction: ratio(s.Step, end), Elapsed: durationpb.New(time.Since(d.c.started)),
		UnreadableImages: d.figures.unreadable, LastUnreadableImage: d.figures.lastUnreadable}
	if c.Samples > 0 {
		p.Epoch = float64(p.ImagesSeen) / float64(c.Samples)
		p.TargetEpochs = float64(end) * float64(c.BatchSize) / float64(c.Samples)
	}
	if left := end - s.Step; left > 0 && len(d.figures.durations) > 0 {
		p.Eta = durationpb.New(time.Duration(left) * d.figures.recent())
	}
	return p
}

func (d *driver) learning() *pb.Learning {
	f := d.figures.last
	l := &pb.Learning{Loss: f.Loss, LearningRate: d.rates.LR(d.view.Step), TargetTau: 1 - d.rates.OneMinusTau(d.view.Step),
		EmbeddingStdRatio: f.Std, ProbeLoss: f.ProbeLoss, ProbeTop1Ratio: f.ProbeTop1, GradientNorm: f.GradientNorm}
	if n := len(d.view.Records); n > 0 && f.Digest == "" {
		l.Loss = d.view.Records[n-1].Loss
	}
	if e := d.lastEvaluation(); e != nil {
		knn, _ := e.Count("knn_top1")
		l.KnnKnown, l.KnnStep, l.KnnTop1Ratio = true, e.Step, knn.Ratio()
	}
	for _, e := range d.view.Evaluations {
		if knn, ok := e.Count("knn_top1"); ok && e.Step == 0 && e.Error == "" {
			l.KnnUntrainedTop1Ratio = knn.Ratio()
		}
		if pixels, ok := e.Count("pixels_top1"); ok && e.Error == "" {
			l.KnnPixelsTop1Ratio = pixels.Ratio()
		}
	}
	return l
}

func (d *driver) throughput() *pb.Throughput {
	f := &d.figures
	t := &pb.Throughput{ImagesPerSecond: f.last.ImagesPerSecond, StepTimeP50: durationpb.New(f.quantile(0.5)),
		StepTimeP99: durationpb.New(f.quantile(0.99))}
	sum := 0.0
	for _, seconds := range f.last.Phases {
		sum += seconds
	}
	for _, name := range f.phases {
		if sum > 0 {
			t.Phases = append(t.Phases, &pb.PhaseShare{Phase: name, Ratio: f.last.Phases[name] / sum,
				LatencyRatio: f.last.Latency[name] / sum})
		}
	}
	return t
}

// board shows the newest status to those who watch.
type board struct {
	mu      sync.Mutex // guards what follows
	status  *pb.Status
	changed chan struct{}
}

func newBoard() *board { return &board{changed: make(chan struct{}), status: &pb.Status{}} }

func (b *board) show(s *pb.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = s
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) look() (*pb.Status, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.changed
}

// publish shows the status as it is now.
func (d *driver) publish() {
	s := d.status()
	d.c.board.show(s)
	if d.c.opts.OnProgress != nil {
		d.c.opts.OnProgress(s)
	}
}

// statusWanted has the driver publish now.
type statusWanted struct{}

func (statusWanted) happen(d *driver) error {
	d.view, _ = d.log.View()
	d.publish()
	return nil
}
