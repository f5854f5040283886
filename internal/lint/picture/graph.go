package main

import (
	"maps"
	"path"
	"slices"
	"strings"

	"byol/internal/lint"
)

// bands are the layers from top to bottom, and in each the folders that are drawn side by side. Imports point down.
var bands = [][]string{{"cmd"}, {"coordinator", "worker"}, {"allreduce", "model"}}

// ground is the layer under the bands. So many packages import its packages that the import is drawn as a dot of the
// packages' colour in place of an arrow.
const ground = "ground"

// node is a package, or a point by which an arrow passes a row.
type node struct {
	dir    string // "" for a point
	group  string
	row    int
	dots   []string // packages of the ground that it imports
	x      float64  // its middle, within the group
	width  float64
	up, to []*node // within the group, one row up and down, points among them
}

func (n *node) label() string {
	if n.group == ground || n.dir == n.group {
		return n.dir
	}
	return strings.TrimPrefix(n.dir, n.group+"/")
}

// arrow is an import that no other imports stand for.
type arrow struct{ from, to *node }

// picture is what is drawn: the packages that the programs are made of.
type picture struct {
	nodes  map[string]*node
	groups map[string]*group
	arrows []arrow
}

// newPicture reads the packages that the programs below cmd are made of. Exams, harnesses and tools are not among them.
func newPicture(t *lint.Tree) *picture {
	p := &picture{nodes: map[string]*node{}, groups: map[string]*group{}}
	for _, pkg := range t.Packages {
		if path.Dir(pkg.Dir) != "cmd" {
			continue
		}
		for _, dir := range t.Reach(pkg.Dir) {
			p.nodes[dir] = &node{dir: dir, group: groupOf(dir)}
		}
	}
	imports := map[string][]string{}
	for dir, n := range p.nodes {
		for _, to := range t.Package(dir).Own() {
			if p.nodes[to].group == ground {
				n.dots = append(n.dots, to)
			} else {
				imports[dir] = append(imports[dir], to)
			}
		}
	}
	for _, from := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range imports[from] {
			if !implied(imports, from, to) {
				p.arrows = append(p.arrows, arrow{p.nodes[from], p.nodes[to]})
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(p.nodes)) {
		n := p.nodes[dir]
		if p.groups[n.group] == nil {
			p.groups[n.group] = &group{name: n.group}
		}
		p.groups[n.group].add(n)
	}
	for _, g := range p.groups {
		g.arrange(p.arrows)
	}
	return p
}

func groupOf(dir string) string {
	top, _, _ := strings.Cut(dir, "/")
	for _, band := range bands {
		if slices.Contains(band, top) {
			return top
		}
	}
	return ground
}

// implied reports whether another import of from leads to to. Imports make no circles: Go refuses them.
func implied(imports map[string][]string, from, to string) bool {
	for _, by := range imports[from] {
		if by != to && leads(imports, by, to) {
			return true
		}
	}
	return false
}

func leads(imports map[string][]string, from, to string) bool {
	return from == to || slices.ContainsFunc(imports[from], func(by string) bool { return leads(imports, by, to) })
}
