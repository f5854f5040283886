package coordinator

import (
	"go.uber.org/zap"

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
