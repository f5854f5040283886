package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/coordinator"
	"byol/coordinator/settings"
	"byol/recipes"
)

// example is a value of a row as people write it, and as the program holds it, that is not the default.
func example(row *settings.Setting) (text string, value any) {
	switch row.Default.(type) {
	case int:
		return "37", 37
	case int64:
		return "9000000000", int64(9000000000)
	case uint64:
		return "18446744073709551615", uint64(18446744073709551615)
	case float64:
		return "0.125", 0.125
	case bool:
		return "true", true
	case time.Duration:
		return "1h30m", 90 * time.Minute
	}
	return "a-word", "a-word"
}

func valueOf(row *settings.Setting, s *settings.Values) any {
	return reflect.ValueOf(row.At(s)).Elem().Interface()
}

// parsed are flags over values of their own.
func parsed(t testing.TB, args ...string) (*settings.Values, *resolution, error) {
	t.Helper()
	s := &settings.Values{}
	flags := newFlags(s)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	r, err := resolve(flags, s, nil)
	return s, r, err
}

// TestEveryWayToSet gives every setting by flag, by variable and by key in a file: each comes to the field of its row.
func TestEveryWayToSet(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, row := range settings.All() {
		text, want := example(&row)
		ways := map[string]func(*resolution) error{
			"flag":     func(r *resolution) error { return r.flags.Parse([]string{"--" + row.Name + "=" + text}) },
			"variable": func(r *resolution) error { return r.fromEnvironment([]string{row.Variable() + "=" + text}) },
			"key":      func(r *resolution) error { return r.fromYAML("a.yaml", []byte(row.Name+": "+text+"\n")) },
			"list":     func(r *resolution) error { return r.fromYAML("a.yaml", []byte(row.Name+": ["+text+"]\n")) },
		}
		if row.Short != "" {
			ways["letter"] = func(r *resolution) error { return r.flags.Parse([]string{"-" + row.Short + "=" + text}) }
		}
		for way, set := range ways {
			s := &settings.Values{}
			r := &resolution{settings: s, flags: newFlags(s), origins: map[string]string{}}
			for _, other := range settings.All() {
				r.origins[other.Name] = "default"
				if got := valueOf(&other, s); got != other.Default {
					t.Fatalf("%s is %v before anything is set, want the default %v", other.Name, got, other.Default)
				}
			}
			if row.Name == "config" && (way == "key" || way == "list") {
				if err := set(r); err == nil || !strings.Contains(err.Error(), "unknown setting") {
					t.Errorf("a file that names another: %v", err)
				}
				continue
			}
			if err := set(r); err != nil {
				t.Errorf("%s by %s: %v", row.Name, way, err)
			}
			if got := valueOf(&row, s); got != want {
				t.Errorf("%s by %s: got %v, want %v", row.Name, way, got, want)
			}
		}
	}
}

// TestPrecedence gives one setting from any of the sources: the strongest decides, and config show would say so.
func TestPrecedence(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, file := "run", "mine.yaml"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(t *rapid.T, path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		has := func(source string) bool { return rapid.Bool().Draw(t, source) }
		s := &settings.Values{}
		flags := newFlags(s)
		args := []string{"--run-dir", dir, "--config", file, "--data", "synthetic:10"}
		want, origin := "0.9", "default"
		os.Remove(filepath.Join(dir, coordinator.SettingsFile))
		if has("run directory") {
			write(t, filepath.Join(dir, coordinator.SettingsFile), "momentum: 0.1\n")
			want, origin = "0.1", filepath.Join(dir, coordinator.SettingsFile)
		}
		write(t, file, "seed: 1\n")
		if has("file") {
			write(t, file, "momentum: 0.2\n")
			want, origin = "0.2", file
		}
		var environ []string
		if has("variable") {
			environ = []string{"BYOL_MOMENTUM=0.3", "HOME=/", "BYOL_SEED="}
			want, origin = "0.3", "environment BYOL_MOMENTUM"
		}
		if has("flag") {
			args = append(args, "--momentum", "0.4")
			want, origin = "0.4", "flag"
		}
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		r, err := resolve(flags, s, environ)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(s.Momentum); got != want || r.origins["momentum"] != origin {
			t.Errorf("momentum is %s by %q, want %s by %q", got, r.origins["momentum"], want, origin)
		}
	})
}

