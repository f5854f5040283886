package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"byol/coordinator/features"
	"byol/internal/failure"
	"byol/model/linear"
	pb "byol/proto"
)

// The published protocol of fine-tuning (Grill et al. 2020, appendix C.1).
const (
	tuneBatch    = 1024
	tuneMomentum = 0.9
	tuneKeep     = 0.9 // what a running statistic keeps of itself
)

// tuneOptions are which images have labels, and how the encoder is trained on them.
type tuneOptions struct {
	method   string // semi | finetune
	fraction string // semi
	list     string // semi: a file
	rates    []float64
	epochs   []int
	group    int
	seed     uint64
}

const tuneHelp = `
The whole encoder is trained with a new linear layer behind it: random crops and flips, SGD with Nesterov momentum 0.9,
batches of 1,024 (of all images where there are fewer), a learning rate that is stated for a batch of 256, grows with
the batch and falls as a cosine to 0, no weight decay. Batch norm normalises --norm-batch images together, whatever the
batch. Every learning rate with every number of epochs is a candidate; the best on images held out of --train-data (a
tenth, at most 10,009) is judged by --eval-data.

A worker trains a candidate by itself: --workers trains so many side by side, and results do not depend on it. It is
computed by processors alone: --device cpu, which auto stands for here, or reference. States are kept at ends of epochs.

` + subjectHelp

func evalSemi() *cobra.Command {
	e, o := &evalFlags{}, &tuneOptions{method: "semi"}
	cmd := e.tuneCommand(o, "semi RUN_DIR|CKPT|ENCODER", "Fine-tune the encoder on a fraction of the labels",
		"Fine-tune the encoder on the labels of a fraction of --train-data, drawn from each class alike by --seed or named\n"+
			"by --list, as the BYOL paper does with 1% and 10% of ImageNet (appendix C.1).\n"+tuneHelp)
	f := cmd.Flags()
	f.StringVar(&o.fraction, "fraction", "1%", "of each class's images have labels: 1%, 10%, or any other share")
	f.StringVar(&o.list, "list", "", "`FILE` with the names of the images that have labels, one a line")
	return cmd
}

func evalFinetune() *cobra.Command {
	e, o := &evalFlags{}, &tuneOptions{method: "finetune"}
	return e.tuneCommand(o, "finetune RUN_DIR|CKPT|ENCODER", "Fine-tune the encoder on another labelled set",
		"Fine-tune the encoder on all labels of --train-data, which may be another set than it was trained on, with\n"+
			"classes of its own.\n"+tuneHelp)
}

func (e *evalFlags) tuneCommand(o *tuneOptions, use, short, long string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: oneArgument("run directory, checkpoint or encoder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if err := e.check(); err != nil {
				return err
			}
			return untilAsked(cmd, func(ctx context.Context) error { return e.tune(ctx, cmd, args[0], o) })
		}}
	e.addSets(cmd)
	f := cmd.Flags()
	f.Float64SliceVar(&o.rates, "rates", []float64{0.01, 0.02, 0.05, 0.1, 0.005}, "learning rates, of a batch of 256")
	f.IntSliceVar(&o.epochs, "epochs", []int{30, 50}, "numbers of epochs")
	f.IntVar(&o.group, "norm-batch", 64, "images that batch norm normalises together; fewer take less memory")
	f.Uint64Var(&o.seed, "seed", 0, "of the draw, the held-out images, crops, order and first weights")
	e.addJob(cmd)
	return cmd
}

// check refuses numbers that mean nothing.
func (o *tuneOptions) check() error {
	if o.list == "" && o.method == "semi" {
		if _, err := parseFraction(o.fraction); err != nil {
			return err
		}
	}
	o.rates, o.epochs = unique(o.rates), unique(o.epochs)
	if len(o.rates) == 0 || len(o.epochs) == 0 {
		return usage("no candidate was named", "--rates and --epochs have at least one number each", "leave them out")
	}
	for _, r := range o.rates {
		if !(r > 0) || math.IsInf(r, 0) {
			return usage(fmt.Sprintf("--rates cannot have %g", r), "a learning rate is a positive number", "--rates 0.05")
		}
	}
	for _, n := range o.epochs {
		if n < 1 || n > 100_000 {
			return usage(fmt.Sprintf("--epochs cannot have %d", n), "it is from 1 to 100000", "--epochs 30,50")
		}
	}
	if o.group < 1 || o.group > tuneBatch/2 {
		return usage(fmt.Sprintf("--norm-batch cannot be %d", o.group), fmt.Sprintf("it is from 1 to %d", tuneBatch/2),
			"--norm-batch 64")
	}
	return nil
}

