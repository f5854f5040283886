package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"byol/internal/bench/measure"
)

var workersNotes = []string{
	"Whole runs of the coordinator with local workers, images read and augmented, synchronised batch norm, every step " +
		"committed: byol alone, by number of workers, each with one thread. The medians are over the steps of a run, the " +
		"first left out. The workers share the cores, so more workers than cores are not faster.",
	"\"byol\" begins a step while the one before is being committed, \"no overlap\" (`--overlap off`) waits. " +
		"\"waited for\" is the share of a step in which a worker did nothing but wait for commit or broadcast (digests, " +
		"θ' to the coordinator, moving average, log, ξ' back and round the ring); \"in all\" is how long that took, hidden " +
		"behind the next step's input and forward pass or not. Where all cores are busy, what is hidden still costs its " +
		"processor time, and the forward pass grows by it.",
	"Peak memory is that of the largest process.",
}

func workersCases() []comparison {
	figures := []figure{imagesPerSecond,
		{key: "exposed", title: "commit and broadcast, waited for", unit: "% of a step", scale: 100, less: true},
		{key: "latency", title: "commit and broadcast, in all", unit: "% of a step", scale: 100, less: true},
		{key: "broadcast", title: "broadcast alone, waited for", unit: "% of a step", scale: 100, less: true},
	}
	var list []comparison
	for _, w := range []struct {
		training
		counts []string
	}{
		{training{arch: "resnet18", size: "32", batch: 128, data: "{cifar}"}, []string{"1", "2", "4", "8"}},
		{training{arch: "resnet50", size: "224", batch: 16, data: "{photos}"}, []string{"8"}},
	} {
		for _, n := range w.counts {
			t := w.training
			t.workers, t.shards, t.threads = n, "8", "1"
			ahead := t.side()
			ahead.read = readSteps(t.batch)
			waits := ahead
			waits.name += ", no overlap"
			waits.argv = append(waits.argv[:len(waits.argv):len(waits.argv)], "--overlap", "off")
			ahead.argv = append(ahead.argv[:len(ahead.argv):len(ahead.argv)], "--overlap", "on")
			list = append(list, comparison{name: t.arch + "-" + n,
				title:   fmt.Sprintf("%s, %s², batch %d, workers: %s", t.arch, t.size, t.batch, n),
				figures: figures, sides: []side{ahead, waits}})
		}
	}
	return list
}

// readSteps is readMetrics with the shares of commit and broadcast.
func readSteps(batch int) func(stdout []byte, tmp string) (*reading, error) {
	return func(stdout []byte, tmp string) (*reading, error) {
		r, err := readMetrics(batch)(stdout, tmp)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(tmp, "run", "metrics.jsonl"))
		if err != nil {
			return nil, err
		}
		shares := map[string][]float64{}
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		for i, line := range lines[1:] { // a step's line has the commit of the one before
			var step struct {
				Seconds float64            `json:"seconds"`
				Phases  map[string]float64 `json:"phases"`
				Latency map[string]float64 `json:"latency"`
			}
			if err := json.Unmarshal(line, &step); err != nil {
				return nil, fmt.Errorf("metrics.jsonl, line %d: %w", i+2, err)
			}
			if step.Seconds <= 0 {
				continue
			}
			shares["exposed"] = append(shares["exposed"], (step.Phases["commit"]+step.Phases["broadcast"])/step.Seconds)
			shares["latency"] = append(shares["latency"], (step.Latency["commit"]+step.Latency["broadcast"])/step.Seconds)
			shares["broadcast"] = append(shares["broadcast"], step.Phases["broadcast"]/step.Seconds)
		}
		for name, list := range shares {
			r.figures[name] = measure.Summarise(list).Median
		}
		return r, nil
	}
}
