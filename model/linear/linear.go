// Package linear trains the classifier by which an encoder is judged: one linear layer on frozen features, for several
// learning rates side by side on the same batches, of which the best on a held-out part of the training set is the
// result (Grill et al. 2020, C.1: "linear evaluation").
//
// How it is used:
//
//	p := linear.PublishedFor(len(labels))
//	f, err := linear.New(dev, p, dim, classes, labels)    // labels of the training set, −1: none
//	f.Restore(bytes)                                      // to go on where Save was called
//	for !f.Done() { f.Step(ctx, features) }               // f.Steps() says how far; f.Save() at any time between
//	best, heads, err := f.Choose(ctx, features)           // counts of every head on the held-out part
//	counts, err := f.Score(ctx, test, labelsOfTest)       // by head; counts[best] is the result
//	low, high := counts[best].Interval()                  // of top-1, 95 %
//
// Features is where rows come from, whatever computes them: Cached, or workers that encode another random crop of each
// image in every epoch. Fit says which rows of which epoch it wants, in an order that is a pure function of the seed
// (Fit.Rows tells those of any step, so that a source may work ahead).
//
// Equal bits. The weights are a pure function of the protocol and the features: sums are made by the device, whose
// order depends on shapes alone, never on threads, and updates multiply and add in float32 each rounded by itself.
// Heads do not see one another: a head's weights are those it would have alone, and one that diverges spoils no other.
//
// Ownership. A Fit is used by one goroutine, starts none, and has its memory in a scope of the device, which Close
// gives back.
//
// When it fails: New and Restore say what does not fit. A feature that is no finite number is a *NotFiniteError, which
// names the row. After an error of Step the weights are those of the step before, and the step may be made again, but
// after a fault of the device only Close is of use.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"byol/model/device"
	"byol/model/optim"
)

// Still is the epoch of rows that are not for training: their images are cropped at the centre and not augmented.
const Still = -1

// Features is a labelled set whose rows can be asked for.
type Features interface {
	// Rows writes the features of rows to out [len(rows)][dim]. epoch, from 0 on, says which random crop of each image;
	// Still: none. missing are the indices into rows of images that cannot be read; they are left out and counted.
	Rows(ctx context.Context, epoch int, rows []int, out []float32) (missing []int, err error)
}

// Cached is a Features of rows that were computed once: X [n][Dim], the same in every epoch.
type Cached struct {
	X   []float32
	Dim int
}

// Rows implements Features.
func (c Cached) Rows(_ context.Context, _ int, rows []int, out []float32) ([]int, error) {
	for i, r := range rows {
		copy(out[i*c.Dim:][:c.Dim], c.X[r*c.Dim:][:c.Dim])
	}
	return nil, nil
}

// Protocol is how the classifier is trained.
type Protocol struct {
	// Rates are base learning rates, one head each. The rate of a step is that of a batch of 256, scaled linearly with
	// Batch, falling as a cosine to 0 over all steps.
	Rates    []float64
	Batch    int // the most rows of a step: an epoch is cut evenly
	Epochs   int
	Momentum float64 // Nesterov's
	// HeldFraction of the training set, and HeldMost rows at most, choose the head and train none.
	HeldFraction float64
	HeldMost     int
	Seed         uint64 // of first weights, order, and the held-out part
}

// Published is the published protocol: no decay, no regularisation, no normalisation of features. Rates are scaled
// by Batch/256 as in the released code, whose base rate of 0.2 is the middle of the paper's sweep.
func Published() Protocol {
	return Protocol{Rates: []float64{0.4, 0.3, 0.2, 0.1, 0.05}, Batch: 1024, Epochs: 80, Momentum: 0.9,
		HeldFraction: 0.1, HeldMost: 10_009}
}

// fewest steps that a training makes; 80 epochs of 50,000 images in batches of 1,024 are more.
const fewest = 3000

// PublishedFor is the published protocol for a training set of n rows. Where its 80 epochs would be fewer than 3,000
// steps, as for less than some 40,000 rows, there are more epochs: the classifier would be judged before it is
// trained, whatever its learning rate.
func PublishedFor(n int) Protocol {
	p := Published()
	steps := max(1, (n-p.HeldOut(n)+p.Batch-1)/p.Batch)
	p.Epochs = max(p.Epochs, (fewest+steps-1)/steps)
	return p
}

