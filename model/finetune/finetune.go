// Package finetune trains a whole encoder on labelled images, with a new linear layer behind it: how an encoder is
// judged where few images have labels, and on other data than it was trained on (Grill et al. 2020, C.1 and D). It is
// stochastic gradient descent with Nesterov's momentum on the mean cross entropy, with no decay and no regularisation;
// the learning rate falls as a cosine to 0.
//
// Batch norm is in training mode with local statistics, as in the released code: Config.Group images are normalised
// together, and the gradients of a batch are summed over its groups, so that memory does not grow with the batch. Two
// groups are computed in one pass, in the places of BYOL's two views. Judging uses running statistics.
//
// Batches are always full: the images follow one another in one endless stream of permutations, one an epoch, and a
// step takes the next Batch of them. Picks tells which those are, so that a source of images may work ahead.
//
// Equal bits. The weights are a pure function of the configuration, the first weights and the images: device sums
// depend on shapes alone, groups are added in order, updates are rounded step by step. Broken off between two steps and
// restored, a training ends with the same bits.
//
// Ownership. A Training is used by one goroutine, starts none, and has its memory in a scope of the device, which Close
// gives back.
//
// When it fails: New, Load and Restore say what does not fit. A loss that is no finite number ends the training:
// ErrDiverged, and the state is void. After any other error of Step the step may be made again.
package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"

	"byol/model/device"
	"byol/model/engine"
	"byol/model/linear"
	"byol/model/optim"
)

// ErrDiverged says that the loss is no finite number any more: the learning rate is too high.
var ErrDiverged = errors.New("finetune: the loss is not a finite number")

// Pick is an image as it is seen in an epoch, or linear.Still: not augmented.
type Pick struct{ Row, Epoch int }

// Images are what is trained and judged on.
type Images interface {
	// Read writes the picked images to out [len(picks)][side][side][3], and to readable whether each could be decoded; one
	// that could not leaves zeros. In training such an image has no label, in judging it is left out and counted.
	Read(ctx context.Context, picks []Pick, out []float32, readable []bool) error
}

// Config is how an encoder is trained.
type Config struct {
	Network engine.Network // of its heads only Classes matters
	// Rate is the base learning rate, that of a batch of 256. It grows linearly with the batch.
	Rate     float64
	Batch    int // images of a step
	Group    int // images that are normalised together
	Epochs   int
	Momentum float64 // Nesterov's
	Keep     float64 // what a running statistic keeps of itself when it moves
	Seed     uint64  // of the linear layer's first weights and of the order of images
}

// Fitted is the configuration for n images: where they are fewer than a batch, the batch is as many as make whole pairs
// of groups, and where they do not make one pair, a group is half of them.
func (c Config) Fitted(n int) Config {
	c.Group = min(c.Group, max(n/2, 1))
	pair := 2 * c.Group
	c.Batch = max(min(c.Batch, n)/pair, 1) * pair
	return c
}

func (c Config) check(n int) error {
	switch {
	case n < 2:
		return fmt.Errorf("%d images with a label: want at least 2", n)
	case c.Network.Classes < 1:
		return fmt.Errorf("%d classes: want at least 1", c.Network.Classes)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("learning rate %g: want a positive number", c.Rate)
	case c.Group < 1 || c.Batch < 1:
		return fmt.Errorf("batch of %d images in groups of %d: want at least 1", c.Batch, c.Group)
	case c.Epochs < 1:
		return fmt.Errorf("%d epochs: want at least 1", c.Epochs)
	case !(c.Momentum >= 0 && c.Momentum < 1):
		return fmt.Errorf("momentum %g: want at least 0 and less than 1", c.Momentum)
	case !(c.Keep >= 0 && c.Keep < 1):
		return fmt.Errorf("statistics that keep %g of themselves: want at least 0 and less than 1", c.Keep)
	}
	return nil
}

// Training is one training.
type Training struct {
	c      Config
	rows   []int
	labels []int32 // of rows
	stream stream
	ahead  stream // of Picks, so that a source may ask while it is asked
	net    *network

	theta, momentum, gradient []float32
	statistics                []float32
	step                      int

	x        []float32
	own      []int32
	readable []bool
}

// New plans a training on rows of a set, with their labels, which are at least 0. It computes nothing of use before
// Load or Restore.
func New(dev device.Device, c Config, rows []int, labels []int32) (*Training, error) {
	if len(rows) != len(labels) {
		panic("finetune: as many labels as rows")
	}
	if err := c.check(len(rows)); err != nil {
		return nil, fmt.Errorf("plan fine-tuning: %w", err)
	}
	for i, l := range labels {
		if l < 0 || int(l) >= c.Network.Classes {
			return nil, fmt.Errorf("plan fine-tuning: row %d has label %d of %d classes", rows[i], l, c.Network.Classes)
		}
	}
	c = c.Fitted(len(rows))
	net, err := newNetwork(dev, c)
	if err != nil {
		return nil, fmt.Errorf("plan fine-tuning: %w", err)
	}
	pair := 2 * c.Group
	t := &Training{c: c, rows: rows, labels: labels, stream: newStream(len(rows), c.Seed),
		ahead: newStream(len(rows), c.Seed), net: net, x: make([]float32, pair*net.imageLen()), own: make([]int32, pair),
		readable: make([]bool, pair)}
	for _, v := range []*[]float32{&t.theta, &t.momentum, &t.gradient} {
		*v = make([]float32, net.layout.Size)
	}
	t.statistics = make([]float32, net.layout.Statistics)
	return t, nil
}

