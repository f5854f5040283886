package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleasesCarryOutNoFaults: what is built with the tag release has not the file that reads the plan, and the images
// are built so.
func TestReleasesCarryOutNoFaults(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-tags", "release", "-f", "{{.GoFiles}}", ".")
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files := strings.Fields(strings.Trim(strings.TrimSpace(string(out)), "[]"))
	for name, want := range map[string]bool{"faults.go": false, "faults_off.go": true} {
		has := false
		for _, f := range files {
			has = has || f == name
		}
		if has != want {
			t.Errorf("a release has %s: %v", name, has)
		}
	}
	for _, name := range []string{"worker", "coordinator"} {
		text, err := os.ReadFile(filepath.Join("../../deploy", name+".Dockerfile"))
		if err != nil || !strings.Contains(string(text), "go build -tags release ") {
			t.Errorf("the image of the %s is no release: %v", name, err)
		}
	}
}
