package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator/features"
	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/linear"
)

// keepEvery is how often the state of the classifiers is kept.
const keepEvery = 20 * time.Second

// linearOptions are how the classifiers are trained.
type linearOptions struct {
	features string // augmented | cached
	epochs   int    // 0: the protocol's
	seed     uint64
}

func evalLinear() *cobra.Command {
	e, o := &evalFlags{}, linearOptions{}
	cmd := &cobra.Command{Use: "linear RUN_DIR|CKPT|ENCODER", Short: "Train a linear classifier on the frozen features",
		Long: "Train one linear layer on the encoder's features by the protocol of the BYOL paper (appendix C.1): the\n" +
			"encoder frozen, random crops and flips of --train-data in every epoch, centre crops in the test, SGD with\n" +
			"Nesterov momentum 0.9, batches of 1,024, 80 epochs; five learning rates side by side, of which the best on a\n" +
			"held-out tenth of --train-data (at most 10,009 images) is judged by --eval-data.\n\n" +
			"--features cached computes the features of each image once, from its centre: minutes instead of hours, and\n" +
			"not the published protocol.\n\n" + subjectHelp,
		Args: oneArgument("run directory, checkpoint or encoder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.features != "augmented" && o.features != "cached" {
				return usage(fmt.Sprintf("--features cannot be %q", o.features), "it is augmented or cached",
					"--features cached, for minutes instead of hours")
			}
			if o.epochs < 0 || o.epochs > 100_000 {
				return usage(fmt.Sprintf("--epochs cannot be %d", o.epochs), "it is from 1 to 100000", "leave it out for the "+
					"published 80")
			}
			if err := e.check(); err != nil {
				return err
			}
			return untilAsked(cmd, func(ctx context.Context) error { return e.linear(ctx, cmd, args[0], o) })
		}}
	e.addSets(cmd)
	f := cmd.Flags()
	f.StringVar(&o.features, "features", "augmented", "augmented: the published protocol; cached: of each image once")
	f.IntVar(&o.epochs, "epochs", 0, "of the training (default: 80, more where these are less than 3,000 steps)")
	f.Uint64Var(&o.seed, "seed", 0, "of crops, order, first weights and the held-out images")
	offer(cmd, "features", []string{"augmented", "cached"}, false)
	e.addJob(cmd)
	return cmd
}

func (e *evalFlags) linear(ctx context.Context, cmd *cobra.Command, path string, o linearOptions) error {
	return e.judging(ctx, cmd, path, func(j *evalJob, train, eval *imageSet, warning string) error {
		t, err := j.newLinear(train, o)
		if err != nil {
			return err
		}
		defer t.close()
		if o.features == "cached" {
			err = t.fitCached(ctx)
		} else {
			err = t.fitAugmented(ctx)
		}
		if err != nil {
			return err
		}
		r := j.result("linear", train, eval, warning)
		if err := t.judge(ctx, eval, &r); err != nil {
			return err
		}
		return j.keep(cmd, r)
	})
}

// linearJob is the training of the classifiers.
type linearJob struct {
	*evalJob
	o          linearOptions
	p          linear.Protocol
	train      *imageSet
	labels     []int32
	dev        device.Device
	fit        *linear.Fit
	state      string // file
	kept       time.Time
	best       int             // the rate that was chosen
	chosen     []linear.Counts // by rate, of the rows that choose
	unreadable int
}

// newLinear plans the training, and takes up one that was stopped.
func (j *evalJob) newLinear(train *imageSet, o linearOptions) (*linearJob, error) {
	t := &linearJob{evalJob: j, o: o, train: train, labels: train.labels(train.names), kept: time.Now()}
	n := 0
	for _, label := range t.labels {
		if label >= 0 {
			n++
		}
	}
	t.p = linear.PublishedFor(n)
	t.p.Seed = o.seed
	if o.epochs > 0 {
		t.p.Epochs = o.epochs
	}
	var err error
	if t.dev, err = cpu.New(cpu.Options{ISA: j.flags.isa}); err != nil {
		return nil, usage("the classifiers cannot be trained on this processor", err.Error(), "--isa auto")
	}
	if t.fit, err = linear.New(t.dev, t.p, j.dim, len(train.names), t.labels); err != nil {
		return nil, errors.Join(&failure.Failure{What: "the classifiers cannot be trained", Why: err.Error(),
			Code: failure.Data, Try: "more labelled images in --train-data"}, t.dev.Close())
	}
	identity := fmt.Append(nil, o.features, j.subject.Digest(), train.manifest, viewText(j.subject.Sight), j.fingerprint,
		t.p)
	if len(train.leftOut) > 0 {
		identity = fmt.Append(identity, train.leftOut)
	}
	key := sha256.Sum256(identity)
	t.state = filepath.Join(j.out, "features", fmt.Sprintf("linear-%x.state", key[:6]))
	kept, err := os.ReadFile(t.state)
	if err == nil {
		err = t.fit.Restore(kept)
	}
	done, total := t.fit.Steps()
	switch {
	case err == nil:
		j.show.say(fmt.Sprintf("going on at step %s of %s of the classifiers", grouped(int64(done)), grouped(int64(total))))
	case !errors.Is(err, os.ErrNotExist):
		j.show.say("the classifiers begin again: " + err.Error())
	}
	return t, nil
}

