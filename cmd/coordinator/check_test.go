package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

// sound are the settings of a run that nothing is wrong with.
func sound(t testing.TB) *settings.Values {
	t.Helper()
	s := &settings.Values{}
	newFlags(s)
	s.Shards, s.Stem, s.Augment, s.Epochs, s.BaseTau = 8, "imagenet", "byol", 100, 0.99
	if err := checkValues(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// put gives a row a number, as far as its type can hold it.
func put(row *settings.Setting, s *settings.Values, x float64) {
	v := reflect.ValueOf(row.At(s)).Elem()
	switch v.Interface().(type) {
	case time.Duration:
		v.SetInt(int64(x * float64(time.Second)))
	case float64:
		v.SetFloat(x)
	default:
		if x >= math.MaxInt64 {
			x = math.MaxInt32
		}
		v.SetInt(int64(x))
	}
}

// TestBounds takes every bounded setting to its bounds and past them.
func TestBounds(t *testing.T) {
	bounded := 0
	for _, row := range settings.All() {
		if row.Low == 0 && row.High == 0 {
			continue
		}
		bounded++
		step := 1.0
		switch row.Default.(type) {
		case float64:
			step = max(1e-3, row.High*1e-3)
		case time.Duration:
			step = 0.001
		}
		for _, c := range []struct {
			x    float64
			good bool
		}{{row.Low, true}, {row.High, true}, {row.Low - step, false}, {row.High + step, row.High == math.MaxInt64}} {
			s := sound(t)
			put(&row, s, c.x)
			err := checkValue(&row, s)
			if (err == nil) != c.good {
				t.Errorf("--%s %v: %v, want it good: %v", row.Name, c.x, err, c.good)
			}
			var f *failure.Failure
			if err != nil && (!errors.As(err, &f) || f.Code != failure.Usage ||
				!strings.Contains(f.What, "--"+row.Name+" cannot be ") ||
				!strings.Contains(f.Why, "it is from ") || strings.Contains(f.Error(), "e+")) {
				t.Errorf("--%s %v: %+v", row.Name, c.x, err)
			}
		}
	}
	if bounded < 20 {
		t.Errorf("only %d settings have bounds", bounded)
	}
}

// TestWordsOfSettings gives every setting of a few words each of them, and one that is none.
func TestWordsOfSettings(t *testing.T) {
	for _, row := range settings.All() {
		if row.Words == nil {
			continue
		}
		s := sound(t)
		at := row.At(s).(*string)
		for _, word := range row.Words {
			*at = word
			if err := checkValue(&row, s); err != nil {
				t.Errorf("--%s %s: %v", row.Name, word, err)
			}
		}
		for _, word := range []string{"nothing", strings.ToUpper(row.Words[len(row.Words)-1]), " "} {
			*at = word
			if err := checkValue(&row, s); err == nil || !strings.Contains(err.Error(), "it is one of: "+row.Words[0]) {
				t.Errorf("--%s %q: %v", row.Name, word, err)
			}
		}
	}
}

func TestShards(t *testing.T) {
	for _, c := range []struct {
		workers, shards, batch int
		norm                   string
		want                   string // "": good
		try                    string
	}{
		{8, 8, 256, "sync", "", ""},
		{1, 8, 256, "sync", "", ""},
		{3, 8, 256, "sync", "", ""},
		{9, 8, 256, "sync", "9 workers cannot share 8 shards", "--workers 8, or --shards 9 for a new run"},
		{8, 8, 100, "sync", "a batch of 100 cannot be cut into 8 shards", "--batch-size 96 or 104"},
		{8, 8, 7, "sync", "a batch of 7 cannot be cut into 8 shards", "--batch-size 8"},
		{8, 8, 8, "sync", "", ""},
		{8, 8, 8, "local", "--batch-norm local needs two images in each shard", "--batch-norm sync, a larger"},
		{8, 8, 16, "local", "", ""},
	} {
		s := sound(t)
		s.Workers, s.Shards, s.BatchSize, s.BatchNorm = c.workers, c.shards, c.batch, c.norm
		err := checkValues(s)
		var f *failure.Failure
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &f) || f.What != c.want ||
			!strings.HasPrefix(f.Try, c.try) || f.Code != failure.Usage) {
			t.Errorf("%+v: got %+v", c, err)
		}
	}
}

