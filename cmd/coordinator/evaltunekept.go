package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"byol/internal/atomicfile"
	"byol/internal/disk"
	"byol/internal/failure"
	"byol/model/linear"
	pb "byol/proto"
)

// tuneResult is what came of one candidate.
type tuneResult struct {
	Rate       float64   `json:"rate"`
	Epochs     int       `json:"epochs"`
	Diverged   bool      `json:"diverged"`
	Unreadable int64     `json:"unreadable"` // images of training
	Held       tuneCount `json:"held_out"`
	Judged     tuneCount `json:"judged"`
}

// tuneCount is what a network made of a set.
type tuneCount struct {
	Images  int64 `json:"images"`
	Top1    int64 `json:"top1"`
	Top5    int64 `json:"top5"`
	Missing int64 `json:"missing"`
	// Classes are the counts of each class, by label; none of candidates that older programs kept.
	Classes []linear.Class `json:"classes,omitempty"`
}

func countOf(c *pb.TuneCounts) tuneCount {
	t := tuneCount{Images: c.GetImages(), Top1: c.GetTop1(), Top5: c.GetTop5(), Missing: c.GetMissing()}
	for i := range min(len(c.GetClassImages()), len(c.GetClassTop1())) {
		t.Classes = append(t.Classes, linear.Class{Images: c.ClassImages[i], Top1: c.ClassTop1[i]})
	}
	return t
}

// tuneKept is a directory where candidates are kept: the results of those that are finished, and of the others what a
// worker goes on from.
type tuneKept struct {
	dir  string
	done map[string]tuneResult // by name of the candidate
}

// openTuneKept reads what is kept in dir, which is of one question alone. What cannot be read is computed anew.
func openTuneKept(dir string) (k *tuneKept, note string) {
	k = &tuneKept{dir: dir, done: map[string]tuneResult{}}
	text, err := os.ReadFile(k.results())
	if err == nil {
		err = json.Unmarshal(text, &k.done)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.done = map[string]tuneResult{}
		return k, "the candidates that were finished are trained again: " + err.Error()
	}
	return k, ""
}

func (k *tuneKept) results() string { return filepath.Join(k.dir, "candidates.json") }

func (k *tuneKept) stateFile(name string) string { return filepath.Join(k.dir, name+".state") }

// state is what is kept of a candidate, nil for nothing. A state has a checksum, which the worker looks at.
func (k *tuneKept) state(name string) []byte {
	b, err := os.ReadFile(k.stateFile(name))
	if err != nil {
		return nil
	}
	return b
}

// keep keeps a state.
func (k *tuneKept) keep(name string, state []byte) error { return k.write(k.stateFile(name), state) }

// finish keeps a result, in place of the state.
func (k *tuneKept) finish(name string, r tuneResult) error {
	k.done[name] = r
	text, err := json.MarshalIndent(k.done, "", "  ")
	if err != nil {
		return err
	}
	if err := k.write(k.results(), append(text, '\n')); err != nil {
		return err
	}
	if err := os.Remove(k.stateFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the state of a finished candidate: %w", err)
	}
	return nil
}

func (k *tuneKept) write(path string, b []byte) error {
	err := disk.MkdirAll(disk.System{}, k.dir)
	if err == nil {
		err = atomicfile.Write(path, b)
	}
	if err != nil {
		return &failure.Failure{What: "cannot keep candidates in " + short(k.dir), Why: err.Error(), Err: err,
			Try: "--out with a place that has room; the same command goes on from what is kept", Code: failure.Checkpoint}
	}
	return nil
}
