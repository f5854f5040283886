package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"byol/coordinator/page"
	"byol/coordinator/report"
	"byol/coordinator/settings"
	"byol/coordinator/status"
	pb "byol/proto"
)

// smoothed is the share of a run over which curves are averaged.
const smoothed = 1. / 200

// timeline places steps and times of a run beside each other.
type timeline struct {
	begin time.Time
	steps []report.Past
}

func newTimeline(h *report.History) timeline {
	t := timeline{steps: h.Steps}
	for _, s := range h.Steps {
		if at := s.Time.Time(); !at.IsZero() {
			t.begin = at.Add(-time.Duration(s.Seconds * float64(time.Second)))
			break
		}
	}
	for _, e := range h.Evaluations {
		if at := e.Time.Time(); !at.IsZero() && (t.begin.IsZero() || at.Before(t.begin)) {
			t.begin = at
		}
	}
	return t
}

// seconds is a time since the beginning, NaN where one of them is not known.
func (t timeline) seconds(at time.Time) float64 {
	if at.IsZero() || t.begin.IsZero() {
		return math.NaN()
	}
	return at.Sub(t.begin).Seconds()
}

// point is a value after a step.
func (t timeline) point(s *report.Past, value float64) page.Point {
	return page.Point{Steps: float64(s.Step.Step), Seconds: t.seconds(s.Time.Time()), Value: value}
}

// curve is a value of each step; known says for which it is known.
func (t timeline) curve(of func(s *report.Past) (value float64, known bool)) []page.Point {
	var points []page.Point
	for i := range t.steps {
		if v, ok := of(&t.steps[i]); ok {
			points = append(points, t.point(&t.steps[i], v))
		}
	}
	return points
}

// when is where a time lies among the steps: at the last one before it.
func (t timeline) when(at time.Time) page.Point {
	i := sort.Search(len(t.steps), func(i int) bool { return t.steps[i].Time.Time().After(at) })
	p := page.Point{Seconds: t.seconds(at)}
	if i > 0 {
		p.Steps = float64(t.steps[i-1].Step.Step)
	}
	return p
}

// addCurves makes the charts.
func addCurves(p *page.Page, c *pb.RunConfig, h *report.History) {
	t := newTimeline(h)
	led := func(of func(s *report.Past) float64) []page.Point {
		return t.curve(func(s *report.Past) (float64, bool) { return of(s), !s.FromLog })
	}
	mean := max(int(float64(len(h.Steps))*smoothed), 1)
	noisy := func(title, name string, points []page.Point) page.Chart {
		if mean == 1 {
			return page.Chart{Title: title, Series: []page.Series{{Name: name, Points: points}}}
		}
		return page.Chart{Title: title, Series: []page.Series{{Name: "each step", Points: points, Faint: true},
			{Name: name, Points: page.Smooth(points, mean)}}}
	}
	loss := noisy("Loss", "loss", t.curve(func(s *report.Past) (float64, bool) { return s.Loss, true }))
	std := noisy("Embedding std × √d", "std", led(func(s *report.Past) float64 { return s.Std }))
	std.Zero, std.Lines = true, []page.Line{{Name: "0.2: below it collapses", Value: collapsed}}
	rate := page.Chart{Title: "Learning rate", Zero: true, Series: []page.Series{{Name: "learning rate",
		Points: t.curve(func(s *report.Past) (float64, bool) { return s.LR, true })}}}
	tau := page.Chart{Title: "τ, the target's decay", Series: []page.Series{{Name: "τ",
		Points: t.curve(func(s *report.Past) (float64, bool) { return s.Tau, true })}}}
	speed := noisy("Images per second", "images/s", led(func(s *report.Past) float64 { return s.ImagesPerSecond }))
	speed.Zero = true
	p.Charts = append(p.Charts, loss, std)
	if accuracy := accuracies(t, c, h, mean); len(accuracy.Series) > 0 {
		p.Charts = append(p.Charts, accuracy)
	}
	p.Charts = append(p.Charts, rate, tau, speed)
	var gaps []string
	if h.Missing > 0 {
		gaps = append(gaps, count(h.Missing, "step")+" that nothing here tells of")
	}
	if h.FromLog > 0 {
		gaps = append(gaps, count(h.FromLog, "step")+" that another coordinator led, with loss, learning rate and τ alone")
	}
	if h.Unreadable > 0 {
		gaps = append(gaps, count(int64(h.Unreadable), "line")+" that cannot be read")
	}
	if len(gaps) > 0 {
		p.ChartsNote = "in its files there are " + strings.Join(gaps, ", ")
	}
}

