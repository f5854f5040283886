package lint

import (
	"fmt"
	"slices"
	"strings"
)

// Unneeded finds what the tables of imports.go allow and nobody does, so that they say what is and not what was.
func Unneeded(t *Tree) []Finding {
	return slices.Concat(unneededOwn(t, own), unneededForeign(t, foreign), unneededInTests(t, testForeign))
}

// unneededOwn looks through a table like own. Programs may import everything, and need not.
func unneededOwn(t *Tree, own map[string][]string) []Finding {
	var found []Finding
	for dir, patterns := range own {
		p := t.Package(dir)
		if p == nil {
			found = append(found, Finding{"unneeded", dir, "has a line in the table own and no Go files"})
			continue
		}
		for _, pattern := range patterns {
			used := slices.ContainsFunc(p.Own(), func(to string) bool { return matches(to, []string{pattern}) })
			if !used && pattern != "..." {
				found = append(found, Finding{"unneeded", dir, fmt.Sprintf("may import %s, and doesn't", pattern)})
			}
		}
	}
	return found
}

// unneededForeign looks through a table like foreign.
func unneededForeign(t *Tree, foreign map[string][]string) []Finding {
	var found []Finding
	for module, patterns := range foreign {
		importers := t.importers(func(_ *File, from string) bool { return modulePrefix(from, foreign) == module })
		if len(importers) == 0 {
			found = append(found, Finding{"unneeded", module, "has a line in the table foreign, and nobody imports it"})
			continue
		}
		for _, pattern := range patterns {
			if !slices.ContainsFunc(importers, func(dir string) bool { return matches(dir, []string{pattern}) }) {
				found = append(found, Finding{"unneeded", module, fmt.Sprintf("%s may import it, and doesn't", pattern)})
			}
		}
	}
	return found
}

// unneededInTests looks through a list like testForeign.
func unneededInTests(t *Tree, modules []string) []Finding {
	var found []Finding
	for _, module := range modules {
		if len(t.importers(func(f *File, from string) bool { return f.Test && within(from, module) })) == 0 {
			found = append(found, Finding{"unneeded", module, "is in testForeign, and no test imports it"})
		}
	}
	return found
}

// importers lists the packages with an import, of tests too, that is wanted.
func (t *Tree) importers(want func(f *File, from string) bool) []string {
	var dirs []string
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, spec := range f.AST.Imports {
				if want(f, strings.Trim(spec.Path.Value, `"`)) {
					dirs = append(dirs, p.Dir)
				}
			}
		}
	}
	return slices.Compact(dirs)
}