// TestDerived: what nobody set follows from what was.
func TestDerived(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		name string
		want any
		by   string
	}{
		{nil, "data", "synthetic:4096,size=32,seed=1", "recipe demo"},
		{[]string{"--data", "/d"}, "arch", "resnet50", "default"},
		{[]string{"--data", "/d"}, "shards", 8, "derived"},
		{[]string{"--data", "/d", "--workers", "3"}, "shards", 3, "derived"},
		{[]string{"--data", "/d", "--shards", "4"}, "workers", 4, "derived"},
		{[]string{"--data", "/d", "--shards", "4", "--workers", "2"}, "workers", 2, "flag"},
		{[]string{"--data", "/d", "--shards", "16"}, "workers", 8, "default"},
		{[]string{"--data", "/d"}, "stem", "imagenet", "derived"},
		{[]string{"--data", "/d", "--image-size", "64"}, "stem", "cifar", "derived"},
		{[]string{"--data", "/d", "--image-size", "65"}, "stem", "imagenet", "derived"},
		{[]string{"--data", "/d", "--arch", "resnet56"}, "stem", "cifar", "derived"},
		{[]string{"--data", "/d", "--image-size", "32", "--stem", "imagenet"}, "stem", "imagenet", "flag"},
		{[]string{"--data", "/d", "--image-size", "32"}, "augment", "byol-noblur", "derived"},
		{[]string{"--data", "/d"}, "augment", "byol", "derived"},
		{[]string{"--data", "/d"}, "epochs", 100.0, "preset byol-100ep"},
		{[]string{"--data", "/d", "--preset", "byol-300ep"}, "epochs", 300.0, "preset byol-300ep"},
		{[]string{"--data", "/d", "--preset", "byol-300ep"}, "base-lr", 0.3, "preset byol-300ep"},
		{[]string{"--data", "/d", "--preset", "byol-1000ep", "--epochs", "5"}, "base-tau", 0.996, "preset byol-1000ep"},
		{[]string{"--data", "/d"}, "warmup-epochs", 10.0, "derived"},
		{[]string{"--data", "/d", "--epochs", "20"}, "warmup-epochs", 5.0, "derived"},
	} {
		s, r, err := parsed(t, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := valueOf(settings.Find(c.name), s); got != c.want || r.origins[c.name] != c.by {
			t.Errorf("%v: %s is %v by %q, want %v by %q", c.args, c.name, got, r.origins[c.name], c.want, c.by)
		}
	}
}

// TestBadSources: what cannot be read says where it stands.
func TestBadSources(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		yaml string
		want string
	}{
		{"workers: many\n", `mine.yaml: workers cannot be "many"`},
		{"seed: 1\nworkres: 3\n", `mine.yaml:2: unknown setting "workres"`},
		{"config: other.yaml\n", `mine.yaml:1: unknown setting "config"`},
		{"epochs:\n  many: 3\n", "mine.yaml:2: epochs wants one value"},
		{"- a\n- b\n", "cannot read mine.yaml"},
		{"seed: [1, 2\n", "cannot read mine.yaml"},
		{"preset: byol-7ep\n", `unknown preset "byol-7ep"`},
	} {
		if err := os.WriteFile("mine.yaml", []byte(c.yaml), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := parsed(t, "--config", "mine.yaml"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.yaml, err, c.want)
		}
	}
	for _, entry := range []string{"BYOL_WORKER=3", "BYOL_BATCHSIZE=3", "BYOL_workers=3"} {
		s := &settings.Values{}
		if _, err := resolve(newFlags(s), s, []string{entry}); err == nil ||
			!strings.Contains(err.Error(), "unknown environment variable "+strings.TrimSuffix(entry, "=3")) {
			t.Errorf("%s: %v", entry, err)
		}
	}
	s := &settings.Values{}
	foreign := []string{"BYOL_COORDINATOR=a:1", "BYOL_FAULTS=x", "BYOL_PJRT_PLUGIN=/opt/p.so", "BYOL_PJRT_CACHE=/c",
		"BYOL_COORDINATOR_SERVICE_HOST=10.0.0.1",
		"BYOL_COORDINATOR_PORT=tcp://10.0.0.1:7070", "BYOL_COORDINATOR_PORT_7070_TCP=x", "BYOL_WORKERS="}
	r, err := resolve(newFlags(s), s, foreign)
	if err != nil || s.Workers != 8 || len(r.warnings) > 0 {
		t.Errorf("variables that are not settings: %v, %d workers, %q", err, s.Workers, r.warnings)
	}
	s = &settings.Values{}
	r, err = resolve(newFlags(s), s, []string{"BYOL_BIN=/opt/byol/bin", "BYOL_=3"})
	if err != nil || len(r.warnings) != 2 || !strings.Contains(r.warnings[0], "BYOL_BIN is ignored") {
		t.Errorf("somebody else's variable: %v, %q", err, r.warnings)
	}
}

