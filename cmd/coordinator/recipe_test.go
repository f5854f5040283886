package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/coordinator"
	"byol/coordinator/settings"
	"byol/recipes"
)

// TestRecipeCommands takes every command that a recipe shows as the program does, and compares what a command is told
// with what the recipe is.
func TestRecipeCommands(t *testing.T) {
	t.Parallel()
	for _, name := range recipes.Names() {
		text := strings.Join(slices.Concat(recipes.Lines(name, "run"), recipes.Lines(name, "evaluate")), "\n")
		shown := examples(t, "recipe "+name, "```\n"+text+"\n```\n")
		if text != "" && len(shown) < 2 {
			t.Errorf("%s shows %d commands, want a training and an evaluation at least:\n%s", name, len(shown), text)
		}
		for _, e := range shown {
			cmd, rest, err := rootCommand().Find(e.words)
			if err == nil {
				if err = cmd.ParseFlags(rest); err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
			}
			if err != nil {
				t.Errorf("%s\n  %v", e.where, err)
			}
		}
	}
}

// inProcess runs the program in this process.
func inProcess(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(args, &o, &e)
	return o.String(), e.String(), code
}

// TestRecipeLs shows that every recipe is listed with its epochs, what it is and what it aims at, as a table and as
// JSON.
func TestRecipeLs(t *testing.T) {
	table, errs, code := inProcess(t, "recipe", "ls")
	if code != 0 {
		t.Fatal(errs)
	}
	for _, want := range []string{"NAME", "imagenet-resnet50-300ep", "72.5 % linear top-1", "Imagenette at 128 pixels"} {
		if !strings.Contains(table, want) {
			t.Errorf("the list lacks %q:\n%s", want, table)
		}
	}
	out, errs, code := inProcess(t, "recipe", "list", "-o", "json")
	var list []recipeWords
	if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil {
		t.Fatal(code, err, errs)
	}
	epochs := map[string]float64{}
	for _, l := range list {
		epochs[l.Name] = l.Epochs
	}
	if len(list) != len(recipes.Names()) || epochs["imagenet-resnet50-40ep"] != 40 ||
		epochs["cifar10-resnet18-200ep"] != 200 {
		t.Errorf("epochs are %v", epochs)
	}
}

// diffed runs recipe diff and returns its rows by setting.
func diffed(t *testing.T, args ...string) (d paperDifferences, differ map[string]difference) {
	t.Helper()
	out, errs, code := inProcess(t, append([]string{"recipe", "diff", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &d); code != 0 || err != nil {
		t.Fatalf("recipe diff %q: code %d, %v\n%s", args, code, err, errs)
	}
	differ = map[string]difference{}
	for _, l := range d.Differ {
		differ[l.Setting] = l
	}
	return d, differ
}

// TestRecipeDiff shows what differs from the paper: nothing for the paper's own settings, each change and its
// consequences with what the paper found for it, and the paper's numbers as they are in it.
func TestRecipeDiff(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, epochs := range []string{"40", "100", "300", "1000"} {
		if d, _ := diffed(t, "imagenet-resnet50-"+epochs+"ep"); len(d.Differ) != 0 || len(d.Same) < 20 ||
			d.Preset != "byol-"+epochs+"ep" {
			t.Errorf("the paper's %s epochs beside %s: %v, %d the same", epochs, d.Preset, d.Differ, len(d.Same))
		}
	}
	for _, c := range []struct {
		args string
		want []difference // all of them
	}{
		{"imagenet-resnet50-1000ep --against byol-300ep", []difference{{"epochs", "1000", "300", ""},
			{"base-lr", "0.2", "0.3", "71.7"}, {"weight-decay", "1.5e-06", "1e-06", ""}, {"base-tau", "0.996", "0.99", ""},
			{"learning rate of the batch", "3.2", "4.8", ""}}},
		{"imagenet-resnet50-300ep --batch-norm local", []difference{{"batch-norm", "local", "sync", ""},
			{normalisedName, "64", "4096", "59.7"}}},
		{"imagenet-resnet50-300ep --batch-size 256 --shards 8", []difference{{"batch-size", "256", "4096", ""},
			{"learning rate of the batch", "0.3", "4.8", ""}, {normalisedName, "256", "4096", ""}}},
		{"imagenet-resnet50-300ep --augment byol-noblur", []difference{{"augment-blur", "0,0", "1,0.1", "71.2"},
			{"evaluated on", "all of its centre square", "the centre 224/256", ""}}},
		{"imagenet-resnet50-300ep --ablation no-predictor", []difference{{"ablation", "no-predictor", "", ""}}},
		{"--config imagenet-resnet50-40ep --base-tau 0.9", []difference{{"base-tau", "0.9", "0.97", "68.4"}}},
	} {
		d, _ := diffed(t, strings.Fields(c.args)...)
		if !slices.Equal(d.Differ, c.want) {
			t.Errorf("%s\n  got  %v\n  want %v", c.args, d.Differ, c.want)
		}
	}
	out, _, _ := inProcess(t, "recipe", "diff", "imagenet-resnet50-300ep")
	if strings.Contains(out, "HERE") || !strings.Contains(out, "the same: epochs 300, batch-size 4096, arch resnet50") {
		t.Errorf("the paper's own setting is said as\n%s", out)
	}
	out, _, _ = inProcess(t, "recipe", "diff", "demo")
	if !strings.Contains(out, "SETTING") || strings.Count(out, "the same:") != 1 {
		t.Errorf("the demo is said as\n%s", out)
	}
}

// TestRecipeDiffOfRun: what is compared is what the run was created with, whatever the environment says, and a flag
// changes it; directories and names that are none are refused with what to do.
func TestRecipeDiffOfRun(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("BYOL_BASE_TAU", "0.5")
	s := &settings.Values{}
	flags := newFlags(s)
	args := []string{"--config", "imagenet-resnet50-100ep", "--data", "synthetic:64", "--base-lr", "0.7"}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	r, err := resolve(flags, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("runs", "mine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, coordinator.SettingsFile), r.marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	if d, differ := diffed(t, dir); len(differ) != 2 || differ["base-lr"].Here != "0.7" || d.Name != dir {
		t.Errorf("%s: %v", d.Name, differ)
	}
	if _, differ := diffed(t, dir, "--base-lr", "0.45"); len(differ) != 0 {
		t.Errorf("with the paper's learning rate: %v", differ)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"runs"}, "no config.yaml"}, {[]string{"demoo"}, "did you mean demo?"},
		{[]string{"demo", "demo"}, "wants one"}, {[]string{"demo", "--against", "byol"}, "unknown preset"},
		{[]string{"demo", "--batch-size", "1"}, "--batch-size"},
		{[]string{"demo", "-o", "xml"}, "--output"},
	} {
		_, errs, code := inProcess(t, append([]string{"recipe", "diff"}, c.args...)...)
		if code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%q: code %d, %q: want 2 and %q", c.args, code, errs, c.want)
		}
	}
}
