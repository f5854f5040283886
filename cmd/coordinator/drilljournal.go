package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"byol/coordinator/drill"
	"byol/coordinator/report"
	"byol/coordinator/steplog"
)

// journal follows what a coordinator writes into its run directory while it goes on.
type journal struct {
	events, steps grower
	happened      []drill.Event
	committed     []drill.Commit
}

func newJournal(dir string) *journal {
	return &journal{events: grower{path: filepath.Join(dir, report.EventsFile)},
		steps: grower{path: filepath.Join(dir, steplog.File)}}
}

// grower is a file that grows, read from line to line.
type grower struct {
	path string
	at   int64
}

// news returns the whole lines that came since the last call; anew says that they are the file's first. A file that is
// not there has none.
func (g *grower) news() (lines []byte, anew bool) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, false
	}
	if size < g.at { // something was set aside
		g.at = 0
	}
	anew = g.at == 0
	lines = make([]byte, size-g.at)
	n, err := f.ReadAt(lines, g.at)
	if err != nil && n == 0 {
		return nil, false
	}
	lines = lines[:bytes.LastIndexByte(lines[:n], '\n')+1]
	g.at += int64(len(lines))
	return lines, anew
}

// look reads what has come.
func (j *journal) look() {
	lines, anew := j.events.news()
	if anew {
		j.happened = nil
	}
	for line := range bytes.Lines(lines) {
		var e report.Event
		if json.Unmarshal(line, &e) == nil {
			j.happened = append(j.happened, drill.Event{At: e.Time, Kind: e.Type, Worker: e.Worker, Text: e.Text})
		}
	}
	if lines, anew = j.steps.news(); anew {
		j.committed = nil
	}
	if log, err := steplog.Read(bytes.NewReader(lines)); err == nil {
		j.committed = append(j.committed, commitsOf(log)...)
	}
}

// last is the newest step; ok is false when there is none.
func (j *journal) last() (c drill.Commit, ok bool) {
	if len(j.committed) == 0 {
		return c, false
	}
	return j.committed[len(j.committed)-1], true
}

// together are the events and steps of several journals from a time on, in order of time.
func together(journals []*journal, from time.Time) ([]drill.Event, []drill.Commit) {
	var events []drill.Event
	var commits []drill.Commit
	for _, j := range journals {
		for i := len(j.happened) - 1; i >= 0 && !j.happened[i].At.Before(from); i-- {
			events = append(events, j.happened[i])
		}
		for i := len(j.committed) - 1; i >= 0 && !j.committed[i].At.Before(from); i-- {
			commits = append(commits, j.committed[i])
		}
	}
	slices.SortStableFunc(events, func(a, b drill.Event) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(commits, func(a, b drill.Commit) int { return a.At.Compare(b.At) })
	return events, commits
}
