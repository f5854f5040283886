package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"byol/coordinator/lead"
	pb "byol/proto"
)

// Styles, by the sixteen colours that every terminal has its own idea of.
const (
	titled   = "7"    // in reverse
	headed   = "1;36" // bold, cyan
	fine     = "32"
	doubtful = "33"
	wrong    = "1;31"
	faint    = "2"
)

// styled is text in a style, where colours may be used.
func (w *watched) styled(style, text string) string {
	if !w.paint || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[m"
}

// harmless is text from elsewhere as a terminal may have it, on one line.
func harmless(text string) string { return lead.Plain(text, 1024) }

// layout is how the lines of a screen are shared out.
type layout struct {
	top, curves    []string
	part           [parts][]string // lines below the heading
	heading, table [parts]string
	rows           [parts]int // how many lines of a part there is room for, with its heading; 0: it is not shown
}

// draw is the screen: height lines that are at most width columns wide.
func (w *watched) draw() []string {
	if w.width < 1 || w.height < 1 {
		return nil
	}
	var lines []string
	switch {
	case w.help:
		lines = helpLines
	case w.status == nil:
		lines = []string{"nothing was heard yet"}
	default:
		lines = w.lay().lines(w)
	}
	for len(lines) < w.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:w.height-1:w.height-1], w.foot())
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, w.width, "…")
	}
	return lines
}

// lay shares out the lines: what is on top, then the curves, then the parts; where there is not room for both of these
// only the one that has the keys.
func (w *watched) lay() layout {
	p := layout{top: w.top()}
	left := max(0, w.height-1-len(p.top))
	p.curves = w.curveLines()
	p.curves = p.curves[:min(len(p.curves), max(0, left-leastPart))]
	left -= len(p.curves)
	p.heading[workersPart], p.table[workersPart], p.part[workersPart] = w.workers()
	p.heading[eventsPart], p.part[eventsPart] = "EVENTS", w.eventLines()
	if left < 2*leastPart {
		p.rows[w.part] = left
		return p
	}
	events := min(1+len(p.part[eventsPart]), max(leastPart, left/3))
	p.rows[workersPart] = min(2+len(p.part[workersPart]), left-events)
	p.rows[eventsPart] = left - p.rows[workersPart]
	return p
}

// leastPart is how many lines a part has at least: its heading, that of its table, and some.
const leastPart = 4

// room is how many lines of a part can be seen at once.
func (p layout) room(part int) int {
	n := p.rows[part] - 1
	if p.table[part] != "" {
		n--
	}
	return max(0, n)
}

// reach is how far a part can be scrolled.
func (p layout) reach(part int) int { return max(0, len(p.part[part])-p.room(part)) }

func (p layout) lines(w *watched) []string {
	lines := append(append([]string(nil), p.top...), p.curves...)
	for part := range parts {
		if p.rows[part] == 0 {
			continue
		}
		all, room := p.part[part], p.room(part)
		from := min(w.scroll[part], p.reach(part))
		if part == eventsPart {
			from = p.reach(part) - from
		}
		to := min(from+room, len(all))
		mark, heading := "  ", p.heading[part]
		if part == w.part {
			mark = "▸ "
		}
		if len(all) > room {
			heading += fmt.Sprintf("   %d–%d of %d", from+1, to, len(all))
		}
		lines = append(lines, w.styled(headed, mark+heading))
		if p.table[part] != "" {
			lines = append(lines, w.styled(faint, p.table[part]))
		}
		lines = append(lines, all[from:to]...)
		for range room - (to - from) {
			lines = append(lines, "")
		}
	}
	return lines
}

// top is what is always seen: the run, how far it is, and what somebody should look at.
func (w *watched) top() []string {
	st := w.status
	p, l, t := st.GetProgress(), st.GetLearning(), st.GetThroughput()
	lines := []string{w.title(), w.fits(
		fmt.Sprintf("step %s/%s", grouped(p.GetStep()), grouped(p.GetTargetSteps())), percent(p.GetFraction()),
		"ETA "+eta(st), fmt.Sprintf("epoch %.2f/%s", p.GetEpoch(), hundredths(p.GetTargetEpochs())),
		"up "+spell(p.GetElapsed().AsDuration()))}
	done, what := p.GetFraction(), ""
	if e := p.GetEvaluationFraction(); e > 0 {
		done, what = e, fmt.Sprintf(" evaluating: %.0f %%, %s to go", 100*e, spell(p.GetEvaluationEta().AsDuration()))
	}
	if w.height >= 10 {
		lines = append(lines, w.styled(fine, bar(done, max(minBar, w.width-ansi.StringWidth(what)))+what))
	}
	if w.height >= 16 {
		if stepped(st) {
			lines = append(lines, w.fits(fmt.Sprintf("lr %.4g", l.GetLearningRate()), fmt.Sprintf("tau %.5f", l.GetTargetTau()),
				"gradient "+fmt.Sprintf("%.3g", l.GetGradientNorm()), harmless(strings.Trim(phaseShares(t), " ()"))))
		}
		if ck := st.GetLastCheckpoint(); ck.GetPath() != "" {
			lines = append(lines, harmless(fmt.Sprintf("last save step %s, %s: %s", grouped(ck.Step), savedWhen(st), ck.Path)))
		}
	}
	alerts := w.alerts()
	if most := max(1, w.height/6); len(alerts) > most {
		alerts = append(alerts[:most-1], w.styled(doubtful, fmt.Sprintf("… %d more: coordinator status", len(alerts)-most+1)))
	}
	return append(lines, alerts...)
}