// TestPrecision: the devices of this program's own compute in fp32 alone, and whoever asks one of them for less is told
// before any data is looked at.
func TestPrecision(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		device, precision string
		good              bool
	}{
		{"auto", "fp32", true}, {"auto", "bf16", true}, {"pjrt", "bf16", true}, {"cuda", "bf16", true},
		{"pjrt:/some/plugin.so", "bf16", true}, {"cpu", "fp32", true}, {"reference", "fp32", true},
		{"cpu", "bf16", false}, {"reference", "bf16", false},
	} {
		data := "synthetic:256,size=32"
		if !c.good {
			data = "nowhere"
		}
		_, err := planned(t, "--device", c.device, "--precision", c.precision, "--data", data, "--epochs", "20")
		var f *failure.Failure
		if c.good && err != nil || !c.good && (!errors.As(err, &f) || f.What != "--precision bf16 needs an accelerator" ||
			f.Why != "the device "+c.device+" computes in fp32 alone" || f.Try == "" || f.Code != failure.Usage) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

// TestCheckOrder: of several mistakes the first in the table is told.
func TestCheckOrder(t *testing.T) {
	s := sound(t)
	s.Arch, s.ImageSize, s.Wire = "resnet42", 3, "fp8"
	if err := checkValues(s); err == nil || !strings.Contains(err.Error(), `--arch cannot be "resnet42"`) {
		t.Errorf("got %v", err)
	}
}

// TestCheckEvaluation: accuracy needs labels of the same classes in both sets.
func TestCheckEvaluation(t *testing.T) {
	labelled := dataset{uri: "a", images: 10, labelled: true, classes: 3, names: []string{"ant", "bee", "cat"}}
	plain := dataset{uri: "b", images: 10}
	fewer := dataset{uri: "c", images: 10, labelled: true, classes: 2, names: []string{"bee", "ant"}}
	others := dataset{uri: "d", images: 10, labelled: true, classes: 3, names: []string{"bee", "cat", "dog"}}
	strange := dataset{uri: "e", images: 10, labelled: true, classes: 3, names: []string{"0", "1", "2"}}
	for _, c := range []struct {
		train, eval dataset
		evalData    string
		want        string
	}{
		{labelled, labelled, "a", ""},
		{plain, dataset{}, "", ""},
		{plain, labelled, "a", "k-nearest-neighbour accuracy needs labels: --data b has none"},
		{labelled, plain, "b", "k-nearest-neighbour accuracy needs labels: --eval-data b has none"},
		{labelled, fewer, "c", "--data and --eval-data don't have the same classes: only a has cat"},
		{labelled, others, "d", "--data and --eval-data don't have the same classes: only a has ant; only d has dog"},
		{labelled, others, "d intersect", ""},
		{labelled, strange, "e", "--data and --eval-data have no class in common: a has ant, bee, cat; e has 0, 1, 2"},
		{labelled, strange, "e intersect",
			"--data and --eval-data have no class in common: a has ant, bee, cat; e has 0, 1, 2"},
	} {
		uri, how, _ := strings.Cut(c.evalData, " ")
		p := &plan{resolution: &resolution{settings: &settings.Values{EvalData: uri, EvalClasses: how}}, train: c.train,
			eval: c.eval}
		err := p.checkEvaluation()
		if got := (*failure.Failure)(nil); c.want == "" && err != nil ||
			c.want != "" && (!errors.As(err, &got) || got.Error() != c.want || got.Code != failure.Data) {
			t.Errorf("%+v: got %v, want %q", c, err, c.want)
		}
		if warned := len(p.warnings) == 1 && strings.Contains(p.warnings[0],
			"2 classes of both sets; without ant, dog"); warned !=
			(how == "intersect" && c.want == "") {
			t.Errorf("%s: warned %q", c.evalData, p.warnings)
		}
	}
}

// classTar writes a tar of WebDataset with these labels, in their order.
func classTar(t *testing.T, path string, labels ...int) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, label := range labels {
		for name, text := range map[string]string{"jpg": "no picture", "cls": fmt.Sprint(label)} {
			h := &tar.Header{Name: fmt.Sprintf("%03d.%s", i, name), Size: int64(len(text)), Mode: 0o644}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestArchivesByClass: parts of a set whose archives lie by class have different classes, which is said with the reason
// and what to take instead; where the names are the same all the same, a warning says which classes cannot be right. A
// set in a drawn order is not accused of it.
func TestArchivesByClass(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	set := func(flag, name string, named bool, labels ...int) namedSet {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if named {
			if err := os.WriteFile(filepath.Join(at, "classes.txt"), []byte("ant\nbee\ncat\ndog\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		classTar(t, filepath.Join(at, "x.tar"), labels...)
		d, err := inspect(t.Context(), flag, filepath.Join(at, "x.tar"), access{timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return namedSet{flag, d}
	}
	for i, c := range []struct {
		named       bool
		train, eval []int
		how         string
		warning     []string // what it says; none: nothing is said
		err         []string
	}{
		{true, []int{0, 0, 1, 1}, []int{2, 2, 3}, "exact", []string{"no image of 2 of the 2 classes that --eval-data " +
			"has (cat, dog), whose 3 images count as wrong", "one class after the other"}, nil},
		{true, []int{0, 1, 0, 1}, []int{1, 2}, "intersect", []string{"no image of 1 of the 2 classes", "(cat), whose 1 "},
			nil},
		{true, []int{0, 1, 2, 3}, []int{2, 3}, "exact", nil, nil},
		{false, []int{0, 0, 1, 1, 2}, []int{0, 1}, "exact", nil, []string{"don't have the same classes",
			"one class after the other", "all archives of the set as --data and its own test part as --eval-data", "shuf"}},
		{false, []int{0, 1, 0, 2, 1}, []int{0, 1}, "exact", nil, []string{"don't have the same classes", "intersect"}},
	} {
		train := set("data", fmt.Sprint("train", i), c.named, c.train...)
		eval := set("eval-data", fmt.Sprint("eval", i), c.named, c.eval...)
		warning, err := matchClasses(train, eval, c.how)
		text := warning
		for _, want := range c.warning {
			if !strings.Contains(warning, want) {
				t.Errorf("%d: warning %q lacks %q", i, warning, want)
			}
		}
		if err != nil {
			f := failure.Of(err, unforeseen)
			text = f.What + "\n" + f.Why + "\n" + f.Try
		}
		for _, want := range c.err {
			if !strings.Contains(text, want) {
				t.Errorf("%d: %q lacks %q", i, text, want)
			}
		}
		if (err != nil) != (c.err != nil) || (warning != "") != (c.warning != nil) {
			t.Errorf("%d: warning %q, error %v", i, warning, err)
		}
		if i == 4 && strings.Contains(text, "one class after the other") {
			t.Errorf("a drawn order is said to be by class: %q", text)
		}
	}
}
