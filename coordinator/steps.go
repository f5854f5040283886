package coordinator

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/steplog"
)

// openSteps goes on with the run directory's log of all steps.
func (c *Coordinator) openSteps() (*steplog.Log, error) {
	view, _ := c.node.View()
	steps, err := steplog.Open(c.runDir, view.Step-int64(len(view.Records)))
	if err != nil {
		return nil, unwritable(err)
	}
	return steps, nil
}

// keepSteps writes down every step that the raft log commits, whoever leads, until the run has ended.
func (c *Coordinator) keepSteps(steps *steplog.Log) {
	told := false
	note := func(view run.State) {
		err := steps.Follow(view.Records)
		if err != nil && !told {
			c.opts.Log.Error("the log of all steps cannot be written", zap.Error(err))
		}
		told = err != nil
	}
	for ended := false; !ended; {
		view, changed := c.node.View()
		note(view)
		select {
		case <-changed:
		case <-c.ended:
			ended = true
		}
	}
	view, _ := c.node.View()
	note(view)
	if err := steps.Close(); err != nil {
		c.opts.Log.Error("the log of all steps cannot be closed", zap.Error(err))
	}
}

// fillReport gives this coordinator's curves the steps that others led, as far as the log has them.
func (c *Coordinator) fillReport() {
	view, _ := c.node.View()
	files := c.report.Load()
	if files == nil || !c.opts.several() {
		return
	}
	c.file(func() error {
		if files.Complete(view.Step) {
			return nil
		}
		known := map[int64]run.Record{}
		content, err := steplog.ReadFile(c.runDir)
		if err != nil {
			return err
		}
		for _, l := range content.Lines {
			if l.Kind == steplog.Committed {
				known[l.Record.Step] = l.Record
			}
		}
		for _, r := range view.Records { // which may not be written yet
			known[r.Step] = r
		}
		return files.Fill(view.Step, func(step int64) (report.Agreed, bool) {
			r, ok := known[step-1]
			return c.agreed(r), ok
		})
	})
}

// agreed is the line of a step of which only the log is known.
func (c *Coordinator) agreed(r run.Record) report.Agreed {
	rates, cfg := scheduleOf(c.opts.Config), c.opts.Config
	a := report.Agreed{Step: r.Step + 1, Time: report.At(time.Unix(0, r.UnixNano)), Loss: r.Loss, LR: rates.LR(r.Step),
		Tau:    rates.Tau(r.Step),
		Digest: fmt.Sprintf("%016x", r.Target)}
	if cfg.Samples > 0 {
		a.Epoch = float64(r.Step+1) * float64(cfg.BatchSize) / float64(cfg.Samples)
	}
	return a
}

// lastReport completes the curves of a coordinator under which the run has not ended, or makes them where it never led.
func (c *Coordinator) lastReport() {
	if view, _ := c.node.View(); c.report.Load() == nil && view.Step > 0 {
		if err := c.openReport(view.Step); err != nil {
			c.opts.Log.Warn("write report", zap.Error(err))
		}
	}
	c.fillReport()
}
