package coordinator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"byol/coordinator/run"
	"byol/coordinator/target"
	pb "byol/proto"
)

// hearReady takes a worker's word that it has restored the state. Its slice of the target follows.
func (d *driver) hearReady(m *member, r *pb.Ready) error {
	m.ready = r
	if d.target == nil {
		t, err := target.New(r.Parameters, len(d.view.Members))
		if err != nil {
			return d.fail(&Failure{What: fmt.Sprintf("%s has a network that cannot be shared", m.id), Why: err.Error(),
				Try: "fewer workers", Code: ExitUsage})
		}
		d.target = t
		t.BeginRestore()
		d.c.intake.admit(t, d.view.Generation, d.view.Step)
	}
	if have := d.target.Parameters(); r.Parameters != have {
		return d.fail(&Failure{What: fmt.Sprintf("%s has %d parameters, others %d", m.id, r.Parameters, have),
			Why: "workers build different networks from one configuration", Try: "use binaries of one build",
			Code: ExitUsage})
	}
	return d.progress()
}

// progress goes on if everybody has answered.
func (d *driver) progress() error {
	d.progressAt, d.complained = time.Now(), false
	for _, m := range d.members {
		if !d.answered(m) {
			return nil
		}
	}
	switch what := d.collecting.what; {
	case what == evaluations:
		return d.evaluated()
	case what == readiness:
		return d.begin()
	case what == results:
		return d.commit()
	}
	return nil
}

func (d *driver) ids() []string {
	var ids []string
	for _, m := range d.ranked() {
		ids = append(ids, string(m.id))
	}
	return ids
}

// begin gives the go signal, if all workers hold the same.
func (d *driver) begin() error {
	d.c.intake.shut()
	if f := d.checkReady(); f != nil {
		return d.fail(f)
	}
	digest := d.target.NextDigest()
	var digests []*pb.Digests
	for _, m := range d.ranked() {
		digests = append(digests, m.ready.Digests)
	}
	got := incoming{name: "the target network", of: (*pb.Digests).GetTarget}
	got.slices, got.whole = d.target.Received()
	if v := compare(digests, got, nil); v != nil {
		return d.diverged(v)
	}
	d.target.Commit()
	err := d.ask(run.Started{Generation: d.view.Generation, Step: d.view.Step, Target: digest,
		Fingerprint: d.ranked()[0].ready.Fingerprint})
	if errors.Is(err, run.ErrConflict) {
		return d.fail(&Failure{What: "the restored state is not the one that was committed", Why: err.Error(),
			Try: "--resume PATH of another checkpoint, or a new --run-dir", Code: ExitCheckpoint})
	}
	if err != nil && !refused(err) {
		return err
	}
	d.event("run-started", "", fmt.Sprintf("%d workers hold the same state of step %d (generation %d, target %016x)",
		len(digests), d.view.Step, d.view.Generation, digest))
	return nil
}

