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

// A report lists so many faults one by one, and draws so many: of more of them, those from which the run took longest
// to get back.
const (
	listed   = 100
	pictured = 30
)

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

// The picture: panels of this size, so many in a row, each with the time around one fault.
const (
	panelWidth, panelHeight = 220, 120
	perRow                  = 5
	before, behind          = 2 * time.Second, 8 * time.Second
	margin                  = 10
)

// SVG draws for each of some faults how long each step around it took, on a scale from 1 ms to 10 s.
func (f *Findings) SVG() string {
	shown := f.slowest(pictured)
	rows := (len(shown) + perRow - 1) / perRow
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" `+
		`font-family="sans-serif" font-size="10">`,
		perRow*panelWidth+margin, rows*panelHeight+margin+20)
	fmt.Fprintf(&b, "\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"14\">time of each step "+
		"(1 ms to 10 s, logarithmic) from 2 s before to 8 s behind each fault; red: the fault, orange: noticed</text>\n",
		margin)
	for i, place := range shown {
		f.panel(&b, place, margin+i%perRow*panelWidth, 20+margin+i/perRow*panelHeight)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws the surroundings of a fault, with its corner at (x, y).
func (f *Findings) panel(b *strings.Builder, place, x, y int) {
	o := f.Outcomes[place]
	width, height := float64(panelWidth-margin), float64(panelHeight-margin)
	across := func(at time.Time) float64 {
		return float64(x) + width*(at.Sub(o.At)+before).Seconds()/(before+behind).Seconds()
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.0f" height="%.0f" fill="#f8f8f8" stroke="#ccc"/>`, x, y, width, height)
	fmt.Fprintf(b, `<text x="%d" y="%d">%d: %s of %s</text>`, x+4, y+12, place+1, o.Kind, html.EscapeString(o.Who))
	stroke := func(at time.Time, color string) {
		fmt.Fprintf(b, `<path d="M%.1f %d v%.0f" stroke="%s"/>`, across(at), y, height, color)
	}
	stroke(o.At, "#d00")
	if o.Noticed && o.After < behind {
		stroke(o.At.Add(o.After), "#f90")
	}
	var last time.Time
	for _, c := range f.Commits {
		if c.At.After(o.At.Add(behind)) {
			break
		}
		if !last.IsZero() && c.At.After(o.At.Add(-before)) {
			tall := height * (math.Log10(max(1e-3, c.At.Sub(last).Seconds())) + 3) / 4
			fmt.Fprintf(b, `<path d="M%.1f %.1f v-%.1f" stroke="#27a"/>`, across(c.At), float64(y)+height, min(tall, height))
		}
		last = c.At
	}
	b.WriteByte('\n')
}
