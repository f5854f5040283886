package eval

import (
	"context"

	"byol/internal/vector"
	"byol/worker/knn"
)

// Sizes of an evaluation.
const (
	bankImages = 50_000 // the most training images that serve as the bank
	bankBlock  = 4096   // of them are encoded and shared at once
	readAtOnce = 256    // images are decoded and encoded together
	pixelsSide = 32     // raw pixels are compared at this size at most
)

// The names of the counts.
const (
	KNNTop1    = "knn_top1"    // queries whose neighbours among the encoder's features vote for the right class
	PixelsTop1 = "pixels_top1" // the same with raw pixels as features
	ProbeTop1  = "probe_top1"  // queries for whose class the probe has the largest logit
)

// Neighbours holds the constants of the vote of the nearest neighbours; zeros are the defaults.
type Neighbours struct {
	K           int
	Temperature float64
	Pixels      bool // count with raw pixels as features, too
}

const (
	defaultK           = 200
	defaultTemperature = 0.1
)

// Measure is a Method: each rank finds the bank's nearest images of its queries, which vote for a class.
func (o Neighbours) Measure(ctx context.Context, s Setup) ([]Count, error) {
	v, err := o.newVote(s)
	if err != nil {
		return nil, err
	}
	own := vector.Part(s.Queries.Len(), s.Ranks.Rank(), s.Ranks.Size())
	if err := v.readQueries(ctx, own); err != nil {
		return nil, err
	}
	for at := 0; at < len(v.bank); at += bankBlock {
		if err := v.scoreBlock(ctx, v.bank[at:min(at+bankBlock, len(v.bank))]); err != nil {
			return nil, err
		}
	}
	if len(v.bankLabels) == 0 {
		return nil, unmeasurable("none of the training images that serve as the bank can be decoded")
	}
	var counts []Count
	for _, f := range v.features {
		counts = append(counts, v.count(f.name, f.scorer.Vote(v.bankLabels)))
	}
	if v.guessed != nil {
		counts = append(counts, v.count(ProbeTop1, v.guessed))
	}
	return counts, nil
}

// Rows of images without a label, and of those that cannot be decoded.
const (
	unlabelled = -1
	unreadable = -2
)

// vote is one evaluation: this rank's queries, and the bank as it passes by.
type vote struct {
	s           Setup
	cfg         knn.Config
	features    []*feature
	bank        []int   // indices into the training images
	bankLabels  []int32 // of those that were scored, in order
	queryLabels []int32 // of this rank's queries; unreadable ones count nowhere
	guessed     []int32 // by the probe, of this rank's queries; nil without one
	done, of    int     // of this rank's images
	pixels      []float32
	readable    []bool
}

// feature is one way of looking at images: the encoder's, or raw pixels.
type feature struct {
	name    string
	dim     int
	compute func(ctx context.Context, x []float32, n int, out []float32) error
	queries []float32 // of this rank, [n][dim], normalised
	scorer  *knn.Scorer
	block   []float32 // of the bank, [bankBlock][dim]
}

func (o Neighbours) newVote(s Setup) (*vote, error) {
	v := &vote{s: s, bank: labelledBank(s.Bank), cfg: knn.Config{K: o.K, Temperature: o.Temperature},
		pixels: make([]float32, readAtOnce*s.Side*s.Side*3), readable: make([]bool, readAtOnce)}
	if v.cfg.K <= 0 {
		v.cfg.K = defaultK
	}
	if v.cfg.Temperature <= 0 {
		v.cfg.Temperature = defaultTemperature
	}
	if len(v.bank) == 0 {
		return nil, unmeasurable("the training images carry no labels to vote with")
	}
	v.cfg.K = min(v.cfg.K, len(v.bank))
	for i := range s.Bank.Len() {
		v.cfg.Classes = max(v.cfg.Classes, s.Bank.Label(i)+1)
	}
	queries := vector.Part(s.Queries.Len(), s.Ranks.Rank(), s.Ranks.Size()).Len
	v.of = queries
	for at := 0; at < len(v.bank); at += bankBlock {
		v.of += vector.Part(min(bankBlock, len(v.bank)-at), s.Ranks.Rank(), s.Ranks.Size()).Len
	}
	add := func(name string, dim int, compute func(context.Context, []float32, int, []float32) error) {
		v.features = append(v.features, &feature{name: name, dim: dim, compute: compute,
			queries: make([]float32, queries*dim), scorer: knn.NewScorer(v.cfg, queries),
			block: make([]float32, min(bankBlock, len(v.bank))*dim)})
	}
	add(KNNTop1, s.Encoder.FeatureDim(), s.Encoder.Encode)
	if o.Pixels {
		side := min(s.Side, pixelsSide)
		add(PixelsTop1, side*side*3, v.shrink)
	}
	return v, nil
}

// labelledBank are the images that vote: those with a label, at most bankImages of them, taken evenly. Others would
// keep neighbours out that can vote.
func labelledBank(from Images) []int {
	var all []int
	for i := range from.Len() {
		if from.Label(i) >= 0 {
			all = append(all, i)
		}
	}
	bank := knn.Subset(len(all), bankImages)
	for i, at := range bank {
		bank[i] = all[at]
	}
	return bank
}

