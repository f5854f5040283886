package cpu

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The assembly in the tree is what the generator writes today; the first line holds the paths and is skipped.
func TestAssemblyIsFresh(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("no go command to run the generator with: %v", err)
	}
	dir := t.TempDir()
	for _, isa := range []string{"avx2", "avx512"} {
		cmd := exec.Command(goTool, "run", "./asm", "-dir", dir, "-isa", isa)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	for _, name := range []string{"kernels_amd64.s", "kernels_amd64.go", "kernels512_amd64.s", "kernels512_amd64.go"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(afterFirstLine(got), afterFirstLine(want)) {
			t.Errorf("%s is not what the generator writes; run: go generate ./model/device/cpu", name)
		}
	}
}

func afterFirstLine(b []byte) []byte {
	_, rest, _ := bytes.Cut(b, []byte("\n"))
	return rest
}
