package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
	"google.golang.org/protobuf/proto"

	"byol/coordinator"
	"byol/coordinator/report"
	"byol/coordinator/settings"
	pb "byol/proto"
)

// screen shows a run: on a terminal one line that is drawn anew under the news, elsewhere a line now and then.
// It is fed from one goroutine; the mutex keeps a signal's message from falling into a line.
type screen struct {
	out io.Writer

	mu       sync.Mutex // guards what follows, and out
	unread   func()     // called when nobody reads out any more; nothing is written after it
	closed   bool       // it was called
	events   happenings
	known    map[string]bool // workers that have trained
	terminal bool            // escape sequences may be written
	json     bool            // lines are JSON
	quiet    bool
	interval time.Duration
	last     *pb.Status
	printed  time.Time // of the last progress line
	drawn    bool      // a progress line stands unfinished
}

// newScreen draws on terminals, unless the convention NO_COLOR (no-color.org) says that escape sequences are unwelcome.
func newScreen(out io.Writer) *screen {
	return &screen{out: out, terminal: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

// settle tells the screen what the settings say of it, before the first update.
func (s *screen) settle(v *settings.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet, s.interval = v.Quiet, v.LogInterval
	s.json = v.LogFormat == settings.JSON
	s.terminal = s.terminal && !v.NoColor && !s.json
}

// unreadBy says what to do when nobody reads the output any more.
func (s *screen) unreadBy(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread = f
}

// write hands text to whoever reads it. What cannot be written for another reason than that there is no reader is lost.
func (s *screen) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.json {
		text = jsonText(text, time.Now())
	}
	s.writeLocked(text)
}

func (s *screen) writeLocked(text string) {
	if s.closed {
		return
	}
	if _, err := io.WriteString(s.out, text); errors.Is(err, syscall.EPIPE) {
		s.closed = true
		if s.unread != nil {
			s.unread()
		}
	}
}

// say prints a line of its own.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sayLocked(fmt.Sprintf(format, args...))
}

func (s *screen) sayLocked(line string) {
	if s.drawn {
		s.writeLocked("\r\x1b[K")
		s.drawn = false
	}
	if s.json {
		s.writeLocked(jsonText(line, time.Now()))
		return
	}
	s.writeLocked(line + "\n")
}

// happened shows an event, if it is one for the screen.
func (s *screen) happened(e report.Event, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet {
		return
	}
	if s.json {
		s.writeLocked(jsonEvent(e, now))
		return
	}
	for _, line := range s.events.show(e, now) {
		s.sayLocked(now.Format(time.TimeOnly) + " " + line)
	}
}

// update shows the news since the last status, and the progress.
func (s *screen) update(st *pb.Status, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.quiet && !s.json { // else events say it
		if s.known == nil {
			s.known = map[string]bool{}
		}
		for _, line := range append(healed(s.known, s.last, st), news(s.last, st)...) {
			s.sayLocked(now.Format(time.TimeOnly) + " " + line)
		}
	}
	a, b := s.last.GetProgress(), st.GetProgress()
	moved := a.GetStep() != b.GetStep() || b.GetEvaluationFraction() > a.GetEvaluationFraction()
	s.last = st
	switch {
	case s.quiet || ended(st.State) || st.State == pb.RunState_RUN_STATE_STOPPING || !moved:
	case s.terminal:
		s.writeLocked("\r" + drawnLine(st, s.width()) + "\x1b[K")
		s.drawn = true
	case now.Sub(s.printed) >= s.interval && s.json:
		s.writeLocked(jsonStatus(st, now))
		s.printed = now
	case now.Sub(s.printed) >= s.interval:
		s.sayLocked(now.Format(time.TimeOnly) + " " + progressLine(st))
		s.printed = now
	}
}

// status is the last one seen.
func (s *screen) status() *pb.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *screen) width() int {
	if f, ok := s.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w - 1
		}
	}
	return 79
}

// drawnLine is the progress with a bar, in at most width columns: where it doesn't fit, the bar shrinks, then what
// matters least is left out.
func drawnLine(st *pb.Status, width int) string {
	parts := progressParts(st)
	for _, drop := range []string{"", "tau ", "lr ", "k-NN ", "epoch ", "std ", "probe ", "loss "} {
		parts = slices.DeleteFunc(parts, func(p string) bool { return drop != "" && strings.HasPrefix(p, drop) })
		line := strings.Join(parts, "  ")
		if room := width - utf8.RuneCountInString(line) - 1; room >= minBar {
			return bar(st.GetProgress().GetFraction(), min(room, maxBar)) + " " + line
		}
	}
	runes := []rune(strings.Join(parts, "  "))
	return string(runes[:min(len(runes), max(0, width))])
}

// minBar and maxBar are lengths of the progress bar.
const (
	minBar = 5
	maxBar = 20
)

func bar(fraction float64, width int) string {
	full := int(math.Round(min(max(fraction, 0), 1) * float64(width)))
	return strings.Repeat("━", full) + strings.Repeat("─", width-full)
}

// progressLine says where the run is and how it does.
func progressLine(st *pb.Status) string { return strings.Join(progressParts(st), "  ") }