func (t *linearJob) close() { _ = errors.Join(t.fit.Close(), t.dev.Close()) } // there is nothing left to lose

// keepState keeps the state of the classifiers now and then, and when the training is over or is given up.
func (t *linearJob) keepState(now bool) error {
	if !now && time.Since(t.kept) < keepEvery {
		return nil
	}
	t.kept = time.Now()
	err := os.MkdirAll(filepath.Dir(t.state), 0o755)
	if err == nil {
		err = atomicfile.Write(t.state, t.fit.Save())
	}
	if err != nil {
		return &failure.Failure{What: "cannot keep the state of the classifiers", Why: err.Error(),
			Try: "--out with a place that has room", Code: failure.Checkpoint}
	}
	return nil
}

// fitCached trains on features that are computed once.
func (t *linearJob) fitCached(ctx context.Context) error {
	store, err := t.store(ctx, 0, t.train)
	if err != nil {
		return err
	}
	defer store.Close()
	t.unreadable = len(store.Unreadable())
	kept := newKept(store, t.dim)
	for !t.fit.Done() {
		if ctx.Err() != nil {
			return errors.Join(t.keepState(true), context.Cause(ctx))
		}
		if err := t.fit.Step(ctx, kept); err != nil {
			return err
		}
		if err := t.keepState(t.fit.Done()); err != nil {
			return err
		}
		done, total := t.fit.Steps()
		t.show.progress(features.Progress{Doing: "steps of the classifiers", Done: int64(done), Total: int64(total),
			Workers: 1})
	}
	t.best, t.chosen, err = t.fit.Choose(ctx, kept)
	return err
}

// fitAugmented trains on other crops in each epoch, which the workers encode ahead.
func (t *linearJob) fitAugmented(ctx context.Context) error {
	first, total := t.fit.Steps()
	parts := (t.p.Batch + blockImages - 1) / blockImages
	plan := &stepPlan{fit: t.fit, first: first, parts: parts, steps: map[int]stepRows{}}
	perStep := float64(t.fit.Trained()) * float64(t.p.Epochs) / float64(total)
	var batch batchFeatures
	at := 0
	err := t.Features(ctx, features.Request{Doing: "crops for the classifiers", Random: true, Seed: t.o.seed,
		Tasks: (total - first) * parts, Task: plan.task, Done: int64(float64(first) * perStep),
		Total: int64(t.fit.Trained()) * int64(t.p.Epochs)}, func(b features.Block) error {
		for _, u := range b.Unreadable {
			batch.missing = append(batch.missing, len(batch.x)/t.dim+u.At)
		}
		batch.x = append(batch.x, b.Data...)
		if at++; at%parts > 0 {
			return nil
		}
		if err := t.fit.Step(ctx, &batch); err != nil {
			return err
		}
		batch.x, batch.missing = batch.x[:0], batch.missing[:0]
		done, _ := t.fit.Steps()
		plan.forget(done)
		return t.keepState(t.fit.Done())
	})
	if err != nil {
		return errors.Join(err, t.keepState(true))
	}
	held, err := t.holdOut(ctx)
	if err != nil {
		return err
	}
	t.best, t.chosen, err = t.fit.Choose(ctx, held)
	return err
}

// holdOut computes the features of the rows that choose.
func (t *linearJob) holdOut(ctx context.Context) (linear.Features, error) {
	held := t.fit.Held()
	m := &memoryFeatures{dim: t.dim, at: make(map[int]int, len(held)), missing: map[int]bool{}}
	for i, row := range held {
		m.at[row] = i
	}
	return m, t.Features(ctx, features.Request{Doing: "features of held-out images", Total: int64(len(held)),
		Tasks: (len(held) + blockImages - 1) / blockImages, Task: func(i int) (images []int64, epoch int64) {
			for _, row := range held[i*blockImages : min((i+1)*blockImages, len(held))] {
				images = append(images, int64(row))
			}
			return images, 0
		}}, func(b features.Block) error {
		for _, u := range b.Unreadable {
			m.missing[int(b.Images[u.At])] = true
		}
		m.x = append(m.x, b.Data...)
		return nil
	})
}

