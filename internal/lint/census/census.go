package main

import (
	"fmt"
	"go/ast"
	"io"
	"maps"
	"slices"
	"strings"

	"byol/internal/lint"
)

// counts is the size of one package, or of several added up.
type counts struct {
	code     int // lines of hand-written Go, comments and empty lines with them
	tests    int // the same of _test.go files
	exported int // constants, variables, types, functions, and methods of exported types; none in a program
}

func (c counts) plus(d counts) counts {
	return counts{c.code + d.code, c.tests + d.tests, c.exported + d.exported}
}

// ratio is lines of tests by lines of code.
func (c counts) ratio() string {
	if c.code == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(c.tests)/float64(c.code))
}

// count returns the size of each package of a tree that has hand-written files.
func count(t *lint.Tree) map[string]counts {
	all := map[string]counts{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Generated {
				continue
			}
			c := counts{tests: len(f.Lines)}
			if !f.Test {
				c = counts{code: len(f.Lines), exported: exported(f.AST)}
			}
			all[p.Dir] = all[p.Dir].plus(c)
		}
	}
	return all
}

// exported counts the names that a file gives to other packages.
func exported(f *ast.File) int {
	if f.Name.Name == "main" {
		return 0
	}
	n := 0
	for _, decl := range f.Decls {
		for _, id := range names(decl) {
			if id.IsExported() {
				n++
			}
		}
	}
	return n
}

// names are those that a declaration gives to its package; of a method of a private type none.
func names(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(lint.Receiver(d)) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var list []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				list = append(list, s.Name)
			case *ast.ValueSpec:
				list = append(list, s.Names...)
			}
		}
		return list
	}
	return nil
}

func total(all map[string]counts) counts {
	var sum counts
	for _, c := range all {
		sum = sum.plus(c)
	}
	return sum
}

// testsAlone adds up the packages that no program reaches: exams of seams and harnesses, which only tests call. They
// count as code above.
func testsAlone(t *lint.Tree, all map[string]counts) counts {
	reached := map[string]bool{}
	for _, p := range t.Packages {
		if p.Name() == "main" {
			for _, dir := range t.Reach(p.Dir) {
				reached[dir] = true
			}
		}
	}
	rest := maps.Clone(all)
	maps.DeleteFunc(rest, func(dir string, _ counts) bool { return reached[dir] })
	return total(rest)
}

// table prints one revision's packages as Markdown.
func table(w io.Writer, t *lint.Tree) {
	all := count(t)
	fmt.Fprintln(w, "| package | lines of code | lines of tests | tests : code | exported names |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|")
	row := func(name string, c counts) {
		fmt.Fprintf(w, "| %s | %d | %d | %s | %d |\n", name, c.code, c.tests, c.ratio(), c.exported)
	}
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		row("`"+dir+"`", all[dir])
	}
	row("**all**", total(all))
	row("of it, for tests alone", testsAlone(t, all))
}

// comparison prints two revisions' packages side by side; a package that one of them lacks has a dash there.
func comparison(w io.Writer, base string, old, new *lint.Tree) {
	before, after := count(old), count(new)
	fmt.Fprintf(w, "Before is %s.\n\n", base)
	columns := []string{"package", "code before", "after", "tests before", "after", "tests : code before", "after",
		"exported before", "after"}
	fmt.Fprintf(w, "| %s |\n|---%s|\n", strings.Join(columns, " | "), strings.Repeat("|---:", len(columns)-1))
	row := func(name string, b, a counts, had, has bool) {
		was, is := cells(b, had), cells(a, has)
		fmt.Fprintf(w, "| %s", name)
		for i := range was {
			fmt.Fprintf(w, " | %s | %s", was[i], is[i])
		}
		fmt.Fprintln(w, " |")
	}
	dirs := slices.Collect(maps.Keys(before))
	dirs = slices.AppendSeq(dirs, maps.Keys(after))
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		b, had := before[dir]
		a, has := after[dir]
		row("`"+dir+"`", b, a, had, has)
	}
	row("**all**", total(before), total(after), true, true)
	row("of it, for tests alone", testsAlone(old, before), testsAlone(new, after), true, true)
}

// cells are the columns of one revision in a comparison.
func cells(c counts, there bool) [4]string {
	if !there {
		return [4]string{"–", "–", "–", "–"}
	}
	return [4]string{fmt.Sprint(c.code), fmt.Sprint(c.tests), c.ratio(), fmt.Sprint(c.exported)}
}
