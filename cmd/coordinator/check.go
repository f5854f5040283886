package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

// checkValues refuses what no data could make right.
func checkValues(s *settings.Values) error {
	for _, row := range settings.All() {
		if err := checkValue(&row, s); err != nil {
			return err
		}
	}
	if err := checkPrecision(s); err != nil {
		return err
	}
	return checkShards(s)
}

// checkPrecision refuses a precision that no worker could compute in, before one is started.
func checkPrecision(s *settings.Values) error {
	if s.Precision == settings.BF16 && (s.Device == "cpu" || s.Device == "reference") {
		return usage("--precision bf16 needs an accelerator", "the device "+s.Device+" computes in fp32 alone",
			"--device auto, which takes an accelerator for it, or --precision fp32")
	}
	return nil
}

// checkValue compares a value with the words or the bounds of its row.
func checkValue(row *settings.Setting, s *settings.Values) error {
	word, isText := row.At(s).(*string)
	switch {
	case isText && row.Words != nil && !slices.Contains(row.Words, *word) &&
		(row.Begins == "" || !strings.HasPrefix(*word, row.Begins)):
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
	if err := checkTurns(s); err != nil {
		return err
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

// checkTurns refuses turns that would save no memory.
func checkTurns(s *settings.Values) error {
	n := s.Accumulate
	if n == 1 {
		return nil
	}
	if s.BatchNorm != "local" {
		return usage(fmt.Sprintf("--accumulate %d needs --batch-norm local", n), "with --batch-norm sync each layer needs "+
			"its sums over the whole batch, so that all shards must be in memory together, layer by layer",
			"--batch-norm local, with 256 images or more in a shard; to keep sync: a smaller --batch-size, or more machines")
	}
	if s.Shards < s.Workers*n {
		tries := []string{fmt.Sprintf("--shards %d for a new run", s.Workers*n)}
		if most := s.Shards / s.Workers; most > 1 {
			tries = append([]string{fmt.Sprintf("--accumulate %d", most)}, tries...)
		}
		return usage(fmt.Sprintf("%d workers cannot take %d turns each with %d shards", s.Workers, n, s.Shards),
			"a turn computes one shard at least, and the shards of a run never change", strings.Join(tries, ", or "))
	}
	return nil
}

// turnsWarning says what is lost where batch norm has few images (the paper's table 16).
func turnsWarning(s *settings.Values) string {
	const enough = 256
	if images := s.BatchSize / s.Shards; s.Accumulate > 1 && images < enough {
		return fmt.Sprintf("batch norm is over the %d images of a shard: on ImageNet 256 cost 0.7 points, 128 2.9 and 64 "+
			"12.8; a larger --batch-size, or fewer --shards", images)
	}
	return ""
}

func (p *plan) checkEvaluation() error {
	if p.settings.EvalData == "" {
		return nil
	}
	train, eval := namedSet{"data", p.train}, namedSet{"eval-data", p.eval}
	if err := needLabels("k-nearest-neighbour accuracy", train, eval); err != nil {
		return err
	}
	warning, err := matchClasses(train, eval, p.settings.EvalClasses)
	if warning != "" {
		p.warnings = append(p.warnings, warning)
	}
	return err
}

// namedSet is a set of images with the flag that named it.
type namedSet struct {
	flag string
	dataset
}

// needLabels refuses sets without labels.
func needLabels(what string, sets ...namedSet) error {
	for _, d := range sets {
		if !d.labelled {
			try := "labelled images"
			if sets[0].flag == "data" {
				try += ", or no --eval-data"
			}
			return &failure.Failure{What: what + " needs labels", Why: "--" + d.flag + " " + d.uri + " has none", Try: try,
				Code: failure.Data}
		}
	}
	return nil
}

// matchClasses: images are judged by the names of their classes, which both sets must have; with how intersect it is
// enough that they share some, and a warning says which. Of classes that both have by name and one has no image of, a
// warning says so.
func matchClasses(train, eval namedSet, how string) (warning string, err error) {
	lacking, strange := without(train.names, eval.names), without(eval.names, train.names)
	cut, instead := cutByClass(train, eval)
	switch {
	case len(lacking) == 0 && len(strange) == 0:
		return unseen(train, eval, cut), nil
	case len(strange) == len(eval.names):
		return "", &failure.Failure{What: fmt.Sprintf("--%s and --%s have no class in common", train.flag, eval.flag),
			Why: fmt.Sprintf("%s has %s; %s has %s", train.uri, some(lacking), eval.uri, some(strange)) + cut,
			Try: cmp.Or(instead, "two parts of one data set; beside tars with numbers as labels, classes.txt has their names, "+
				"one a line"), Code: failure.Data}
	case how == "intersect":
		const words = "--eval-classes intersect: judged are %d classes of both sets; without %s"
		warning := fmt.Sprintf(words, len(eval.names)-len(strange), some(append(lacking, strange...)))
		if more := unseen(train, eval, cut); more != "" {
			warning += "; " + more
		}
		return warning, nil
	}
	var why []string
	if len(lacking) > 0 {
		why = append(why, fmt.Sprintf("only %s has %s", train.uri, some(lacking)))
	}
	if len(strange) > 0 {
		why = append(why, fmt.Sprintf("only %s has %s", eval.uri, some(strange)))
	}
	return "", &failure.Failure{What: fmt.Sprintf("--%s and --%s don't have the same classes", train.flag, eval.flag),
		Why: strings.Join(why, "; ") + cut,
		Try: cmp.Or(instead, "two parts of one data set, or --eval-classes intersect to leave out the images of these "+
			"classes"), Code: failure.Data}
}

// cutByClass says of archives in which one class comes after the other why parts of them make no two sets, and what to
// take instead; "" for others.
func cutByClass(train, eval namedSet) (why, try string) {
	for _, d := range []namedSet{train, eval} {
		if !d.ordered || isDir(d.uri) || strings.HasPrefix(d.uri, "synthetic:") {
			return "", ""
		}
	}
	return "; in both the images lie by class, one class after the other, so that each of their archives has some " +
			"classes alone", "all archives of the set as --" + train.flag + " and its own test part as --" + eval.flag +
			"; or archives written in a drawn order (find . -type f | shuf | tar -cf x.tar -T -), " +
			"of which any part has all classes"
}

// unseen says of which classes there is an image to judge by and none to learn from; "" for none. cut is why.
func unseen(train, eval namedSet, cut string) string {
	if len(train.perClass) != len(train.names) || len(eval.perClass) != len(eval.names) {
		return "" // nobody counted
	}
	number := make(map[string]int, len(train.names))
	for i, name := range train.names {
		number[name] = i
	}
	var names []string
	images, shared := int64(0), 0
	for i, name := range eval.names {
		at, known := number[name]
		if !known || eval.perClass[i] == 0 {
			continue
		}
		if shared++; train.perClass[at] == 0 {
			names, images = append(names, name), images+eval.perClass[i]
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("--%s has no image of %d of the %d classes that --%s has (%s), whose %s images count as wrong%s",
		train.flag, len(names), shared, eval.flag, some(names), grouped(images), cut)
}

// without are the names that others lack.
func without(names, others []string) []string {
	known := make(map[string]bool, len(others))
	for _, n := range others {
		known[n] = true
	}
	var out []string
	for _, n := range names {
		if !known[n] {
			out = append(out, n)
		}
	}
	return out
}

// some are the first of many names.
func some(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
