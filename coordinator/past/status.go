package past

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/coordinator"
	"byol/coordinator/lead"
	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/status"
	"byol/internal/failure"
	"byol/model/optim"
	pb "byol/proto"
)

// Status is what the coordinator of a run that is over would answer: what it left when it ended, or, when it could
// leave nothing, what the files say that it wrote step by step.
func Status(dir string) (*pb.Status, error) {
	config, err := Config(dir)
	if err != nil {
		return nil, err
	}
	if st := left(dir); st != nil {
		st.RunDir = dir // which may have been moved
		return st, nil
	}
	history, err := report.Read(dir)
	if err != nil {
		return nil, &failure.Failure{What: "the files of the run in " + dir + " cannot be read", Why: err.Error(),
			Try: "check the disk and the permissions", Code: failure.Data}
	}
	return Rebuild(dir, config, &history), nil
}

// left is the status that a coordinator wrote down at its end, nil if it is not there or no status.
func left(dir string) *pb.Status {
	text, err := os.ReadFile(filepath.Join(dir, coordinator.StatusFile))
	if err != nil {
		return nil
	}
	st := &pb.Status{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, st); err != nil || st.RunId == "" {
		return nil
	}
	return st
}

// Rebuild makes the status of a run that ended without a word from what it had written until then.
func Rebuild(dir string, config *pb.RunConfig, h *report.History) *pb.Status {
	state := run.State{Phase: run.Stopped, Settings: run.Settings{RunID: config.RunId, EndStep: config.EndStep()}}
	facts := status.Facts{Config: config, RunDir: dir, Rates: optim.Schedule{BaseLR: config.BaseLr,
		Batch: int(config.BatchSize), Warmup: config.WarmupSteps, Total: config.TotalSteps, BaseTau: config.BaseTau}}
	facts.Now, facts.Started = span(h)
	if n := len(h.Steps); n > 0 {
		last := h.Steps[n-1]
		state.Step = last.Step.Step
		state.Records = []run.Record{{Step: state.Step - 1, Loss: last.Loss}}
		if !last.FromLog {
			facts.Last = figures(last.Step)
		}
	}
	for _, e := range h.Evaluations {
		state.Evaluations = append(state.Evaluations, evaluation(e))
	}
	state.Reason = "it ended without a word: killed, or its machine failed"
	if state.Step >= state.Settings.EndStep {
		state.Phase, state.Reason = run.Completed, ""
	}
	facts.PacedSteps, facts.PacedSeconds = h.Pace()
	facts.Lead = lead.View{State: state, Unreadable: unreadable(h)}
	return status.Message(facts)
}

// span is when the run was heard of last, and when it was taken up for the last time before.
func span(h *report.History) (last, begun time.Time) {
	for _, e := range h.Events {
		if e.Type == "coordinator-started" || begun.IsZero() {
			begun = e.Time
		}
		if e.Time.After(last) {
			last = e.Time
		}
	}
	if n := len(h.Steps); n > 0 {
		if t := h.Steps[n-1].Time.Time(); t.After(last) {
			last = t
		}
	}
	if begun.IsZero() {
		begun = last
	}
	return last, begun
}

// unreadable counts the images that events name.
func unreadable(h *report.History) (n int) {
	for _, e := range h.Events {
		if strings.HasPrefix(e.Type, "image-unreadable") {
			n++
		}
	}
	return n
}

func figures(s report.Step) *lead.Figures {
	f := &lead.Figures{Loss: s.Loss, ProbeLoss: s.ProbeLoss, ProbeTop1: s.ProbeTop1, Std: s.Std, Norm: s.GradientNorm,
		LR: s.LR, Tau: s.Tau, Seconds: s.Seconds, ImagesPerSecond: s.ImagesPerSecond}
	for _, name := range phases(s) {
		f.Phases = append(f.Phases, lead.Phase{Name: name, Seconds: s.Phases[name], Latency: s.Latency[name]})
	}
	return f
}

// phases are the names of the parts of a step in the order in which workers go through them; others follow.
func phases(s report.Step) []string {
	order := []string{"data", "forward", "backward", "sync", "ring", "update", "commit", "broadcast"}
	var names []string
	for _, name := range order {
		if _, ok := s.Phases[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

func evaluation(e report.Evaluation) run.Evaluation {
	out := run.Evaluation{Step: e.Step, Error: e.Error}
	for _, m := range e.Measures {
		of := max(m.Of, 1)
		out.Counts = append(out.Counts, run.Count{Name: m.Name, Total: of,
			Correct: int64(math.Round(m.Ratio * float64(of)))})
	}
	return out
}
