package main

import (
	"strings"
	"testing"

	"byol/coordinator/steplog"
	"byol/internal/failure"
)

func TestDrillRefuses(t *testing.T) {
	for _, c := range []struct {
		args string
		says string
	}{
		{"drill", "wants one run directory, or --demo"},
		{"drill --demo here --kill-worker 1", "takes no argument here"},
		{"drill --demo", "the drill has no fault"},
		{"drill r --kill-leader 1", "--kill-leader needs a run that the drill has started"},
		{"drill r --partition 1", "--partition needs a run that the drill has started"},
		{"drill --demo --stop -1", "--stop cannot be -1"},
		{"drill --demo --flip-gradient 2", "--flip-gradient can be 1 at most"},
		{"drill --demo --kill-worker 1 --workers 9", "--workers cannot be 9"},
		{"drill --demo --kill-leader 1 --coordinators 2", "--coordinators cannot be 2"},
		{"drill --demo --stop-leader 1 --coordinators 1", "has nobody to take its place"},
	} {
		if code, _, errs := command(strings.Fields(c.args)...); code != failure.Usage || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit code %d, want %q: %s", c.args, code, c.says, errs)
		}
	}
	if code, _, errs := command("drill", t.TempDir(), "--kill-worker", "1", "-o", t.TempDir()); code !=
		failure.Unreachable {
		t.Errorf("a run that is not going on: exit code %d, %s", code, errs)
	}
}

// TestDiffer: the first step whose bits differ is named.
func TestDiffer(t *testing.T) {
	changed := honest(1, 1)
	changed.Loss = 3
	with := auditable(t, honest(0, 1), changed, honest(1, 2), honest(2, 2))
	ours, err := steplog.ReadFile(with)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := differ(ours, with, auditable(t, honest(0, 1), changed)); err != nil ||
		!strings.HasPrefix(got, "step 1: loss") {
		t.Errorf("got %q, %v, want the loss of step 1", got, err)
	}
	if _, err := differ(ours, with, auditable(t, honest(0, 1), honest(1, 1))); err == nil {
		t.Error("runs without checkpoints are compared")
	}
}