// accuracies is the chart of evaluations and of the online probe, with what to compare them with.
func accuracies(t timeline, c *pb.RunConfig, h *report.History, mean int) page.Chart {
	chart := page.Chart{Title: "Accuracy", Percent: true, Zero: true}
	names := map[string][]page.Point{}
	var order []string
	for _, e := range h.Evaluations {
		for _, m := range e.Measures {
			switch {
			case m.Name == status.Pixels:
				chart.Lines = append(chart.Lines, page.Line{Name: "k-NN of raw pixels", Value: m.Ratio})
				continue
			case m.Name == status.KNN && e.Step == 0:
				chart.Lines = append(chart.Lines, page.Line{Name: "k-NN untrained", Value: m.Ratio})
			}
			if names[m.Name] == nil {
				order = append(order, m.Name)
			}
			names[m.Name] = append(names[m.Name], page.Point{Steps: float64(e.Step), Seconds: t.seconds(e.Time.Time()),
				Value: m.Ratio})
		}
	}
	for _, name := range order {
		shown := strings.ReplaceAll(name, "_", " ")
		if name == status.KNN {
			shown = "k-NN"
		}
		chart.Series = append(chart.Series, page.Series{Name: shown, Points: names[name]})
	}
	if c.Classes > 0 && len(t.steps) > 0 {
		probe := t.curve(func(s *report.Past) (float64, bool) { return s.ProbeTop1, !s.FromLog })
		chart.Series = append(chart.Series, page.Series{Name: "probe, on training views", Points: page.Smooth(probe, mean)})
	}
	return chart
}

// grave are parts of the kinds of events that something is wrong in.
func grave() []string {
	return []string{"lost", "failed", "broken", "stalled", "differs", "quarantined", "evicted", "refused", "exited",
		"unreadable", "no-progress", "skipped"}
}

// eventsShown bounds the list of events: the first and the last of more are shown.
const eventsShown = 400

// addEvents lists what happened, and marks on the charts what concerns the whole run.
func addEvents(p *page.Page, h *report.History) {
	t := newTimeline(h)
	for _, e := range h.Events {
		bad := slices.ContainsFunc(grave(), func(part string) bool { return strings.Contains(e.Type, part) })
		plainly := slices.Contains([]string{"coordinator-started", "leader-elected", "run-paused", "run-rewound"}, e.Type)
		if bad && e.Type != "image-unreadable" || plainly && len(h.Steps) > 0 {
			p.Marks = append(p.Marks, page.Mark{At: t.when(e.Time), Bad: bad,
				Text: e.Time.Local().Format(time.DateTime) + " " + e.Type + ": " + joinWords(e.Worker, e.Text)})
		}
	}
	events := h.Events
	if n := len(events); n > eventsShown {
		events = append(slices.Clone(events[:eventsShown/2]), events[n-eventsShown/2:]...)
		p.EventsNote = fmt.Sprintf("the first and the last %d of %s; coordinator events lists all", eventsShown/2,
			grouped(int64(n)))
	}
	for _, e := range events {
		p.Events = append(p.Events, page.Event{Time: e.Time.Local().Format(time.DateTime), Kind: e.Type,
			Text: joinWords(e.Worker, e.Text)})
	}
	if len(events) == 0 {
		p.EventsNote = "none are known"
	}
}