func progressParts(st *pb.Status) []string {
	p, l := st.GetProgress(), st.GetLearning()
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if st.State != pb.RunState_RUN_STATE_RUNNING {
		add("%s", stateName(st.State))
	}
	add("step %s/%s", grouped(p.GetStep()), grouped(p.GetTargetSteps()))
	if done := p.GetEvaluationFraction(); done > 0 {
		add("%.0f %%", 100*done)
		add("eta %s", spell(p.GetEvaluationEta().AsDuration()))
		return parts
	}
	if !stepped(st) {
		return parts
	}
	add("epoch %.2f", p.GetEpoch())
	add("loss %.4f", l.GetLoss())
	add("std %.2f", l.GetEmbeddingStdRatio())
	if st.GetConfig().GetClasses() > 0 {
		add("probe %s", percent(l.GetProbeTop1Ratio()))
	}
	if l.GetKnnKnown() && l.GetKnnStep() > 0 {
		add("k-NN %s", percent(l.GetKnnTop1Ratio()))
	}
	add("lr %.4g", l.GetLearningRate())
	add("tau %.5f", l.GetTargetTau())
	add("%.0f img/s", st.GetThroughput().GetImagesPerSecond())
	add("eta %s", eta(st))
	if st.LastSaveError != "" {
		add("NOT SAVED")
	}
	return parts
}

// news is what a person wants a line of its own for: changes between two statuses that aren't mere progress.
func news(old, st *pb.Status) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if a, b := old.GetCluster(), st.GetCluster(); a.GetWorkersReady() != b.GetWorkersReady() && worthTelling(a, b) &&
		len(group(old)) == 0 { // how a run that has begun goes on is told otherwise
		add("workers %d/%d ready%s%s", b.GetWorkersReady(), b.GetWorkersExpected(), inProcesses(st), devices(st))
	}
	if text := waitingFor(st); text != "" && text != waitingFor(old) {
		add("%s", text)
	} else if text == "" && old.GetState() != st.State && notable(st.State) {
		add("%s%s", stateName(st.State), because(st.StateReason))
	}
	if ck := st.GetLastCheckpoint(); ck.GetPath() != "" && old != nil &&
		(ck.Step != old.GetLastCheckpoint().GetStep() || ck.Path != old.GetLastCheckpoint().GetPath()) {
		add("saved %s (%s)", ck.Path, size(ck.SizeBytes))
	}
	if st.LastSaveError != "" && !sameSaveError(old, st) {
		add("WARN %s", saveProblem(st))
	}
	for _, w := range st.Warnings {
		if !slices.Contains(old.GetWarnings(), w) {
			add("WARN %s", w)
		}
	}
	if l := st.GetLearning(); l.GetKnnKnown() &&
		(!old.GetLearning().GetKnnKnown() || l.KnnStep != old.GetLearning().GetKnnStep()) {
		if l.KnnStep == 0 {
			add("k-NN %s untrained, %s on raw pixels", percent(l.KnnUntrainedTop1Ratio), percent(l.KnnPixelsTop1Ratio))
		} else {
			compared := ""
			if untrained(l) {
				compared = " (untrained " + percent(l.KnnUntrainedTop1Ratio) + ")"
			}
			add("k-NN %s at step %s%s%s", percent(l.KnnTop1Ratio), grouped(l.KnnStep), compared, probed(l))
		}
	}
	if p := st.GetProgress(); p.GetUnreadableImages() > old.GetProgress().GetUnreadableImages() {
		add("WARN %s unreadable images replaced so far, the last one %s", grouped(p.UnreadableImages), p.LastUnreadableImage)
	}
	std, before := st.GetLearning().GetEmbeddingStdRatio(), old.GetLearning().GetEmbeddingStdRatio()
	if stepped(st) && std < collapsed && (before >= collapsed || !stepped(old)) {
		add("WARN the embedding's standard deviation is %.3f (about 1 is healthy, 0 is collapse)", std)
	}
	return lines
}

func sameSaveError(a, b *pb.Status) bool {
	return a.GetLastSaveError() == b.GetLastSaveError() && a.GetLastSaveErrorStep() == b.GetLastSaveErrorStep() &&
		proto.Equal(a.GetLastSaveErrorTime(), b.GetLastSaveErrorTime())
}

// saveProblem says which checkpoint was not saved last, when and why.
func saveProblem(st *pb.Status) string {
	at := ""
	if t := st.LastSaveErrorTime; t.IsValid() {
		at = " (" + t.AsTime().Local().Format(time.TimeOnly) + ")"
	}
	return fmt.Sprintf("the checkpoint of step %s was not saved%s: %s", grouped(st.LastSaveErrorStep), at,
		st.LastSaveError)
}

// worthTelling is when all workers have come, when one has gone, and each one that joins a run that doesn't start
// its workers: those may come hours apart.
func worthTelling(old, now *pb.Cluster) bool {
	return now.GetWorkersReady() == now.GetWorkersExpected() || now.GetWorkersReady() < old.GetWorkersReady() ||
		now.GetLauncher() != coordinator.LauncherLocal
}

// notable states are announced; running is seen by the progress.
func notable(s pb.RunState) bool {
	switch s {
	case pb.RunState_RUN_STATE_PAUSED, pb.RunState_RUN_STATE_STOPPING, pb.RunState_RUN_STATE_EVALUATING,
		pb.RunState_RUN_STATE_WAITING_FOR_WORKERS:
		return true
	}
	return false
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// devices names what the workers compute on, once they have said so.
func devices(st *pb.Status) string {
	var names []string
	for _, w := range st.Workers {
		if w.Device != "" && !strings.Contains(strings.Join(names, "\n"), w.Device) {
			names = append(names, w.Device)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", device " + strings.Join(names, ", ")
}
