package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"byol/coordinator/features"
	"byol/model/linear"
	"byol/worker/knn"
)

// five is how many classes count for top-5.
const five = 5

// knnOptions are the constants of the vote.
type knnOptions struct {
	k           int
	temperature float64
}

func evalKNN() *cobra.Command {
	e, o := &evalFlags{}, knnOptions{}
	cmd := &cobra.Command{Use: "knn RUN_DIR|CKPT|ENCODER",
		Short: "Count the images whose nearest neighbours vote for the right class",
		Long: "Count the images whose nearest neighbours in --train-data, by the cosine of the encoder's features, vote\n" +
			"for their class with weight exp(cosine/T): for k neighbours, and for 1 and 20 in the same pass.\n\n" + subjectHelp,
		Args: oneArgument("run directory, checkpoint or encoder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.k < 1 || o.k > 10_000 || !(o.temperature > 0) {
				return usage(fmt.Sprintf("--k %d, --temperature %g make no sense", o.k, o.temperature),
					"k is from 1 to 10000, the temperature above 0", "--k 200 --temperature 0.1")
			}
			if err := e.check(); err != nil {
				return err
			}
			return untilAsked(cmd, func(ctx context.Context) error { return e.knn(ctx, cmd, args[0], o) })
		}}
	e.addSets(cmd)
	cmd.Flags().IntVar(&o.k, "k", 200, "neighbours that vote")
	cmd.Flags().Float64Var(&o.temperature, "temperature", 0.1, "T of their weights exp(cosine/T)")
	e.addJob(cmd)
	return cmd
}

func (e *evalFlags) knn(ctx context.Context, cmd *cobra.Command, path string, o knnOptions) error {
	return e.judging(ctx, cmd, path, func(j *evalJob, train, eval *imageSet, warning string) error {
		bank, err := j.store(ctx, 0, train)
		if err != nil {
			return err
		}
		defer bank.Close()
		judged, err := j.store(ctx, 1, eval)
		if err != nil {
			return err
		}
		defer judged.Close()
		bankLabels := train.labels(train.names)
		v := vote{bank: rowsOf(bank, bankLabels), labels: eval.labels(train.names)}
		v.queries = rowsOf(judged, v.labels)
		if err := v.look(ctx, j, bank, judged, o); err != nil {
			return err
		}
		r := j.result("knn", train, eval, warning)
		r.Settings = map[string]string{"k": fmt.Sprint(o.k), "temperature": fmt.Sprint(o.temperature)}
		r.Unreadable = len(bank.Unreadable()) + len(judged.Unreadable())
		r.Figures = v.count(bankLabels, len(train.names), o)
		return j.keep(cmd, r)
	})
}

// result is what is known of a result before its figures.
func (j *evalJob) result(method string, train, eval *imageSet, warning string) evalResult {
	r := evalResult{Method: method, TrainData: train.uri, TrainCount: train.labelledIn(train.names), EvalData: eval.uri,
		EvalCount: eval.labelledIn(train.names), Classes: len(train.names) - len(train.leftOut), Notes: []string{}}
	if warning != "" {
		r.Notes = append(r.Notes, warning)
	}
	if train.manifest == eval.manifest {
		r.Notes = append(r.Notes, "judged by the images it learned from: this says little about others")
	}
	return r
}

// vote is the neighbours of all queries.
type vote struct {
	bank, queries []int   // rows of the stores
	labels        []int32 // of the set that is judged
	near          [][]knn.Neighbour
}

// look has the workers find the neighbours.
func (v *vote) look(ctx context.Context, j *evalJob, bank, judged *features.Store, o knnOptions) error {
	rows := make([]float32, len(v.queries)*j.dim)
	if err := readRows(judged, v.queries, j.dim, rows); err != nil {
		return err
	}
	knn.Normalize(rows, j.dim)
	most := min(slices.Max(kinds(o.k)), len(v.bank))
	v.near = make([][]knn.Neighbour, len(v.queries))
	return j.Neighbours(ctx, features.Search{Doing: "neighbours in --train-data", Queries: rows, K: most,
		Rows: len(v.bank), Bank: func(first, n int) ([]float32, error) {
			rows := make([]float32, n*j.dim)
			if err := readRows(bank, v.bank[first:first+n], j.dim, rows); err != nil {
				return nil, err
			}
			knn.Normalize(rows, j.dim)
			return rows, nil
		}, Got: func(first, k int, products []float32, indices []int32) {
			for q := range len(products) / k {
				more := make([]knn.Neighbour, k)
				for i := range more {
					more[i] = knn.Neighbour{Cosine: products[q*k+i], Index: indices[q*k+i]}
				}
				v.near[first+q] = knn.Merge(v.near[first+q], more, most)
			}
		}})
}

// kinds are the numbers of neighbours that are counted: what is asked for, 20 and 1, the first first.
func kinds(k int) []int {
	out := []int{k}
	for _, other := range []int{20, 1} {
		if k != other {
			out = append(out, other)
		}
	}
	return out
}

// count compares the votes with the labels.
func (v *vote) count(bankLabels []int32, classes int, o knnOptions) []figure {
	labels := make([]int32, len(v.bank))
	for i, row := range v.bank {
		labels[i] = bankLabels[row]
	}
	var out []figure
	for _, k := range kinds(o.k) {
		ballot := knn.NewBallot(knn.Config{K: k, Temperature: o.temperature, Classes: classes})
		top1, top5 := int64(0), int64(0)
		shares := make([]linear.Class, classes)
		for q, row := range v.queries {
			ranked := ballot.Rank(v.near[q], labels, five)
			class := &shares[v.labels[row]]
			class.Images++
			if len(ranked) > 0 && ranked[0] == v.labels[row] {
				top1++
				class.Top1++
			}
			if slices.Contains(ranked, v.labels[row]) {
				top5++
			}
		}
		n := int64(len(v.queries))
		out = append(out, newFigure(fmt.Sprintf("knn_%d_top1", k), top1, n))
		if k >= five {
			out = append(out, newFigure(fmt.Sprintf("knn_%d_top5", k), top5, n))
		}
		out = append(out, classFigure(fmt.Sprintf("knn_%d", k), shares))
	}
	return out
}
