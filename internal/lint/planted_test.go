package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// planted are small trees with one breach each: a check that doesn't find its own is no check.
var planted = []struct {
	name  string
	check func(*Tree) []Finding
	files map[string]string
	want  string // part of the only finding; "" for none
}{
	{"clock in pure code", Purity,
		map[string]string{"coordinator/run/a.go": "package run\n\nimport \"time\"\n\nvar x = time.Now()\n"}, "time.Now"},
	{"own generator in pure code", Purity, map[string]string{
		"coordinator/run/a.go": "package run\n\nimport \"math/rand/v2\"\n\nvar x = rand.New(rand.NewPCG(1, 2))\n"}, ""},
	{"global generator in pure code", Purity, map[string]string{
		"coordinator/run/a.go": "package run\n\nimport \"math/rand/v2\"\n\nvar x = rand.IntN(2)\n"}, "rand/v2.IntN"},
	{"clock under another name", Purity,
		map[string]string{"coordinator/run/a.go": "package run\n\nimport t \"time\"\n\nvar x = t.Since\n"}, "time.Since"},
	{"files in pure code", Purity,
		map[string]string{"coordinator/run/a.go": "package run\n\nimport _ \"os/exec\"\n"}, "os/exec in pure code"},
	{"logs in pure code", Purity,
		map[string]string{"coordinator/run/a.go": "package run\n\nimport _ \"go.uber.org/zap\"\n"}, "zap in pure code"},
	{"a name that begins as one", Purity,
		map[string]string{"coordinator/run/a.go": "package run\n\nimport (\n\t_ \"log2\"\n\t_ \"time\"\n)\n"}, ""},
	{"clock in a pure file", Purity, map[string]string{
		"allreduce/schedule.go": "package allreduce\n\nimport \"time\"\n\nvar x = time.Now()\n"}, "schedule.go:5"},
	{"clock beside a pure file", Purity,
		map[string]string{"allreduce/a.go": "package allreduce\n\nimport \"time\"\n\nvar x = time.Now()\n"}, ""},
	{"clock in a test of pure code", Purity,
		map[string]string{"coordinator/run/a_test.go": "package run\n\nimport \"time\"\n\nvar x = time.Now()\n"}, ""},

	{"no package comment", Comments, map[string]string{"run/a.go": "package run\n"}, "exactly one file"},
	{"two package comments", Comments, map[string]string{"run/a.go": "// Package run. When it fails: no.\npackage run\n",
		"run/b.go": "// Package run again.\npackage run\n"}, "exactly one file"},
	{"no failure paragraph", Comments, map[string]string{"run/a.go": "// Package run runs.\npackage run\n"},
		"no paragraph"},
	{"undocumented function", Comments,
		map[string]string{"run/a.go": "// Package run. When it fails: no.\npackage run\n\nfunc F() {}\n"},
		"F has no comment"},
	{"undocumented field of a group", Comments, map[string]string{
		"run/a.go": "// Package run. When it fails: no.\npackage run\n\nvar (\n\tA = 1 // A is.\n\tB = 2\n)\n"},
		"B has no comment"},

	{"word", Words, map[string]string{"run/a.go": "package run\n\n// TO" + "DO: later\n"}, "words"},

	{"init", Globals, map[string]string{"run/a.go": "package run\n\nfunc init() {}\n"}, "init function"},
	{"global counter", Globals, map[string]string{"run/a.go": "package run\n\nvar n int\n",
		"run/b.go": "package run\n\nfunc f() { n++ }\n"}, "n is package-level"},
	{"a local of the same name", Globals, map[string]string{
		"run/a.go": "package run\n\nvar n int\n\nfunc f() int { n := 1; n++; return n }\n"}, ""},
	{"global map", Globals, map[string]string{
		"run/a.go": "package run\n\nvar m = map[int]int{}\n\nfunc f() { m[1] = 2 }\n"}, "m is package-level"},
	{"global lock", Globals, map[string]string{"run/a.go": "package run\n\nimport \"sync\"\n\nvar mu sync.Mutex\n"},
		"package-level sync.Mutex"},
	{"error sentinel", Globals,
		map[string]string{"run/a.go": "package run\n\nimport \"errors\"\n\nvar ErrGone = errors.New(\"run: gone\")\n"}, ""},

	{"coordinator imports worker", Imports,
		map[string]string{"coordinator/a.go": "package coordinator\n\nimport _ \"byol/worker/data\"\n"},
		"never import each other"},
	{"in a test too", Imports,
		map[string]string{"coordinator/a_test.go": "package coordinator\n\nimport _ \"byol/worker/data\"\n"}, "never import"},
	{"run imports proto", Imports,
		map[string]string{"coordinator/run/a.go": "package run\n\nimport _ \"byol/proto\"\n"}, "not proto"},
	{"raft outside raftnode", Imports,
		map[string]string{"coordinator/a.go": "package coordinator\n\nimport _ \"github.com/hashicorp/raft\"\n"}, "is for"},
	{"unknown dependency", Imports,
		map[string]string{"worker/a.go": "package worker\n\nimport _ \"example.com/x\"\n"}, "a new dependency"},
	{"cgo", Imports, map[string]string{"worker/a.go": "package worker\n\nimport \"C\"\n"}, "cgo"},
	{"new package", Imports, map[string]string{"worker/dream/a.go": "package dream\n"}, "a new package"},
	{"a test's network below a program", Imports, map[string]string{
		"cmd/worker/a.go":              "package main\n\nimport _ \"byol/internal/network/memory\"\n",
		"internal/network/memory/a.go": "package memory\n"}, "holds what is for tests alone"},
	{"testing below a program", Imports,
		map[string]string{"cmd/coordinator/a.go": "package main\n\nimport _ \"testing\"\n"},
		"cmd/coordinator -> testing"},
	{"purego below the coordinator", Imports, map[string]string{
		"cmd/coordinator/a.go":   "package main\n\nimport _ \"byol/worker/data/turbo\"\n",
		"worker/data/turbo/a.go": "package turbo\n\nimport _ \"github.com/ebitengine/purego\"\n"},
		"reaches github.com/ebitengine/purego"},
	{"tensors below the coordinator", Imports, map[string]string{
		"cmd/coordinator/a.go": "package main\n\nimport _ \"byol/model/nn\"\n",
		"model/nn/a.go":        "package nn\n\nimport _ \"gorgonia.org/tensor\"\n"}, "reaches gorgonia.org/tensor"},

	{"goroutine", Goroutines, map[string]string{"run/a.go": "package run\n\nfunc f() { go f() }\n"}, "starts a goroutine"},
	{"wait group", Goroutines,
		map[string]string{"run/a.go": "package run\n\nfunc f(wg *sync.WaitGroup) { wg.Go(func() {}) }\n"},
		"starts a goroutine"},

	{"dead link", Links, map[string]string{"docs/a.md": "see [b](b.md)"}, "leads nowhere"},
	{"dead heading", Links, map[string]string{"docs/a.md": "see [b](b.md#c)", "docs/b.md": "# D\n"}, "no such heading"},
	{"link and heading", Links,
		map[string]string{"docs/a.md": "see [b](b.md#when-it-fails-12)", "docs/b.md": "## When it fails: 12\n"}, ""},
	{"unknown make target", MakeTargets,
		map[string]string{"Makefile": "all:\n", "a.md": "run `make demo`"}, "no such target"},
	{"included make target", MakeTargets,
		map[string]string{"Makefile": "include x/b.mk\n", "x/b.mk": "demo:\n", "a.md": "run `make demo`"}, ""},
}

