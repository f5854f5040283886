package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"byol/internal/bench/measure"
)

// significant prints x with about three digits.
func significant(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// between prints a range; one value alone has none.
func between(s measure.Summary) string {
	if math.IsNaN(s.Low) || s.Low == s.High {
		return ""
	}
	return significant(s.Low) + " – " + significant(s.High)
}

// render is the document of a part. results are in the table's order.
func render(p part, facts []string, results []outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by `make bench-%s`.\n\n", p.title, p.name)
	for _, f := range slices.Concat(facts, abouts(results)) {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	b.WriteString("\n")
	for _, n := range p.notes {
		fmt.Fprintf(&b, "%s\n\n", n)
	}
	b.WriteString(section("Ratios", "Median and range over the pairs; more than 1 is better than the peer.",
		[]string{"work", "figure", "ours", "peer", "times as good", "range"}, ratioRows(results)))
	head := []string{"work", "side", "figure", "median", "unit", "range", "runs"}
	if p.memory {
		head = append(head, "peak MiB of a process")
	}
	b.WriteString(section("Figures", "Median and range over the runs.", head, figureRows(results, p.memory)))
	b.WriteString(section("Where the time of a step goes", "Medians, in percent.",
		[]string{"work", "side", "shares"}, shareRows(results)))
	if list := remarks(results); len(list) > 0 {
		b.WriteString("## Remarks\n\n- " + strings.Join(list, "\n- ") + "\n\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// section is a heading, a line and a table; nothing without rows.
func section(title, line string, head []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	return "## " + title + "\n\n" + line + "\n\n" + table(head, rows) + "\n"
}

// table is Markdown that can be read as it is, too: columns are as wide as their widest cell.
func table(head []string, rows [][]string) string {
	width := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, cell := range row {
			b.WriteString("| " + cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
	}
	line(head)
	rule := make([]string, len(head))
	for i, w := range width {
		rule[i] = strings.Repeat("-", w)
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// pair is one of ours and one of the peers.
type pair struct{ ours, peer *sideOutcome }

// pairs are all of them.
func pairs(sides []sideOutcome) []pair {
	var list []pair
	for i := range sides {
		for j := range sides {
			if !sides[i].peer && sides[j].peer {
				list = append(list, pair{&sides[i], &sides[j]})
			}
		}
	}
	return list
}

func ratioRows(results []outcome) [][]string {
	var rows [][]string
	for _, o := range results {
		for _, f := range o.figures {
			for _, p := range pairs(o.sides) {
				list := ratios(p.ours.values(f), p.peer.values(f), f.less)
				if len(list) == 0 {
					continue
				}
				s := measure.Summarise(list)
				rows = append(rows, []string{o.title, f.title, p.ours.name, p.peer.label(), significant(s.Median) + " ×",
					between(s)})
			}
		}
	}
	return rows
}

func figureRows(results []outcome, memory bool) [][]string {
	var rows [][]string
	for _, o := range results {
		for i := range o.sides {
			s := &o.sides[i]
			var peaks []float64
			for _, r := range s.runs {
				peaks = append(peaks, r.peakMiB)
			}
			for _, f := range o.figures {
				values := s.values(f)
				if len(values) == 0 {
					continue
				}
				x := measure.Summarise(values)
				row := []string{o.title, s.label(), f.title, significant(x.Median), f.unit, between(x),
					strconv.Itoa(len(values))}
				if memory {
					row = append(row, significant(measure.Summarise(peaks).Median))
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func shareRows(results []outcome) [][]string {
	var rows [][]string
	for _, o := range results {
		for i := range o.sides {
			byPhase := map[string][]float64{}
			for _, r := range o.sides[i].runs {
				for phase, share := range r.shares {
					byPhase[phase] = append(byPhase[phase], share)
				}
			}
			var words []string
			for _, phase := range slices.Sorted(maps.Keys(byPhase)) {
				if x := 100 * measure.Summarise(byPhase[phase]).Median; x >= 0.05 {
					words = append(words, fmt.Sprintf("%s %.1f", phase, x))
				}
			}
			if len(words) > 0 {
				rows = append(rows, []string{o.title, o.sides[i].name, strings.Join(words, ", ")})
			}
		}
	}
	return rows
}

// abouts are what the peers say they are, each once.
func abouts(results []outcome) []string {
	var list []string
	for _, o := range results {
		for _, s := range o.sides {
			for _, r := range s.runs {
				if line := s.name + ": " + r.about; r.about != "" && !slices.Contains(list, line) {
					list = append(list, line)
				}
			}
		}
	}
	return list
}

// remarks are what was skipped, what failed, and which variants were tried.
func remarks(results []outcome) []string {
	var list []string
	for _, o := range results {
		for _, s := range o.sides {
			if s.skipped != "" {
				list = append(list, fmt.Sprintf("%s: %s was skipped: %s.", o.title, s.name, s.skipped))
			}
			if len(s.tried) > 1 {
				list = append(list, fmt.Sprintf("%s: %s, tried beforehand: %s.", o.title, s.name, strings.Join(s.tried, "; ")))
			}
		}
		if o.failure != "" {
			list = append(list, fmt.Sprintf("%s failed: %s.", o.title, o.failure))
		}
	}
	return list
}