func (w *watched) title() string {
	st := w.status
	left := fmt.Sprintf(" %s   %s   generation %d", harmless(st.GetRunId()), stateName(st.GetState()), st.GetGeneration())
	right := w.now.Format(time.TimeOnly) + " "
	if gap := w.width - ansi.StringWidth(left) - ansi.StringWidth(right); gap > 0 {
		left += strings.Repeat(" ", gap) + right
	}
	return w.styled(titled, ansi.Truncate(left, w.width, "…"))
}

// fits is as much of texts as a line holds, the first ones first.
func (w *watched) fits(texts ...string) string {
	line := ""
	for _, text := range texts {
		next := line
		if next != "" && text != "" {
			next += "   "
		}
		if next += text; line != "" && ansi.StringWidth(next) > w.width {
			continue
		}
		line = next
	}
	return line
}

// alerts are what somebody should look at, the most pressing first.
func (w *watched) alerts() []string {
	st := w.status
	var lines []string
	add := func(style, text string) { lines = append(lines, w.styled(style, harmless(text))) }
	if since, why, silent := w.silent(); silent {
		add(wrong, fmt.Sprintf("NOBODY ANSWERS since %s (%s): %s", since.Format(time.TimeOnly), spell(w.now.Sub(since)), why))
	}
	if st.GetStale() {
		add(doubtful, "STALE: "+staleness(st))
	}
	if st.GetLastSaveError() != "" {
		add(wrong, "NOT SAVED: "+saveProblem(st))
	}
	if std := st.GetLearning().GetEmbeddingStdRatio(); stepped(st) && !(std >= collapsed) {
		add(wrong, fmt.Sprintf("the embedding's standard deviation is %.3f: %s", std, health(std)))
	}
	if st.GetStateReason() != "" {
		add(doubtful, st.StateReason)
	}
	for _, text := range st.GetWarnings() {
		add(doubtful, "WARN "+text)
	}
	if n := st.GetProgress().GetUnreadableImages(); n > 0 {
		add(doubtful, fmt.Sprintf("%s unreadable images replaced, the last one %s", grouped(n),
			st.GetProgress().GetLastUnreadableImage()))
	}
	if isDemo(st.GetConfig()) {
		add(faint, "DEMO DATA: generated pictures, not photographs")
	}
	return lines
}

// sideBySide is the width from which curves are in two columns; curveName and curveValue are widths of their words.
const (
	sideBySide = 72
	curveName  = 6
	curveValue = 13
)

// curveLines are the curves with their newest values.
func (w *watched) curveLines() []string {
	st := w.status
	l := st.GetLearning()
	loss, std, speed, knn := "-", "-", "-", "-"
	if stepped(st) {
		loss, speed = fmt.Sprintf("%.4f", l.GetLoss()), fmt.Sprintf("%.0f", st.GetThroughput().GetImagesPerSecond())
		std = fmt.Sprintf("%.2f %s", l.GetEmbeddingStdRatio(), health(l.GetEmbeddingStdRatio()))
	}
	if l.GetKnnKnown() {
		knn = percent(l.GetKnnTop1Ratio())
	}
	width, columns := w.width, 1
	if w.width >= sideBySide {
		width, columns = (w.width-2)/2, 2
	}
	cell := func(name, value string, c *curve) string {
		text := fmt.Sprintf("%-*s%-*s", curveName, name, curveValue, value)
		spark := c.spark(width - ansi.StringWidth(text))
		pad := width - ansi.StringWidth(text) - ansi.StringWidth(spark)
		return text + w.styled(headed, spark) + strings.Repeat(" ", max(0, pad))
	}
	cells := []string{cell("loss", loss, &w.loss), cell("std", std, &w.std), cell("k-NN", knn, &w.knn),
		cell("img/s", speed, &w.speed)}
	var lines []string
	for i := 0; i < len(cells); i += columns {
		lines = append(lines, strings.TrimRight(strings.Join(cells[i:i+columns], "  "), " "))
	}
	return lines
}

// eventLines are the events, the newest last: one that is too long goes on below.
func (w *watched) eventLines() []string {
	const stamp = len("15:04:05 ")
	var lines []string
	for _, e := range w.events[max(0, len(w.events)-eventsHeld):] {
		text := harmless(joinWords(e.GetWorker(), e.GetText()))
		for i, piece := range strings.Split(ansi.Wrap(text, max(1, w.width-stamp), ""), "\n") {
			before := clock(e.GetTime()) + " "
			if i > 0 {
				before = strings.Repeat(" ", stamp)
			}
			lines = append(lines, w.styled(faint, before)+piece)
		}
	}
	return lines
}

// helpLines say what keys do.
var helpLines = []string{
	"KEYS",
	"  q            leave; the run goes on",
	"  p            pause the training, or go on with it; asks first",
	"  c            save a checkpoint at the next step",
	"  tab          the other part: workers, events",
	"  ↑ ↓ j k      scroll it by a line",
	"  page ↑ ↓     by a page",
	"  home end     to its beginning, to its end",
	"  ?            this",
	"",
	"any key goes back",
}

// foot is the last line: a question, what came of an order, or the keys.
func (w *watched) foot() string {
	if q := w.question(); q != "" {
		return w.styled(titled, q)
	}
	if w.said != "" {
		return harmless(w.said)
	}
	steer := "p pause"
	if w.status.GetState() == pb.RunState_RUN_STATE_PAUSED {
		steer = "p go on"
	}
	return w.styled(faint, w.fits("q quit", steer, "c checkpoint", "? help", "tab part", "↑↓ scroll"))
}
