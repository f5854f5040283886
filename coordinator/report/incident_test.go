package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIncident keeps what is known of an incident in a folder of its own, with the events before it.
func TestIncident(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, 0, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range incidentEvents + 5 {
		if err := r.Event(r.Happened("note", "", fmt.Sprint("event ", i))); err != nil {
			t.Fatal(err)
		}
	}
	for range incidentsKept + 2 {
		err := r.Incident(Incident{Name: "step-7/../lost", About: map[string]int{"step": 7},
			Texts: map[string]string{"stacks-../a.txt": "goroutine 1"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	folders, err := filepath.Glob(filepath.Join(dir, IncidentsDir, "*"))
	if err != nil || len(folders) != incidentsKept {
		t.Fatalf("%d folders, want %d: %v", len(folders), incidentsKept, err)
	}
	about := read(t, filepath.Join(folders[0], "incident.json"))
	var v map[string]int
	if err := json.Unmarshal([]byte(about), &v); err != nil || v["step"] != 7 {
		t.Errorf("incident.json is %q: %v", about, err)
	}
	if got := read(t, filepath.Join(folders[0], "a.txt")); got != "goroutine 1" {
		t.Errorf("stacks are %q", got)
	}
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(folders[0], "events.jsonl"))), "\n")
	if len(lines) != incidentEvents || !strings.Contains(lines[len(lines)-1], "event 54") {
		t.Errorf("%d events, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestRewind sets the lines of steps aside that are run again, in the middle of a run.
func TestRewind(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, 0, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	steps := func(from, to int64) {
		for s := from; s <= to; s++ {
			if err := r.Step(Step{Step: s}); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps(1, 5)
	if err := r.Rewind(2); err != nil {
		t.Fatal(err)
	}
	steps(3, 4)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(dir, MetricsFile))
	for s := 1; s <= 4; s++ {
		if n := strings.Count(text, fmt.Sprintf(`{"step":%d,`, s)); n != 1 {
			t.Errorf("step %d has %d lines", s, n)
		}
	}
	if n := strings.Count(text, "\n"); n != 4 {
		t.Errorf("%d lines, want 4:\n%s", n, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "metrics.superseded.jsonl")); err != nil {
		t.Error(err)
	}
}
