package drill

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// listed is how many faults a report lists one by one: of more of them, those from which the run took longest to get
// back.
const listed = 100

// Markdown is the report; picture is the path of the SVG beside it.
func (f *Findings) Markdown(picture string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s\n", f.Title)
	for _, fact := range f.Facts {
		line("- %s", fact)
	}
	if n := len(f.Loads); n > 0 {
		sorted := slices.Sorted(slices.Values(f.Loads))
		line("- load average of the machine, the drill's own included: %.1f at the first fault, %.1f at the median, "+
			"%.1f at most", f.Loads[0], sorted[(n-1)/2], sorted[n-1])
	}
	problems := f.Problems()
	if len(problems) == 0 {
		line("\n**Passed**: %d faults, %d steps committed, none lost, none twice.", len(f.Outcomes), f.Steps)
	} else {
		line("\n**Failed**:\n")
		for _, p := range problems {
			line("- %s", p)
		}
	}
	line("\n| what | found |\n|---|---|")
	line("| steps committed | %d |", f.Steps)
	line("| steps lost | %d |", f.Lost)
	line("| steps committed again after a rewind, with the same bits | %d |", f.Again)
	line("| audit: each image of each epoch exactly once | %s |", orElse(f.Audit, "passed"))
	if f.Compared {
		line("| the same run without faults | %s |", orElse(f.Differs, "the same bits at every step, and at the end"))
	}
	line("| `state_sha256` | `%s` |", f.SHA256)
	f.summary(line)
	f.leaders(line)
	f.list(line)
	if picture != "" && len(f.Outcomes) > 0 {
		line("\n![step times around each fault](%s)", picture)
	}
	return b.String()
}

func orElse(problem, fine string) string {
	if problem == "" {
		return fine
	}
	return problem
}

// summary is a table with a row for each kind of fault.
func (f *Findings) summary(line func(string, ...any)) {
	line("\n| fault | injected | noticed | noticed after p50 / p99 (promised) | " +
		"next step after that p50 / p99 (promised) | " +
		"fault to next step p50 / p99 (promised) | steps in flight run again |\n|---|---|---|---|---|---|---|")
	for _, r := range f.Table() {
		p := Promised(r.Kind, f.Timeout)
		line("| %s | %d | %d | %s | %s | %s | %d |", r.Kind, r.Count, r.Noticed, cell(r.After, p.Notice, r.Noticed),
			cell(r.Next, p.Next, r.Recovered), cell(r.Out, p.Out, r.Recovered), r.Rerun)
	}
}

func cell(s Spread, most time.Duration, n int) string {
	if n == 0 {
		return "–"
	}
	text := fmt.Sprintf("%s / %s", short(s.P50), short(s.P99))
	if most > 0 {
		text += fmt.Sprintf(" (< %s)", short(most))
	}
	return text
}

// leaders says who led after faults that hit the coordinator that did.
func (f *Findings) leaders(line func(string, ...any)) {
	led := map[string]int{}
	changed, all := 0, 0
	for _, o := range f.Outcomes {
		if o.Kind.OfLeader() && o.Led != "" {
			all++
			led[o.Led]++
			if o.Led != o.Who {
				changed++
			}
		}
	}
	if all == 0 {
		return
	}
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(led)) {
		parts = append(parts, fmt.Sprintf("%s led after %d", id, led[id]))
	}
	line("\n%d faults hit the coordinator that led; another led after %d of them (%s).", all, changed,
		strings.Join(parts, ", "))
}

// slowest are the places of n faults in the plan, in its order: all of them, or those after which the next step took
// longest, of each kind in turn.
func (f *Findings) slowest(n int) []int {
	var places [][]int
	for _, kind := range Kinds {
		var all []int
		for i, o := range f.Outcomes {
			if o.Kind == kind {
				all = append(all, i)
			}
		}
		slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(f.Outcomes[b].worst(), f.Outcomes[a].worst()) })
		places = append(places, all)
	}
	var chosen []int
	for turn := 0; len(chosen) < min(n, len(f.Outcomes)); turn++ {
		for _, all := range places {
			if turn < len(all) && len(chosen) < n {
				chosen = append(chosen, all[turn])
			}
		}
	}
	slices.Sort(chosen)
	return chosen
}

// worst is how long the run was out, for ever if it did not get back.
func (o Outcome) worst() time.Duration {
	if !o.Recovered || !o.Noticed {
		return math.MaxInt64
	}
	return o.Out
}

