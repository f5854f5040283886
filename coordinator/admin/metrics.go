package admin

import (
	"runtime"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"byol/coordinator/report"
	pb "byol/proto"
)

// observed are the metrics that have to be fed; all others are read off the board when somebody asks.
type observed struct {
	steps, saved, proposed prometheus.Histogram
	phases                 *prometheus.CounterVec
	images                 prometheus.Counter
	calls                  *grpcprom.ServerMetrics
}

func newObserved() *observed {
	histogram := func(name, help string, least float64, count int) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help,
			Buckets: prometheus.ExponentialBuckets(least, 2, count)})
	}
	return &observed{
		steps: histogram("byol_training_step_duration_seconds", "Time of a committed step.", 0.01, 16),
		saved: histogram("byol_checkpoint_duration_seconds", "Time from the wish for a checkpoint to its being durable.",
			0.05, 16),
		proposed: histogram("byol_raft_apply_duration_seconds", "Time until the log agreed on an entry.", 0.0005, 16),
		phases: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byol_training_phase_seconds_total",
			Help: "Time of committed steps by what workers did, mean over workers."}, []string{"phase"}),
		images: prometheus.NewCounter(prometheus.CounterOpts{Name: "byol_training_images_total",
			Help: "Images of steps that were committed since this process began."}),
		calls: grpcprom.NewServerMetrics(),
	}
}

func (o *observed) all() []prometheus.Collector {
	return []prometheus.Collector{o.steps, o.saved, o.proposed, o.phases, o.images, o.calls}
}

func (o *observed) committed(s *report.Step, images int32) {
	o.images.Add(float64(images))
	if s.Seconds > 0 {
		o.steps.Observe(s.Seconds)
	}
	for name, seconds := range s.Phases {
		o.phases.WithLabelValues(name).Add(max(0, seconds))
	}
}

// ServerOptions have a gRPC server count its calls; Serves names what it serves, before it does.
func (b *Board) ServerOptions() []grpc.ServerOption {
	if b == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(b.metrics.calls.UnaryServerInterceptor()),
		grpc.ChainStreamInterceptor(b.metrics.calls.StreamServerInterceptor())}
}

// Serves has all methods of a server be counted from 0 on.
func (b *Board) Serves(s *grpc.Server) {
	if b != nil {
		b.metrics.calls.InitializeMetrics(s)
	}
}

// Registry are the metrics of the board and of this process.
func (b *Board) Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauges{b})
	r.MustRegister(b.metrics.all()...)
	return r
}

// gauges are the metrics that are read off a board.
type gauges struct{ board *Board }

// Describe implements prometheus.Collector.
func (gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		to <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	b := g.board
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range samples(b.status, b.raft, b.tally, b.Build, b.leaders) {
		d := descriptions[s.name]
		to <- prometheus.MustNewConstMetric(d.desc, d.kind, s.value, s.labels...)
	}
}

// sample is a value under a name of descriptions.
type sample struct {
	name   string
	value  float64
	labels []string
}

type description struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// descriptions are all that samples may have.
var descriptions = described()