// unique drops what comes a second time.
func unique[T comparable](list []T) []T {
	var out []T
	for _, x := range list {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func (e *evalFlags) tune(ctx context.Context, cmd *cobra.Command, path string, o *tuneOptions) error {
	s, err := e.openSubject(path)
	if err != nil {
		return err
	}
	train, eval, warning, err := e.openLabelled(ctx, s)
	if err != nil {
		return err
	}
	defer closeSets(train, eval)
	if e.device == "auto" {
		e.device = "cpu" // accelerators cannot
	}
	t := &tuneJob{o: o, classes: train.names}
	if err := t.split(train, eval); err != nil {
		return err
	}
	show := newPace(cmd.ErrOrStderr(), e.quiet)
	if t.evalJob, err = e.startJob(ctx, show, s, train, eval); err != nil {
		return err
	}
	defer t.Close()
	if err := t.run(ctx, train, eval); err != nil {
		return err
	}
	r := t.result(o.method, train, eval, warning)
	if err := t.judge(&r); err != nil {
		return err
	}
	return t.keep(cmd, r)
}

// tuneJob is the fine-tuning of one encoder.
type tuneJob struct {
	*evalJob
	o       *tuneOptions
	classes []string

	train, held, judged features.Labelled
	kept                *tuneKept
}

// split says which images are trained on, which choose, and which are judged.
func (t *tuneJob) split(train, eval *imageSet) error {
	labels := train.labels(t.classes)
	n := 0
	for _, l := range labels {
		if l >= 0 {
			n++
		}
	}
	pick := func(rows []int, labels []int32, set int) (l features.Labelled) {
		l.Set = set
		for _, row := range rows {
			if labels[row] >= 0 {
				l.Images, l.Labels = append(l.Images, int64(row)), append(l.Labels, labels[row])
			}
		}
		return l
	}
	free, held := linear.HoldOut(labels, linear.Published().HeldOut(n), t.o.seed)
	rows, err := free, error(nil)
	switch {
	case t.o.list != "":
		rows, held, err = t.listed(train, labels, n)
	case t.o.method == "semi":
		var fraction float64
		if fraction, err = parseFraction(t.o.fraction); err == nil {
			rows, err = drawFraction(labels, free, fraction, t.classes, t.o.seed)
		}
	}
	if err != nil {
		return err
	}
	t.train, t.held = pick(rows, labels, 0), pick(held, labels, 0)
	others := eval.labels(t.classes)
	all := make([]int, len(others))
	for i := range all {
		all[i] = i
	}
	t.judged = pick(all, others, 1)
	if len(t.train.Images) < 2 {
		return &failure.Failure{What: "there is nothing to fine-tune on",
			Why: fmt.Sprintf("%d images have a label and are not held out", len(t.train.Images)),
			Try: "more labelled images in --train-data", Code: failure.Data}
	}
	return nil
}

// listed are the rows that the list names, and of the others those that choose.
func (t *tuneJob) listed(train *imageSet, labels []int32, n int) (rows, held []int, err error) {
	f, err := os.Open(t.o.list)
	if err == nil {
		defer f.Close()
		rows, err = listedRows(f, train.images.Len(), train.images.Name)
	}
	if err != nil {
		return nil, nil, usage(fmt.Sprintf("the list %s cannot be used", short(t.o.list)), err.Error(),
			"names of images of --train-data, one a line")
	}
	others := append([]int32(nil), labels...)
	seen := make([]bool, len(t.classes))
	for _, row := range rows {
		if others[row] >= 0 {
			seen[others[row]] = true
		}
		others[row] = -1
	}
	var empty []string
	for class, is := range seen {
		if !is && !slices.Contains(train.leftOut, t.classes[class]) {
			empty = append(empty, t.classes[class])
		}
	}
	if len(empty) > 0 {
		return nil, nil, &failure.Failure{What: fmt.Sprintf("the list %s has no image of some classes", short(t.o.list)),
			Why: some(empty), Try: "a list with images of every class", Code: failure.Data}
	}
	_, held = linear.HoldOut(others, linear.Published().HeldOut(n), t.o.seed)
	return rows, held, nil
}

// candidateName is that of a candidate's files, and how it is listed.
func candidateName(rate float64, epochs int) string {
	return fmt.Sprintf("rate-%g-epochs-%d", rate, epochs)
}

// run trains the candidates that are not finished.
func (t *tuneJob) run(ctx context.Context, train, eval *imageSet) error {
	key := sha256.Sum256(fmt.Append(nil, t.o.method, t.subject.Digest(), train.manifest, eval.manifest, t.classes,
		viewText(t.subject.Sight), t.fingerprint, t.o.group, t.o.seed, t.train, t.held, t.judged))
	var note string
	t.kept, note = openTuneKept(filepath.Join(t.out, "features", fmt.Sprintf("%s-%x", t.o.method, key[:6])))
	if note != "" {
		t.show.say(note)
	}
	p := features.Tuning{Doing: "fine-tuning", Classes: len(t.classes), Train: t.train, Held: t.held, Judged: t.judged}
	for _, epochs := range t.o.epochs {
		for _, rate := range t.o.rates {
			images := int64(epochs) * int64(len(t.train.Images))
			p.Total += images
			if _, done := t.kept.done[candidateName(rate, epochs)]; done {
				p.Done += images
				continue
			}
			p.Tasks = append(p.Tasks, &pb.TuneTask{Rate: rate, Epochs: int32(epochs), Batch: tuneBatch,
				Group: int32(t.o.group), Momentum: tuneMomentum, Keep: tuneKeep, Seed: t.o.seed})
		}
	}
	name := func(i int) string { return candidateName(p.Tasks[i].Rate, int(p.Tasks[i].Epochs)) }
	const words = "%d candidates to train on %s images of %d classes, %s choose, %s judge; %d are there from before"
	t.show.say(fmt.Sprintf(words, len(p.Tasks), grouped(int64(len(t.train.Images))), len(t.classes),
		grouped(int64(len(t.held.Images))), grouped(int64(len(t.judged.Images))),
		len(t.o.rates)*len(t.o.epochs)-len(p.Tasks)))
	p.State = func(i int) []byte { return t.kept.state(name(i)) }
	p.Keep = func(i int, state []byte) error { return t.kept.keep(name(i), state) }
	p.Got = func(i int, r *pb.TuneResult) error {
		got := tuneResult{Rate: p.Tasks[i].Rate, Epochs: int(p.Tasks[i].Epochs), Diverged: r.Diverged,
			Unreadable: r.Unreadable, Held: countOf(r.Held), Judged: countOf(r.Judged)}
		t.show.say(got.words())
		return t.kept.finish(name(i), got)
	}
	return t.Tune(ctx, p)
}

// words say what came of a candidate.
func (r tuneResult) words() string {
	of := fmt.Sprintf("learning rate %g, %d epochs: ", r.Rate, r.Epochs)
	if r.Diverged {
		return of + "diverged"
	}
	return of + percent(float64(r.Held.Top1)/float64(max(r.Held.Images, 1))) + " of the held-out images"
}

// judge chooses a candidate and says what it makes of the images to judge by.
func (t *tuneJob) judge(r *evalResult) error {
	best, ok := t.best()
	if !ok {
		return &failure.Failure{What: "all candidates diverged", Why: "their loss was no finite number any more",
			Try: "--rates with lower ones, such as 0.001", Code: failure.Training}
	}
	r.Figures = []figure{newFigure(t.o.method+"_top1", best.Judged.Top1, best.Judged.Images),
		newFigure(t.o.method+"_top5", best.Judged.Top5, best.Judged.Images)}
	if classes := best.Judged.Classes; classes != nil {
		r.Figures = append(r.Figures, classFigure(t.o.method, classes))
	}
	r.TrainCount = len(t.train.Images)
	r.Unreadable = int(best.Unreadable + best.Held.Missing + best.Judged.Missing)
	r.Settings = map[string]string{"rates": strings.Trim(fmt.Sprint(t.o.rates), "[]"),
		"epochs": strings.Trim(fmt.Sprint(t.o.epochs), "[]"), "batch": fmt.Sprint(tuneBatch),
		"norm_batch": fmt.Sprint(t.o.group), "seed": fmt.Sprint(t.o.seed)}
	switch {
	case t.o.list != "":
		r.Settings["list"] = t.o.list
	case t.o.method == "semi":
		r.Settings["fraction"] = t.o.fraction
	}
	r.Notes = append(r.Notes, fmt.Sprintf("learning rate %g and %d epochs, by top-1 on %s held-out images of --train-data",
		best.Rate, best.Epochs, grouped(best.Held.Images)))
	for _, c := range t.all() {
		r.Notes = append(r.Notes, c.words())
	}
	return nil
}

// all are the results of the candidates, in their order.
func (t *tuneJob) all() (list []tuneResult) {
	for _, epochs := range t.o.epochs {
		for _, rate := range t.o.rates {
			if r, ok := t.kept.done[candidateName(rate, epochs)]; ok {
				list = append(list, r)
			}
		}
	}
	return list
}

// best is the candidate with the most held-out images right; of equals the one with more among the first five, then the
// first. One that diverged is never it.
func (t *tuneJob) best() (best tuneResult, ok bool) {
	for _, c := range t.all() {
		better := c.Held.Top1 > best.Held.Top1 || c.Held.Top1 == best.Held.Top1 && c.Held.Top5 > best.Held.Top5
		if !c.Diverged && (!ok || better) {
			best, ok = c, true
		}
	}
	return best, ok
}