// list is a table of faults one by one.
func (f *Findings) list(line func(string, ...any)) {
	if n := len(f.Outcomes); n > listed {
		line("\nOf the %d faults, the %d that took longest, of each kind in turn:", n, listed)
	}
	line("\n| # | fault | of | led then | after step | noticed after | by | next step after that | steps run again |\n" +
		"|---|---|---|---|---|---|---|---|---|")
	for _, i := range f.slowest(listed) {
		o := f.Outcomes[i]
		after, next, led := "–", "–", "–"
		if o.Noticed {
			after = short(o.After)
		}
		if o.Recovered {
			next = short(o.Next)
		}
		if o.Kind.OfLeader() {
			led = orElse(o.Led, "–")
		}
		line("| %d | %s | %s | %s | %d | %s | %s | %s | %d |", i+1, o.Kind, o.Who, led, o.Step, after, orElse(o.By, "–"),
			next, o.Rerun)
	}
}

// The picture: a row for each kind of fault, with panels of this size, each with the time around one fault.
const (
	perRow                  = 5
	panelWidth, panelHeight = 230, 110
	titleHeight, gap        = 16, 10
	left, top, bottom       = 46, 34, 24 // what surrounds the panels
	before, behind          = 2 * time.Second, 8 * time.Second
)

// levels are the times of a step that have a line in the panels.
var levels = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second}

// height is where in a panel a time of a step is: 0 for 1 ms, 1 for 10 s.
func height(step time.Duration) float64 {
	return min(1, (math.Log10(max(1e-3, step.Seconds()))+3)/4)
}

// SVG draws for some faults of each kind how long each step around them took.
func (f *Findings) SVG() string {
	var rows [][]int
	for _, kind := range Kinds {
		of := &Findings{}
		var places []int
		for i, o := range f.Outcomes {
			if o.Kind == kind {
				of.Outcomes, places = append(of.Outcomes, o), append(places, i)
			}
		}
		var row []int
		for _, i := range of.slowest(perRow) {
			row = append(row, places[i])
		}
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	var b strings.Builder
	tall := top + len(rows)*(panelHeight+titleHeight+gap) + bottom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" `+
		`font-family="sans-serif" font-size="10" fill="#222">`, left+perRow*(panelWidth+gap), tall)
	fmt.Fprintf(&b, "\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"18\" font-size=\"12\">"+
		"Time of each step, from %.0f s before to %.0f s behind a fault: of each kind those after which the next step took "+
		"longest (its time is in the title). Red: the fault. Orange: it was noticed.</text>\n", left, before.Seconds(),
		behind.Seconds())
	for r, row := range rows {
		y := top + r*(panelHeight+titleHeight+gap) + titleHeight
		for _, level := range levels {
			fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end" fill="#666">%s</text>`, left-4,
				float64(y)+panelHeight*(1-height(level))+3, short(level))
		}
		for i, place := range row {
			f.panel(&b, place, left+i*(panelWidth+gap), y)
		}
	}
	for i := range perRow {
		for _, s := range []time.Duration{0, behind / 4, behind / 2, behind * 3 / 4} {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#666">%.0f s</text>`,
				across(left+i*(panelWidth+gap), s), tall-bottom+6, s.Seconds())
		}
	}
	b.WriteString("\n</svg>\n")
	return b.String()
}

// across is where a time after a fault is in a panel that begins at x.
func across(x int, after time.Duration) float64 {
	return float64(x) + panelWidth*(after+before).Seconds()/(before+behind).Seconds()
}

// panel draws the surroundings of a fault, with its corner at (x, y) and a title above.
func (f *Findings) panel(b *strings.Builder, place, x, y int) {
	o := f.Outcomes[place]
	title := fmt.Sprintf("%d: %s of %s", place+1, o.Kind, o.Who)
	if o.Recovered {
		title += ", " + short(o.Out)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`, x, y-4, html.EscapeString(title))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="#f7f7f7" stroke="#ccc"/>`, x, y, panelWidth,
		panelHeight)
	for _, level := range levels[:len(levels)-1] {
		fmt.Fprintf(b, `<path d="M%d %.1f h%d" stroke="#ddd"/>`, x, float64(y)+panelHeight*(1-height(level)), panelWidth)
	}
	var last time.Time
	for _, c := range f.Commits {
		if c.At.After(o.At.Add(behind)) {
			break
		}
		if !last.IsZero() && c.At.After(o.At.Add(-before)) {
			fmt.Fprintf(b, `<path d="M%.1f %d v-%.1f" stroke="#27a"/>`, across(x, c.At.Sub(o.At)), y+panelHeight,
				panelHeight*height(c.At.Sub(last)))
		}
		last = c.At
	}
	for _, at := range []struct {
		after time.Duration
		shown bool
		color string
	}{{0, true, "#d00"}, {o.After, o.Noticed && o.After < behind, "#f90"}} {
		if at.shown {
			fmt.Fprintf(b, `<path d="M%.1f %d v%d" stroke="%s" stroke-width="1.5"/>`, across(x, at.after), y, panelHeight,
				at.color)
		}
	}
	b.WriteByte('\n')
}
