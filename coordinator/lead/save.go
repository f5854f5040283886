package lead

import (
	"fmt"
	"slices"
	"strings"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// A checkpoint counts once this coordinator, which would go on from it, sees it. So a worker's word of one is looked
// into before it is agreed on.

// Inspect has the shell look whether this host sees what Worker, on Host, says that it saved. Inspected tells; other
// things may happen before.
type Inspect struct {
	Worker, Host string
	Saved        Saved
}

// Inspected is what an Inspect found: Problem says why the checkpoint cannot be read here, "" that it can.
type Inspected struct {
	Inspect
	Problem string
}

func (Inspect) action() {}

func (s Saved) heard(l *Lead, m *member) {
	if s.Order > 0 && s.Order <= m.saved {
		return // it says on another stream what it has said
	}
	m.saved = max(m.saved, s.Order)
	if s.Error != "" && s.Order > 0 && s.Step == l.view.SaveAt && s.Order < l.view.SaveOrder {
		return // a leader before this one has heard it, and asked again
	}
	s.Path, s.Error = Plain(s.Path, run.MaxText), Plain(s.Error, run.MaxText/2)
	i := Inspect{Worker: string(m.id), Host: m.join.Host, Saved: s}
	if k, ok := l.view.Stored(s.Step); ok && s.Error == "" && k.Path == s.Path && k.SHA256 == s.SHA256 {
		return // a leader before this one has heard it
	}
	if s.Error != "" {
		l.keep(i, s.Error)
		return
	}
	l.do(i)
}

func (e Inspected) happen(l *Lead) {
	problem := ""
	if e.Problem != "" {
		problem = fmt.Sprintf("it wrote %s, and this host%s does not see that: %s", e.Saved.Path, named(l.set.Host),
			Plain(e.Problem, run.MaxText/4))
	}
	l.keep(e.Inspect, problem)
}

// named is a host in a sentence.
func named(host string) string {
	if host == "" {
		return ""
	}
	return " (" + host + ")"
}

// keep proposes a checkpoint for the catalogue, or says why there is none.
func (l *Lead) keep(i Inspect, problem string) {
	if problem != "" {
		on := ""
		if i.Host != "" {
			on = " on " + i.Host
		}
		problem = Plain(i.Worker+on+": "+problem, run.MaxText)
	}
	s := i.Saved
	k := run.Checkpoint{Step: s.Step, Path: s.Path, Bytes: s.Bytes, SHA256: s.SHA256, UnixNano: l.now.UnixNano()}
	l.saver, l.saving = i.Worker, s.Seconds
	l.propose(run.Saved{Checkpoint: k, Error: problem})
}

// saved is the answer to a proposed Saved.
func (l *Lead) saved(c run.Saved, err error) {
	k := c.Checkpoint
	switch {
	case err != nil && l.view.Phase.Final():
		l.late(c, err)
	case err != nil:
		l.tell("message-refused", l.saver, "refused word of a checkpoint of %s: %v", l.saver, err)
	case c.Error != "":
		l.retryLater()
		l.tell("checkpoint-failed", l.saver, "the checkpoint of step %d was not saved: %s", k.Step, c.Error)
	default:
		l.retries = 0
		l.do(Tell{Kind: "checkpoint-saved", Worker: l.saver, Seconds: l.saving, Text: fmt.Sprintf(
			"saved step %d as %s (%.1f MiB, %.1f s)", k.Step, k.Path, float64(k.Bytes)/(1<<20), l.saving)})
		if l.set.Keep > 0 {
			l.do(Prune{Keep: l.set.Keep})
		}
	}
}

// lookForMark compares what workers find in the directory of checkpoints with the mark that this coordinator left
// there. A run of which no worker would write where this coordinator looks cannot be saved: it does not begin.
func (l *Lead) lookForMark() *failure.Failure {
	if l.set.Mark == "" {
		return nil
	}
	var blind []string
	members := l.group()
	for _, m := range members {
		if m.ready.Mark != l.set.Mark {
			blind = append(blind, string(m.id)+named(m.join.Host))
		}
	}
	before := l.unshared
	l.unshared = ""
	if len(blind) == 0 {
		return nil
	}
	verb := "see"
	if len(blind) == 1 {
		verb = "sees"
	}
	l.unshared = fmt.Sprintf("%s %s another directory %s than this coordinator%s: what is saved there is not found again",
		sentence(blind), verb, l.set.CheckpointDir, named(l.set.Host))
	if len(blind) == len(members) && l.set.Opening {
		return &failure.Failure{Code: failure.Checkpoint,
			What: fmt.Sprintf("no worker sees the checkpoint directory %s of this coordinator", l.set.CheckpointDir),
			Why:  l.unshared,
			Try:  "--run-dir on a file system that the coordinator and at least one worker share"}
	}
	if l.unshared != before {
		l.tell("checkpoints-not-shared", "", "%s", l.unshared)
	}
	return nil
}

// sentence lists names: a, b and c.
func sentence(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}

// warnings are what somebody should look at although the run goes on.
func (l *Lead) warnings() []string {
	all := slices.Clone(l.set.Warnings)
	if l.unshared != "" {
		all = append(all, l.unshared)
	}
	return all
}
