package lead

import (
	"fmt"
	"slices"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// A worker whose gradient is wrong before the sum makes the state of all wrong alike, so that no digest of the state
// tells. A step that is verified is therefore computed again with the shards turned, and what two workers say of a
// shard's gradient is compared before anything is committed.

// attempt is what came of computing a step that is verified.
type attempt struct {
	owners    []run.WorkerID // by shard
	gradients []uint64       // digests, by shard
	state     Digests        // θ', momentum and statistics
}

// trial is the verification of a step by some workers. Others begin anew: who is gone cannot be asked again.
type trial struct {
	step     int64
	workers  []run.WorkerID // sorted
	attempts []attempt
}

// attemptsMost is how many attempts must do: two workers need four to see which of them gave two answers, each of them
// two to a shard.
const attemptsMost = 4

// ruling is what attempts at a step come to.
type ruling struct {
	agreed bool           // the last attempt is right, as far as others can tell
	shards []int          // whose gradients differ between attempts, ascending
	truth  map[int]uint64 // gradients of those, as far as they are known
	odd    []run.WorkerID // who was wrong, each alone in an attempt
	shared bool           // in an attempt several were wrong: what they share was, such as sums of batch norm
}

// judge compares attempts at one step.
//
// What two workers say of a shard is true; where one worker computes it each time, what it says twice. A worker that
// said otherwise was wrong, if nobody else was in the same attempt. The last attempt is right if all of it that is in
// dispute is true, and an earlier one came to the same state.
func judge(attempts []attempt) ruling {
	last := attempts[len(attempts)-1]
	r := ruling{truth: map[int]uint64{}}
	r.agreed = slices.ContainsFunc(attempts[:len(attempts)-1], func(a attempt) bool { return a.state == last.state })
	for v, value := range last.gradients {
		if !slices.ContainsFunc(attempts, func(a attempt) bool { return a.gradients[v] != value }) {
			continue
		}
		r.shards = append(r.shards, v)
		truth, known := confirmed(attempts, v)
		if known {
			r.truth[v] = truth
		}
		r.agreed = r.agreed && known && truth == value
	}
	for _, a := range attempts {
		switch wrong := r.wrongIn(a); {
		case len(wrong) > 1:
			r.shared = true
		case len(wrong) == 1 && !slices.Contains(r.odd, wrong[0]):
			r.odd = append(r.odd, wrong[0])
		}
	}
	return r
}

// wrongIn are the workers whose gradients in an attempt are not the true ones.
func (r *ruling) wrongIn(a attempt) []run.WorkerID {
	var wrong []run.WorkerID
	for _, v := range r.shards {
		if truth, known := r.truth[v]; known && a.gradients[v] != truth && !slices.Contains(wrong, a.owners[v]) {
			wrong = append(wrong, a.owners[v])
		}
	}
	return wrong
}

// confirmed is the gradient of a shard that two workers have come to. Where only one has computed it, it is the one
// that came out twice. There is none where there are two such.
func confirmed(attempts []attempt, shard int) (value uint64, known bool) {
	alone := !slices.ContainsFunc(attempts, func(a attempt) bool { return a.owners[shard] != attempts[0].owners[shard] })
	for i, a := range attempts {
		for _, b := range attempts[:i] {
			if a.gradients[shard] != b.gradients[shard] || !alone && a.owners[shard] == b.owners[shard] {
				continue
			}
			if known && value != a.gradients[shard] {
				return 0, false
			}
			value, known = a.gradients[shard], true
		}
	}
	return value, known
}

// attempt is what the group has come to.
func (l *Lead) attempt() attempt {
	n := l.view.Settings.Shards
	a := attempt{owners: make([]run.WorkerID, n), gradients: make([]uint64, n)}
	for _, m := range l.group() {
		d := m.result.Digests
		a.state = Digests{Online: d.Online, Momentum: d.Momentum, Statistics: d.Statistics}
		for _, s := range m.result.Shards {
			a.owners[s.Shard], a.gradients[s.Shard] = m.id, s.Gradient
		}
	}
	return a
}

// verified reports whether what the group has come to may be committed, as far as other attempts tell. Otherwise it has
// the step computed again.
func (l *Lead) verified() bool {
	if !verifies || !l.view.Verifies() {
		return true
	}
	t := &l.trial
	if workers := l.sorted(); t.step != l.view.Step || !slices.Equal(t.workers, workers) {
		*t = trial{step: l.view.Step, workers: workers}
	}
	t.attempts = append(t.attempts, l.attempt())
	r := judge(t.attempts)
	switch f := l.dispute(t, &r); {
	case len(r.odd) > 0 && len(r.odd) < len(t.workers):
		for _, id := range r.odd {
			f.What = wrongGradient(t, &r, id)
			l.quarantine(id, f)
		}
	case r.agreed:
		if len(t.attempts) > 2 {
			l.settled(t, &r)
		}
		return true
	case len(t.attempts) == 1:
		l.later(run.Regroup{Generation: l.view.Generation, Turn: true})
	case len(t.attempts) >= attemptsMost:
		f.What += ", and no majority tells who is wrong"
		l.fail(f)
	default:
		l.tell("shard-differs", "", "%s: the step is computed again", f.What)
		l.incident("shard-differs", "", f.What)
		if !l.tired(f) {
			l.later(run.Regroup{Generation: l.view.Generation, Reason: Plain(f.What, run.MaxText), Turn: true})
		}
	}
	return false
}

// sorted are the names of the group.
func (l *Lead) sorted() []run.WorkerID {
	var ids []run.WorkerID
	for _, m := range l.group() {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	return ids
}

// verifying reports whether the present step was computed, and is computed again to compare.
func (l *Lead) verifying() bool { return l.trial.step == l.view.Step && len(l.trial.attempts) > 0 }

// dispute says in what attempts differ.
func (l *Lead) dispute(t *trial, r *ruling) *failure.Failure {
	f := &failure.Failure{Why: fmt.Sprintf("it was computed %d times, nothing was committed", len(t.attempts)),
		Try:  "look for failing memory or processors on these machines; " + l.resumeHint(),
		Code: failure.Training}
	if len(r.shards) == 0 {
		f.What = fmt.Sprintf("the gradients of step %d are the same each time, and their sum is not", t.step)
		return f
	}
	var who []string
	for _, v := range r.shards {
		for _, a := range t.attempts {
			if id := string(a.owners[v]); !slices.Contains(who, id) {
				who = append(who, id)
			}
		}
	}
	slices.Sort(who)
	f.What = fmt.Sprintf("%s computed different gradients of %s at step %d", sentence(who), shardNames(r.shards), t.step)
	return f
}

// wrongGradient says in what shards a worker was wrong, and who says so.
func wrongGradient(t *trial, r *ruling, id run.WorkerID) string {
	var shards []int
	var others []string
	for _, v := range r.shards {
		truth, known := r.truth[v]
		wrong := known && slices.ContainsFunc(t.attempts, func(a attempt) bool {
			return a.owners[v] == id && a.gradients[v] != truth
		})
		if !wrong {
			continue
		}
		shards = append(shards, v)
		for _, a := range t.attempts {
			if o := string(a.owners[v]); a.gradients[v] == truth && !slices.Contains(others, o) {
				others = append(others, o)
			}
		}
	}
	slices.Sort(others)
	if i := slices.Index(others, string(id)); i >= 0 {
		others = append(slices.Delete(others, i, i+1), string(id)+" itself, asked again,")
	}
	return fmt.Sprintf("%s computed a wrong gradient of %s at step %d: %s agree in another one", id, shardNames(shards),
		t.step, sentence(others))
}

// settled tells of a step whose attempts differed, and that is committed.
func (l *Lead) settled(t *trial, r *ruling) {
	text := "every worker was wrong once, so nobody is left out"
	switch {
	case len(t.workers) == 1:
		text = "a worker alone has nobody to compare with, so nobody is left out"
	case len(r.shards) == 0:
		text = "what was summed differed, and that is nobody's alone"
	case r.shared:
		text = "several shards were wrong at once, as if sums of batch norm had been, so nobody can be named"
	}
	l.tell("step-settled", "", "step %d was computed %d times, and the last one agrees with another: %s", t.step,
		len(t.attempts), text)
}

// shardNames lists shards for people.
func shardNames(shards []int) string {
	const most = 8
	if len(shards) > most {
		return fmt.Sprintf("%d shards", len(shards))
	}
	names := make([]string, len(shards))
	for i, v := range shards {
		names[i] = fmt.Sprint(v)
	}
	if len(shards) == 1 {
		return "shard " + names[0]
	}
	return "shards " + sentence(names)
}
