package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"byol/coordinator/drill"
	"byol/coordinator/report"
)

// write puts text at the end of a file, or makes the file anew.
func write(t *testing.T, path, text string, anew bool) {
	t.Helper()
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if anew {
		flags = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// TestJournal follows files as they grow: line by line, each once, also where one is cut short.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	j := newJournal(dir)
	kinds := func() (all []string) {
		j.look()
		for _, e := range j.happened {
			all = append(all, e.Kind)
		}
		return all
	}
	if got := kinds(); got != nil {
		t.Fatalf("of nothing: %q", got)
	}
	event := func(id int) string {
		return fmt.Sprintf(`{"id":%d,"time":"2026-03-04T12:00:%02dZ","type":"e%d","text":""}`+"\n", id, id, id)
	}
	path := filepath.Join(dir, report.EventsFile)
	write(t, path, event(1)+event(2)[:20], false)
	if got := kinds(); !slices.Equal(got, []string{"e1"}) {
		t.Errorf("with half a line: %q", got)
	}
	write(t, path, event(2)[20:]+"no JSON\n"+event(3), false)
	for range 2 {
		if got := kinds(); !slices.Equal(got, []string{"e1", "e2", "e3"}) {
			t.Errorf("with whole lines: %q", got)
		}
	}
	write(t, path, event(4), true)
	if got := kinds(); !slices.Equal(got, []string{"e4"}) {
		t.Errorf("begun anew: %q", got)
	}
}

// TestJournalSteps: steps are those of the log, and several journals make one story.
func TestJournalSteps(t *testing.T) {
	j := newJournal(auditable(t, honest(0, 1), honest(1, 1), honest(2, 4)))
	if _, ok := j.last(); ok {
		t.Error("a journal that was not looked at has steps")
	}
	j.look()
	if c, ok := j.last(); !ok || len(j.committed) != 3 || c.Step != 2 || c.Generation != 4 {
		t.Errorf("the last of %+v is %+v", j.committed, c)
	}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	a := &journal{happened: []drill.Event{{At: at(1)}, {At: at(5), Kind: "second"}},
		committed: []drill.Commit{{At: at(4), Step: 1}, {At: at(8), Step: 3}}}
	b := &journal{happened: []drill.Event{{At: at(3), Kind: "first"}}, committed: []drill.Commit{{At: at(6), Step: 2}}}
	events, commits := together([]*journal{a, b}, at(3))
	if len(events) != 2 || events[0].Kind != "first" || len(commits) != 3 || commits[1].Step != 2 {
		t.Errorf("together: %+v, %+v", events, commits)
	}
}
