package lint

import (
	"slices"
	"strings"
)

// Name is what the package's files call it; "" where it has tests only.
func (p *Package) Name() string {
	for _, f := range p.Files {
		if !f.Test {
			return f.AST.Name.Name
		}
	}
	return ""
}

// Imports lists the paths that the package's files import, without its tests; sorted, each once.
func (p *Package) Imports() []string {
	var paths []string
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		for _, spec := range f.AST.Imports {
			paths = append(paths, strings.Trim(spec.Path.Value, `"`))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Own lists the folders of this module's packages among Imports.
func (p *Package) Own() []string {
	var dirs []string
	for _, from := range p.Imports() {
		if dir, ours := strings.CutPrefix(from, Module+"/"); ours {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Package is the package in dir, nil if there is none.
func (t *Tree) Package(dir string) *Package {
	for _, p := range t.Packages {
		if p.Dir == dir {
			return p
		}
	}
	return nil
}

// Reach lists the packages of this module that a program from dir is made of: dir, and what it imports, and so on.
func (t *Tree) Reach(dir string) []string {
	reached := []string{dir}
	for i := 0; i < len(reached); i++ {
		p := t.Package(reached[i])
		if p == nil {
			continue
		}
		for _, next := range p.Own() {
			if !slices.Contains(reached, next) {
				reached = append(reached, next)
			}
		}
	}
	return reached
}

// chain is the way by which dir's imports come to a module that isn't ours, as "a -> b -> module"; "" if they don't.
func (t *Tree) chain(dir, module string) string {
	came := map[string]string{dir: ""}
	for _, at := range t.Reach(dir) {
		p := t.Package(at)
		if p == nil {
			continue
		}
		for _, from := range p.Imports() {
			if within(from, module) {
				way := at + " -> " + from
				for at := came[at]; at != ""; at = came[at] {
					way = at + " -> " + way
				}
				return way
			}
		}
		for _, next := range p.Own() {
			if _, known := came[next]; !known {
				came[next] = at
			}
		}
	}
	return ""
}

// under reports whether dir is one of trees or below it.
func under(dir string, trees []string) bool {
	for _, tree := range trees {
		if dir == tree || strings.HasPrefix(dir, tree+"/") {
			return true
		}
	}
	return false
}
