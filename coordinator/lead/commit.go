package lead

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"byol/coordinator/run"
	"byol/internal/failure"
	"byol/internal/vector"
)

// commitment is a step on its way into the log.
type commitment struct {
	record  run.Record
	figures Figures
}

func (e Weighed) happen(l *Lead) {
	l.asked = nil
	if l.collecting.what == readiness {
		l.start(e)
	} else {
		l.commit(e)
	}
}

// start gives the go signal, if all workers hold the same.
func (l *Lead) start(got Weighed) {
	if odd, f := l.checkReady(); f != nil {
		if odd == nil {
			l.fail(f)
		} else {
			l.expel(odd, f)
		}
		return
	}
	if f := l.lookForMark(); f != nil {
		l.fail(f)
		return
	}
	var digests []Digests
	for _, m := range l.group() {
		digests = append(digests, m.ready.Digests)
	}
	l.held = digests[0]
	all := incoming{name: "the target network", of: Digests.target, slices: got.Slices, whole: got.Whole}
	if v := compare(digests, all, nil); v != nil {
		l.diverged(v)
		return
	}
	l.propose(run.Started{Generation: l.view.Generation, Step: l.view.Step, Target: got.Target,
		Fingerprint: l.group()[0].ready.Fingerprint})
}

// started is the answer to a proposed Started.
func (l *Lead) started(c run.Started, err error) {
	switch {
	case errors.Is(err, run.ErrConflict):
		l.fail(&failure.Failure{What: "the restored state is not the one that was committed", Why: err.Error(),
			Try: "--resume PATH of another checkpoint, or a new --run-dir", Code: failure.Checkpoint})
	case err != nil:
		l.late(c, err)
	default:
		l.restored, l.mending.proved, l.set.Opening = true, true, false
		l.worked = l.parameters
		l.do(Adopt{})
		if l.view.Phase == run.Paused {
			l.ledger.rests(l.now)
		}
		if l.verifying() {
			return // it was told of
		}
		l.tell("run-started", "", "%d workers hold the same state of step %d (generation %d, target %016x)",
			run.Together(l.view.Group()), c.Step, c.Generation, c.Target)
	}
}

// checkReady compares what workers compute with and on. It names the one that differs, if it is not all of them.
func (l *Lead) checkReady() (*member, *failure.Failure) {
	members := l.group()
	var fingerprints, manifests []string
	for _, m := range members {
		fingerprints = append(fingerprints, m.ready.Fingerprint)
		manifests = append(manifests, m.ready.Manifest)
	}
	if odd := differing(fingerprints); odd != nil && !l.set.Relaxed {
		m, other := members[odd[0]], members[firstOther(odd)]
		return m, &failure.Failure{What: fmt.Sprintf("%s computes with other kernels than %s", m.id, other.id),
			Why: fmt.Sprintf("%q and %q may give different bits", m.ready.Fingerprint, other.ready.Fingerprint),
			Try: "the same machine type and build for all workers, or --determinism relaxed", Code: failure.Usage}
	}
	if was, is := l.view.Fingerprint, fingerprints[0]; was != "" && was != is && !l.set.Relaxed {
		return nil, &failure.Failure{What: "the run was computed with other kernels so far", Code: failure.Usage,
			Why: fmt.Sprintf("%q before, %q now, which may give different bits", was, is),
			Try: "go on with the machine type and build it was begun with, or with --determinism relaxed"}
	}
	if odd := differing(manifests); odd != nil {
		m, other := members[odd[0]], members[firstOther(odd)]
		return m, &failure.Failure{What: fmt.Sprintf("%s sees other images than %s", m.id, other.id),
			Why: fmt.Sprintf("the data manifest is %s there and %s here", m.ready.Manifest, other.ready.Manifest),
			Try: "the same files for all workers: " + l.set.Data, Code: failure.Data}
	}
	if l.set.ManifestHash != "" && manifests[0] != l.set.ManifestHash {
		return nil, &failure.Failure{What: "the images are not those that the run was created with",
			Why: fmt.Sprintf("the data manifest is %s, the run's is %s", manifests[0], l.set.ManifestHash),
			Try: "bring the files back as they were, or begin a new run", Code: failure.Data}
	}
	return nil, nil
}

// firstOther is the first rank that is not in odd.
func firstOther(odd []int) int {
	for i, r := range odd {
		if r != i {
			return i
		}
	}
	return len(odd)
}