// TestPlanted shows each check finding what it is for, and passing what it should.
func TestPlanted(t *testing.T) {
	for _, c := range planted {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			found := about(c.check(plant(t, c.files)))
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("files %v:\n got %v\nwant nothing", c.files, found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), c.want)):
				t.Errorf("files %v:\n got %v\nwant one finding with %q", c.files, found, c.want)
			}
		})
	}
}

// about drops the complaints that this repository's tables make of any other tree.
func about(found []Finding) []Finding {
	var rest []Finding
	for _, f := range found {
		if !strings.Contains(f.What, "no Go files") && !strings.Contains(f.What, "starts no goroutine") {
			rest = append(rest, f)
		}
	}
	return rest
}

func plant(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	root := t.TempDir()
	write(t, root, files)
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExceptions shows that an exception covers its own finding only, and is reported once it covers none.
func TestExceptions(t *testing.T) {
	found := []Finding{{"file-length", "a.go", "700 lines"}, {"goroutine", "b.go:12", "starts"}}
	list := []Exception{{"goroutine", "b.go", "a reason"}, {"goroutine", "c.go", "gone"}}
	stand := Except(found, list)
	if len(stand) != 2 || stand[0].Where != "a.go" || stand[1].Rule != "exception" || stand[1].Where != "c.go" {
		t.Errorf("Except(%v, %v)\n got %v\nwant a.go's finding and one about c.go's exception", found, list, stand)
	}
}