// HeldOut is how many of n rows choose the head.
func (p Protocol) HeldOut(n int) int { return min(int(p.HeldFraction*float64(n)), p.HeldMost) }

func (p Protocol) check() error {
	switch {
	case len(p.Rates) == 0:
		return errors.New("no learning rate")
	case p.Batch < 1:
		return fmt.Errorf("batch of %d rows: want at least 1", p.Batch)
	case p.Epochs < 1:
		return fmt.Errorf("%d epochs: want at least 1", p.Epochs)
	case !(p.Momentum >= 0 && p.Momentum < 1):
		return fmt.Errorf("momentum %g: want at least 0 and less than 1", p.Momentum)
	case !(p.HeldFraction >= 0 && p.HeldFraction < 1):
		return fmt.Errorf("held-out fraction %g: want at least 0 and less than 1", p.HeldFraction)
	}
	for _, r := range p.Rates {
		if !(r > 0) || math.IsInf(r, 0) {
			return fmt.Errorf("learning rate %g: want a positive number", r)
		}
	}
	return nil
}

// Fit is one training of all heads.
type Fit struct {
	p      Protocol
	dim    int
	labels []int32 // of the training set
	order  order
	ahead  order // of Rows, so that a source may ask while it is asked
	held   []int
	heads  *heads
	step   int
	scope  func() error

	x    []float32 // [Batch][dim]
	own  []int32   // labels of the batch
	lost int       // rows of training that were missing
}

// New plans a training on dev, of rows with these labels in classes. Rows whose label is negative are left out.
func New(dev device.Device, p Protocol, dim, classes int, labels []int32) (*Fit, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("plan linear classifier: %w", err)
	}
	if dim < 1 || classes < 1 {
		return nil, fmt.Errorf("plan linear classifier: %d classes of %d features: want at least 1 of each", classes, dim)
	}
	if err := checkLabels(labels, classes); err != nil {
		return nil, fmt.Errorf("plan linear classifier: %w", err)
	}
	train, held := HoldOut(labels, p.HeldOut(labelled(labels)), p.Seed)
	if len(train) == 0 {
		return nil, errors.New("plan linear classifier: no row with a label is left to train on")
	}
	f := &Fit{p: p, dim: dim, labels: labels, held: held, order: newOrder(train, p.Batch, p.Seed),
		ahead: newOrder(train, p.Batch, p.Seed), x: make([]float32, p.Batch*dim), own: make([]int32, p.Batch)}
	scope, release := device.Scope(dev)
	f.scope = release
	var err error
	if f.heads, err = newHeads(scope, shape{heads: len(p.Rates), classes: classes, dim: dim, batch: p.Batch}); err != nil {
		return nil, errors.Join(fmt.Errorf("plan linear classifier: %w", err), release())
	}
	f.heads.draw(p.Seed)
	return f, nil
}

// Close gives the device's memory back.
func (f *Fit) Close() error { return f.scope() }

func labelled(labels []int32) int {
	n := 0
	for _, l := range labels {
		if l >= 0 {
			n++
		}
	}
	return n
}

func checkLabels(labels []int32, classes int) error {
	for i, l := range labels {
		if int(l) >= classes {
			return fmt.Errorf("row %d has label %d of %d classes", i, l, classes)
		}
	}
	return nil
}

// Steps is how many steps were made, and how many there are.
func (f *Fit) Steps() (done, total int) { return f.step, f.p.Epochs * f.order.steps() }

// Done reports whether the last step was made.
func (f *Fit) Done() bool {
	done, total := f.Steps()
	return done >= total
}

// Held are the rows of the training set that choose the head, ascending.
func (f *Fit) Held() []int { return f.held }

// Trained is how many rows an epoch has.
func (f *Fit) Trained() int { return len(f.order.rows) }

// Missing is how many rows could not be read in the steps so far, once for each time they were asked for.
func (f *Fit) Missing() int { return f.lost }

