package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"byol/internal/bench/measure"
)

// reading is what one run of a side told.
type reading struct {
	figures map[string]float64
	shares  map[string]float64 // of a step's time, by phase
	about   string             // the peer's versions
	peakMiB float64
}

// readJSON takes the numbers of the JSON object in the last line, with "phases" as shares and "about" as text.
func readJSON(stdout []byte, _ string) (*reading, error) {
	lines := bytes.Split(bytes.TrimSpace(stdout), []byte("\n"))
	last := lines[len(lines)-1]
	var fields map[string]any
	if err := json.Unmarshal(last, &fields); err != nil {
		return nil, fmt.Errorf("last line %.80q: %w", last, err)
	}
	r := &reading{figures: map[string]float64{}, shares: map[string]float64{}}
	for key, v := range fields {
		switch v := v.(type) {
		case float64:
			r.figures[key] = v
		case string:
			if key == "about" {
				r.about = v
			}
		case map[string]any:
			for phase, share := range v {
				if x, ok := share.(float64); ok && key == "phases" {
					r.shares[phase] = x
				}
			}
		}
	}
	return r, nil
}

// readMetrics takes the median step of a coordinator's run, whose directory is tmp/run. The first step is left
// out: it starts the pipeline.
func readMetrics(batch int) func(stdout []byte, tmp string) (*reading, error) {
	return func(_ []byte, tmp string) (*reading, error) {
		text, err := os.ReadFile(filepath.Join(tmp, "run", "metrics.jsonl"))
		if err != nil {
			return nil, err
		}
		var seconds []float64
		phases := map[string][]float64{}
		for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			var step struct {
				Seconds float64            `json:"seconds"`
				Phases  map[string]float64 `json:"phases"`
			}
			if err := json.Unmarshal(line, &step); err != nil {
				return nil, fmt.Errorf("metrics.jsonl, line %d: %w", i+1, err)
			}
			if i == 0 || step.Seconds <= 0 {
				continue
			}
			seconds = append(seconds, step.Seconds)
			for name, s := range step.Phases {
				phases[name] = append(phases[name], s/step.Seconds)
			}
		}
		if len(seconds) == 0 {
			return nil, errors.New("metrics.jsonl: fewer than two steps")
		}
		r := &reading{figures: map[string]float64{}, shares: map[string]float64{}}
		r.figures["images_per_second"] = float64(batch) / measure.Summarise(seconds).Median
		for name, s := range phases {
			r.shares[name] = measure.Summarise(s).Median
		}
		return r, nil
	}
}

// readRing takes the all-reduce lines of arbench's table, whose last columns are named by its head. It wants the
// ranks connected by transport.
func readRing(transport string) func(stdout []byte, tmp string) (*reading, error) {
	return func(stdout []byte, _ string) (*reading, error) {
		r := &reading{figures: map[string]float64{}}
		var columns []string // after the operation, which holds spaces
		lines := bufio.NewScanner(bytes.NewReader(stdout))
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) > 0 && fields[0] == "operation" {
				columns = fields[1:]
			}
			how, ok := strings.CutPrefix(lines.Text(), "all-reduce ")
			if !ok {
				continue
			}
			if !strings.HasPrefix(how, transport) {
				return nil, fmt.Errorf("the ranks were to be connected by %s: %q", transport, lines.Text())
			}
			row := map[string]string{}
			for i, name := range columns {
				if at := len(fields) - len(columns) + i; at > 0 {
					row[name] = fields[at]
				}
			}
			median, err := time.ParseDuration(row["median"])
			if err != nil {
				return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
			}
			r.figures["seconds_"+row["bytes"]] = median.Seconds()
		}
		if len(r.figures) == 0 {
			return nil, fmt.Errorf("no all-reduce in %.80q", stdout)
		}
		return r, lines.Err()
	}
}
