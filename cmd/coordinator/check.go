package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byol/coordinator/settings"
	"byol/internal/failure"
	"byol/worker/data/views"
)

// checkValues refuses what no data could make right.
func checkValues(s *settings.Values) error {
	for _, row := range settings.All() {
		if err := checkValue(&row, s); err != nil {
			return err
		}
	}
	var bad *failure.Failure
	if _, err := views.ParseAugment(s.Augment, max(1, s.ImageSize)); errors.As(err, &bad) {
		return usage(fmt.Sprintf("--augment cannot be %q", s.Augment), bad.Why, bad.Try)
	}
	return checkShards(s)
}

// checkValue compares a value with the words or the bounds of its row.
func checkValue(row *settings.Setting, s *settings.Values) error {
	word, isText := row.At(s).(*string)
	switch {
	case isText && row.Words != nil && !slices.Contains(row.Words, *word):
		return usage(fmt.Sprintf("--%s cannot be %q", row.Name, *word), "it is one of: "+strings.Join(row.Words, ", "),
			suggestion(*word, row.Words, "--"+row.Name+" "+row.Default.(string)))
	case !row.InRange(s):
		x, _ := row.Number(s)
		return usage(fmt.Sprintf("--%s cannot be %s", row.Name, plainNumber(x, row)),
			fmt.Sprintf("it is from %s to %s", plainNumber(row.Low, row), plainNumber(row.High, row)),
			"another value for --"+row.Name)
	}
	return nil
}

func checkShards(s *settings.Values) error {
	if s.MinWorkers > s.Workers {
		return usage(fmt.Sprintf("at least %d of %d workers make no sense", s.MinWorkers, s.Workers), "",
			fmt.Sprintf("--workers %d:%d, or --min-workers %d", s.Workers, s.MinWorkers, s.Workers))
	}
	if s.Shards < s.Workers {
		return usage(fmt.Sprintf("%d workers cannot share %d shards", s.Workers, s.Shards),
			"each worker owns at least one shard, and the shards of a run never change",
			fmt.Sprintf("--workers %d, or --shards %d for a new run", s.Shards, s.Workers))
	}
	if s.BatchSize%s.Shards != 0 {
		lower, upper := s.BatchSize/s.Shards*s.Shards, (s.BatchSize/s.Shards+1)*s.Shards
		try := fmt.Sprintf("--batch-size %d", upper)
		if lower > 0 {
			try = fmt.Sprintf("--batch-size %d or %d", lower, upper)
		}
		return usage(fmt.Sprintf("a batch of %d cannot be cut into %d shards", s.BatchSize, s.Shards),
			"every shard has the same number of images", try)
	}
	if s.BatchNorm == "local" && s.BatchSize/s.Shards < 2 {
		return usage("--batch-norm local needs two images in each shard",
			fmt.Sprintf("%d images over %d shards is one each, and one image has no variance", s.BatchSize, s.Shards),
			"--batch-norm sync, a larger --batch-size or fewer --shards")
	}
	return nil
}

func (p *plan) checkEvaluation() error {
	if p.settings.EvalData == "" {
		return nil
	}
	for _, d := range []struct {
		flag string
		dataset
	}{{"data", p.train}, {"eval-data", p.eval}} {
		if !d.labelled {
			return &failure.Failure{What: "k-nearest-neighbour accuracy needs labels",
				Why: "--" + d.flag + " " + d.uri + " has none", Try: "labelled images, or no --eval-data", Code: failure.Data}
		}
	}
	if p.train.classes != p.eval.classes {
		return &failure.Failure{What: "--data and --eval-data don't have the same classes",
			Why: fmt.Sprintf("%d classes in %s, %d in %s", p.train.classes, p.train.uri, p.eval.classes, p.eval.uri),
			Try: "two parts of one data set", Code: failure.Data}
	}
	return nil
}
