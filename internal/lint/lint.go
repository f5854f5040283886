// Package lint is the house's conventions as tests: who may import whom, where goroutines start, how long a
// function may be, which words and calls have no place here, and that documents point at things that exist.
// It uses the standard library only, so that it runs wherever Go does. Each check is a function from a Tree to
// findings; the test runs all of them over this repository, and over small planted trees to show that they bite.
//
// Ownership: a Tree holds parsed sources and is read-only after Load.
//
// When it fails: a test failure prints one line per finding, "path:line: rule: what", and where the table or
// list to change is. An exception needs a line with a reason in exceptions.go; one that no longer matches
// anything is a finding itself, so the list only shrinks.
package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Module is the path of the module this tree belongs to.
const Module = "byol"

// Finding is one breach of one convention.
type Finding struct {
	Rule  string // the convention, as exceptions name it
	Where string // file, file:line, or package
	What  string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Where, f.Rule, f.What) }

// File is one Go source file.
type File struct {
	Path      string // from the root, with slashes
	Test      bool
	Generated bool
	Lines     []string
	AST       *ast.File
}

// Package is one directory of Go files.
type Package struct {
	Dir   string // from the root, with slashes: the import path less the module's
	Files []*File
}

// Tree is a repository's sources and documents.
type Tree struct {
	Root     string
	Fset     *token.FileSet
	Packages []*Package // sorted by Dir
	Markdown []string   // sorted paths
	Top      []string   // what the repository has at its top; none where only a list of its files could tell
}

var generatedLine = regexp.MustCompile(`^// Code generated .* DO NOT EDIT\.$`)

// Load parses every Go file of the repository at root, except in testdata and in hidden folders. Which files are
// the repository's, files says.
func Load(root string) (*Tree, error) {
	names, tracked, err := files(root)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", root, err)
	}
	t := &Tree{Root: root, Fset: token.NewFileSet()}
	packages := map[string]*Package{}
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		if tracked && !slices.Contains(t.Top, top) {
			t.Top = append(t.Top, top)
		}
		switch {
		case apartFromSources(path.Dir(name)):
		case path.Ext(name) == ".md":
			t.Markdown = append(t.Markdown, name)
		case path.Ext(name) == ".go":
			if err := t.add(packages, name); err != nil {
				return nil, fmt.Errorf("load %s: %w", root, err)
			}
		}
	}
	for _, p := range packages {
		t.Packages = append(t.Packages, p)
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return t, nil
}

func (t *Tree) add(packages map[string]*Package, rel string) error {
	text, err := os.ReadFile(filepath.Join(t.Root, rel))
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(t.Fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{Path: rel, Test: strings.HasSuffix(rel, "_test.go"), AST: parsed,
		Lines: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
	for _, line := range f.Lines {
		if strings.HasPrefix(line, "package ") {
			break
		}
		f.Generated = f.Generated || generatedLine.MatchString(line)
	}
	dir := path.Dir(rel)
	if packages[dir] == nil {
		packages[dir] = &Package{Dir: dir}
	}
	packages[dir].Files = append(packages[dir].Files, f)
	return nil
}

// at names a position as file:line.
func (t *Tree) at(p token.Pos) string {
	pos := t.Fset.Position(p)
	return fmt.Sprintf("%s:%d", pos.Filename, pos.Line)
}

// source calls visit for each hand-written file.
func (t *Tree) source(visit func(*Package, *File)) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if !f.Generated {
				visit(p, f)
			}
		}
	}
}
