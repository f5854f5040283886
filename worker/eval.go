package worker

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/knn"
)

// Sizes of an evaluation. Blocks of the bank are computed by all workers together, shared, scored and dropped, so
// that the bank is never in memory as a whole.
const (
	bankImages  = 50_000 // the most training images that serve as the bank
	bankBlock   = 4096
	pixelsSide  = 32 // raw pixels are compared at this size at most
	defaultK    = 200
	defaultTemp = 0.1
)

// evaluate measures the online encoder of the committed step: each worker scores its range of the queries against
// the bank. It sends an EvalResult, and an error only for what breaks the group or the run.
func (s *session) evaluate(ctx context.Context) error {
	w := s.w
	w.board.setPhase("evaluate")
	result := &pb.EvalResult{Generation: s.generation, Step: s.state.step}
	e, problem := s.newEvaluation(ctx)
	if problem != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	all, err := s.agree(ctx, problem == nil)
	switch {
	case err != nil:
		return fmt.Errorf("agree on evaluating: %w", err)
	case problem != nil:
		result.Error = problem.Error()
	case !all:
		result.Error = "another worker cannot evaluate"
	default:
		if err := e.run(ctx, result); err != nil {
			return fmt.Errorf("evaluate: %w", err)
		}
	}
	s.evaluated = s.state.step
	w.log.Info("evaluated", zap.Int64("step", result.Step), zap.Stringers("counts", result.Counts),
		zap.String("error", result.Error))
	return w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_EvalResult{EvalResult: result}})
}

// agree reports whether all workers say yes.
func (s *session) agree(ctx context.Context, yes bool) (bool, error) {
	local, all := make([]float64, s.state.local), make([]float64, s.w.cfg.Shards)
	if yes {
		for i := range local {
			local[i] = 1
		}
	}
	key := allreduce.Key{Step: uint64(s.state.step), Bucket: bucketAgree}
	if err := s.group.Gather(ctx, key, local, all); err != nil {
		return false, err
	}
	for _, v := range all {
		if v != 1 {
			return false, nil
		}
	}
	return true, nil
}

// feature is one way of looking at images: the encoder's, or raw pixels.
type feature struct {
	name    string // of the count it gives
	dim     int
	compute func(ctx context.Context, x []float32, n int, out []float32) error
	queries []float32 // of this rank, [n][dim], normalised
	scorer  *knn.Scorer
	block   []float32 // of the bank, [bankBlock][dim]
}

// evaluation is one pass over queries and bank.
type evaluation struct {
	s           *session
	bank        []int   // indices into the training images
	labels      []int32 // of the bank
	queryLabels []int32
	cfg         knn.Config
	bankReader  data.Evaluator
	queryReader data.Evaluator
	begin, end  int // this rank's queries
	pixels      []float32
	features    []*feature
	nextKey     uint32
	imageLen    int
	chunk       int // images that are decoded and encoded at once
}

func (s *session) newEvaluation(ctx context.Context) (*evaluation, error) {
	f, c := s.w.fixture, s.w.cfg
	if c.EvalData == "" {
		return nil, errors.New("no --eval-data was given")
	}
	if f.eval == nil {
		var err error
		if f.eval, err = source.Open(ctx, c.EvalData, source.Options{CacheDir: f.opts.CacheDir}); err != nil {
			return nil, err
		}
	}
	e := &evaluation{s: s, bank: knn.Subset(f.train.Len(), bankImages), nextKey: bucketBank, chunk: 256,
		cfg: knn.Config{K: int(c.KnnK), Temperature: c.KnnTemperature}}
	if e.cfg.K <= 0 {
		e.cfg.K = defaultK
	}
	if e.cfg.Temperature <= 0 {
		e.cfg.Temperature = defaultTemp
	}
	e.cfg.K = min(e.cfg.K, len(e.bank))
	for i := range f.train.Len() {
		e.cfg.Classes = max(e.cfg.Classes, f.train.Label(i)+1)
	}
	if e.cfg.Classes == 0 {
		return nil, errors.New("the training images carry no labels to vote with")
	}
	n := f.eval.Len()
	own := vector.Part(n, s.rank, s.group.Size())
	e.begin, e.end = own.Off, own.End()
	e.queryReader = data.Evaluator{Source: f.eval, Decoder: f.opts.Decoder, Augment: f.augment, Threads: f.threads}
	e.bankReader = e.queryReader
	e.bankReader.Source = f.train
	e.imageLen = f.augment.Size * f.augment.Size * 3
	e.addFeature("knn_top1", s.state.learner.FeatureDim(), s.state.learner.Encode)
	if s.state.step == 0 {
		side := min(f.augment.Size, pixelsSide)
		e.addFeature("pixels_top1", side*side*3, e.shrink)
	}
	return e, nil
}

