package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "byol/proto"
)

// stateName is the state as people read it.
func stateName(s pb.RunState) string {
	name := strings.TrimPrefix(s.String(), "RUN_STATE_")
	return strings.ToLower(strings.ReplaceAll(name, "_", " "))
}

func percent(ratio float64) string { return fmt.Sprintf("%.1f %%", 100*ratio) }

// hundredths prints a number with two digits behind the point, or as many as it needs.
func hundredths(x float64) string { return strconv.FormatFloat(math.Round(100*x)/100, 'f', -1, 64) }

// size prints bytes, and "-" for a size that nobody knows.
func size(n uint64) string {
	if n == 0 {
		return "-"
	}
	return humanize.IBytes(n)
}

// grouped prints 1281167 as 1 281 167.
func grouped(n int64) string { return strings.ReplaceAll(humanize.Comma(n), ",", " ") }

// millions prints a count as people say it: 23.5 M, 272.5 k.
func millions(n int64) string {
	value, prefix := humanize.ComputeSI(float64(n))
	return strings.TrimSpace(fmt.Sprintf("%.1f %s", value, prefix))
}

// spell prints a duration with its two largest units: 4d17h, 3m12s, 0.8s.
func spell(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
}

// eta is the time to the end, "-" while nobody can know.
func eta(st *pb.Status) string {
	d := st.GetProgress().GetEta().AsDuration()
	if d <= 0 || ended(st.State) {
		return "-"
	}
	return spell(d)
}

// collapsed and healthy are the bounds of the embedding's standard deviation that health speaks of.
const (
	collapsed = 0.2
	healthy   = 0.5
)

// health puts the embedding's standard deviation into a word.
func health(std float64) string {
	switch {
	case math.IsNaN(std):
		return "NOT A NUMBER"
	case std < collapsed:
		return "COLLAPSED"
	case std < healthy:
		return "low"
	}
	return "healthy"
}

// stepped reports whether the coordinator has seen a step since it started: before, nothing about learning and
// speed is known.
func stepped(st *pb.Status) bool { return st.GetThroughput().GetImagesPerSecond() > 0 }

// phaseShares is where a step's time goes: " (forward 30%, backward 45%, commit 1% of 3%, …)". What the next step hides
// counts only behind "of".
func phaseShares(t *pb.Throughput) string {
	var parts []string
	for _, p := range t.GetPhases() {
		exposed, whole := math.Round(100*p.Ratio), math.Round(100*p.LatencyRatio)
		text := fmt.Sprintf("%s %.0f%%", p.Phase, exposed)
		if whole > exposed {
			text += fmt.Sprintf(" of %.0f%%", whole)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// probed is the online probe's accuracy on the evaluation set, "" where it is not known.
func probed(l *pb.Learning) string {
	if !l.GetProbeEvalKnown() {
		return ""
	}
	return ", probe " + percent(l.ProbeEvalTop1Ratio)
}

// untrained and onPixels say whether a run measured what its accuracy is compared with: one that went on from a
// checkpoint of another run did not. Statuses of earlier versions say so by a zero.
func untrained(l *pb.Learning) bool {
	return l.GetKnnUntrainedKnown() || l.GetKnnUntrainedTop1Ratio() > 0
}
func onPixels(l *pb.Learning) bool { return l.GetKnnPixelsKnown() || l.GetKnnPixelsTop1Ratio() > 0 }

// comparisons are the accuracies that were measured to compare the run's with, each behind before.
func comparisons(l *pb.Learning, before string) string {
	text := ""
	if untrained(l) {
		text += before + "untrained " + percent(l.KnnUntrainedTop1Ratio)
	}
	if onPixels(l) {
		text += before + "raw pixels " + percent(l.KnnPixelsTop1Ratio)
	}
	return text
}

func clock(t *timestamppb.Timestamp) string {
	if !t.IsValid() {
		return "--:--:--"
	}
	return t.AsTime().Local().Format(time.TimeOnly)
}

// isDemo reports whether a run trains on generated pictures.
func isDemo(c *pb.RunConfig) bool { return strings.HasPrefix(c.GetData(), "synthetic:") }

// quoted is an argument as a POSIX shell reads it back: in quotes where it has characters that mean something there.
func quoted(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > unicode.MaxASCII ||
			strings.ContainsRune("/._-+:=@%,", r)
	}
	if arg != "" && strings.TrimFunc(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
