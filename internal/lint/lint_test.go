package lint

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var checks = []struct {
	name string
	run  func(*Tree) []Finding
}{
	{"Comments", Comments},
	{"Globals", Globals},
	{"Goroutines", Goroutines},
	{"Imports", Imports},
	{"Layout", Layout},
	{"Links", Links},
	{"MakeTargets", MakeTargets},
	{"Nesting", Nesting},
	{"Purity", Purity},
	{"Unneeded", Unneeded},
	{"Words", Words},
	{"House", func(t *Tree) []Finding { return House(t, "docs/architecture.md") }},
	{"Dependencies", func(t *Tree) []Finding { return Dependencies(t, "docs/decisions/0005-dependencies.md") }},
}

// TestConventions runs every check over this repository.
func TestConventions(t *testing.T) {
	tree, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	var found []Finding
	for _, c := range checks {
		found = append(found, c.run(tree)...)
	}
	for _, f := range Except(found, exceptions) {
		t.Error(f)
	}
}

// TestExceptionsHaveReasons keeps the lists readable.
func TestExceptionsHaveReasons(t *testing.T) {
	for _, e := range exceptions {
		if len(e.Why) < 10 {
			t.Errorf("exception %s %s: why?", e.Rule, e.Where)
		}
	}
	for name, why := range goFiles {
		if len(why) < 10 {
			t.Errorf("goFiles %s: who ends its goroutines?", name)
		}
	}
}

// versionLines differ between equal definitions compiled by other releases of the compilers.
var versionLines = regexp.MustCompile(`(?m)^// .*protoc.* v[0-9].*\n`)

// TestGeneratedProtoIsFresh compiles proto/*.proto again and compares.
func TestGeneratedProtoIsFresh(t *testing.T) {
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("protoc isn't installed: apt-get install protobuf-compiler runs this test")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	args := []string{"-I", filepath.Join(root, "proto"), "--go_out=" + out, "--go_opt=module=" + Module,
		"--go-grpc_out=" + out, "--go-grpc_opt=module=" + Module}
	for _, plugin := range []string{"protoc-gen-go", "protoc-gen-go-grpc"} {
		cmd := exec.Command("go", "tool", "-n", plugin)
		cmd.Dir = root
		name, err := cmd.Output()
		if err != nil {
			t.Fatalf("go tool -n %s: %v", plugin, err)
		}
		args = append(args, "--plugin="+plugin+"="+string(bytes.TrimSpace(name)))
	}
	sources, err := filepath.Glob(filepath.Join(root, "proto", "*.proto"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no proto/*.proto: %v", err)
	}
	if text, err := exec.Command(protoc, append(args, sources...)...).CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, text)
	}
	fresh, err := filepath.Glob(filepath.Join(out, "proto", "*.go"))
	if err != nil || len(fresh) == 0 {
		t.Fatalf("protoc wrote nothing: %v", err)
	}
	for _, name := range fresh {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join(root, "proto", filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(versionLines.ReplaceAll(have, nil), versionLines.ReplaceAll(want, nil)) {
			t.Errorf("proto/%s isn't what proto/*.proto says: run make proto", filepath.Base(name))
		}
	}
}
