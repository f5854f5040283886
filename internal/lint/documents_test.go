package lint

import (
	"slices"
	"strings"
	"testing"
)

// TestLinks shows which links of a document are followed, and what is said of those that lead nowhere.
func TestLinks(t *testing.T) {
	files := map[string]string{
		"docs/b.md":  "# One word\n\n## When it fails: 12 `codes` & more\n\n```\n# no heading\n```\n",
		"docs/x.png": "",
		"README.md":  "",
	}
	for _, c := range []struct{ text, want string }{
		{"[b](b.md) [b](./b.md) [root](../README.md) [x](x.png)", ""},
		{"[b](b.md#one-word) [b](b.md#when-it-fails-12-codes--more)", ""},
		{"# Here\n[here](#here)", ""},
		{"[out](https://example.com/x.md) [mail](mailto:a@example.com)", ""},
		{"code: `[b](gone.md)`\n\n```\n[b](gone.md)\n```\n", ""},
		{"[folder](../docs)", ""},
		{"[b](gone.md)", "docs/a.md: links: gone.md leads nowhere"},
		{"[b](../../b.md)", "docs/a.md: links: ../../b.md leads out of the repository"},
		{"[b](b.md#one)", "docs/a.md: links: b.md#one: no such heading"},
		{"[b](b.md#no-heading)", "docs/a.md: links: b.md#no-heading: no such heading"},
		{"[here](#there)", "docs/a.md: links: #there: no such heading"},
		{"[x](x.png#part)", ""},
	} {
		files["docs/a.md"] = c.text
		var got []string
		for _, f := range Links(plant(t, files)) {
			got = append(got, f.String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%q:\n got %q\nwant %q", c.text, got, c.want)
		}
	}
	tree := plant(t, files)
	tree.Markdown = []string{"docs/deleted.md"}
	if got := Links(tree); len(got) != 1 || got[0].Where != "docs/deleted.md" {
		t.Errorf("a document that can't be read: got %v, want one finding about it", got)
	}
}

// TestMakeTargets shows where documents speak of make, and where targets come from.
func TestMakeTargets(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string // the targets that are missed, or the file
	}{
		{"prose is no command", map[string]string{"Makefile": "a:\n", "x.md": "we make do with make b"}, nil},
		{"a span and a fence", map[string]string{"Makefile": "a:\n", "x.md": "`make b`\n\n```\nmake c\n  make a\n```\n"},
			[]string{"b", "c"}},
		{"with variables", map[string]string{"Makefile": "a-b2: c ## help\n\tmake d\n", "x.md": "`make a-b2 X=1`"}, nil},
		{"a variable is no target", map[string]string{"Makefile": "X := a:b\n", "x.md": "`make a`"}, []string{"a"}},
		{"no Makefile", map[string]string{"x.md": ""}, []string{"Makefile"}},
		{"no included file", map[string]string{"Makefile": "include gone.mk\n"}, []string{"Makefile"}},
	} {
		var got []string
		for _, f := range MakeTargets(plant(t, c.files)) {
			word := f.Where
			if rest, ok := strings.CutPrefix(f.What, "make "); ok {
				word, _, _ = strings.Cut(rest, ":")
			}
			got = append(got, word)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestSlug compares with anchors as viewers make them.
func TestSlug(t *testing.T) {
	for heading, want := range map[string]string{
		"One word": "one-word", "a - b": "a---b", "ξ' = ξ": "ξ--ξ",
		"`code`, and more!": "code-and-more", "Über 12_3": "über-12_3",
	} {
		if got := slug(heading); got != want {
			t.Errorf("slug(%q): got %q, want %q", heading, got, want)
		}
	}
}

// TestGlobals shows what makes a package-level variable one that changes.
func TestGlobals(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"constant tables", "var a = []int{1}\nvar b = map[int]int{}\nfunc f() int { return a[0] + b[1] }", ""},
		{"assigned", "var a int\nfunc f() { a = 1 }", "a is package-level and is assigned to"},
		{"through a field", "var a struct{ n int }\nfunc f() { a.n = 1 }", "a is package-level and is assigned to"},
		{"through a pointer", "var a *int\nfunc f() { *a = 1 }", "a is package-level and is assigned to"},
		{"through brackets", "var a []int\nfunc f() { (a)[0]++ }", "a is package-level and is assigned to"},
		{"its address", "var a int\nfunc f() *int { return &a }", "a is package-level and has its address taken"},
		{"an element's address", "var a [2]int\nfunc f() *int { return &a[0] }", ""},
		{"a parameter of its name", "var a int\nfunc f(a int) { a = 1 }", ""},
		{"a channel", "var a chan int", "a is a package-level channel"},
		{"a pool", "import \"sync\"\nvar a = sync.Pool{}", "a is a package-level sync.Pool"},
		{"an atomic pointer", "import \"sync/atomic\"\nvar a atomic.Pointer[int]", "a is a package-level atomic.Pointer"},
		{"a lock in a function", "import \"sync\"\nfunc f() { var a sync.Mutex; a.Lock() }", ""},
		{"a method named init", "type T int\nfunc (T) init() {}", ""},
	} {
		var got []string
		for _, f := range Globals(plant(t, map[string]string{"run/a.go": "package run\n\n" + c.text + "\n"})) {
			got = append(got, f.What)
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s:\n%s\n got %q\nwant %q", c.name, c.text, got, c.want)
		}
	}
	other := plant(t, map[string]string{"run/a_plan9.go": "package run\n\nvar a int\n\nfunc f() { a = 1 }\n",
		"run/b.go": "//go:build ignore\n\npackage main\n\nvar b int\n\nfunc g() { b = 1 }\n"})
	if got := Globals(other); len(got) > 0 {
		t.Errorf("files of other builds are not type-checked with this one's: got %v", got)
	}
}

// TestUndocumented shows which exported names need a comment, and what counts as one.
func TestUndocumented(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"// F does.\nfunc F() {}\n\nfunc f() {}", ""},
		{"func F() {}", "F has no comment"},
		{"// T is.\ntype T int\n\nfunc (T) M() {}", "T.M has no comment"},
		{"// T is.\ntype T[P any] struct{}\n\nfunc (t *T[P]) M() {}", "T.M has no comment"},
		{"// T is.\ntype T[P, Q any] struct{}\n\nfunc (t T[P, Q]) M() {}", "T.M has no comment"},
		{"type t int\n\nfunc (t) M() {}", ""},
		{"// T is.\ntype T int\n\nfunc (T) String() string { return \"\" }\n\nfunc (T) Len() int { return 0 }", ""},
		{"type T int", "T has no comment"},
		{"type T int // T is.", ""},
		{"// These are.\ntype (\n\tA int\n\tB int\n)", ""},
		{"type (\n\t// A is.\n\tA int\n\tB int\n)", "B has no comment"},
		{"// All are.\nconst (\n\tA = 1\n\tB = 2\n)", ""},
		{"const (\n\tA = 1 // A is.\n\tb = 2\n)", ""},
		{"var A, b = 1, 2", "A has no comment"},
		{"import _ \"fmt\"", ""},
	} {
		const head = "// Package run runs. When it fails: it does not.\npackage run\n\n"
		var got []string
		for _, f := range Comments(plant(t, map[string]string{"run/a.go": head + c.text + "\n"})) {
			got = append(got, f.What)
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

// TestGoroutines shows what starts one, and that tests may.
func TestGoroutines(t *testing.T) {
	for _, c := range []struct {
		name, file, body string
		starts           int
	}{
		{"go", "run/a.go", "go g()", 1},
		{"twice", "run/a.go", "go g(); go func() {}()", 2},
		{"a group", "run/a.go", "var w sync.WaitGroup; w.Go(g)", 1},
		{"in a function", "run/a.go", "func() { go g() }()", 1},
		{"a method of that name with other arguments", "run/a.go", "x.Go(1, 2)", 0},
		{"a call", "run/a.go", "g()", 0},
		{"in a test", "run/a_test.go", "go g()", 0},
	} {
		tree := plant(t, map[string]string{c.file: "package run\n\nfunc f() { " + c.body + " }\n"})
		if got := about(Goroutines(tree)); len(got) != c.starts {
			t.Errorf("%s: got %v, want %d findings", c.name, got, c.starts)
		}
	}
	listed := ""
	for name := range goFiles {
		listed = name
	}
	idle := Goroutines(plant(t, map[string]string{listed: "package x\n"}))
	if !slices.ContainsFunc(idle, func(f Finding) bool { return f.Where == listed }) {
		t.Errorf("%s starts none and is in goFiles: got %v, want a finding about it", listed, idle)
	}
	busy := about(Goroutines(plant(t, map[string]string{listed: "package x\n\nfunc f() { go f() }\n"})))
	if len(busy) > 0 {
		t.Errorf("%s is in goFiles: got %v, want nothing", listed, busy)
	}
}
