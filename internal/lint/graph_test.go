package lint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wired has a diamond, a circle (which Go refuses, and Reach must survive), a test's import and a package of tests.
var wired = map[string]string{
	"a/a.go":      "package a\n\nimport (\n\t_ \"byol/b\"\n\t_ \"byol/c\"\n\t_ \"fmt\"\n)\n",
	"a/a2.go":     "package a\n\nimport _ \"byol/b\"\n",
	"b/b.go":      "package b\n\nimport _ \"byol/d\"\n",
	"c/c.go":      "package c\n\nimport _ \"byol/d\"\n",
	"d/d.go":      "package d\n\nimport (\n\t_ \"byol/b\"\n\t_ \"example.com/lib/v2/sub\"\n\t_ \"byol/gone\"\n)\n",
	"d/d_test.go": "package d\n\nimport _ \"byol/e\"\n",
	"e/e_test.go": "package e\n",
}

// TestGraph follows imports, without those of tests.
func TestGraph(t *testing.T) {
	tree := plant(t, wired)
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"Imports of a", tree.Package("a").Imports(), []string{"byol/b", "byol/c", "fmt"}},
		{"Own of a", tree.Package("a").Own(), []string{"b", "c"}},
		{"Imports of e", tree.Package("e").Imports(), []string(nil)},
		{"Name of d", tree.Package("d").Name(), "d"},
		{"Name of e", tree.Package("e").Name(), ""},
		{"Package gone", tree.Package("gone"), (*Package)(nil)},
		{"Reach of a", tree.Reach("a"), []string{"a", "b", "c", "d", "gone"}},
		{"Reach of gone", tree.Reach("gone"), []string{"gone"}},
		{"chain to a module", tree.chain("a", "example.com/lib/v2"), "a -> b -> d -> example.com/lib/v2/sub"},
		{"chain of one", tree.chain("d", "example.com/lib"), "d -> example.com/lib/v2/sub"},
		{"chain to a name's beginning", tree.chain("a", "example.com/li"), ""},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, d)
		}
	}
}
