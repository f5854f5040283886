// Package status is what operators see of a run: the Status message, made of the state, of what the leader knows, and
// of the figures of the last step; and the Latest that shows the newest one to those who watch.
//
// Message is a function of its operands, the time among them. A Latest may be used from any goroutine; the messages on
// it are never changed.
//
// When it fails: it does not. What is not known is left at zero.
package status

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/lead"
	"byol/coordinator/run"
	"byol/model/optim"
	pb "byol/proto"
)

// Names of measures that the Status message has fields for.
const (
	KNN    = "knn_top1"
	Pixels = "pixels_top1"
	Probe  = "probe_top1"
)

// Facts are what a Status is made of.
type Facts struct {
	Lead lead.View
	// Last are the figures of the step committed last in this term, nil before the first.
	Last *lead.Figures
	// PacedSteps took PacedSeconds, of the whole run.
	PacedSteps   int64
	PacedSeconds float64
	Now, Started time.Time
	Config       *pb.RunConfig
	Rates        optim.Schedule
	Build        string
	RunDir       string
	Launcher     string
	// LeaderID, Term and CommitIndex are raft's.
	LeaderID          string
	Term, CommitIndex uint64
}

// states are the phases of a run on the wire.
var states = map[run.Phase]pb.RunState{
	run.Waiting: pb.RunState_RUN_STATE_WAITING_FOR_WORKERS, run.Running: pb.RunState_RUN_STATE_RUNNING,
	run.Evaluating: pb.RunState_RUN_STATE_EVALUATING, run.Paused: pb.RunState_RUN_STATE_PAUSED,
	run.Stopping: pb.RunState_RUN_STATE_STOPPING, run.Draining: pb.RunState_RUN_STATE_STOPPING,
	run.Completed: pb.RunState_RUN_STATE_COMPLETED,
	run.Stopped:   pb.RunState_RUN_STATE_STOPPED, run.Failed: pb.RunState_RUN_STATE_FAILED,
}

// State is a phase on the wire.
func State(p run.Phase) pb.RunState { return states[p] }

// Checkpoint is a stored state on the wire.
func Checkpoint(k run.Checkpoint) *pb.CheckpointInfo {
	return &pb.CheckpointInfo{Step: k.Step, Path: k.Path, SizeBytes: k.Bytes, StateSha256: k.SHA256,
		Created: timestamppb.New(time.Unix(0, k.UnixNano))}
}

// Message puts together what GetStatus answers.
func Message(f Facts) *pb.Status {
	s := &f.Lead.State
	st := &pb.Status{RunId: s.Settings.RunID, State: State(s.Phase), StateReason: reason(s), Generation: s.Generation,
		AsOf: timestamppb.New(f.Now), Progress: f.progress(), Learning: f.learning(), Throughput: f.throughput(),
		Config: f.Config, RunDir: f.RunDir, Warnings: f.Lead.Warnings,
		Build: &pb.Build{Version: f.Build, GoVersion: runtime.Version()}}
	st.Cluster = &pb.Cluster{LeaderId: f.LeaderID, Term: f.Term, CommitIndex: f.CommitIndex,
		WorkersExpected: int32(s.Settings.Workers), WorkersMin: int32(s.Settings.MinWorkers), Launcher: f.Launcher}
	st.Faults, st.LastSaveError, st.LastSaveErrorStep = f.faults(), s.LastSaveError, s.LastSaveStep
	if s.LastSaveNano != 0 {
		st.LastSaveErrorTime = timestamppb.New(time.Unix(0, s.LastSaveNano))
	}
	if n := len(s.Checkpoints); n > 0 {
		st.LastCheckpoint = Checkpoint(s.Checkpoints[n-1])
	}
	for _, w := range f.Lead.Workers {
		n := max(1, int32(w.Join.Workers))
		switch {
		case w.Gone:
		case w.Rank < 0 && len(s.Group()) > 0:
			st.Cluster.WorkersStandby += n
		default:
			st.Cluster.WorkersReady += n
		}
		m := worker(w)
		for _, o := range s.Group() {
			if string(o.ID) == w.ID {
				m.ShardBegin, m.ShardEnd = int32(o.ShardBegin), int32(o.ShardEnd)
			}
		}
		st.Workers = append(st.Workers, m)
	}
	return st
}

// reason says more about the state.
func reason(s *run.State) string {
	switch {
	case s.FailCode != 0 && !s.Phase.Final():
		return fmt.Sprintf("it has failed, and ends once the state of step %d is saved", s.Step)
	case s.Phase == run.Waiting:
		return fmt.Sprintf("%d of %d workers have joined", run.Together(s.Members), s.Settings.Workers)
	case !s.Phase.Final() && !s.Started:
		return "workers restore the state"
	case s.PauseWanted && s.Phase == run.Running:
		return "will pause after this step"
	case s.StopWanted && s.Busy():
		return "will stop after this step: " + s.StopReason
	}
	return s.Reason
}

func worker(w lead.Worker) *pb.Worker {
	m := &pb.Worker{Id: w.ID, Rank: int32(w.Rank), State: "joined", LastSeen: timestamppb.New(w.Seen),
		Address: w.Join.Address, Host: w.Join.Host, Pid: int32(w.Join.PID), Step: w.Beat.Step, Device: w.Beat.Device,
		WaitingFor: w.Beat.WaitingFor, ResidentBytes: w.Beat.Resident, PeakResidentBytes: w.Beat.Peak,
		LastError: w.LastError, Workers: max(1, int32(w.Join.Workers))}
	switch {
	case w.Left:
		m.State = "left"
	case w.Gone:
		m.State = "gone"
	case w.Beat.Phase != "":
		m.State = w.Beat.Phase
	}
	return m
}