func described() map[string]description {
	all := map[string]description{}
	add := func(kind prometheus.ValueType, name, help string, labels ...string) {
		all[name] = description{prometheus.NewDesc(name, help, labels, nil), kind}
	}
	gauge := func(name, help string, labels ...string) { add(prometheus.GaugeValue, name, help, labels...) }
	count := func(name, help string, labels ...string) { add(prometheus.CounterValue, name, help, labels...) }
	gauge("byol_build_info", "The program.", "version", "goversion")
	gauge("byol_run_info", "The run.", "run_id", "arch", "preset")
	gauge("byol_run_state", "1 for the state that the run is in.", "state")
	gauge("byol_run_generation", "Generation of the group: raised at every change of membership.")
	gauge("byol_training_step", "Steps committed so far.")
	gauge("byol_training_target_steps", "Steps after which training ends.")
	gauge("byol_training_epoch", "How often the data were seen.")
	gauge("byol_training_loss", "Loss of the last step.")
	gauge("byol_training_learning_rate", "Learning rate.")
	gauge("byol_training_target_tau_ratio", "Decay of the target network.")
	gauge("byol_training_grad_norm", "Norm of the gradient of the last step.")
	gauge("byol_training_embedding_std_ratio", "Standard deviation of embeddings: about 1 is healthy, near 0 collapsed.")
	gauge("byol_training_knn_top1_ratio", "k-NN accuracy at the last evaluation.")
	gauge("byol_training_probe_top1_ratio", "Accuracy of the linear probe at the last evaluation.")
	gauge("byol_training_images_per_second", "Pace of the last steps.")
	gauge("byol_training_eta_seconds", "Time to the end at this pace.")
	gauge("byol_training_goodput_ratio", "Share of the time in which committed steps were computed.")
	gauge("byol_training_last_recovery_seconds", "From the last broken group to the next committed step.")
	gauge("byol_training_unreadable_images", "Images that could not be decoded and were replaced.")
	count("byol_training_rerun_steps_total", "Steps that were begun, dropped and run again.")
	count("byol_training_group_restarts_total", "Groups that were broken.")
	gauge("byol_workers", "Workers by state.", "state")
	gauge("byol_workers_expected", "Workers that are wished for.")
	gauge("byol_workers_min", "Workers that the run goes on with at least.")
	gauge("byol_worker_last_heartbeat_timestamp_seconds", "When the worker was heard last.", "worker")
	gauge("byol_worker_step_lag", "Steps that the worker is behind.", "worker")
	gauge("byol_worker_resident_bytes", "Memory of the worker.", "worker")
	count("byol_worker_failures_total", "Failures of the worker, since this process began.", "worker", "reason")
	count("byol_worker_restarts_total", "How often the worker came again, since this process began.", "worker")
	count("byol_collapse_detected_total", "How often embeddings collapsed: their deviation fell below 0.2.")
	gauge("byol_checkpoint_size_bytes", "Size of the newest checkpoint.")
	gauge("byol_checkpoint_last_success_timestamp_seconds", "When the newest checkpoint was made.")
	count("byol_checkpoint_failures_total", "Checkpoints that could not be saved.")
	count("byol_events_total", "Events, by kind.", "type")
	gauge("byol_certificate_expiry_timestamp_seconds", "When this coordinator's certificate ends.")
	gauge("byol_raft_has_leader", "Whether a coordinator leads.")
	gauge("byol_raft_is_leader", "Whether this one does.")
	count("byol_raft_leader_changes_total", "Elections that this coordinator has heard of.")
	gauge("byol_raft_term", "Term of the log.")
	gauge("byol_raft_peers", "Coordinators of the run, this one included.")
	gauge("byol_raft_last_contact_seconds", "Since this coordinator heard of the leader; 0 where it is the leader.")
	gauge("byol_raft_commit_index", "Newest entry that the coordinators agree on.")
	gauge("byol_raft_applied_index", "Newest entry that this one has applied.")
	return all
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// samples are a board's metrics. Those of training are a leader's alone: what a follower knows is old.
func samples(s *pb.Status, r Raft, t *tally, build string, leaders int64) []sample {
	out := []sample{
		{"byol_build_info", 1, []string{build, runtime.Version()}},
		{"byol_raft_has_leader", truth(r.LeaderID != ""), nil},
		{"byol_raft_is_leader", truth(r.Leads), nil},
		{"byol_raft_leader_changes_total", float64(leaders), nil},
		{"byol_raft_term", float64(r.Term), nil},
		{"byol_raft_peers", float64(r.Peers), nil},
		{"byol_raft_commit_index", float64(r.Commit), nil},
		{"byol_raft_applied_index", float64(r.Applied), nil},
	}
	switch {
	case r.Leads:
		out = append(out, sample{"byol_raft_last_contact_seconds", 0, nil})
	case s.GetStale() && s.GetAge().IsValid():
		out = append(out, sample{"byol_raft_last_contact_seconds", seconds(s.GetAge()), nil})
	}
	if end := s.GetProtection().GetExpires(); end.IsValid() {
		out = append(out, sample{"byol_certificate_expiry_timestamp_seconds", unix(end.AsTime()), nil})
	}
	for kind, n := range t.events {
		out = append(out, sample{"byol_events_total", float64(n), []string{kind}})
	}
	if !r.Leads || s.GetStale() {
		return out
	}
	out = append(out, runSamples(s, t)...)
	return append(out, workerSamples(s, t)...)
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func runSamples(s *pb.Status, t *tally) []sample {
	p, l, f, c := s.GetProgress(), s.GetLearning(), s.GetFaults(), s.GetConfig()
	out := []sample{
		{"byol_run_info", 1, []string{s.GetRunId(), c.GetArch(), c.GetPreset()}},
		{"byol_run_generation", float64(s.GetGeneration()), nil},
		{"byol_training_step", float64(p.GetStep()), nil},
		{"byol_training_target_steps", float64(p.GetTargetSteps()), nil},
		{"byol_training_epoch", p.GetEpoch(), nil},
		{"byol_training_learning_rate", l.GetLearningRate(), nil},
		{"byol_training_target_tau_ratio", l.GetTargetTau(), nil},
		{"byol_training_images_per_second", s.GetThroughput().GetImagesPerSecond(), nil},
		{"byol_training_goodput_ratio", f.GetGoodputRatio(), nil},
		{"byol_training_last_recovery_seconds", f.GetLastRecoverySeconds(), nil},
		{"byol_training_unreadable_images", float64(p.GetUnreadableImages()), nil},
		{"byol_training_rerun_steps_total", float64(f.GetRerunSteps()), nil},
		{"byol_training_group_restarts_total", float64(f.GetRestarts()), nil},
		{"byol_collapse_detected_total", float64(t.collapses), nil},
		{"byol_checkpoint_failures_total", float64(t.checkpointErrors), nil},
	}
	for n := range pb.RunState_name {
		if state := pb.RunState(n); state != pb.RunState_RUN_STATE_UNSPECIFIED {
			out = append(out, sample{"byol_run_state", truth(s.GetState() == state), []string{stateWord(state)}})
		}
	}
	if p.GetStep() > 0 {
		out = append(out, sample{"byol_training_loss", l.GetLoss(), nil})
	}
	if s.GetThroughput().GetImagesPerSecond() > 0 { // there was a step in this term
		out = append(out, sample{"byol_training_grad_norm", l.GetGradientNorm(), nil},
			sample{"byol_training_embedding_std_ratio", l.GetEmbeddingStdRatio(), nil})
	}
	if p.GetEta().IsValid() {
		out = append(out, sample{"byol_training_eta_seconds", seconds(p.GetEta()), nil})
	}
	if l.GetKnnKnown() {
		out = append(out, sample{"byol_training_knn_top1_ratio", l.GetKnnTop1Ratio(), nil})
	}
	if l.GetProbeEvalKnown() {
		out = append(out, sample{"byol_training_probe_top1_ratio", l.GetProbeEvalTop1Ratio(), nil})
	}
	if k := s.GetLastCheckpoint(); k != nil {
		out = append(out, sample{"byol_checkpoint_size_bytes", float64(k.GetSizeBytes()), nil},
			sample{"byol_checkpoint_last_success_timestamp_seconds", unix(k.GetCreated().AsTime()), nil})
	}
	return out
}

func workerSamples(s *pb.Status, t *tally) []sample {
	c := s.GetCluster()
	gone := 0.
	var out []sample
	for _, w := range s.GetWorkers() {
		if w.GetState() == "gone" || w.GetState() == "left" {
			gone += max(1, float64(w.GetWorkers()))
			continue
		}
		name := []string{w.GetId()}
		out = append(out, sample{"byol_worker_last_heartbeat_timestamp_seconds", unix(w.GetLastSeen().AsTime()), name},
			sample{"byol_worker_step_lag", float64(lag(s.GetProgress().GetStep(), w)), name},
			sample{"byol_worker_resident_bytes", float64(w.GetResidentBytes()), name})
	}
	for name := range t.joined {
		out = append(out, sample{"byol_worker_restarts_total", float64(t.restarts(name)), []string{name}})
	}
	for f, n := range t.failures {
		out = append(out, sample{"byol_worker_failures_total", float64(n), []string{f.worker, f.reason}})
	}
	return append(out, sample{"byol_workers", float64(c.GetWorkersReady()), []string{"ready"}},
		sample{"byol_workers", float64(c.GetWorkersStandby()), []string{"standby"}},
		sample{"byol_workers", gone, []string{"gone"}},
		sample{"byol_workers_expected", float64(c.GetWorkersExpected()), nil},
		sample{"byol_workers_min", float64(c.GetWorkersMin()), nil})
}
