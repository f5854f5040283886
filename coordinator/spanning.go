package coordinator

import (
	"time"

	"byol/coordinator/lead"
	"byol/coordinator/report"
	"byol/coordinator/spans"
)

// spanStep tells of a step that was committed just now, and of a recovery that ended with it.
func (t *term) spanStep(a lead.Committed, line report.Step) {
	s := t.c.opts.Spans
	if s == nil {
		return
	}
	f := &a.Figures
	view, _ := t.c.node.View()
	asked, agreed := t.asked[0], t.asked[1]
	at := spans.Place{Run: t.c.opts.Config.RunId, Step: line.Step, Generation: f.Record.Generation,
		Ranks: len(view.Group())}
	s.Stepped(t.c.life, spans.Step{Place: at, Images: f.Images, Loss: f.Loss, End: agreed, Asked: asked, Committed: agreed,
		Begin: agreed.Add(-time.Duration(f.Seconds * float64(time.Second))), Phases: line.Phases})
	if r := a.Recovery; !r.Began.IsZero() {
		s.Recovered(t.c.life, spans.Recovery{Place: at, Term: t.number, Cause: r.Cause, Begin: r.Began, End: agreed})
	}
}

// spanCheckpoint tells of a checkpoint, if the event is of one.
func (t *term) spanCheckpoint(a lead.Tell) {
	s := t.c.opts.Spans
	if s == nil || a.Kind != "checkpoint-saved" && a.Kind != "checkpoint-failed" {
		return
	}
	view, _ := t.c.node.View()
	now := time.Now()
	k := spans.Checkpoint{Worker: a.Worker, Begin: now.Add(-time.Duration(a.Seconds * float64(time.Second))), End: now,
		Place: spans.Place{Run: t.c.opts.Config.RunId, Generation: view.Generation, Ranks: len(view.Group())}}
	if n := len(view.Checkpoints); a.Kind == "checkpoint-saved" && n > 0 {
		last := view.Checkpoints[n-1]
		k.Step, k.Path, k.Bytes = last.Step, last.Path, last.Bytes
	} else {
		k.Step, k.Problem = view.LastSaveStep, a.Text
	}
	s.Saved(t.c.life, k)
}
