package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/checkpoint"
	"byol/worker/encoder"
)

// TestUntrained: --untrained judges what the run began with, which is what its seed draws or the file that it was
// given, apart from the results of what it came to; a file that no run stands behind has nothing of the kind.
func TestUntrained(t *testing.T) {
	dir, infos := stored(t, 3)
	open := func(untrained bool, path string) (*subject, error) {
		return (&evalFlags{network: encoder.Online, untrained: untrained}).openSubject(path)
	}
	trained, err := open(false, dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := open(true, infos[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := trained.Untrain(trained.run); err != nil {
		t.Fatal(err)
	}
	if first.Digest() != trained.Digest() || first.Step != 0 || first.name() != "step-0" || first.base != dir {
		t.Errorf("%.12s, step %d, %s in %s, want %.12s", first.Digest(), first.Step, first.name(), first.base,
			trained.Digest())
	}

	apart := t.TempDir() // a run whose checkpoints are elsewhere has its evaluations all the same
	text := `{"checkpointDir":"` + filepath.Dir(infos[0].Path) + `"}`
	if err := os.WriteFile(filepath.Join(apart, "config.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := open(false, apart); err != nil || s.base != apart {
		t.Errorf("with --checkpoint-dir results go to %+v, %v, want %s", s, err, apart)
	}

	given, _, err := encoder.Open(drawnEncoder(t, filepath.Join(dir, initFile), nil))
	if err != nil {
		t.Fatal(err)
	}
	state, err := checkpoint.Load(infos[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.TrimSuffix(state.Config, "}")
	for sum, want := range map[string]string{given.Digest(): "",
		strings.Repeat("0", 64): "the run began with weights 0000"} {
		state.Config = config + `,"initSha256":"` + sum + `"}`
		info, err := checkpoint.Save(filepath.Join(dir, "checkpoints"), state)
		if err != nil {
			t.Fatal(err)
		}
		s, err := open(true, info.Path)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("another file than was given: %v, want %q", err, want)
			}
		} else if err != nil || s.Digest() != sum || s.Step != 0 {
			t.Errorf("of a run that was given an encoder: %+v, %v", s, err)
		}
	}

	file := filepath.Join(dir, initFile)
	if code, _, errs := command("eval", "knn", file, "--untrained"); code != failure.Usage ||
		!strings.Contains(errs, "does not say what it was before training") {
		t.Errorf("of a file: exit code %d, %s", code, errs)
	}
}