// Rows are those that a step trains on, and its epoch. The slice is the caller's until the next call.
func (f *Fit) Rows(step int) (epoch int, rows []int) { return f.ahead.batch(step) }

// Step trains all heads on the next batch.
func (f *Fit) Step(ctx context.Context, train Features) error {
	if f.Done() {
		return nil
	}
	epoch, rows := f.order.batch(f.step)
	present, err := f.read(ctx, source{train, f.labels, epoch}, rows)
	if err != nil {
		return fmt.Errorf("step %d: %w", f.step, err)
	}
	rates := make([]float32, len(f.p.Rates))
	for i, base := range f.p.Rates {
		s := optim.Schedule{BaseLR: base, Batch: f.p.Batch, Total: int64(f.p.Epochs * f.order.steps())}
		rates[i] = float32(s.LR(int64(f.step)))
	}
	if present > 0 {
		if err := f.heads.step(f.x, f.own[:len(rows)], present, update{rates, float32(f.p.Momentum)}); err != nil {
			return fmt.Errorf("step %d: %w", f.step, err)
		}
	}
	f.lost += len(rows) - present
	f.step++
	return nil
}

// source is a set with its labels, and which crop of it.
type source struct {
	Features
	labels []int32
	epoch  int
}

// read fills x and own with rows; those that are missing have no label and zeros. It returns how many are there.
func (f *Fit) read(ctx context.Context, from source, rows []int) (present int, err error) {
	x := f.x[:len(rows)*f.dim]
	missing, err := from.Rows(ctx, from.epoch, rows, x)
	if err != nil {
		return 0, fmt.Errorf("read features: %w", err)
	}
	for i, r := range rows {
		f.own[i] = from.labels[r]
	}
	for _, i := range missing {
		f.own[i] = -1
		clear(x[i*f.dim:][:f.dim])
	}
	for i, r := range rows {
		for j, v := range x[i*f.dim:][:f.dim] {
			if v-v != 0 {
				return 0, &NotFiniteError{Row: r, Feature: j, Value: v}
			}
		}
	}
	return labelled(f.own[:len(rows)]), nil
}

// NotFiniteError says that a feature is no number.
type NotFiniteError struct {
	Row, Feature int
	Value        float32
}

// Error implements error.
func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("feature %d of row %d is %v", e.Feature, e.Row, e.Value)
}

// Score counts what every head makes of a set. Rows without a label are left out.
func (f *Fit) Score(ctx context.Context, test Features, labels []int32) ([]Counts, error) {
	if err := checkLabels(labels, f.heads.classes); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	rows := make([]int, 0, len(labels))
	for i, l := range labels {
		if l >= 0 {
			rows = append(rows, i)
		}
	}
	return f.score(ctx, source{test, labels, Still}, rows)
}

func (f *Fit) score(ctx context.Context, from source, rows []int) ([]Counts, error) {
	counts := make([]Counts, len(f.p.Rates))
	for part := range slices.Chunk(rows, f.p.Batch) {
		present, err := f.read(ctx, from, part)
		if err != nil {
			return nil, fmt.Errorf("score: %w", err)
		}
		if err := f.heads.score(f.x, f.own[:len(part)], counts); err != nil {
			return nil, fmt.Errorf("score: %w", err)
		}
		for i := range counts {
			counts[i].Missing += int64(len(part) - present)
		}
	}
	return counts, nil
}

// Choose counts what every head makes of the held-out rows, and chooses the one with the most right; of equals, the
// one with more among the first five, then the first. With one rate, or nothing held out, it is the first.
func (f *Fit) Choose(ctx context.Context, train Features) (best int, counts []Counts, err error) {
	if counts, err = f.score(ctx, source{train, f.labels, Still}, f.held); err != nil {
		return 0, nil, fmt.Errorf("choose a learning rate: %w", err)
	}
	for i, c := range counts {
		b := counts[best]
		if c.Top1 > b.Top1 || c.Top1 == b.Top1 && c.Top5 > b.Top5 {
			best = i
		}
	}
	return best, counts, nil
}

// Head copies a head: weight [classes][dim] and bias [classes].
func (f *Fit) Head(i int) (weight, bias []float32) { return f.heads.head(i) }
