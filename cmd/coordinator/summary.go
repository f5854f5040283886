package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"byol/internal/failure"
	pb "byol/proto"
)

// summary is what a finished run shows. note, if not "", is said of its accuracies.
func summary(st *pb.Status, note string) string {
	var b strings.Builder
	p, l := st.GetProgress(), st.GetLearning()
	line := func(head, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s %s\n", head, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s %s after step %s of %s, %s\n", st.RunId, stateName(st.State), grouped(p.GetStep()),
		grouped(p.GetTargetSteps()), spell(p.GetElapsed().AsDuration()))
	if stepped(st) {
		line("speed", "%s", speed(st.GetThroughput()))
		line("learned", "loss %.4f, embedding std %.2f (%s)", l.GetLoss(), l.GetEmbeddingStdRatio(),
			health(l.GetEmbeddingStdRatio()))
	}
	if peak := peakMemory(st); peak > 0 {
		line("memory", "%s at most in a worker", size(peak))
	}
	if p.GetUnreadableImages() > 0 {
		line("data", "%s unreadable images were replaced", grouped(p.UnreadableImages))
	}
	if l.GetKnnKnown() && l.KnnStep > 0 {
		line("k-NN", "trained %s%s", percent(l.KnnTop1Ratio), comparisons(l, "   "))
		if l.ProbeEvalKnown {
			line("probe", "%s on the same images, by the linear classifier trained beside", percent(l.ProbeEvalTop1Ratio))
		}
		if note != "" {
			line("", "%s", note)
		}
		if untrained(l) {
			line("verdict", "%s", verdict(l))
		}
	}
	if st.LastSaveError != "" {
		line("NOT SAVED", "%s", saveProblem(st))
	}
	ck := st.GetLastCheckpoint()
	if ck.GetPath() == "" && st.GetStale() {
		line("saved", "nothing that this coordinator heard of: another one led")
		return b.String()
	}
	if ck.GetPath() == "" {
		line("saved", "nothing")
		return b.String()
	}
	line("saved", "%s (%s)", short(ck.Path), size(ck.SizeBytes))
	line("sha256", "%s", ck.StateSha256)
	line("next", "coordinator export %s -o encoder.onnx", quoted(short(ck.Path)))
	line("", "coordinator checkpoints ls %s", quoted(short(besideCheckpoints(ck.Path))))
	return b.String()
}

// speed is the mean of the run, and where the time of its last steps went.
func speed(t *pb.Throughput) string {
	if t.GetMeanSteps() == 0 {
		return fmt.Sprintf("%.0f images/s%s", t.GetImagesPerSecond(), phaseShares(t))
	}
	return fmt.Sprintf("%.0f images/s in the mean of %s, %.0f at the end%s", t.MeanImagesPerSecond,
		count(t.MeanSteps, "step"), t.GetImagesPerSecond(), phaseShares(t))
}

// verdict says in words whether the network learned anything that its untrained self and the pixels lack.
func verdict(l *pb.Learning) string {
	gain := 100 * (l.GetKnnTop1Ratio() - l.GetKnnUntrainedTop1Ratio())
	switch {
	case gain == 0 && l.GetKnnUntrainedTop1Ratio() >= 1:
		return "nothing to tell: the untrained network is right on every image, too"
	case gain >= clearGain:
		return fmt.Sprintf("it learned: %+.1f points over the untrained network", gain)
	case gain > 0:
		return fmt.Sprintf("not clear: %+.1f points over the untrained network", gain)
	}
	return fmt.Sprintf("it did NOT learn: %+.1f points against the untrained network", gain)
}

// clearGain is how many points of accuracy no luck explains on a thousand test images.
const clearGain = 5

// checkGain is what --require-gain asks of the end of a run.
func checkGain(st *pb.Status, points float64) error {
	if points <= 0 {
		return nil
	}
	l := st.GetLearning()
	gain := 100 * (l.GetKnnTop1Ratio() - l.GetKnnUntrainedTop1Ratio())
	if l.GetKnnKnown() && l.KnnStep > 0 && untrained(l) && gain >= points {
		return nil
	}
	why := fmt.Sprintf("%+.1f points of k-NN accuracy over the untrained network, at least %+.1f required", gain, points)
	if !untrained(l) {
		why = "the untrained network was not measured: the run began behind step 0, or has no evaluation"
	}
	return &failure.Failure{What: "the accuracy did not rise as it must", Code: failure.Training, Why: why,
		Try: "coordinator events, and metrics.jsonl in the run directory, show how it went"}
}

func peakMemory(st *pb.Status) uint64 {
	var peak uint64
	for _, w := range st.Workers {
		peak = max(peak, w.PeakResidentBytes)
	}
	return peak
}

// short is a path as seen from here, where that is shorter.
func short(path string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
