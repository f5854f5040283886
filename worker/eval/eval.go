// Package eval judges an encoder on labelled images, by all workers of a run together. Today that is the vote of the
// nearest neighbours (package knn); whatever comes next takes the same Setup and gives the same Counts.
//
// Each rank owns a part of the queries and of the bank. Blocks of the bank are encoded by all ranks together, shared,
// compared with each rank's own queries and dropped, so that the bank is never in memory as a whole. The counts of
// all ranks add up to what one rank alone counts, whatever their number.
//
// An image that cannot be decoded is left out, of the queries and of the bank, on all ranks alike.
//
// Everything belongs to the caller's goroutine; the package starts none and keeps nothing.
//
// When it fails: what keeps a rank from measuring at all is agreed on first, and comes back as Outcome.Problem on
// every rank, so that nobody waits for it. An error means that something broke in the middle: the engine, the group,
// or the source of the images. Then the ranks no longer agree on what comes next, and the group is to be given up.
package eval

import (
	"context"
	"errors"
	"fmt"

	"byol/internal/vector"
)

// Encoder turns images into features.
type Encoder interface {
	// FeatureDim is the number of features of one image.
	FeatureDim() int
	// Encode computes out [n][FeatureDim] of x [n][side][side][3]. What an image gives does not depend on its
	// neighbours.
	Encode(ctx context.Context, x []float32, n int, out []float32) error
}

// Products multiplies rows of features; an engine.Engine does.
type Products interface {
	// Products tells got the products of all queries [nq][dim] with all rows of the bank [nb][dim], tile by tile:
	// products [·][width] of the queries from query on and the rows from row on. got must not keep them. A product does
	// not depend on the others of its tile.
	Products(ctx context.Context, queries, bank []float32, dim int,
		got func(products []float32, query, row, width int)) error
}

// Images are labelled images in an order that is the same on all ranks.
type Images interface {
	Len() int
	// Label is the class of image i, −1 where there is none.
	Label(i int) int
	// Read writes the images with these indices to out [len(indices)][side][side][3], and to readable whether each
	// could be decoded; one that could not leaves zeros. An error says that the source itself cannot be read.
	Read(ctx context.Context, indices []int, out []float32, readable []bool) error
}

// Ranks is the group in which an evaluation is made. Calls are made in the same order on all ranks.
type Ranks interface {
	Rank() int
	Size() int
	// Share completes x on all ranks: before, each holds its own span.
	Share(ctx context.Context, x []float32, spans []vector.Span) error
}

// Setup is what an evaluation is made of.
type Setup struct {
	Encoder  Encoder
	Bank     Images // whose labels are known to the judge
	Queries  Images // whose labels it is to find
	Ranks    Ranks
	Products Products
	Side     int // of the images
	Probe    Probe
	// Progress, if not nil, is told how many of this rank's images are done.
	Progress func(done, of int)
}

// Probe is the linear classifier that was trained beside the encoder: weight [classes][dim] and bias [classes], nil
// where there is none.
type Probe struct{ Weight, Bias []float32 }

// Count is a figure that is added up over ranks: correct of total.
type Count struct {
	Name           string
	Correct, Total int64
}

// Outcome is what a rank contributes. Where the problem is not "", nothing was measured, on any rank.
type Outcome struct {
	Counts  []Count
	Problem string
}

// Method measures something. It is called on all ranks, and gives the same names on all of them.
type Method func(ctx context.Context, s Setup) ([]Count, error)

// Run has all ranks measure, if all can. problem says why this one cannot, nil if it can.
func Run(ctx context.Context, s Setup, problem error, measure Method) (Outcome, error) {
	all, err := agree(ctx, s.Ranks, problem == nil)
	switch {
	case err != nil:
		return Outcome{}, fmt.Errorf("agree on evaluating: %w", err)
	case problem != nil:
		return Outcome{Problem: problem.Error()}, nil
	case !all:
		return Outcome{Problem: "another worker cannot evaluate"}, nil
	}
	counts, err := measure(ctx, s)
	var u unmeasurable
	switch {
	case errors.As(err, &u):
		return Outcome{Problem: string(u)}, nil
	case err != nil:
		return Outcome{}, fmt.Errorf("evaluate: %w", err)
	}
	return Outcome{Counts: counts}, nil
}

// unmeasurable says why nothing can be measured. A Method returns it on all ranks or on none.
type unmeasurable string

// Error implements error.
func (u unmeasurable) Error() string { return string(u) }

// agree reports whether all ranks say yes.
func agree(ctx context.Context, ranks Ranks, yes bool) (bool, error) {
	votes := make([]float32, ranks.Size())
	if yes {
		votes[ranks.Rank()] = 1
	}
	if err := ranks.Share(ctx, votes, parts(len(votes), 1, ranks.Size())); err != nil {
		return false, err
	}
	for _, v := range votes {
		if v != 1 {
			return false, nil
		}
	}
	return true, nil
}

// parts are the spans of n rows of width elements by rank.
func parts(n, width, size int) []vector.Span {
	spans := make([]vector.Span, size)
	for r := range spans {
		p := vector.Part(n, r, size)
		spans[r] = vector.Span{Off: p.Off * width, Len: p.Len * width}
	}
	return spans
}