// checkReady compares what workers compute with and on.
func (d *driver) checkReady() *Failure {
	members, c := d.ranked(), d.c.opts.Config
	var fingerprints, manifests []string
	for _, m := range members {
		fingerprints = append(fingerprints, m.ready.Fingerprint)
		manifests = append(manifests, m.ready.ManifestHash)
	}
	if odd := differing(fingerprints); odd != nil && c.Determinism != "relaxed" {
		m, other := members[odd[0]], members[firstOther(odd)]
		return &Failure{What: fmt.Sprintf("%s computes with other kernels than %s", m.id, other.id),
			Why: fmt.Sprintf("%q and %q may give different bits", m.ready.Fingerprint, other.ready.Fingerprint),
			Try: "the same machine type and build for all workers, or --determinism relaxed", Code: ExitUsage}
	}
	if was, is := d.view.Fingerprint, fingerprints[0]; was != "" && was != is && c.Determinism != "relaxed" {
		return &Failure{What: "the run was computed with other kernels so far", Code: ExitUsage,
			Why: fmt.Sprintf("%q before, %q now, which may give different bits", was, is),
			Try: "go on with the machine type and build it was begun with, or with --determinism relaxed"}
	}
	if odd := differing(manifests); odd != nil {
		m, other := members[odd[0]], members[firstOther(odd)]
		return &Failure{What: fmt.Sprintf("%s sees other images than %s", m.id, other.id),
			Why: fmt.Sprintf("the data manifest is %s there and %s here", m.ready.ManifestHash, other.ready.ManifestHash),
			Try: "the same files for all workers: " + c.Data, Code: ExitData}
	}
	if c.ManifestHash != "" && manifests[0] != c.ManifestHash {
		return &Failure{What: "the images are not those that the run was created with",
			Why: fmt.Sprintf("the data manifest is %s, the run's is %s", manifests[0], c.ManifestHash),
			Try: "bring the files back as they were, or begin a new run", Code: ExitData}
	}
	return nil
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

func (d *driver) diverged(v *divergence) error {
	try := "look for failing memory or a different library on that machine; " + d.resumeHint()
	return d.fail(&Failure{What: v.describe(d.view.Step, d.ids()), Why: "their digests differ, nothing was committed",
		Try: try, Code: ExitTraining})
}

// totals are the figures of a step, added in shard order.
type totals struct {
	loss, probeLoss, probeTop1, std, norm float64
	images                                int64
}

// add sums over shards 0…V−1, each of which must be there once.
func (d *driver) add() (totals, *Failure) {
	members := d.ranked()
	byShard := make([]*pb.ShardResult, d.view.Settings.Shards)
	var t totals
	for _, m := range members {
		for _, s := range m.result.Shards {
			if s.Shard < 0 || int(s.Shard) >= len(byShard) || byShard[s.Shard] != nil {
				return t, &Failure{What: fmt.Sprintf("%s reports shard %d, which is not its own", m.id, s.Shard),
					Try: "use binaries of one build", Code: ExitInternal}
			}
			byShard[s.Shard] = s
		}
		t.std += m.result.EmbeddingStdRatio / float64(len(members))
		t.norm += m.result.GradientNorm / float64(len(members))
	}
	var labelled, correct int64
	for v, s := range byShard {
		if s == nil {
			return t, &Failure{What: fmt.Sprintf("nobody reports shard %d of step %d", v, d.view.Step),
				Try: "use binaries of one build", Code: ExitInternal}
		}
		t.loss += s.LossSum
		t.probeLoss += s.ProbeLossSum
		t.images += s.Images
		labelled += s.Labelled
		correct += s.ProbeCorrect
	}
	t.loss /= float64(max(1, t.images))
	t.probeLoss /= float64(max(1, labelled))
	t.probeTop1 = float64(correct) / float64(max(1, labelled))
	return t, nil
}

// commit makes the step a committed one, if all workers would commit the same, and sends out the new target.
func (d *driver) commit() error {
	d.c.intake.shut()
	members, step, generation := d.ranked(), d.view.Step, d.view.Generation
	var digests []*pb.Digests
	for _, m := range members {
		digests = append(digests, m.result.Digests)
	}
	got := incoming{name: "the online network", of: (*pb.Digests).GetOnline}
	got.slices, got.whole = d.target.Received()
	if v := compare(digests, got, &d.view.Target); v != nil {
		return d.diverged(v)
	}
	t, f := d.add()
	if f != nil {
		return d.fail(f)
	}
	if math.IsNaN(t.loss) || math.IsInf(t.loss, 0) {
		return d.fail(&Failure{What: fmt.Sprintf("the loss of step %d is %v", step, t.loss),
			Why: "the training diverged; nothing of this step was committed",
			Try: "a lower --base-lr, a longer warm-up; " + d.resumeHint(), Code: ExitTraining})
	}
	record := run.Record{Step: step, Generation: generation, Online: digests[0].Online, Momentum: digests[0].Momentum,
		Statistics: digests[0].Statistics, Target: d.target.NextDigest(), Loss: t.loss, Images: t.images,
		UnixNano: time.Now().UnixNano()}
	if err := d.ask(run.Commit{Record: record}); err != nil {
		if refused(err) {
			d.c.opts.Log.Info("step was not committed: " + err.Error())
			return nil
		}
		return err
	}
	d.target.Commit()
	for r, m := range members {
		begin, end := d.target.Span(r)
		m.outbox.push(parcel{span: &span{generation: generation, step: step, offset: begin,
			values: d.target.Current()[begin:end]}})
	}
	d.checkReplay(record)
	d.account(record, t, members)
	return nil
}

// checkReplay compares a step that was run again after a resume with what was committed the first time.
func (d *driver) checkReplay(r run.Record) {
	old, ok := d.replayed[r.Step]
	if parts := r.Differences(old); ok && len(parts) > 0 {
		d.event("replay-differs", "", fmt.Sprintf("step %d was run again and has other bits than before: %s",
			r.Step, strings.Join(parts, ", ")))
	}
	delete(d.replayed, r.Step)
}

// evaluated commits the accuracy that all workers found together.
func (d *driver) evaluated() error {
	e := run.Evaluation{Step: d.view.Step}
	for _, m := range d.ranked() {
		for _, c := range m.eval.Counts {
			i := slices.IndexFunc(e.Counts, func(o run.Count) bool { return o.Name == c.Name })
			if i < 0 {
				i, e.Counts = len(e.Counts), append(e.Counts, run.Count{Name: c.Name})
			}
			e.Counts[i].Correct += c.Correct
			e.Counts[i].Total += c.Total
		}
		if m.eval.Error != "" && e.Error == "" {
			e.Error = fmt.Sprintf("%s: %s", m.id, m.eval.Error)
		}
	}
	if e.Error == "" && (len(e.Counts) == 0 || e.Counts[0].Total == 0) {
		e.Error = "no images were evaluated"
	}
	if e.Error != "" && d.lastEvaluation() == nil {
		return d.fail(&Failure{What: "the evaluation failed", Why: e.Error,
			Try: "check --eval-data " + d.c.opts.Config.EvalData + ", or train without it", Code: ExitData})
	}
	if err := d.propose(run.EvalDone{Generation: d.view.Generation, Evaluation: e}); err != nil {
		return err
	}
	d.accountEvaluation(e)
	return nil
}

// lastEvaluation is the newest one that has figures.
func (d *driver) lastEvaluation() *run.Evaluation {
	for i := len(d.view.Evaluations) - 1; i >= 0; i-- {
		if d.view.Evaluations[i].Error == "" {
			return &d.view.Evaluations[i]
		}
	}
	return nil
}
