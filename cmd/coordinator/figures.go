package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"byol/coordinator/report"
	"byol/worker/encoder"
)

// figuresOf are what the run in a directory measured of the state after a step, and of the untrained network, as a
// card says it. A directory that is none, or a line that cannot be read, only has fewer of them.
func figuresOf(dir string, step int64) []encoder.Figure {
	var figures []encoder.Figure
	share := func(name string, values map[string]any, key string) {
		if x, ok := values[key].(float64); ok {
			figures = append(figures, encoder.Figure{Name: name, Value: percent(x)})
		}
	}
	if last := lineOf(filepath.Join(dir, report.MetricsFile), step); last != nil {
		for _, f := range []struct{ name, key string }{{"loss of the last step", "loss"},
			{"spread of the embedding, 1 is healthy and 0 collapsed", "std"}} {
			if x, ok := last[f.key].(float64); ok {
				figures = append(figures, encoder.Figure{Name: f.name, Value: fmt.Sprintf("%.4f", x)})
			}
		}
	}
	path := filepath.Join(dir, report.EvaluationsFile)
	share("k-NN top-1", lineOf(path, step), "knn_top1")
	untrained := lineOf(path, 0)
	share("k-NN top-1, untrained network", untrained, "knn_top1")
	share("k-NN top-1, raw pixels", untrained, "pixels_top1")
	return figures
}

// lineOf is the last object of a file of lines that is of a step; nil for none.
func lineOf(path string, step int64) map[string]any {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var found map[string]any
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var values map[string]any
		if json.Unmarshal(lines.Bytes(), &values) == nil && values["step"] == float64(step) {
			found = values
		}
	}
	return found
}
