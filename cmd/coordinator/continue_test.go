package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/failure"
	"byol/worker/checkpoint"
)

// begunBy is a checkpoint of a run with these flags after some steps.
func begunBy(t *testing.T, step int64, args ...string) string {
	t.Helper()
	p, err := planned(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(p.config)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "checkpoints")
	info, err := checkpoint.Save(dir, checkpoint.State{Step: step, Config: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return info.Path
}

// TestContinue: a new run that goes on from a checkpoint has the settings of its run, but for those that are given.
func TestContinue(t *testing.T) {
	t.Chdir(t.TempDir())
	path := begunBy(t, 8, tinyRun("--epochs", "4", "--warmup-epochs", "1.5", "--base-lr", "0.3", "--seed", "9", "--wire",
		"bf16", "--augment-flip", "0.25", "--keep", "7", "--run-name", "begun")...)
	p, err := planned(t, "--resume", path, "--run-dir", "new", "--epochs", "6", "--image-size", "12")
	if err != nil {
		t.Fatal(err)
	}
	c := p.config
	if c.Arch != "tiny" || c.Seed != 9 || c.BaseLr != 0.3 || c.WarmupSteps != 6 || c.Wire != "bf16" || c.Keep != 7 ||
		c.Stem != "cifar" || c.AugmentOptions()["flip"] != "0.25" || c.BatchSize != 16 || c.Data != "synthetic:64,size=12" {
		t.Errorf("goes on with %v", c)
	}
	if c.TotalSteps != 24 || c.ImageSize != 12 || c.RunId != "new" ||
		c.CheckpointDir != filepath.Join(here(t), "new", "checkpoints") {
		t.Errorf("what was given, or is the new run's own: %v", c)
	}
	want := "continues step 8 of run begun; epochs 4 → 6, image-size 8 → 12\n"
	if !strings.Contains(banner(p, ""), want) {
		t.Errorf("want %q in\n%s", want, banner(p, ""))
	}
	if err := p.keepStart(); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join("new", "checkpoints", checkpoint.Name(8))
	if _, err := checkpoint.Verify(own); err != nil || p.settings.Resume != filepath.Join(here(t), own) {
		t.Errorf("begins from %s: %v", p.settings.Resume, err)
	}
	for args, want := range map[string]string{
		"--epochs 2": "has nothing left to do",
		"--epochs 6 --arch resnet20 --batch-size 32": "why: arch: tiny, now resnet20; batch size: 16, now 32",
		"--epochs 6 --seed 3":                        "why: seed: 9, now 3",
		"--epochs 6 --data synthetic:80,size=12":     "why: samples: 64, now 80; manifest hash:",
		"--epochs 6 --proj-dim 7":                    "why: projector out: 256, now 7",
		"--epochs 6 --init x":                        "--init and --resume name two places to start from",
	} {
		code, _, errs := command(append([]string{"--resume", path, "--run-dir", "another", "--dry-run"},
			strings.Fields(args)...)...)
		if code != failure.Usage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", args, code, want, errs)
		}
	}
	if code, _, errs := command("--resume", "none", "--run-dir", "another"); code != failure.Checkpoint ||
		!strings.Contains(errs, "there is no checkpoint none") {
		t.Errorf("from nothing: exit code %d, %s", code, errs)
	}
}

// here is the working directory.
func here(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWarmupSurvives: however steps and epochs divide, the warm-up of a run that goes on has the steps that it had.
func TestWarmupSurvives(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, warmup := range []string{"0", "0.1", "1", "1.3", "2.7"} {
		args := []string{"--data", "synthetic:77,size=12", "--arch", "tiny", "--image-size", "8", "--batch-size", "6",
			"--shards", "1", "--epochs", "5", "--warmup-epochs", warmup}
		was, err := planned(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		now, err := planned(t, "--resume", begunBy(t, 3, args...), "--run-dir", "new", "--epochs", "9")
		if err != nil || now.config.WarmupSteps != was.config.WarmupSteps {
			t.Errorf("%s epochs: %d steps, %v, want %d", warmup, now.config.WarmupSteps, err, was.config.WarmupSteps)
		}
	}
}