// TestKeptSettings writes what a run keeps and reads it back: everything that is kept comes back the same, and what is
// about one start is not in it.
func TestKeptSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	rapid.Check(t, func(t *rapid.T) {
		s := &settings.Values{}
		flags := newFlags(s)
		var args []string
		for _, row := range settings.All() {
			if row.Words == nil && row.Path == settings.NoPath && rapid.Bool().Draw(t, row.Name) {
				text, _ := example(&row)
				args = append(args, "--"+row.Name+"="+text)
			}
		}
		if err := flags.Parse(append(args, "--data=/a,b: c# 'd'")); err != nil {
			t.Fatal(err)
		}
		first := &resolution{settings: s, flags: flags}
		text := first.marshal()
		values, err := parseYAML("config.yaml", text, flags)
		if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		for _, row := range settings.All() {
			value, kept := values[row.Name]
			if kept == (row.Life == settings.Once) {
				t.Errorf("%s is kept: %v, but its life is %v", row.Name, kept, row.Life)
			}
			if kept && value != flags.Lookup(row.Name).Value.String() {
				t.Errorf("%s comes back as %q, was %q", row.Name, value, flags.Lookup(row.Name).Value)
			}
		}
		first.stored = values
		if differ := first.conflicts(); differ != nil {
			t.Errorf("a run differs from itself: %q", differ)
		}
	})
}

// TestConflicts changes one setting of a run after another.
func TestConflicts(t *testing.T) {
	t.Chdir(t.TempDir())
	_, begun, err := parsed(t)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := parseYAML("config.yaml", begun.marshal(), begun.flags)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range settings.All() {
		_, again, err := parsed(t)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := example(&row)
		if err := again.flags.Set(row.Name, text); err != nil {
			t.Fatal(err)
		}
		again.stored = stored
		got := again.conflicts()
		if row.Name == "init" { // the coordinator compares what the file holds
			continue
		}
		if row.Decides() != (len(got) == 1) || len(got) == 1 && !strings.HasPrefix(got[0], row.Name+" is ") {
			t.Errorf("another %s: conflicts %q, want one: %v", row.Name, got, row.Decides())
		}
	}
}

// TestHelp: --help has a line for each setting under its heading, in the table's order, but for the hidden ones.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"--help"}, &out, &out); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	text := out.String()
	at := 0
	for _, group := range settings.Groups() {
		heading := strings.Index(text, "\n"+string(group)+":\n")
		if heading < at {
			t.Fatalf("heading %s is missing or out of order", group)
		}
		at = heading
		for _, row := range settings.All() {
			if row.Group != group {
				continue
			}
			line := strings.Index(text[at:], "--"+row.Name+" ")
			if row.Hidden {
				if strings.Contains(text, "--"+row.Name) {
					t.Errorf("--%s is hidden, and in the help", row.Name)
				}
				continue
			}
			if line < 0 {
				t.Errorf("--%s is missing under %s, or out of order", row.Name, group)
			}
			at += max(line, 0)
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > helpWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestCompletion asks the program what a shell asks it.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string // among the answers
		not  string
	}{
		{[]string{"--batch-norm", ""}, []string{"sync", "local", ":4"}, "auto"},
		{[]string{"--arch", "resnet1"}, []string{"resnet18", "resnet101"}, ""},
		{[]string{"--preset", ""}, []string{"byol-40ep", "byol-1000ep"}, ""},
		{[]string{"--config", ""}, append(recipes.Names(), ":0"), ""},
		{[]string{"--resume", ""}, []string{":0"}, ""},
		{[]string{"--run-dir", ""}, []string{":16"}, ""},
		{[]string{"--seed", ""}, []string{":4"}, ""},
		{[]string{"config", "show", "--wire", ""}, []string{"float32", "bf16"}, ""},
		{[]string{"--no-"}, []string{"--no-color"}, ""},
		{[]string{"sta"}, []string{"status"}, "stop"},
	} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"__complete"}, c.args...), &out, &errs); code != 0 {
			t.Errorf("%v: exit code %d: %s", c.args, code, &errs)
		}
		lines := strings.Split(out.String(), "\n")
		for i := range lines {
			lines[i], _, _ = strings.Cut(lines[i], "\t")
		}
		for _, want := range c.want {
			if !slices.Contains(lines, want) {
				t.Errorf("%v: %q lacks %q", c.args, lines, want)
			}
		}
		if c.not != "" && slices.Contains(lines, c.not) {
			t.Errorf("%v: %q should not offer %q", c.args, lines, c.not)
		}
	}
}

// TestRecipes: each recipe is settings that the program takes, and says in its first line what it is for.
func TestRecipes(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range recipes.Names() {
		s, r, err := parsed(t, "--config", name, "--data", "synthetic:64")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := checkValues(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.origins["batch-size"] != "recipe "+name {
			t.Errorf("%s: the batch size is by %q", name, r.origins["batch-size"])
		}
		if text, ok := recipes.Read(name); !ok || recipes.Summary(name) == "" || bytes.Contains(text, []byte("\t")) {
			t.Errorf("%s: summary %q", name, recipes.Summary(name))
		}
	}
	if _, ok := recipes.Read("../demo"); ok || recipes.Summary("nothing") != "" {
		t.Error("a recipe that is none can be read")
	}
}