// diverged goes on without workers that most others disagree with. Where no majority tells who is wrong the step is
// computed once more, and the run stops rather than guess when that does not help.
func (l *Lead) diverged(v *divergence) {
	group := l.group()
	var ids []string
	for _, m := range group {
		ids = append(ids, string(m.id))
	}
	f := &failure.Failure{What: v.describe(l.view.Step, ids), Why: "their digests differ, nothing was committed",
		Try:  "look for failing memory or a different library on that machine; " + l.resumeHint(),
		Code: failure.Training}
	switch {
	case v.line && l.again(&l.mending.doubted, f):
	case v.majority && len(v.odd) < len(group):
		for _, r := range v.odd {
			l.quarantine(group[r].id, f)
		}
	case !l.again(&l.mending.doubted, f):
		l.fail(f)
	}
}

// commit makes the step a committed one, if all workers would commit the same.
func (l *Lead) commit(got Weighed) {
	var digests []Digests
	for _, m := range l.group() {
		digests = append(digests, m.result.Digests)
	}
	all := incoming{name: "the online network", of: Digests.online, slices: got.Slices, whole: got.Whole}
	if v := compare(digests, all, &l.view.Target); v != nil {
		l.diverged(v)
		return
	}
	t, odd, f := l.total()
	if f != nil {
		l.expel(odd, f)
		return
	}
	step := l.view.Step
	if math.IsNaN(t.Loss) || math.IsInf(t.Loss, 0) {
		l.notFinite(fmt.Sprintf("the loss of step %d is %v", step, t.Loss))
		return
	}
	if !l.verified() {
		return
	}
	record := run.Record{Step: step, Generation: l.view.Generation, Online: digests[0].Online,
		Momentum: digests[0].Momentum, Statistics: digests[0].Statistics, Target: got.Target, Loss: t.Loss,
		Images: t.Images, Samples: t.samples, UnixNano: l.now.UnixNano()}
	l.stragglers()
	l.commitment = &commitment{record: record, figures: t}
	l.propose(run.Commit{Record: record})
}

// total adds the figures of a step over shards 0…V−1, each of which must be there once. It names a worker that reports
// another's.
func (l *Lead) total() (Figures, *member, *failure.Failure) {
	shards := make([]*Shard, l.view.Settings.Shards)
	var t Figures
	members := l.group()
	for _, m := range members {
		for i, s := range m.result.Shards {
			if s.Shard < 0 || s.Shard >= len(shards) || shards[s.Shard] != nil {
				return t, m, &failure.Failure{What: fmt.Sprintf("%s reports shard %d, which is not its own", m.id, s.Shard),
					Try: "use binaries of one build", Code: failure.Internal}
			}
			shards[s.Shard] = &m.result.Shards[i]
		}
		t.Std += m.result.Std / float64(len(members))
		t.Norm += m.result.Norm / float64(len(members))
		t.addPhases(m.result.Phases, len(members))
	}
	var labelled, correct int64
	var samples []uint64
	for v, s := range shards {
		if s == nil {
			return t, l.owner(v), &failure.Failure{What: fmt.Sprintf("nobody reports shard %d of step %d", v, l.view.Step),
				Try: "use binaries of one build", Code: failure.Internal}
		}
		samples = append(samples, s.Samples)
		t.Loss += s.Loss
		t.ProbeLoss += s.ProbeLoss
		t.Images += s.Images
		labelled += s.Labelled
		correct += s.Correct
	}
	t.samples = vector.Fold(samples)
	t.Loss /= float64(max(1, t.Images))
	t.ProbeLoss /= float64(max(1, labelled))
	t.ProbeTop1 = float64(correct) / float64(max(1, labelled))
	return t, nil, nil
}

// owner is the member that shard v was given to.
func (l *Lead) owner(v int) *member {
	for _, o := range l.view.Group() {
		if v < o.ShardEnd {
			return l.members[o.ID]
		}
	}
	return nil
}

// addPhases adds one of so many workers' times to the means.
func (t *Figures) addPhases(phases []Phase, workers int) {
	for _, p := range phases {
		i := slices.IndexFunc(t.Phases, func(o Phase) bool { return o.Name == p.Name })
		if i < 0 {
			i, t.Phases = len(t.Phases), append(t.Phases, Phase{Name: p.Name})
		}
		t.Phases[i].Seconds += p.Seconds / float64(workers)
		t.Phases[i].Latency += max(0, p.Latency) / float64(workers)
	}
}

