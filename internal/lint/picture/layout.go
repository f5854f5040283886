package main

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Sizes are in pixels of the picture at its own size.
const (
	letter    = 7.3 // width of one in a box
	boxHeight = 36.0
	boxGap    = 16.0
	rowGap    = 34.0
	padding   = 14.0 // inside a group's frame
	caption   = 20.0 // height of a group's name
	groupGap  = 40.0
	bandGap   = 56.0
	dotWidth  = 11.0
)

// group is the packages below one folder, in rows: whoever imports is above whom it imports.
type group struct {
	name          string
	nodes         []*node
	rows          [][]*node
	x, y          float64 // of the frame
	width, height float64
}

func (g *group) add(n *node) {
	n.width = max(float64(utf8.RuneCountInString(n.label()))*letter, float64(len(n.dots))*dotWidth) + 16
	g.nodes = append(g.nodes, n)
}

// arrange gives each package a row and a place in it.
func (g *group) arrange(arrows []arrow) {
	var inside []arrow
	for _, a := range arrows {
		if a.from.group == g.name && a.to.group == g.name {
			inside = append(inside, a)
		}
	}
	for range g.nodes { // longest ways: as many rounds as there are packages are enough
		for _, a := range inside {
			a.to.row = max(a.to.row, a.from.row+1)
		}
	}
	for _, n := range g.nodes {
		g.put(n)
	}
	for _, a := range inside {
		g.thread(a)
	}
	if g.name == ground {
		g.wrap()
	}
	g.order()
	g.place()
}

func (g *group) put(n *node) {
	for len(g.rows) <= n.row {
		g.rows = append(g.rows, nil)
	}
	g.rows[n.row] = append(g.rows[n.row], n)
}

// thread leads an arrow from row to row, by points where it passes one.
func (g *group) thread(a arrow) {
	at := a.from
	for at.row+1 < a.to.row {
		point := &node{group: g.name, row: at.row + 1, width: 4}
		g.put(point)
		join(at, point)
		at = point
	}
	join(at, a.to)
}

func join(up, down *node) {
	up.to = append(up.to, down)
	down.up = append(down.up, up)
}

// wrap puts the ground's packages, which have no arrows, into one row.
func (g *group) wrap() {
	g.rows = [][]*node{g.nodes}
}

// order sorts rows so that few arrows cross: each by the middle of its neighbours above, then of those below, and
// again.
func (g *group) order() {
	for round := range 8 {
		for i := range g.rows {
			row, neighbours := g.rows[i], func(n *node) []*node { return n.up }
			if round%2 == 1 {
				row, neighbours = g.rows[len(g.rows)-1-i], func(n *node) []*node { return n.to }
			}
			for _, r := range g.rows {
				spread(r)
			}
			wish := map[*node]float64{}
			for _, n := range row {
				wish[n] = middle(neighbours(n), n.x)
			}
			slices.SortStableFunc(row, func(a, b *node) int { return cmp.Compare(wish[a], wish[b]) })
		}
	}
}

// spread sets a row's packages side by side around 0.
func spread(row []*node) {
	at := 0.0
	for _, n := range row {
		n.x = at + n.width/2
		at += n.width + boxGap
	}
	for _, n := range row {
		n.x -= (at - boxGap) / 2
	}
}

func middle(nodes []*node, otherwise float64) float64 {
	if len(nodes) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, n := range nodes {
		sum += n.x
	}
	return sum / float64(len(nodes))
}

// place moves packages towards their neighbours without changing the order, and measures the group.
func (g *group) place() {
	for _, row := range g.rows {
		spread(row)
	}
	for range 12 {
		for _, row := range g.rows {
			settle(row)
		}
	}
	left, right := 0.0, 0.0
	for _, row := range g.rows {
		for _, n := range row {
			left, right = min(left, n.x-n.width/2), max(right, n.x+n.width/2)
		}
	}
	for _, row := range g.rows {
		for _, n := range row {
			n.x += padding - left
		}
	}
	g.width = right - left + 2*padding
	g.height = caption + float64(len(g.rows))*(boxHeight+rowGap) - rowGap + 2*padding
}

// settle moves each of a row to the middle of all its neighbours, as far as the others leave room.
func settle(row []*node) {
	moved := 0.0
	wishes := make([]float64, len(row))
	for i, n := range row {
		wishes[i] = middle(slices.Concat(n.up, n.to), n.x)
	}
	for i, n := range row {
		n.x = wishes[i]
		if i > 0 {
			n.x = max(n.x, row[i-1].x+row[i-1].width/2+boxGap+n.width/2)
		}
		moved += n.x - wishes[i]
	}
	for _, n := range row {
		n.x -= moved / float64(len(row))
	}
}

// top is the upper edge of a package, in the picture.
func (g *group) top(n *node) float64 {
	return g.y + caption + padding + float64(n.row)*(boxHeight+rowGap)
}

// stack sets the groups' frames: band under band, each centred, the ground below. It returns the picture's size.
func (p *picture) stack() (width, height float64) {
	rows := make([][]*group, 0, len(bands)+1)
	for _, band := range append(slices.Clone(bands), []string{ground}) {
		var row []*group
		for _, name := range band {
			if g := p.groups[name]; g != nil {
				row = append(row, g)
			}
		}
		rows = append(rows, row)
	}
	widths := make([]float64, len(rows))
	for i, row := range rows {
		for _, g := range row {
			widths[i] += g.width + groupGap
		}
		width = max(width, widths[i])
	}
	y := 10.0
	for i, row := range rows {
		x, tall := (width-widths[i]+groupGap)/2, 0.0
		for _, g := range row {
			g.x, g.y = x, y
			x += g.width + groupGap
			tall = max(tall, g.height)
		}
		y += tall + bandGap
	}
	return width, y - bandGap + 10
}
