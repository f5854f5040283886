package lint

import (
	"bytes"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fuzzers are the fuzz targets of a tree as make fuzz names them, and of each whether it has seeds: calls of Add, or
// files in the package's testdata/fuzz.
func fuzzers(t *Tree) map[string]bool {
	found := map[string]bool{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, d := range f.AST.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !f.Test || !strings.HasPrefix(fn.Name.Name, "Fuzz") {
					continue
				}
				seeds, _ := filepath.Glob(filepath.Join(t.Root, p.Dir, "testdata", "fuzz", fn.Name.Name, "*"))
				seeded := len(seeds) > 0
				ast.Inspect(fn, func(n ast.Node) bool {
					s, ok := n.(*ast.SelectorExpr)
					seeded = seeded || ok && s.Sel.Name == "Add"
					return true
				})
				found["./"+p.Dir+":"+fn.Name.Name] = seeded
			}
		}
	}
	return found
}

// TestFuzzTakesAllTargets: make fuzz runs every fuzz target there is, and each has seeds.
func TestFuzzTakesAllTargets(t *testing.T) {
	tree, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	want := fuzzers(tree)
	if len(want) < 20 {
		t.Errorf("%d fuzz targets in the tree: are they still found?", len(want))
	}
	for name, seeded := range want {
		if !seeded {
			t.Errorf("%s has no seeds", name)
		}
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make isn't installed: what make fuzz runs is not compared")
	}
	cmd := exec.Command("make", "-n", "fuzz")
	cmd.Dir, cmd.Env = tree.Root, append(os.Environ(), "MAKEFLAGS=", "FUZZ_TIME=1s")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n fuzz: %v\n%s", err, text)
	}
	got := map[string]bool{}
	for _, name := range regexp.MustCompile(`\./[a-z0-9/]+:Fuzz\w+`).FindAllString(string(text), -1) {
		got[name] = true
		if _, there := want[name]; !there {
			t.Errorf("make fuzz runs %s, which is not there", name)
		}
	}
	for name := range want {
		if !got[name] {
			t.Errorf("make fuzz leaves out %s", name)
		}
	}
}

// copyTree copies what git tracks of a tree.
func copyTree(t *testing.T, root, to string) {
	t.Helper()
	names, tracked, err := files(root)
	if err != nil || !tracked {
		t.Skipf("no git checkout to copy: %v", err)
	}
	for _, name := range names {
		from := filepath.Join(root, filepath.FromSlash(name))
		info, err := os.Stat(from)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 4<<20 {
			continue // pictures that no package embeds
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(out, text, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestModulePath gives a copy of this tree another path: all imports are found, nothing has the old one, and
// identities, protocols and folders, which are called byol too, keep their names. What comes of it builds.
func TestModulePath(t *testing.T) {
	if os.Getenv("BYOL_LONG") == "" {
		t.Skip("it builds everything once more: BYOL_LONG=1, or make long, runs it")
	}
	const to = "example.org/teams/byol"
	dir := t.TempDir()
	copyTree(t, "../..", dir)
	command := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, text)
		}
		return string(text)
	}
	command("sh", ".ci/module-path", to)
	packages := strings.Fields(command("go", "list", "-test", "-deps", "./..."))
	if !slices.Contains(packages, to+"/cmd/worker") {
		t.Errorf("there is no %s/cmd/worker", to)
	}
	for _, p := range packages {
		if strings.HasPrefix(p, "byol/") {
			t.Errorf("%s is still imported", p)
		}
	}
	for name, want := range map[string]string{
		"internal/network/secure/network.go": `"byol/1"`, "internal/lint/lint.go": `const Module = "` + to + `"`,
		"internal/network/secure/secure_test.go": `"spiffe://byol/default/worker/worker-0"`,
		"proto/operator.proto":                   `go_package = "` + to + `/proto;pb"`,
		"Makefile":                               "--go_opt=module=" + to + " ",
		"internal/lint/tools.mod":                "module " + to + "\n",
		"docs/checkpoint-format.md":              "`" + to + "/worker/checkpoint`",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: %v, or it lacks %s", name, err, want)
		}
	}
	command("go", "build", "./...")
	command("go", "vet", "./internal/lint", "./proto")
	if text, err := exec.Command("sh", filepath.Join(dir, ".ci", "module-path"), "a b").CombinedOutput(); err == nil {
		t.Errorf("a path with a blank is taken: %s", text)
	}
}

// TestPythonMessagesAreFresh compiles the operator's interface for Python again and compares. Only protoc 3.21 writes
// what every later runtime reads, so others are not asked.
func TestPythonMessagesAreFresh(t *testing.T) {
	version, err := exec.Command("protoc", "--version").Output()
	if err != nil || !strings.HasPrefix(string(version), "libprotoc 3.21.") {
		t.Skipf("protoc 3.21 isn't here, which python/byol/v1 is written by: %s %v", version, err)
	}
	out := t.TempDir()
	cmd := exec.Command("protoc", "-I", "byol/v1=proto", "--python_out="+out, "--pyi_out="+out, "byol/v1/operator.proto")
	cmd.Dir = "../.."
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, text)
	}
	for _, name := range []string{"operator_pb2.py", "operator_pb2.pyi"} {
		want, err := os.ReadFile(filepath.Join(out, "byol", "v1", name))
		if err != nil {
			t.Fatal(err)
		}
		if have, err := os.ReadFile(filepath.Join("../../python/byol/v1", name)); err != nil || !bytes.Equal(have, want) {
			t.Errorf("python/byol/v1/%s isn't what proto/operator.proto says (%v): run make proto", name, err)
		}
	}
}
