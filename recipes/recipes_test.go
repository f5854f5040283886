package recipes

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"byol/coordinator/settings"
	"byol/model/optim"
)

// TestNames shows that names are sorted, each can be read, and says in a sentence what it is for.
func TestNames(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) || !slices.Contains(names, "demo") {
		t.Errorf("Names: got %q, want them sorted, with demo", names)
	}
	for _, name := range names {
		text, ok := Read(name)
		if !ok || len(text) == 0 || text[len(text)-1] != '\n' {
			t.Errorf("Read(%q): got %d bytes, %v, want text that ends with its last line", name, len(text), ok)
		}
		if s := Summary(name); !strings.HasPrefix(string(text), "# "+s+"\n") || len(s) < 20 || len(s) > 118 {
			t.Errorf("Summary(%q): got %q, want the first line's comment, of 20 to 118 bytes", name, s)
		}
	}
}

// TestUnknown shows that other names, and ways out of the folder, are no recipes.
func TestUnknown(t *testing.T) {
	for _, name := range []string{"", "Demo", "demo.yaml", "../recipes/demo", "recipes", "./demo"} {
		if text, ok := Read(name); ok || Summary(name) != "" {
			t.Errorf("Read(%q): got %q, want nothing", name, text)
		}
	}
}

// TestSettings shows that a recipe sets what the table of settings has, once, and nothing that belongs to a machine or
// a run; that its values are of the setting's kind; and that it decides whether numbers are those that were measured.
func TestSettings(t *testing.T) {
	for _, name := range Names() {
		text, _ := Read(name)
		var node yaml.Node
		if err := yaml.Unmarshal(text, &node); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		set := map[string]string{}
		pairs := node.Content[0].Content
		for i := 0; i < len(pairs); i += 2 {
			key, value := pairs[i].Value, pairs[i+1]
			if _, twice := set[key]; twice {
				t.Errorf("%s: %s is set twice", name, key)
			}
			if value.Kind != yaml.ScalarNode || value.Value == "" {
				t.Errorf("%s: %s: want one value", name, key)
			}
			set[key] = value.Value
			if why := wrong(key, value.Value); why != "" {
				t.Errorf("%s: %s: %s: %s", name, key, value.Value, why)
			}
		}
		for _, key := range []string{"workers", "threads", "run-dir", "run-name", "listen", "seed", "resume"} {
			if _, has := set[key]; has {
				t.Errorf("%s sets %s, which is the machine's or the run's", name, key)
			}
		}
		for _, key := range []string{"arch", "image-size", "augment", "batch-size", "shards"} {
			if set[key] == "" {
				t.Errorf("%s does not say %s: its numbers would follow the defaults", name, key)
			}
		}
		batch, _ := strconv.Atoi(set["batch-size"])
		if shards, _ := strconv.Atoi(set["shards"]); shards < 1 || batch%shards != 0 || batch/shards < 16 || shards > 64 {
			t.Errorf("%s: %d images in %d shards: want 1 to 64 equal ones, of 16 images or more", name, batch, shards)
		}
		if p := set["preset"]; p != "" && !slices.ContainsFunc(optim.Presets(), func(x optim.Preset) bool {
			return x.Name == p
		}) {
			t.Errorf("%s: preset %s is not known", name, p)
		}
	}
}

// wrong says why a setting has no such value; "" if it has. What a number of a unit means, only the program can tell.
func wrong(key, value string) string {
	s := settings.Find(key)
	if s == nil {
		return "no such setting"
	}
	if s.Words != nil && !slices.Contains(s.Words, value) {
		return "want one of " + strings.Join(s.Words, ", ")
	}
	switch s.Default.(type) {
	case int, int64, uint64, float64, float32:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return "want a number"
		}
		if (s.Low != 0 || s.High != 0) && (x < s.Low || x > s.High) {
			return "out of range"
		}
	}
	return ""
}

// TestWrong shows that the test above can fail.
func TestWrong(t *testing.T) {
	for _, c := range [][2]string{{"speed", "1"}, {"arch", "resnet19"}, {"batch-size", "many"}, {"batch-size", "-1"}} {
		if wrong(c[0], c[1]) == "" {
			t.Errorf("%s: %s passes", c[0], c[1])
		}
	}
}

// TestWords shows that a recipe of a published figure is complete: what it aims at and who published that, what data
// look like, how it is run and judged, how long that takes, how many workers it suits; and that it has no other
// headings.
func TestWords(t *testing.T) {
	own := []string{"demo", "cifar10-resnet20"} // figures of this project, in docs/bench
	known := []string{"aim", "source", "data", "run", "evaluate", "time", "differs", "shards"}
	for _, name := range Names() {
		text, _ := Read(name)
		if !slices.Contains(own, name) {
			for _, heading := range known {
				must := heading != "differs" || !strings.HasPrefix(name, "imagenet-")
				if got := Lines(name, heading); must && (len(got) == 0 || strings.Join(got, "") == "") {
					t.Errorf("%s does not say %s", name, heading)
				}
			}
			if run := strings.Join(Lines(name, "run"), " "); !strings.Contains(run, "--config "+name+" ") ||
				!strings.Contains(run, "--data ") || !strings.Contains(run, "--eval-data ") {
				t.Errorf("%s is run by %q: want --config with its name, --data and --eval-data", name, run)
			}
		}
		for line := range strings.Lines(string(text)) {
			heading, _, found := strings.Cut(strings.TrimPrefix(line, "# "), ":")
			if found && strings.HasPrefix(line, "# ") && !strings.ContainsAny(heading, " ,.") &&
				!slices.Contains(known, heading) {
				t.Errorf("%s: heading %q is not known", name, heading)
			}
			if len([]rune(line)) > 121 {
				t.Errorf("%s: a line of %d columns: %q", name, len([]rune(line))-1, line)
			}
		}
	}
}

// TestLines shows where a heading's words begin and end.
func TestLines(t *testing.T) {
	name := "cifar10-resnet18-200ep"
	if got := Lines(name, "aim"); len(got) != 1 || !strings.HasPrefix(got[0], "86.9 % k-NN") {
		t.Errorf("aim: %q", got)
	}
	if got := Lines(name, "run"); len(got) != 2 || !strings.HasPrefix(got[0], "coordinator --config "+name) ||
		!strings.HasPrefix(got[1], "  --data ") {
		t.Errorf("run: %q, want a command of two lines, the second indented", got)
	}
	for _, c := range [][2]string{{name, "cost"}, {"nothing", "aim"}, {"demo", "batch-size"}} {
		if got := Lines(c[0], c[1]); len(got) > 0 {
			t.Errorf("Lines(%q, %q): got %q, want none", c[0], c[1], got)
		}
	}
}
