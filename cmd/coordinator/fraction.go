package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"byol/internal/failure"
)

// parseFraction reads a share of the images: 1%, 0.5% or 0.01.
func parseFraction(text string) (float64, error) {
	number, ofHundred := strings.CutSuffix(strings.TrimSpace(text), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if ofHundred {
		x /= 100
	}
	if err != nil || !(x > 0 && x <= 1) {
		return 0, usage(fmt.Sprintf("--fraction cannot be %q", text), "it is a share of the images, up to all of them",
			"--fraction 1% or --fraction 10%")
	}
	return x, nil
}

const drawing = 0x6672616374 // the stream of random numbers of a seed

// drawFraction draws a share of each class's rows: of the class's images in all, rounded to the nearest, among those
// that are free. It is a pure function of its arguments, and ascending. A class of which nothing would be left is an
// error that names it.
func drawFraction(labels []int32, free []int, fraction float64, classes []string, seed uint64) ([]int, error) {
	counts, rows := make([]int, len(classes)), make([][]int, len(classes))
	for _, l := range labels {
		if l >= 0 {
			counts[l]++
		}
	}
	for _, row := range free {
		rows[labels[row]] = append(rows[labels[row]], row)
	}
	r := rand.New(rand.NewPCG(seed, drawing))
	var drawn []int
	var empty []string
	for class, own := range rows {
		r.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
		n := min(int(math.Round(fraction*float64(counts[class]))), len(own))
		if n == 0 && counts[class] > 0 {
			empty = append(empty, fmt.Sprintf("%s (%d)", classes[class], counts[class]))
		}
		drawn = append(drawn, own[:n]...)
	}
	if len(empty) > 0 {
		return nil, &failure.Failure{What: fmt.Sprintf("%s of the images is none of some classes", share(fraction)),
			Why: "these have so few: " + some(empty), Try: "a larger --fraction, or --list with a file of names",
			Code: failure.Data}
	}
	slices.Sort(drawn)
	return drawn, nil
}

// share is a fraction as people read it.
func share(fraction float64) string { return strconv.FormatFloat(100*fraction, 'g', 6, 64) + " %" }

// listedRows are the rows that a list names, ascending: a name a line, of a file or an entry of an archive, with as
// many of the directories before it as it takes to tell it from others. nameOf is that of a row.
func listedRows(list io.Reader, rows int, nameOf func(int) string) ([]int, error) {
	byBase := map[string][]int{}
	for i := range rows {
		base := baseOf(nameOf(i))
		byBase[base] = append(byBase[base], i)
	}
	var found []int
	var unknown, ambiguous []string
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "./")
		if line == "" {
			continue
		}
		fit := byBase[baseOf(line)]
		if strings.ContainsAny(line, "/:") {
			fit = slices.DeleteFunc(slices.Clone(fit), func(i int) bool {
				name := nameOf(i)
				return name != line && !strings.HasSuffix(name, "/"+line) && !strings.HasSuffix(name, ":"+line)
			})
		}
		switch len(fit) {
		case 0:
			unknown = append(unknown, line)
		case 1:
			found = append(found, fit[0])
		default:
			ambiguous = append(ambiguous, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	switch {
	case len(unknown) > 0:
		return nil, fmt.Errorf("%d of its names are of no image: %s", len(unknown), some(unknown))
	case len(ambiguous) > 0:
		return nil, fmt.Errorf("%d of its names are of several images: %s", len(ambiguous), some(ambiguous))
	case len(found) == 0:
		return nil, fmt.Errorf("it names nothing")
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// baseOf is the last part of a name.
func baseOf(name string) string { return name[strings.LastIndexAny(name, "/:")+1:] }
