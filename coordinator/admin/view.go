package admin

import (
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "byol/proto"
)

// view is a status as the page shows it: numbers are numbers, times are Unix milliseconds, durations seconds.
type view struct {
	Run        string `json:"run"`
	State      string `json:"state"`
	Reason     string `json:"reason"`
	Over       bool   `json:"over"`
	Generation int64  `json:"generation"`
	AsOf       int64  `json:"as_of"`
	Stale      bool   `json:"stale"`
	StaleWhy   string `json:"stale_reason"`
	Build      string `json:"build"`
	RunDir     string `json:"run_dir"`
	About      string `json:"about"`

	Progress   viewProgress   `json:"progress"`
	Learning   viewLearning   `json:"learning"`
	Throughput viewThroughput `json:"throughput"`
	Cluster    viewCluster    `json:"cluster"`
	Faults     viewFaults     `json:"faults"`
	Checkpoint viewCheckpoint `json:"checkpoint"`
	Workers    []viewWorker   `json:"workers"`
	Warnings   []string       `json:"warnings"`
}

type viewProgress struct {
	Step               int64   `json:"step"`
	Target             int64   `json:"target"`
	Epoch              float64 `json:"epoch"`
	Epochs             float64 `json:"epochs"`
	Fraction           float64 `json:"fraction"`
	Elapsed            float64 `json:"elapsed"`
	ETA                float64 `json:"eta"`
	EvaluationFraction float64 `json:"evaluation_fraction"`
	EvaluationETA      float64 `json:"evaluation_eta"`
	Unreadable         int64   `json:"unreadable"`
}

type viewLearning struct {
	Loss         figure `json:"loss"`
	Std          figure `json:"std"`
	LR           figure `json:"lr"`
	Tau          figure `json:"tau"`
	GradientNorm figure `json:"gradient_norm"`
	KNN          figure `json:"knn"`
	KNNKnown     bool   `json:"knn_known"`
	KNNStep      int64  `json:"knn_step"`
	Untrained    figure `json:"knn_untrained"`
	Pixels       figure `json:"knn_pixels"`
	Probe        figure `json:"probe"`
	ProbeKnown   bool   `json:"probe_known"`
}

type viewThroughput struct {
	IPS     float64     `json:"ips"`
	MeanIPS float64     `json:"mean_ips"`
	P50     float64     `json:"p50"`
	P99     float64     `json:"p99"`
	Phases  []viewPhase `json:"phases"`
}

type viewPhase struct {
	Name  string  `json:"name"`
	Ratio float64 `json:"ratio"`
}

type viewCluster struct {
	Leader   string `json:"leader"`
	Leads    bool   `json:"leads"`
	Term     uint64 `json:"term"`
	Ready    int32  `json:"ready"`
	Expected int32  `json:"expected"`
	Min      int32  `json:"min"`
	Standby  int32  `json:"standby"`
	Peers    int    `json:"peers"`
}

type viewFaults struct {
	Restarts    int64      `json:"restarts"`
	Rerun       int64      `json:"rerun"`
	Goodput     float64    `json:"goodput"`
	Recovery    float64    `json:"recovery"`
	Lost        []viewLost `json:"lost"`
	Quarantined []string   `json:"quarantined"`
}

type viewLost struct {
	Cause   string  `json:"cause"`
	Seconds float64 `json:"seconds"`
}

type viewCheckpoint struct {
	Step    int64  `json:"step"`
	Path    string `json:"path"`
	Bytes   uint64 `json:"bytes"`
	Created int64  `json:"created"`
	Error   string `json:"error"`
}

type viewWorker struct {
	ID       string `json:"id"`
	Rank     int32  `json:"rank"`
	Phase    string `json:"phase"`
	Step     int64  `json:"step"`
	Lag      int64  `json:"lag"` // steps behind the run
	Waiting  string `json:"waiting"`
	Seen     int64  `json:"seen"` // when
	Bytes    uint64 `json:"bytes"`
	Peak     uint64 `json:"peak"`
	Restarts int64  `json:"restarts"`
	Device   string `json:"device"`
	Host     string `json:"host"`
	PID      int32  `json:"pid"`
	Shards   int32  `json:"shards"`
	Workers  int32  `json:"workers"` // of the run's, that it stands for
	Error    string `json:"error"`
}

// stateWord is a state in lower case, without what all have.
func stateWord(s pb.RunState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "RUN_STATE_"))
}

func millis(t *timestamppb.Timestamp) int64 {
	if !t.IsValid() {
		return 0
	}
	return t.AsTime().UnixMilli()
}

func seconds(d *durationpb.Duration) float64 { return d.AsDuration().Seconds() }