// rowsShown bounds the table of the evaluations of a run: the last ones.
const rowsShown = 20

// addEvaluations makes tables of those of the run itself, and of those that were made of it afterwards.
func addEvaluations(p *page.Page, dir string, h *report.History) {
	if len(h.Evaluations) > 0 {
		table := page.Table{Title: "While it trained", Head: []string{"step", "measure", "%", "images"}}
		for _, e := range h.Evaluations[max(0, len(h.Evaluations)-rowsShown):] {
			if e.Error != "" {
				table.Rows = append(table.Rows, []string{grouped(e.Step), "failed: " + e.Error, "", ""})
			}
			for _, m := range e.Measures {
				table.Rows = append(table.Rows, []string{grouped(e.Step), m.Name, fmt.Sprintf("%.2f", 100*m.Ratio), grouped(m.Of)})
			}
		}
		p.Tables = append(p.Tables, table)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "eval", "*", "results.json")) // the pattern is one
	for _, name := range found {
		if table, ok := evaluationTable(name); ok {
			p.Tables = append(p.Tables, table)
		}
	}
	if len(p.Tables) == 0 {
		p.TablesNote = "none were made"
	}
}

// savedResults is what docs/evaluation.md says of results.json, as far as a table shows it.
type savedResults struct {
	Encoder struct {
		Network string `json:"network"`
		Step    int64  `json:"step"`
	} `json:"encoder"`
	Results []struct {
		Method  string   `json:"method"`
		Eval    string   `json:"eval_data"`
		Notes   []string `json:"notes"`
		Figures []figure `json:"figures"`
	} `json:"results"`
}

// evaluationTable reads the results of the evaluations of an encoder; ok is false for a file that has none.
func evaluationTable(path string) (t page.Table, ok bool) {
	text, err := os.ReadFile(path)
	var j savedResults
	if err != nil || json.Unmarshal(text, &j) != nil || len(j.Results) == 0 {
		return t, false
	}
	t.Title = fmt.Sprintf("%s encoder after step %s", j.Encoder.Network, grouped(j.Encoder.Step))
	t.Head = []string{"method", "figure", "%", "95 % interval", "images"}
	for _, r := range j.Results {
		for _, f := range r.Figures {
			t.Rows = append(t.Rows, []string{r.Method, f.Name, fmt.Sprintf("%.2f", 100*f.Ratio),
				fmt.Sprintf("%.2f – %.2f", 100*f.Low, 100*f.High), f.images()})
		}
		t.Notes = append(t.Notes, r.Notes...)
	}
	return t, true
}

// addSettings lists the settings of a run, and marks those that its preset does not have.
func addSettings(p *page.Page, dir string) {
	stored := readStored(dir)
	if stored == nil {
		p.SettingsNote = "the run's config.yaml is not there, or cannot be read"
		return
	}
	usual := presetSettings(stored)
	for _, row := range settings.All() {
		value, known := stored[row.Name]
		if !known || row.Hidden && value == fmt.Sprint(row.Default) {
			continue
		}
		s := page.Setting{Name: row.Name, Value: value}
		if other, ok := usual[row.Name]; ok && other != value && row.Decides() && row.Name != "data" {
			if s.Usual = other; other == "" {
				s.Usual = "none"
			}
		}
		p.Settings = append(p.Settings, s)
	}
}

// presetSettings are what a run of the same network on the same data has that says no more than its preset.
func presetSettings(stored map[string]string) map[string]string {
	r := newResolution(&settings.Values{})
	for _, name := range []string{"preset", "arch", "image-size", "shards", "data"} {
		if value, ok := stored[name]; ok && r.set(name, value, "stored") != nil {
			return nil
		}
	}
	if err := r.fromPreset(); err != nil {
		return nil
	}
	usual := map[string]string{}
	for _, row := range settings.All() {
		usual[row.Name] = r.flags.Lookup(row.Name).Value.String()
	}
	return usual
}
