package main

import (
	"encoding/json"
	"strings"
	"time"

	"byol/coordinator/report"
	pb "byol/proto"
)

// jsonLine is a line of --log-format json. Names of keys stay; docs/monitoring.md lists them.
type jsonLine struct {
	Time   string `json:"time"`
	Level  string `json:"level"`
	Msg    string `json:"msg"`
	Event  string `json:"event,omitempty"`
	Worker string `json:"worker,omitempty"`
	*jsonProgress
}

// jsonProgress is what a line of progress has besides.
type jsonProgress struct {
	Run             string  `json:"run_id"`
	State           string  `json:"state"`
	Step            int64   `json:"step"`
	TargetSteps     int64   `json:"target_steps"`
	Epoch           float64 `json:"epoch"`
	Loss            float64 `json:"loss"`
	Std             float64 `json:"std"`
	LearningRate    float64 `json:"learning_rate"`
	Tau             float64 `json:"tau"`
	ImagesPerSecond float64 `json:"images_per_second"`
	ETASeconds      float64 `json:"eta_seconds"`
	Workers         int32   `json:"workers_ready"`
}

// jsonText is what a person would read, as a line for each of its lines that says something.
func jsonText(text string, now time.Time) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString(jsonOf(jsonLine{Msg: line}, now))
		}
	}
	return out.String()
}

// jsonEvent is an event as a line.
func jsonEvent(e report.Event, now time.Time) string {
	return jsonOf(jsonLine{Msg: e.Text, Event: e.Type, Worker: e.Worker}, now)
}

// jsonStatus is where the run is, as a line.
func jsonStatus(st *pb.Status, now time.Time) string {
	p, l := st.GetProgress(), st.GetLearning()
	return jsonOf(jsonLine{Msg: "progress", jsonProgress: &jsonProgress{Run: st.GetRunId(), State: stateName(st.State),
		Step: p.GetStep(), TargetSteps: p.GetTargetSteps(), Epoch: p.GetEpoch(), Loss: l.GetLoss(),
		Std: l.GetEmbeddingStdRatio(), LearningRate: l.GetLearningRate(), Tau: l.GetTargetTau(),
		ImagesPerSecond: st.GetThroughput().GetImagesPerSecond(), ETASeconds: p.GetEta().AsDuration().Seconds(),
		Workers: st.GetCluster().GetWorkersReady()}}, now)
}

// jsonOf is a line with its time. One that says WARN is a warning.
func jsonOf(l jsonLine, now time.Time) string {
	l.Time, l.Level = now.UTC().Format(time.RFC3339Nano), "info"
	if rest, warns := strings.CutPrefix(l.Msg, "WARN "); warns {
		l.Level, l.Msg = "warn", strings.TrimSpace(rest)
	}
	text, err := json.Marshal(l)
	if err != nil { // a figure that is no number: JSON has none
		l.jsonProgress.Loss, l.jsonProgress.Std = 0, 0
		l.Level, l.Msg = "warn", l.Msg+": the figures are no numbers"
		text, _ = json.Marshal(l)
	}
	return string(text) + "\n"
}