func (f *Facts) progress() *pb.Progress {
	s, c := &f.Lead.State, f.Config
	end := s.Settings.EndStep
	p := &pb.Progress{Step: s.Step, TargetSteps: end, ImagesSeen: s.Step * int64(c.BatchSize),
		Fraction: float64(s.Step) / float64(max(1, end)), Elapsed: durationpb.New(f.Now.Sub(f.Started)),
		UnreadableImages: int64(f.Lead.Unreadable), LastUnreadableImage: f.Lead.LastUnreadable}
	if c.Samples > 0 {
		p.Epoch = float64(p.ImagesSeen) / float64(c.Samples)
		p.TargetEpochs = float64(end) * float64(c.BatchSize) / float64(c.Samples)
	}
	if left := end - s.Step; left > 0 && f.Lead.Steps > 0 {
		p.Eta = durationpb.New(time.Duration(left) * f.Lead.Recent)
	}
	if s.Phase == run.Evaluating {
		f.evaluation(p)
	}
	return p
}

// evaluation says how far the workers are with an evaluation. The one that takes longest decides when it ends.
func (f *Facts) evaluation(p *pb.Progress) {
	ranks, done, left := 0, 0.0, time.Duration(0)
	for _, w := range f.Lead.Workers {
		share := w.Beat.Evaluated
		if w.Rank < 0 || w.Gone || w.Left {
			continue
		}
		ranks++
		if share > 0 && share <= 1 {
			done += share
			left = max(left, time.Duration(float64(w.Beat.Evaluating)*(1/share-1)))
		}
	}
	if p.EvaluationFraction = done / float64(max(1, ranks)); done > 0 {
		p.EvaluationEta = durationpb.New(left)
	}
}

func (f *Facts) learning() *pb.Learning {
	s := &f.Lead.State
	l := &pb.Learning{LearningRate: f.Rates.LR(s.Step), TargetTau: f.Rates.Tau(s.Step)}
	if last := f.Last; last != nil {
		l.Loss, l.EmbeddingStdRatio, l.GradientNorm = last.Loss, last.Std, last.Norm
		l.ProbeLoss, l.ProbeTop1Ratio = last.ProbeLoss, last.ProbeTop1
	} else if n := len(s.Records); n > 0 {
		l.Loss = s.Records[n-1].Loss
	}
	for _, e := range s.Evaluations {
		if e.Error != "" {
			continue
		}
		knn, ok := e.Count(KNN)
		if ok {
			l.KnnKnown, l.KnnStep, l.KnnTop1Ratio = true, e.Step, knn.Ratio()
		}
		if ok && e.Step == 0 {
			l.KnnUntrainedKnown, l.KnnUntrainedTop1Ratio = true, knn.Ratio()
		}
		if probe, found := e.Count(Probe); ok && found {
			l.ProbeEvalKnown, l.ProbeEvalTop1Ratio = true, probe.Ratio()
		}
		if pixels, ok := e.Count(Pixels); ok {
			l.KnnPixelsKnown, l.KnnPixelsTop1Ratio = true, pixels.Ratio()
		}
	}
	return l
}

func (f *Facts) throughput() *pb.Throughput {
	t := &pb.Throughput{StepTimeP50: durationpb.New(f.Lead.Median), StepTimeP99: durationpb.New(f.Lead.P99)}
	SetPace(t, f.Config, f.PacedSteps, f.PacedSeconds)
	if f.Last == nil {
		return t
	}
	t.ImagesPerSecond = f.Last.ImagesPerSecond
	sum := 0.0
	for _, p := range f.Last.Phases {
		sum += p.Seconds
	}
	for _, p := range f.Last.Phases {
		if sum > 0 {
			t.Phases = append(t.Phases, &pb.PhaseShare{Phase: p.Name, Ratio: p.Seconds / sum, LatencyRatio: p.Latency / sum})
		}
	}
	return t
}

// SetPace says that so many steps of a run took so many seconds.
func SetPace(t *pb.Throughput, c *pb.RunConfig, steps int64, seconds float64) {
	if seconds > 0 {
		t.MeanSteps, t.MeanImagesPerSecond = steps, float64(steps)*float64(c.GetBatchSize())/seconds
	}
}

// Latest shows the newest status to those who watch.
type Latest struct {
	mu      sync.Mutex // guards what follows
	status  *pb.Status
	changed chan struct{}
}

// NewLatest returns one with an empty status.
func NewLatest() *Latest { return &Latest{changed: make(chan struct{}), status: &pb.Status{}} }

// Show replaces the status.
func (l *Latest) Show(s *pb.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// Look returns the status, and a channel that closes when there is a newer one.
func (l *Latest) Look() (*pb.Status, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status, l.changed
}

// faults is what failures have cost.
func (f *Facts) faults() *pb.Faults {
	s := &f.Lead.State
	m := &pb.Faults{Restarts: s.Restarts, RerunSteps: s.Rerun, GoodputRatio: f.Lead.Faults.Goodput,
		LastRecoverySeconds: f.Lead.Faults.Recovery.Seconds()}
	for _, l := range f.Lead.Faults.Lost {
		m.Lost = append(m.Lost, &pb.LostTime{Cause: l.Cause, Seconds: l.Time.Seconds()})
	}
	for _, b := range s.Quarantine {
		m.Quarantined = append(m.Quarantined, fmt.Sprintf("%s: %s", b.Worker, b.Reason))
	}
	return m
}
