package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/internal/atomicfile"
	"byol/internal/disk"
	"byol/internal/failure"
	"byol/model/linear"
)

// Files of a directory of results.
const (
	resultsFile = "results.json"
	resultsPage = "results.md"
)

// resultsFormat is that of resultsFile; docs/evaluation.md describes it.
const resultsFormat = 1

// figure is correct of total images, with Wilson's 95 % interval of the share; or, where it has Classes, the mean of
// the shares of so many classes, with the interval of linear.MeanPerClass.
type figure struct {
	Name    string  `json:"name"`
	Correct int64   `json:"correct"`
	Total   int64   `json:"total"`
	Classes int     `json:"classes,omitempty"`
	Ratio   float64 `json:"ratio"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
}

func newFigure(name string, correct, total int64) figure {
	f := figure{Name: name, Correct: correct, Total: total, Ratio: float64(correct) / float64(max(total, 1))}
	f.Low, f.High = linear.Wilson(correct, total)
	return f
}

// classFigure is the mean per-class accuracy, which the paper's transfer tables have for sets of unequal classes.
func classFigure(method string, classes []linear.Class) figure {
	f := figure{Name: method + "_mean_per_class"}
	for _, c := range classes {
		f.Correct, f.Total = f.Correct+c.Top1, f.Total+c.Images
	}
	f.Ratio, f.Low, f.High, f.Classes = linear.MeanPerClass(classes)
	return f
}

// images say what the figure was counted of.
func (f figure) images() string {
	if f.Classes > 0 {
		return fmt.Sprintf("mean of %d classes", f.Classes)
	}
	return grouped(f.Correct) + " of " + grouped(f.Total)
}

// String is the figure as people read it.
func (f figure) String() string {
	return fmt.Sprintf("%-22s %6.2f %%   [%.2f, %.2f]   %s", f.Name, 100*f.Ratio, 100*f.Low, 100*f.High, f.images())
}

// evalResult is what one evaluation found.
type evalResult struct {
	Method     string            `json:"method"` // knn, linear, semi or finetune
	Settings   map[string]string `json:"settings"`
	TrainData  string            `json:"train_data"`
	TrainCount int               `json:"train_images"`
	EvalData   string            `json:"eval_data"`
	EvalCount  int               `json:"eval_images"`
	Classes    int               `json:"classes"`
	Unreadable int               `json:"unreadable"` // images of both sets that were left out
	Notes      []string          `json:"notes"`
	Figures    []figure          `json:"figures"`
	Computed   string            `json:"computed_by"`
	Seconds    float64           `json:"seconds"`
	Time       time.Time         `json:"time"`
}

// same reports whether two results answer the same question: the newer one replaces the older.
func (r *evalResult) same(o *evalResult) bool {
	key := func(r *evalResult) string {
		text, err := json.Marshal([]any{r.Method, r.Settings, r.TrainData, r.EvalData})
		if err != nil {
			panic("coordinator: " + err.Error())
		}
		return string(text)
	}
	return key(r) == key(o)
}

// results is the content of resultsFile: all that was found out about an encoder.
type results struct {
	Format  int          `json:"format"`
	Encoder encoderWords `json:"encoder"`
	Results []evalResult `json:"results"`
}

// encoderWords say which encoder it is.
type encoderWords struct {
	File          string `json:"file"`
	Architecture  string `json:"architecture"`
	Stem          string `json:"stem"`
	Width         int    `json:"width"`
	ImageSize     int    `json:"image_size"`
	Network       string `json:"network"`
	Step          int64  `json:"step"`
	Features      int    `json:"features"`
	WeightsSHA256 string `json:"weights_sha256"`
	View          string `json:"view,omitempty"` // of an image; files of earlier versions do not say
}

// is reports whether results of both stand in one file.
func (e encoderWords) is(o encoderWords) bool {
	return e.WeightsSHA256 == o.WeightsSHA256 && e.ImageSize == o.ImageSize &&
		(e.View == o.View || e.View == "" || o.View == "")
}

// aside is how files are called that hold this encoder's results while another one's stand in their place.
func (e encoderWords) aside() string {
	view := sha256.Sum256([]byte(e.View))
	return fmt.Sprintf("results-%.12s-%d-%x", e.WeightsSHA256, e.ImageSize, view[:2])
}

func (s *subject) words() encoderWords {
	view := fmt.Sprintf("%d/%d of the shorter side", s.Sight.Part, s.Sight.Whole)
	return encoderWords{File: s.path, Architecture: s.Arch, Stem: s.Stem, Width: s.Width, ImageSize: s.ImageSize,
		Network: s.Network, Step: s.Step, Features: s.Features, WeightsSHA256: s.Digest(), View: view}
}

// makeWay sees to it that the files of results in a directory are this encoder's or not there. Those of another one, or
// seen otherwise, get names of their own, and those that this encoder has from before come back. note says so.
func makeWay(dir string, of encoderWords) (note string, err error) {
	var there struct {
		Encoder encoderWords `json:"encoder"`
	}
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil || json.Unmarshal(text, &there) != nil || there.Encoder.WeightsSHA256 == "" || there.Encoder.is(of) {
		return "", nil // readResults says what is wrong with it
	}
	for _, ending := range []string{filepath.Ext(resultsFile), filepath.Ext(resultsPage)} {
		now, theirs := filepath.Join(dir, "results"+ending), filepath.Join(dir, there.Encoder.aside()+ending)
		if err := os.Rename(now, theirs); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err := os.Rename(filepath.Join(dir, of.aside()+ending), now); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return fmt.Sprintf("results of another encoder, or of another view of the images, are in %s now",
		short(filepath.Join(dir, there.Encoder.aside()+filepath.Ext(resultsPage)))), nil
}

// readResults reads the results in a directory; there are none where the file is not there.
func readResults(dir string, of encoderWords) (results, error) {
	fresh := results{Format: resultsFormat, Encoder: of}
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if errors.Is(err, os.ErrNotExist) {
		return fresh, nil
	}
	var r results
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && r.Format != resultsFormat {
		err = fmt.Errorf("it is of format %d, this program's is %d", r.Format, resultsFormat)
	}
	if err != nil {
		return fresh, usage("cannot add to the results in "+dir, err.Error(), "--out with another directory")
	}
	if !r.Encoder.is(of) {
		return fresh, nil // they would be read as this encoder's
	}
	r.Encoder = of
	return r, nil
}

// resultsSoFar are those that a new one joins. note says what became of others.
func (j *evalJob) resultsSoFar() (all results, note string, err error) {
	of := j.subject.words()
	if note, err = makeWay(j.out, of); err != nil {
		return results{}, "", &failure.Failure{What: "cannot write the results to " + j.out, Why: err.Error(),
			Code: failure.Checkpoint, Try: "--out with a place that you may write to"}
	}
	all, err = readResults(j.out, of)
	return all, note, err
}

// keep writes a result to the directory of the evaluation, in place of an older one of the same question, and prints
// it.
func (j *evalJob) keep(cmd *cobra.Command, r evalResult) error {
	r.Seconds, r.Time, r.Computed = time.Since(j.began).Round(time.Millisecond).Seconds(), time.Now().UTC(), j.fingerprint
	all, note, err := j.resultsSoFar()
	if err != nil {
		return err
	}
	if note != "" {
		j.show.say(note)
	}
	all.Results = append(slices.DeleteFunc(all.Results, func(o evalResult) bool { return r.same(&o) }), r)
	slices.SortStableFunc(all.Results, func(a, b evalResult) int { return cmp.Compare(a.Method, b.Method) })
	text, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = disk.MkdirAll(disk.System{}, j.out)
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(j.out, resultsFile), append(text, '\n'))
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(j.out, resultsPage), []byte(all.page()))
	}
	if err != nil {
		return &failure.Failure{What: "cannot write the results to " + j.out, Why: err.Error(), Code: failure.Checkpoint,
			Try: "--out with a place that has room; the same command goes on from what is finished"}
	}
	if j.flags.structured() {
		text, err := json.Marshal(results{Format: resultsFormat, Encoder: all.Encoder, Results: []evalResult{r}})
		if err != nil {
			return err
		}
		return j.flags.printJSON(cmd, text)
	}
	w := cmd.OutOrStdout()
	for _, f := range r.Figures {
		fmt.Fprintln(w, f)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	fmt.Fprintf(w, "results in %s\n", short(filepath.Join(j.out, resultsPage)))
	return nil
}

// page is the results as Markdown.
func (r *results) page() string {
	var b strings.Builder
	e := r.Encoder
	width := ""
	if e.Width > 1 {
		width = fmt.Sprintf(" ×%d", e.Width)
	}
	fmt.Fprintf(&b, "# Evaluation of %s%s\n\nThe %s encoder after step %s (%s stem, %d × %d pixels, %d features), "+
		"`%s`, weights `%.12s`.\n\n", e.Architecture, width, e.Network, grouped(e.Step), e.Stem, e.ImageSize, e.ImageSize,
		e.Features, e.File, e.WeightsSHA256)
	fmt.Fprint(&b, "| method | figure | % | 95 % interval | images |\n|---|---|---|---|---|\n")
	for _, o := range r.Results {
		for _, f := range o.Figures {
			fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f – %.2f | %s |\n", o.Method, f.Name, 100*f.Ratio, 100*f.Low,
				100*f.High, f.images())
		}
	}
	for _, o := range r.Results {
		fmt.Fprintf(&b, "\n## %s\n\nLearned from `%s` (%s images), judged by `%s` (%s images), %d classes.\n", o.Method,
			o.TrainData, grouped(int64(o.TrainCount)), o.EvalData, grouped(int64(o.EvalCount)), o.Classes)
		for _, key := range slices.Sorted(maps.Keys(o.Settings)) {
			fmt.Fprintf(&b, "- %s: %s\n", key, o.Settings[key])
		}
		for _, note := range o.Notes {
			fmt.Fprintf(&b, "- %s\n", note)
		}
		fmt.Fprintf(&b, "- computed by %s in %s, %s\n", o.Computed, spell(time.Duration(o.Seconds*float64(time.Second))),
			o.Time.Format(time.DateTime))
	}
	return b.String()
}
