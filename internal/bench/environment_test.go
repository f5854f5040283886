package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// program writes an executable shell script.
func program(t *testing.T, name, script string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestInterpreter shows in which order interpreters are tried, and that each answer is asked for once.
func TestInterpreter(t *testing.T) {
	e, log := testEnvironment(t, 1)
	asked := func(name, modules string) string {
		return program(t, filepath.Join(e.root, name),
			fmt.Sprintf(`echo %s >>%s; case $2 in *%s*) ;; *) exit 1;; esac`, name, e.places["log"], modules))
	}
	one, two := asked("one", "PIL"), asked("two", "torch")
	ctx := context.Background()
	for _, c := range []struct{ modules, want string }{
		{"PIL", one}, {"torch", two}, {"torch", two}, {"jax", ""}, {"jax", ""}, {"PIL", one},
	} {
		if got := e.interpreter(ctx, c.modules, "", one, two, filepath.Join(e.root, "gone")); got != c.want {
			t.Errorf("interpreter with %s: got %q, want %q", c.modules, got, c.want)
		}
	}
	if want := "one one two one two"; log() != want {
		t.Errorf("asked: got %s, want %s", log(), want)
	}
}

// TestPlaces shows what a side's arguments stand for: the run's own folder, and the interpreter that its needs name.
func TestPlaces(t *testing.T) {
	e, _ := testEnvironment(t, 1)
	t.Setenv("BYOL_BENCH_PYTHON", program(t, filepath.Join(e.root, "old"), "true"))
	program(t, filepath.Join(e.root, newestPython), "true")
	before := maps.Clone(e.places)
	for _, c := range []struct {
		needs []string
		want  string
	}{
		{nil, ""},
		{[]string{"openblas", "python:torch"}, filepath.Join(e.root, "old")},
		{[]string{"newest:torch"}, filepath.Join(e.root, newestPython)},
	} {
		got := e.placesOf(context.Background(), &side{needs: c.needs}, "/run/1")
		if got["python"] != c.want || got["tmp"] != "/run/1" || got["bin"] != before["bin"] {
			t.Errorf("needs %v: got %v, want python %q and tmp /run/1", c.needs, got, c.want)
		}
	}
	if d := cmp.Diff(before, e.places); d != "" {
		t.Errorf("the places themselves changed:\n%s", d)
	}
}

// TestWhereDataIs shows where things are looked for: data beside the module, programs in bin, or where -bin says.
func TestWhereDataIs(t *testing.T) {
	above := t.TempDir()
	root := filepath.Join(above, "byol")
	deep := filepath.Join(root, "internal", "bench")
	tars := filepath.Join(above, "shared", "data", "cifar10")
	for _, dir := range []string{deep, tars, filepath.Join(above, "shared", "data", "imagenet-sample")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{filepath.Join(root, "go.mod"), filepath.Join(tars, "train-000000.tar")} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(deep)
	t.Setenv("TMPDIR", above)
	t.Setenv("BYOL_BENCH_OPENBLAS", "/my/blas")
	o := &options{}
	e, err := newEnvironment(o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"bin": filepath.Join(root, "bin"), "scripts": deep, "shared": filepath.Join(above, "shared"),
		"cifar":    filepath.Join(tars, "train-{000000..000009}.tar"),
		"photos":   filepath.Join(above, "shared", "data", "imagenet-sample"),
		"openblas": "/my/blas",
	}
	for name, place := range want {
		if e.places[name] != place {
			t.Errorf("{%s}: got %q, want %q", name, e.places[name], place)
		}
	}
	if filepath.Dir(e.places["tmp"]) != above || !exists(e.places["tmp"]) {
		t.Errorf("{tmp}: got %q, want a folder in %q", e.places["tmp"], above)
	}
	if want := filepath.Join(root, "docs", "bench"); o.out != want {
		t.Errorf("tables go to %q, want %q", o.out, want)
	}

	if err := os.RemoveAll(filepath.Join(above, "shared")); err != nil {
		t.Fatal(err)
	}
	e, err = newEnvironment(&options{binDir: "mine", out: "tables"})
	if err != nil {
		t.Fatal(err)
	}
	if e.places["bin"] != filepath.Join(deep, "mine") || e.options.out != "tables" ||
		!strings.HasPrefix(e.places["cifar"], "synthetic:") || !strings.HasPrefix(e.places["photos"], "synthetic:") {
		t.Errorf("with flags and without data: got %v, tables in %q", e.places, e.options.out)
	}
}

// TestRunAll shows that a program that can't be started ends those that were, and that of several failures the first
// rank's is told, with its last words.
func TestRunAll(t *testing.T) {
	e, _ := testEnvironment(t, 1)
	long := shell("long", "sleep 600")
	for _, c := range []struct {
		name  string
		sides []side
		want  string
	}{
		{"all well", []side{shell("a", "true"), shell("b", "true")}, ""},
		{"no such program", []side{long, {argv: []string{"{bin}/gone"}}}, "no such file"},
		{"both fail", []side{shell("a", "exit 3"), shell("b", "exit 4")}, "sh, rank 0 of 2: exit status 3"},
	} {
		var ranks []*process
		for i := range c.sides {
			p, err := e.prepare(context.Background(), &c.sides[i], nil, false, e.root)
			if err != nil {
				t.Fatal(err)
			}
			ranks = append(ranks, p...)
		}
		err := runAll(context.Background(), ranks)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestMachineFacts shows that a table says what its figures belong to.
func TestMachineFacts(t *testing.T) {
	e, _ := testEnvironment(t, 3)
	e.commit = "abc"
	text := strings.Join(machineFacts(e), "\n")
	for _, want := range []string{"Machine: ", fmt.Sprintf("%d cores", runtime.NumCPU()), "Go: " + runtime.Version(),
		"Date: 20", "Commit: abc", "Pairs: 3"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	e.commit = ""
	if text := strings.Join(machineFacts(e), "\n"); strings.Contains(text, "Commit") {
		t.Errorf("outside of a checkout there is no commit to name:\n%s", text)
	}
	if got := describeCommit(context.Background(), t.TempDir()); got != "" {
		t.Errorf("describeCommit outside of a checkout: got %q", got)
	}
}

func TestField(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	text := "MemFree: 1 kB\nMemTotal:   16 kB\nNAME=\"x y\"\nMemTotal: 9 kB\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, name, want string }{
		{name, "MemTotal", "16 kB"}, {name, "NAME", `"x y"`}, {name, "Swap", ""}, {name + "x", "NAME", ""},
	} {
		if got := field(c.file, c.name); got != c.want {
			t.Errorf("field %s of %s: got %q, want %q", c.name, filepath.Base(c.file), got, c.want)
		}
	}
}