func (e *evaluation) addFeature(name string, dim int,
	compute func(context.Context, []float32, int, []float32) error,
) {
	e.features = append(e.features, &feature{name: name, dim: dim, compute: compute,
		queries: make([]float32, (e.end-e.begin)*dim), scorer: knn.NewScorer(e.cfg, e.end-e.begin),
		block: make([]float32, min(bankBlock, len(e.bank))*dim)})
}

// shrink makes features of raw pixels.
func (e *evaluation) shrink(_ context.Context, x []float32, n int, out []float32) error {
	dim := len(out) / n
	for i := range n {
		knn.Shrink(x[i*e.imageLen:][:e.imageLen], e.s.w.fixture.augment.Size, pixelsSide, 3, out[i*dim:][:dim])
	}
	return nil
}

// run computes this rank's queries, lets the bank pass by, and counts.
func (e *evaluation) run(ctx context.Context, result *pb.EvalResult) error {
	indices := make([]int, e.end-e.begin)
	for i := range indices {
		indices[i] = e.begin + i
	}
	e.queryLabels = make([]int32, len(indices))
	outs := make([][]float32, len(e.features))
	for k, f := range e.features {
		outs[k] = f.queries
	}
	if err := e.compute(ctx, &e.queryReader, indices, e.queryLabels, outs); err != nil {
		return err
	}
	for at := 0; at < len(e.bank); at += bankBlock {
		if err := e.pass(ctx, at, min(bankBlock, len(e.bank)-at)); err != nil {
			return err
		}
	}
	queries := int64(0)
	for _, label := range e.queryLabels {
		if label >= 0 {
			queries++
		}
	}
	for _, f := range e.features {
		result.Counts = append(result.Counts, &pb.Count{Name: f.name, Correct: e.correct(f), Total: queries})
	}
	return nil
}

func (e *evaluation) correct(f *feature) int64 {
	right := int64(0)
	for i, class := range f.scorer.Vote(e.labels) {
		if class >= 0 && class == e.queryLabels[i] {
			right++
		}
	}
	return right
}

// compute decodes images and fills outs, one per feature, with normalised rows.
func (e *evaluation) compute(ctx context.Context, reader *data.Evaluator, indices []int, labels []int32,
	outs [][]float32) error {
	if e.pixels == nil {
		e.pixels = make([]float32, e.chunk*e.imageLen)
	}
	for at := 0; at < len(indices); at += e.chunk {
		n := min(e.chunk, len(indices)-at)
		x := e.pixels[:n*e.imageLen]
		readable := make([]bool, n)
		if err := reader.EvalBatch(ctx, indices[at:at+n], x, readable); err != nil {
			return err
		}
		for i, ok := range readable {
			labels[at+i] = -1
			if ok {
				labels[at+i] = int32(reader.Source.Label(indices[at+i]))
			}
		}
		for k, f := range e.features {
			out := outs[k][at*f.dim:][:n*f.dim]
			if err := f.compute(ctx, x, n, out); err != nil {
				return err
			}
			knn.Normalize(out, f.dim)
		}
	}
	return nil
}

// pass computes bank images [at, at+n) together with the other workers and scores all queries against them.
func (e *evaluation) pass(ctx context.Context, at, n int) error {
	s := e.s
	part := vector.Part(n, s.rank, s.group.Size())
	off, own := part.Off, part.Len
	outs := make([][]float32, len(e.features))
	for k, f := range e.features {
		outs[k] = f.block[off*f.dim:][:own*f.dim]
	}
	labels := make([]int32, n)
	if err := e.compute(ctx, &e.bankReader, e.bank[at+off:][:own], labels[off:][:own], outs); err != nil {
		return err
	}
	shared := make([]float32, n)
	for i := range own {
		shared[off+i] = float32(labels[off+i])
	}
	if err := e.share(ctx, shared, n, 1); err != nil {
		return err
	}
	for _, label := range shared {
		e.labels = append(e.labels, int32(label))
	}
	for _, f := range e.features {
		if err := e.share(ctx, f.block[:n*f.dim], n, f.dim); err != nil {
			return err
		}
		t, err := s.w.fixture.tile(f.dim)
		if err != nil {
			return err
		}
		if err := t.score(ctx, f.queries, f.block[:n*f.dim], at, f.scorer); err != nil {
			return err
		}
	}
	return nil
}

// share completes n rows of width elements, of which each rank has computed its span.
func (e *evaluation) share(ctx context.Context, rows []float32, n, width int) error {
	spans := make([]allreduce.Span, e.s.group.Size())
	for r := range spans {
		part := vector.Part(n, r, len(spans))
		spans[r] = allreduce.Span{Off: part.Off * width, Len: part.Len * width}
	}
	key := allreduce.Key{Step: uint64(e.s.state.step), Bucket: e.nextKey}
	e.nextKey++
	return e.s.group.Share(ctx, key, rows, spans)
}