// shrink makes features of raw pixels.
func (v *vote) shrink(_ context.Context, x []float32, n int, out []float32) error {
	image, dim := v.s.Side*v.s.Side*3, len(out)/n
	for i := range n {
		knn.Shrink(x[i*image:][:image], v.s.Side, pixelsSide, 3, out[i*dim:][:dim])
	}
	return nil
}

// readQueries computes the features of this rank's queries.
func (v *vote) readQueries(ctx context.Context, own vector.Span) error {
	indices := make([]int, own.Len)
	for i := range indices {
		indices[i] = own.Off + i
	}
	v.queryLabels = make([]int32, len(indices))
	if len(v.s.Probe.Bias) > 0 {
		v.guessed = make([]int32, 0, len(indices))
	}
	outs := make([][]float32, len(v.features))
	for k, f := range v.features {
		outs[k] = f.queries
	}
	return v.compute(ctx, v.s.Queries, indices, v.queryLabels, outs)
}

// compute decodes images and fills outs, one per feature, with normalised rows, and labels. The rows of images that
// cannot be decoded are zero.
func (v *vote) compute(ctx context.Context, from Images, indices []int, labels []int32, outs [][]float32) error {
	image := v.s.Side * v.s.Side * 3
	for at := 0; at < len(indices); at += readAtOnce {
		part := indices[at:min(at+readAtOnce, len(indices))]
		n := len(part)
		x, readable := v.pixels[:n*image], v.readable[:n]
		if err := from.Read(ctx, part, x, readable); err != nil {
			return err
		}
		for i, ok := range readable {
			labels[at+i] = unreadable
			if ok {
				labels[at+i] = int32(max(from.Label(part[i]), unlabelled))
			}
		}
		for k, f := range v.features {
			out := outs[k][at*f.dim:][:n*f.dim]
			if err := f.compute(ctx, x, n, out); err != nil {
				return err
			}
			if f.name == KNNTop1 && v.guessed != nil && len(v.guessed) < len(v.queryLabels) {
				if err := v.guess(ctx, out, n); err != nil {
					return err
				}
			}
			knn.Normalize(out, f.dim)
		}
		if v.done += n; v.s.Progress != nil {
			v.s.Progress(v.done, v.of)
		}
	}
	return nil
}

// guess adds the probe's classes of n queries: of equal logits the first.
func (v *vote) guess(ctx context.Context, features []float32, n int) error {
	p, base := v.s.Probe, len(v.guessed)
	best := make([]float32, n)
	v.guessed = append(v.guessed, make([]int32, n)...)
	return v.s.Products.Products(ctx, features, p.Weight, v.s.Encoder.FeatureDim(),
		func(products []float32, query, row, width int) {
			for i, x := range products {
				q, class := query+i/width, row+i%width
				if logit := x + p.Bias[class]; class == 0 || logit > best[q] {
					best[q], v.guessed[base+q] = logit, int32(class)
				}
			}
		})
}

// scoreBlock encodes these bank images together with the other ranks, and compares all queries with them.
func (v *vote) scoreBlock(ctx context.Context, indices []int) error {
	n, ranks := len(indices), v.s.Ranks
	own := vector.Part(n, ranks.Rank(), ranks.Size())
	outs := make([][]float32, len(v.features))
	for k, f := range v.features {
		outs[k] = f.block[own.Off*f.dim:][:own.Len*f.dim]
	}
	labels := make([]int32, own.Len)
	if err := v.compute(ctx, v.s.Bank, indices[own.Off:own.End()], labels, outs); err != nil {
		return err
	}
	shared := make([]float32, n)
	for i, label := range labels {
		shared[own.Off+i] = float32(label)
	}
	if err := ranks.Share(ctx, shared, parts(n, 1, ranks.Size())); err != nil {
		return err
	}
	base := len(v.bankLabels)
	for _, label := range shared {
		if label != unreadable {
			v.bankLabels = append(v.bankLabels, int32(label))
		}
	}
	for _, f := range v.features {
		if err := ranks.Share(ctx, f.block[:n*f.dim], parts(n, f.dim, ranks.Size())); err != nil {
			return err
		}
		rows := dropRows(f.block[:n*f.dim], f.dim, shared)
		err := v.s.Products.Products(ctx, f.queries, rows, f.dim, func(products []float32, query, row, width int) {
			f.scorer.Add(products, query, width, base+row)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dropRows moves the rows of images that could be decoded together, and returns them.
func dropRows(rows []float32, dim int, labels []float32) []float32 {
	kept := 0
	for i, label := range labels {
		if label == unreadable {
			continue
		}
		if kept != i {
			copy(rows[kept*dim:][:dim], rows[i*dim:][:dim])
		}
		kept++
	}
	return rows[:kept*dim]
}

// count compares classes with the labels of this rank's queries.
func (v *vote) count(name string, classes []int32) Count {
	c := Count{Name: name}
	for i, class := range classes {
		label := v.queryLabels[i]
		if label < 0 {
			continue
		}
		c.Total++
		if class == label {
			c.Correct++
		}
	}
	return c
}