// Close gives the device's memory back.
func (t *Training) Close() error { return t.net.free() }

// Config is the configuration as it fits the number of images.
func (t *Training) Config() Config { return t.c }

// Steps is how many steps were made, and how many there are.
func (t *Training) Steps() (done, total int) {
	return t.step, int(max(optim.Steps(int64(len(t.rows)), t.c.Batch, float64(t.c.Epochs)), 1))
}

// Epoch is how many whole epochs the steps so far are.
func (t *Training) Epoch() int { return t.step * t.c.Batch / len(t.rows) }

// Done reports whether the last step was made.
func (t *Training) Done() bool {
	done, total := t.Steps()
	return done >= total
}

// passes is how many make a step.
func (t *Training) passes() int { return t.c.Batch / (2 * t.c.Group) }

// Picks are the images of the k-th call of Images.Read by Step, counted over all steps, or nil behind the last.
func (t *Training) Picks(k int) []Pick {
	if _, total := t.Steps(); k >= total*t.passes() {
		return nil
	}
	picks := t.ahead.picks(k*2*t.c.Group, 2*t.c.Group)
	for i := range picks {
		picks[i].Row = t.rows[picks[i].Row]
	}
	return picks
}

// Reads is how many calls of Images.Read the steps so far have made.
func (t *Training) Reads() int { return t.step * t.passes() }

// Step makes a step: loss is the mean cross entropy of its images, and correct how many were right.
func (t *Training) Step(ctx context.Context, images Images) (loss float64, correct int, err error) {
	if t.Done() {
		return 0, 0, nil
	}
	clear(t.gradient)
	t.net.use(t.theta, t.statistics)
	before := append([]float32(nil), t.statistics...)
	for k := range t.passes() {
		l, n, err := t.pass(ctx, images, t.Reads()+k)
		if err != nil {
			copy(t.statistics, before)
			return 0, 0, fmt.Errorf("step %d: %w", t.step, err)
		}
		loss, correct = loss+l, correct+n
	}
	loss /= float64(t.c.Batch)
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, correct, fmt.Errorf("step %d, base learning rate %g: %w", t.step, t.c.Rate, ErrDiverged)
	}
	_, total := t.Steps()
	s := optim.Schedule{BaseLR: t.c.Rate, Batch: t.c.Batch, Total: int64(total)}
	optim.Nesterov(t.theta, t.momentum, t.gradient, float32(s.LR(int64(t.step))), float32(t.c.Momentum))
	t.step++
	return loss, correct, nil
}

// pass adds the gradient of two groups.
func (t *Training) pass(ctx context.Context, images Images, k int) (loss float64, correct int, err error) {
	picks := t.stream.picks(k*2*t.c.Group, 2*t.c.Group)
	for i, p := range picks {
		t.own[i], picks[i].Row = t.labels[p.Row], t.rows[p.Row]
	}
	if err := images.Read(ctx, picks, t.x, t.readable); err != nil {
		return 0, 0, fmt.Errorf("read images: %w", err)
	}
	for i, ok := range t.readable {
		if !ok {
			t.own[i] = -1
		}
	}
	return t.net.pass(t.x, t.own, t.gradient)
}

// Score counts what the network makes of rows with these labels. One with a negative label is left out.
func (t *Training) Score(ctx context.Context, images Images, rows []int, labels []int32) (linear.Counts, error) {
	var c linear.Counts
	t.net.use(t.theta, t.statistics)
	for at := 0; at < len(rows); at += t.c.Group {
		n := min(t.c.Group, len(rows)-at)
		picks := make([]Pick, n)
		for i := range picks {
			picks[i] = Pick{rows[at+i], linear.Still}
		}
		if err := images.Read(ctx, picks, t.x[:n*t.net.imageLen()], t.readable[:n]); err != nil {
			return c, fmt.Errorf("score: read images: %w", err)
		}
		logits, err := t.net.evaluate(t.x, n)
		if err != nil {
			return c, fmt.Errorf("score: %w", err)
		}
		for i, ok := range t.readable[:n] {
			label := labels[at+i]
			switch {
			case label < 0:
			case !ok:
				c.Missing++
			default:
				c.Add(logits[i*t.c.Network.Classes:][:t.c.Network.Classes], int(label))
			}
		}
	}
	return c, nil
}
