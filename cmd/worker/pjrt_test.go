package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
)

// TestDump writes the programs of a small network as text.
func TestDump(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	var out, errs bytes.Buffer
	if code := run([]string{"pjrt", "dump", "--arch", "resnet20", "--images", "4", "-o", dir}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || !strings.Contains(string(text), "func.func") || !strings.HasSuffix(f.Name(), ".mlir") {
			t.Errorf("%s: %v\n%.200s", f.Name(), err, text)
		}
	}
	if want := " programs, "; !strings.Contains(out.String(), want) || len(files) < 20 {
		t.Errorf("%d files, and %q", len(files), &out)
	}
}

func TestPJRTUsage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Chdir(t.TempDir())
	for _, c := range []struct{ args, want string }{
		{"dump", "no folder was named"},
		{"dump -o x --arch vgg", `architecture "vgg" is not known`},
		{"dump -o x --precision fp8", `--precision "fp8" is not known`},
		{"dump -o x --images 0", "--images 0"},
		{"dump -o x --arch resnet18 --padding odd", `--padding "odd" is not known`},
		{"compile --for g80", `target "g80" is not known: want one of h100, h200`},
		{"compile --for h100 --arch resnet20 --images 2 --pjrt-plugin /none/xla_cuda_plugin.so",
			"open PJRT plugin /none/xla_cuda_plugin.so: cannot be loaded"},
	} {
		var out, errs bytes.Buffer
		code := run(append([]string{"pjrt"}, strings.Fields(c.args)...), &out, &errs)
		if code != failure.Usage || !strings.Contains(errs.String(), c.want) || !strings.Contains(errs.String(), "try: ") {
			t.Errorf("%s: exit %d, %s", c.args, code, &errs)
		}
	}
}