// judge counts what the classifier of the chosen rate makes of the images to judge by.
func (t *linearJob) judge(ctx context.Context, eval *imageSet, r *evalResult) error {
	test, err := t.store(ctx, 1, eval)
	if err != nil {
		return err
	}
	defer test.Close()
	counts, err := t.fit.Score(ctx, newKept(test, t.dim), eval.labels(t.train.names))
	if err != nil {
		return err
	}
	c := counts[t.best]
	r.Figures = []figure{newFigure("linear_top1", c.Top1, c.Images), newFigure("linear_top5", c.Top5, c.Images),
		classFigure("linear", c.Classes)}
	r.Unreadable = t.unreadable + len(test.Unreadable())
	r.Settings = map[string]string{"features": t.o.features, "epochs": fmt.Sprint(t.p.Epochs),
		"batch": fmt.Sprint(t.p.Batch), "rates": strings.Trim(fmt.Sprint(t.p.Rates), "[]"), "seed": fmt.Sprint(t.p.Seed)}
	var by []string
	for i, h := range t.chosen {
		by = append(by, fmt.Sprintf("%g: %s", t.p.Rates[i], percent(float64(h.Top1)/float64(max(h.Images, 1)))))
	}
	r.Notes = append(r.Notes, fmt.Sprintf("learning rate %g, by top-1 on %s held-out images of --train-data (%s)",
		t.p.Rates[t.best], grouped(int64(len(t.fit.Held()))), strings.Join(by, ", ")))
	if t.o.features == "cached" {
		r.Notes = append(r.Notes, "features computed once from the centre of each image: not the published protocol, which "+
			"crops and flips in every epoch")
	}
	return nil
}

// stepRows are the rows of a step of the classifiers, and its epoch.
type stepRows struct {
	rows  []int
	epoch int
}

// stepPlan cuts steps into tasks. It is asked from several goroutines.
type stepPlan struct {
	fit          *linear.Fit
	first, parts int

	mu    sync.Mutex // guards steps, and Fit.Rows
	steps map[int]stepRows
}

// task is the images of task i, and their epoch.
func (p *stepPlan) task(i int) (images []int64, epoch int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	step, part := p.first+i/p.parts, i%p.parts
	s, ok := p.steps[step]
	if !ok {
		epoch, rows := p.fit.Rows(step)
		s = stepRows{append([]int(nil), rows...), epoch}
		p.steps[step] = s
	}
	n := len(s.rows)
	for _, row := range s.rows[n*part/p.parts : n*(part+1)/p.parts] {
		images = append(images, int64(row))
	}
	return images, int64(s.epoch)
}

// forget drops the steps before done.
func (p *stepPlan) forget(done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for step := range p.steps {
		if step < done {
			delete(p.steps, step)
		}
	}
}

// batchFeatures is a linear.Features of the rows of one step, in its order.
type batchFeatures struct {
	x       []float32
	missing []int
}

// Rows implements linear.Features.
func (b *batchFeatures) Rows(_ context.Context, _ int, rows []int, out []float32) ([]int, error) {
	if copy(out, b.x) != len(b.x) {
		return nil, fmt.Errorf("%d rows are asked for, others were computed", len(rows))
	}
	return b.missing, nil
}

// memoryFeatures is a linear.Features of rows in memory.
type memoryFeatures struct {
	x       []float32
	dim     int
	at      map[int]int // where a row is
	missing map[int]bool
}

// Rows implements linear.Features.
func (m *memoryFeatures) Rows(_ context.Context, _ int, rows []int, out []float32) (missing []int, err error) {
	for i, row := range rows {
		copy(out[i*m.dim:][:m.dim], m.x[m.at[row]*m.dim:])
		if m.missing[row] {
			missing = append(missing, i)
		}
	}
	return missing, nil
}

// keptFeatures is a linear.Features of a store.
type keptFeatures struct {
	store   *features.Store
	dim     int
	missing map[int]string
}

func newKept(s *features.Store, dim int) *keptFeatures { return &keptFeatures{s, dim, s.Unreadable()} }

// Rows implements linear.Features.
func (k *keptFeatures) Rows(_ context.Context, _ int, rows []int, out []float32) (missing []int, err error) {
	for i, row := range rows {
		if _, bad := k.missing[row]; bad {
			missing = append(missing, i)
		}
	}
	return missing, readRows(k.store, rows, k.dim, out)
}