// committed is the answer to a proposed Commit.
func (l *Lead) committed(c run.Commit, err error) {
	done := l.commitment
	l.commitment = nil
	if err != nil {
		l.late(c, err)
		return
	}
	l.mending.since, l.mending.rings = 0, 0
	clear(l.mending.quarrels)
	if done == nil { // it was skipped
		return
	}
	r := done.record
	l.do(Release{Generation: r.Generation, Step: r.Step})
	if old, ok := l.set.Replayed[r.Step]; ok {
		if parts := r.Differences(old); len(parts) > 0 {
			l.tell("replay-differs", "", "step %d was run again and has other bits than before: %s", r.Step,
				strings.Join(parts, ", "))
		}
		delete(l.set.Replayed, r.Step)
	}
	took := l.now.Sub(l.begun)
	l.pace.add(took)
	recovery := l.ledger.works(l.now, took)
	f := done.figures
	f.Record, f.Seconds = r, took.Seconds()
	if mean := l.pace.recent().Seconds(); mean > 0 {
		f.ImagesPerSecond = float64(f.Images) / mean
	}
	f.LR, f.Tau = l.set.Rates.LR(r.Step), l.set.Rates.Tau(r.Step)
	l.do(Committed{Figures: f, Recovery: recovery})
}

// evaluated adds up what all workers measured.
func (l *Lead) evaluated() {
	e := run.Evaluation{Step: l.view.Step}
	for _, m := range l.group() {
		for _, c := range m.measured.Counts {
			i := slices.IndexFunc(e.Counts, func(o run.Count) bool { return o.Name == c.Name })
			if i < 0 {
				i, e.Counts = len(e.Counts), append(e.Counts, run.Count{Name: c.Name})
			}
			e.Counts[i].Correct += c.Correct
			e.Counts[i].Total += c.Total
		}
		if m.measured.Error != "" && e.Error == "" {
			e.Error = Plain(fmt.Sprintf("%s: %s", m.id, m.measured.Error), run.MaxText)
		}
	}
	if e.Error == "" && !slices.ContainsFunc(e.Counts, func(c run.Count) bool { return c.Total > 0 }) {
		e.Error = "no images were evaluated"
	}
	measured := func(e run.Evaluation) bool { return e.Error == "" }
	if e.Error != "" && !slices.ContainsFunc(l.view.Evaluations, measured) {
		l.fail(&failure.Failure{What: "the evaluation failed", Why: e.Error,
			Try: "check --eval-data " + l.set.EvalData + ", or train without it", Code: failure.Data})
		return
	}
	l.propose(run.EvalDone{Generation: l.view.Generation, Evaluation: e})
}

func (e Answered) happen(l *Lead) {
	l.asked = nil
	breaks := func() {}
	if before := l.view; before.Started && e.State.Generation != before.Generation {
		cause := causeOf(e.Command, before.Group(), e.State.Group())
		breaks = func() { l.ledger.breaks(l.now, cause) }
	}
	if _, commits := e.Command.(run.Commit); commits {
		defer breaks() // what broke before has ended with the step
	} else {
		breaks()
	}
	l.see(e.State)
	switch c := e.Command.(type) {
	case run.Join:
		l.admit(e.Err)
	case run.Surpass:
		l.surpassed(e.Err)
	case run.Rewind:
		if e.Err == nil {
			l.trial = trial{}
			l.do(Rewound{Step: e.State.Step})
		}
	case run.Started:
		l.started(c, e.Err)
	case run.Commit:
		l.committed(c, e.Err)
	case run.Saved:
		l.saved(c, e.Err)
	case run.EvalDone:
		if e.Err == nil {
			l.do(Evaluated{Evaluation: c.Evaluation})
		} else {
			l.refusedEvaluation(c, e.Err)
		}
	case run.Fail:
		if e.Err != nil && l.failure != nil && l.failure.Code != failure.Interrupted {
			l.failure = nil // the run had ended otherwise
		}
	default:
		if e.Err != nil {
			l.late(c, e.Err)
		}
	}
}

// refusedEvaluation ends a run whose workers report counts that are none; a repeat would be the same.
func (l *Lead) refusedEvaluation(c run.EvalDone, err error) {
	if !errors.Is(err, run.ErrInvalid) {
		l.late(c, err)
		return
	}
	l.fail(&failure.Failure{What: fmt.Sprintf("the evaluation of step %d makes no sense", c.Evaluation.Step),
		Why: err.Error(), Try: "use binaries of one build", Code: failure.Internal})
}

// late notes a command that came too late.
func (l *Lead) late(c run.Command, err error) {
	l.do(Note{Text: fmt.Sprintf("%T came too late: %v", c, err)})
}
