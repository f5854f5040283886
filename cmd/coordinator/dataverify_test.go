package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
)

// TestVerifyTellsWhatEndsATraining: a picture that is damaged would be replaced, a shard that changed ends a training,
// and verify says which is which.
func TestVerifyTellsWhatEndsATraining(t *testing.T) {
	photos := drawnFolder(t, 3, "ant", "bee")
	if err := os.WriteFile(filepath.Join(photos, "bee", "1.ppm"), []byte("P6 8 8 255 cut"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "shards")
	if code, out, errs := command("data", "shard", photos, dir); code != 0 {
		t.Fatalf("shard: exit %d %s%s", code, out, errs)
	}
	tars, _ := filepath.Glob(filepath.Join(dir, "*.tar"))
	verify := func(want ...string) {
		t.Helper()
		code, out, errs := command("data", "verify", tars[0])
		for _, w := range want {
			if code != failure.Data || !strings.Contains(out+errs, w) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, failure.Data, w, out, errs)
			}
		}
	}
	verify("bee/1.ppm: ", "1 of 6 images cannot be decoded\n", "each would be replaced")
	text, err := os.ReadFile(tars[0])
	if err != nil {
		t.Fatal(err)
	}
	text[strings.Index(string(text), "P3 8 8")+20] ^= 1
	if err := os.WriteFile(tars[0], text, 0o644); err != nil {
		t.Fatal(err)
	}
	verify("ant/0.ppm: ", "2 of 6 images cannot be decoded or read", "1 of them are in files that changed",
		"bring the files")
}
