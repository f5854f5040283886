package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"byol/coordinator/settings"
	"byol/worker/data/views"
)

// TestEveryOptionIsASetting: settings and RunConfig have the options of views, and no others.
func TestEveryOptionIsASetting(t *testing.T) {
	t.Chdir(t.TempDir())
	p, err := planned(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.config.AugmentOptions(); len(got) != 0 {
		t.Errorf("a run without options tells workers %v", got)
	}
	count := 0
	for _, row := range settings.All() {
		if strings.HasPrefix(row.Name, settings.ViewPrefix) {
			count++
		}
	}
	if count != len(views.Options()) {
		t.Errorf("%d settings for %d options", count, len(views.Options()))
	}
	for _, option := range views.Options() {
		c := proto.CloneOf(p.config)
		c.SetAugmentOption(option, "1,1")
		if got := c.AugmentOptions(); len(got) != 1 || got[option] != "1,1" {
			t.Errorf("%s is told as %v", option, got)
		}
		if settings.Find(settings.ViewPrefix+option) == nil {
			t.Errorf("there is no setting of %s", option)
		}
	}
}

// TestViewsOfARun: options reach workers when they differ from the pipeline's, and screens say what is not the paper's.
func TestViewsOfARun(t *testing.T) {
	t.Chdir(t.TempDir())
	p, err := planned(t, "--augment-hue", "0.20", "--augment-solarize", " 0, 0", "--augment-flip", "0.5",
		"--augment-area", "0.3,0.9")
	if err != nil {
		t.Fatal(err)
	}
	got := p.config.AugmentOptions()
	if len(got) != 3 || got["hue"] != "0.2" || got["solarize"] != "0,0" || got["area"] != "0.3,0.9" {
		t.Errorf("workers are told %v", got)
	}
	const differ = "not the paper's: area 0.3,0.9 (paper 0.08,1), hue 0.2 (paper 0.1), blur 0,0 (paper 1,0.1), " +
		"solarize 0,0 (paper 0,0.2)"
	if text := banner(p, ""); !strings.Contains(text, differ) {
		t.Errorf("the banner says\n%s\nwant %q", text, differ)
	}
	if p, err := planned(t, "--augment", "byol"); err != nil || strings.Contains(banner(p, ""), "not the paper's") {
		t.Errorf("the paper's own: %v", err)
	}
	code, out, errs := command("config", "show", "--augment-hue", "0.2")
	for _, want := range []string{"augment-hue 0.2 flag; the paper's is 0.1",
		"augment-flip 0.5 --augment byol-noblur,min-area=0.2"} {
		if code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("config show lacks %q: exit %d, %s%s", want, code, out, errs)
		}
	}
	_, out, _ = command("config", "show", "-o", "json", "--augment-hue", "0.2")
	var list []struct{ Name, Value, Paper string }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if want := map[string]string{"augment-hue": "0.1", "augment-area": "0.08,1",
			"augment-blur": "1,0.1"}[l.Name]; l.Paper != want {
			t.Errorf("%s %s has the paper's %q, want %q", l.Name, l.Value, l.Paper, want)
		}
	}
}

// TestViewsRefused says what an option cannot be, in three parts, before anything begins.
func TestViewsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, want := range map[string]string{
		"--augment-hue 0.7": "error: --augment-hue cannot be \"0.7\"\n  why: turned by at most so much of the circle: " +
			"from 0 to 0.5\n  try: --augment-hue 0.1, which is the paper's",
		"--augment-blur 1":         "two numbers with a comma between them",
		"--augment-area 0.9,0.1":   "the first is at most the second",
		"--augment simclr":         "no such pipeline",
		"--augment byol,min-are=3": "--augment cannot be \"byol,min-are=3\"",
		"--augment-grayscale much": "one number",
	} {
		code, _, errs := command(append(strings.Fields(args), "--dry-run", "--launcher", "none")...)
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s", args, code, errs)
		}
	}
}

// TestOlderRunsGoOn: a run directory from before options were settings takes none that differ.
func TestOlderRunsGoOn(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("run", 0o755); err != nil {
		t.Fatal(err)
	}
	old := "data: synthetic:4096,size=32,seed=1\naugment: byol-noblur,min-area=0.2\nimage-size: 24\n"
	if err := os.WriteFile(filepath.Join("run", "config.yaml"), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := planned(t, "--run-dir", "run")
	if err != nil || len(p.config.AugmentOptions()) != 0 || p.views.Option("area") != "0.2,1" {
		t.Errorf("it goes on with %+v, %v", p, err)
	}
	if err := os.WriteFile(filepath.Join("run", "config.yaml"), append([]byte(old), "augment-hue: \"0.1\"\n"...),
		0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := planned(t, "--run-dir", "run", "--augment-hue", "0.3"); err == nil ||
		!strings.Contains(err.Error(), "run holds another run") {
		t.Errorf("another hue: %v", err)
	}
}
