package lint

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnneeded shows which lines of the tables are reported: those that no import needs, and no others. A test's import
// of a foreign module needs its line, for tests may import only some modules without; its import of an own package
// needs none.
func TestUnneeded(t *testing.T) {
	tree := plant(t, map[string]string{
		"cmd/x/main.go": "package main\n\nimport _ \"byol/run\"\n",
		"run/run.go":    "package run\n\nimport (\n\t_ \"byol/data/tar\"\n\t_ \"example.com/used/v2/sub\"\n)\n",
		"run/run_test.go": "package run\n\n" +
			"import (\n\t_ \"byol/data\"\n\t_ \"example.com/exam\"\n\t_ \"example.com/tested\"\n)\n",
		"data/data.go":    "package data\n",
		"data/tar/tar.go": "package tar\n",
	})
	for _, c := range []struct {
		what string
		got  []Finding
		want []string
	}{
		{"own, as it is", unneededOwn(tree, map[string][]string{
			"cmd/x": {"..."}, "run": {"data/..."}, "data": {}, "data/tar": nil}), nil},
		{"own, with a package that is gone", unneededOwn(tree, map[string][]string{"dream": {}}),
			[]string{"dream: unneeded: has a line in the table own and no Go files"}},
		{"own, with imports that only tests have", unneededOwn(tree, map[string][]string{"run": {"data", "data/tar"}}),
			[]string{"run: unneeded: may import data, and doesn't"}},
		{"foreign, as it is", unneededForeign(tree, map[string][]string{
			"example.com/used/v2": {"run"}, "example.com/tested": {"run"}}), nil},
		{"foreign, with a module nobody imports", unneededForeign(tree, map[string][]string{"example.com/use": {"run"}}),
			[]string{"example.com/use: unneeded: has a line in the table foreign, and nobody imports it"}},
		{"foreign, with a package that doesn't", unneededForeign(tree, map[string][]string{
			"example.com/used/v2": {"run", "data/..."}}),
			[]string{"example.com/used/v2: unneeded: data/... may import it, and doesn't"}},
		{"foreign, with a longer line for the same", unneededForeign(tree, map[string][]string{
			"example.com/used": {"run"}, "example.com/used/v2": {"run"}}),
			[]string{"example.com/used: unneeded: has a line in the table foreign, and nobody imports it"}},
		{"tests, as they are", unneededInTests(tree, []string{"example.com/exam"}), nil},
		{"tests, with a module that only sources import", unneededInTests(tree, []string{"example.com/used/v2"}),
			[]string{"example.com/used/v2: unneeded: is in testForeign, and no test imports it"}},
	} {
		var got []string
		for _, f := range c.got {
			got = append(got, f.String())
		}
		slices.Sort(got)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, d)
		}
	}
}

// TestHouse shows that a package needs a place in the document, and what counts as one.
func TestHouse(t *testing.T) {
	for _, c := range []struct {
		dir, text string
		housed    bool
	}{
		{"model", "model is BYOL", true},
		{"model", "the model/nn layers", false},
		{"model", "a supermodel", false},
		{"model/nn", "nn/ layers", true},
		{"model/nn", "optim/ nn/", true},
		{"model/nn", "see model/nn.", true},
		{"model/nn", "cnn/ layers", false},
		{"model/nn", "nn layers", false},
	} {
		tree := plant(t, map[string]string{c.dir + "/a.go": "package a\n", "house.md": c.text})
		if got := House(tree, "house.md"); (len(got) == 0) != c.housed {
			t.Errorf("%s in %q: got %v, want a place: %v", c.dir, c.text, got, c.housed)
		}
	}
	if got := House(plant(t, nil), "house.md"); len(got) != 1 || got[0].Where != "house.md" {
		t.Errorf("without the document: got %v, want one finding", got)
	}
}

// TestDependencies shows that a module is looked for by its name without the version.
func TestDependencies(t *testing.T) {
	var all string
	for module := range foreign {
		all += " " + module
	}
	for _, module := range testForeign {
		all += " " + module
	}
	if got := Dependencies(plant(t, map[string]string{"d.md": all}), "d.md"); len(got) > 0 {
		t.Errorf("a document with all of them: got %v, want nothing", got)
	}
	var missing []string
	for _, f := range Dependencies(plant(t, map[string]string{"d.md": "raft, raft-boltdb, rapid"}), "d.md") {
		missing = append(missing, f.Where)
	}
	named := []string{"github.com/hashicorp/raft", "github.com/hashicorp/raft-boltdb/v2", "pgregory.net/rapid"}
	for _, module := range named {
		if slices.Contains(missing, module) {
			t.Errorf("%s is named, and reported all the same", module)
		}
	}
	if !slices.Contains(missing, "go.uber.org/zap") {
		t.Errorf("got %v, want go.uber.org/zap in it", missing)
	}
	if got := Dependencies(plant(t, nil), "d.md"); len(got) != 1 || got[0].Where != "d.md" {
		t.Errorf("without the document: got %v, want one finding", got)
	}
}

// TestNesting shows what counts as a level.
func TestNesting(t *testing.T) {
	const (
		four = "for range x { if a { switch { case b: for { y() } } } }"
		deep = "for range x { if a { switch { case b: for { if c { y() } } } } }"
	)
	for _, c := range []struct {
		name, file, body string
		want             string // the levels that are complained of; "" for none
	}{
		{"four", "run/a.go", four, ""},
		{"five", "run/a.go", deep, "5 levels"},
		{"a chain of ifs is one", "run/a.go", "if a {} else if b {} else if c {} else if d {} else if e {} else { y() }", ""},
		{"in the last else", "run/a.go", "if a {} else { for { for { for { for { y() } } } } }", "5 levels"},
		{"select", "run/a.go", "for { for { for { for { select { case <-c: y() } } } } }", "5 levels"},
		{"a block is none", "run/a.go", "{ { { { { { y() } } } } } }", ""},
		{"a function starts anew", "run/a.go", "for { for { f(func() { for { for { for { y() } } } }) } }", ""},
		{"in a function", "run/a.go", "f(func() { " + deep + " })", "5 levels"},
		{"a kernel", "model/device/cpu/a.go", deep, ""},
		{"a test", "run/a_test.go", deep, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Nesting(plant(t, map[string]string{c.file: "package a\n\nfunc g() {\n" + c.body + "\n}\n"}))
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0].What, c.want)) {
				t.Errorf("%s\n got %v\nwant %q", c.body, got, c.want)
			}
		})
	}
}