// viewOf is a status for the page.
func viewOf(s *pb.Status, r Raft, t *tally) view {
	p, l, f, k := s.GetProgress(), s.GetLearning(), s.GetFaults(), s.GetLastCheckpoint()
	v := view{Run: s.GetRunId(), State: stateWord(s.GetState()), Reason: s.GetStateReason(), Over: over(s.GetState()),
		Generation: s.GetGeneration(), AsOf: millis(s.GetAsOf()), Stale: s.GetStale(), StaleWhy: s.GetStaleReason(),
		RunDir: s.GetRunDir(), About: about(s.GetConfig()),
		Progress: viewProgress{Step: p.GetStep(), Target: p.GetTargetSteps(), Epoch: p.GetEpoch(),
			Epochs: p.GetTargetEpochs(), Fraction: p.GetFraction(), Elapsed: seconds(p.GetElapsed()), ETA: seconds(p.GetEta()),
			EvaluationFraction: p.GetEvaluationFraction(), EvaluationETA: seconds(p.GetEvaluationEta()),
			Unreadable: p.GetUnreadableImages()},
		Learning: viewLearning{Loss: figure(l.GetLoss()), Std: figure(l.GetEmbeddingStdRatio()),
			LR: figure(l.GetLearningRate()), Tau: figure(l.GetTargetTau()), GradientNorm: figure(l.GetGradientNorm()),
			KNN: figure(l.GetKnnTop1Ratio()), KNNKnown: l.GetKnnKnown(), KNNStep: l.GetKnnStep(),
			Untrained: figure(l.GetKnnUntrainedTop1Ratio()), Pixels: figure(l.GetKnnPixelsTop1Ratio()),
			Probe: figure(l.GetProbeEvalTop1Ratio()), ProbeKnown: l.GetProbeEvalKnown()},
		Faults: viewFaults{Restarts: f.GetRestarts(), Rerun: f.GetRerunSteps(), Goodput: f.GetGoodputRatio(),
			Recovery: f.GetLastRecoverySeconds(), Quarantined: f.GetQuarantined()},
		Checkpoint: viewCheckpoint{Step: k.GetStep(), Path: k.GetPath(), Bytes: k.GetSizeBytes(),
			Created: millis(k.GetCreated()), Error: s.GetLastSaveError()},
		Warnings: s.GetWarnings()}
	for _, lost := range f.GetLost() {
		v.Faults.Lost = append(v.Faults.Lost, viewLost{lost.GetCause(), lost.GetSeconds()})
	}
	v.throughput(s.GetThroughput())
	c := s.GetCluster()
	v.Cluster = viewCluster{Leader: c.GetLeaderId(), Leads: r.Leads, Term: c.GetTerm(), Ready: c.GetWorkersReady(),
		Expected: c.GetWorkersExpected(), Min: c.GetWorkersMin(), Standby: c.GetWorkersStandby(), Peers: r.Peers}
	for _, w := range s.GetWorkers() {
		v.worker(w, p.GetStep(), t)
	}
	return v
}

func (v *view) throughput(t *pb.Throughput) {
	v.Throughput = viewThroughput{IPS: t.GetImagesPerSecond(), MeanIPS: t.GetMeanImagesPerSecond(),
		P50: seconds(t.GetStepTimeP50()), P99: seconds(t.GetStepTimeP99())}
	for _, p := range t.GetPhases() {
		v.Throughput.Phases = append(v.Throughput.Phases, viewPhase{p.GetPhase(), p.GetRatio()})
	}
}

func (v *view) worker(w *pb.Worker, step int64, t *tally) {
	m := viewWorker{ID: w.GetId(), Rank: w.GetRank(), Phase: w.GetState(), Step: w.GetStep(), Lag: lag(step, w),
		Waiting: w.GetWaitingFor(), Bytes: w.GetResidentBytes(), Peak: w.GetPeakResidentBytes(),
		Restarts: t.restarts(w.GetId()), Seen: millis(w.GetLastSeen()), Device: w.GetDevice(), Host: w.GetHost(),
		PID:    w.GetPid(),
		Shards: w.GetShardEnd() - w.GetShardBegin(), Workers: max(1, w.GetWorkers()), Error: w.GetLastError()}
	v.Workers = append(v.Workers, m)
}

// lag is how many steps a worker that takes part is behind: it tells of the step that it computes.
func lag(step int64, w *pb.Worker) int64 {
	if w.GetRank() < 0 || w.GetState() == "gone" || w.GetState() == "left" {
		return 0
	}
	return max(0, step-w.GetStep())
}

// about is what is trained, in a few words.
func about(c *pb.RunConfig) string {
	if c.GetArch() == "" {
		return ""
	}
	var parts []string
	for _, text := range []string{c.GetArch(), c.GetData(), c.GetPreset()} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " · ")
}
