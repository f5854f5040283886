package coordinator

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/steplog"
)

// TestCurvesOfOthersSteps: a coordinator that never led has a whole curve when the run has ended, from its log of all
// steps and, for the newest, from what all agreed on.
func TestCurvesOfOthersSteps(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	opts.RaftListen = "y:1"
	opts.setDefaults()
	p := newPaper()
	var all []run.Record
	for step := range int64(9) {
		all = append(all, run.Record{Step: step, Generation: 1, Loss: float64(step) + 0.5, Target: uint64(step)})
	}
	p.state = run.State{Step: 9, Records: all[4:], Phase: run.Completed}
	c := &Coordinator{opts: opts, node: p, runDir: opts.RunDir, scribe: newScribe(), started: time.Now()}
	steps, err := steplog.Open(c.runDir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := steps.Follow(all[:6]); err != nil {
		t.Fatal(err)
	}
	if err := steps.Close(); err != nil {
		t.Fatal(err)
	}
	c.lastReport()
	c.scribe.finish()
	if err := c.report.Load().Close(); err != nil {
		t.Fatal(err)
	}
	var at int64
	for line := range strings.Lines(read(t, filepath.Join(c.runDir, report.MetricsFile))) {
		var a report.Agreed
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		rates := scheduleOf(opts.Config)
		if a.Step != at+1 || a.Loss != float64(at)+0.5 || a.LR != rates.LR(at) || a.Tau != rates.Tau(at) || !a.FromLog ||
			a.Epoch != float64(at+1)*8/40 {
			t.Errorf("line %d is %+v", at, a)
		}
		at++
	}
	if at != 9 {
		t.Errorf("%d lines, want 9", at)
	}
}
