package main

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// colours of the groups' frames and arrows.
var colours = map[string]string{
	"cmd": "#444444", "coordinator": "#b3541e", "worker": "#1f5fa8", "allreduce": "#7a3e9d", "model": "#2d7d46",
	ground: "#777777",
}

// dotColours are those of the ground's packages, in their order; there are at least as many as packages.
var dotColours = []string{
	"#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#000000",
	"#7f7f7f", "#aec7e8",
}

// point is a place in the picture.
type point struct{ x, y float64 }

// svg draws the picture. The same imports give the same bytes.
func (p *picture) svg() string {
	width, height := p.stack()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" `+
		`font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintln(&b, "<!-- made by make picture -->")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", width, height)
	names := slices.Sorted(maps.Keys(p.groups))
	for _, name := range names {
		p.groups[name].frame(&b)
	}
	for _, name := range names {
		p.groups[name].threads(&b)
	}
	for _, a := range p.arrows {
		if a.from.group != a.to.group {
			p.across(&b, a)
		}
	}
	dots := p.dotColours()
	for _, name := range names {
		for _, n := range p.groups[name].nodes {
			p.groups[name].box(&b, n, dots)
		}
	}
	fmt.Fprintln(&b, "</svg>")
	return b.String()
}

func (p *picture) dotColours() map[string]string {
	colour := map[string]string{}
	if g := p.groups[ground]; g != nil {
		for i, n := range g.nodes {
			colour[n.dir] = dotColours[i%len(dotColours)]
		}
	}
	return colour
}

func (g *group) frame(b *strings.Builder) {
	title := g.name
	if g.name == ground {
		title = "for everybody: a dot of its colour marks who imports it"
	}
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8" fill="%s" fill-opacity="0.06" `+
		`stroke="%s"/>`+"\n", g.x, g.y, g.width, g.height, colours[g.name], colours[g.name])
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s" font-weight="bold">%s</text>`+"\n",
		g.x+padding, g.y+caption, colours[g.name], html.EscapeString(title))
}

// threads draws the arrows within a group, row by row.
func (g *group) threads(b *strings.Builder) {
	for _, row := range g.rows {
		for _, n := range row {
			for _, to := range n.to {
				above, from := g.above(n), g.below(n)
				if n.dir == "" {
					line(b, above, from, colours[g.name])
				}
				line(b, from, g.above(to), colours[g.name])
				if to.dir != "" {
					tip(b, g.above(to), colours[g.name])
				}
			}
		}
	}
}

// across draws an arrow from group to group.
func (p *picture) across(b *strings.Builder, a arrow) {
	from, to := p.groups[a.from.group], p.groups[a.to.group]
	line(b, from.below(a.from), to.above(a.to), colours[from.name])
	tip(b, to.above(a.to), colours[from.name])
}

// above is where arrows to a package end, and below where those from it begin.
func (g *group) above(n *node) point { return point{g.x + n.x, g.top(n)} }

func (g *group) below(n *node) point { return point{g.x + n.x, g.top(n) + boxHeight} }

func line(b *strings.Builder, from, to point, colour string) {
	bend := (to.y - from.y) / 2
	fmt.Fprintf(b, `<path d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" fill="none" stroke="%s" stroke-opacity="0.55"/>`+
		"\n", from.x, from.y, from.x, from.y+bend, to.x, to.y-bend, to.x, to.y, colour)
}

func tip(b *strings.Builder, at point, colour string) {
	fmt.Fprintf(b, `<path d="M%.1f %.1fl-3.5 -7h7z" fill="%s"/>`+"\n", at.x, at.y, colour)
}

// box draws a package with the dots of what it imports of the ground.
func (g *group) box(b *strings.Builder, n *node, dots map[string]string) {
	x, y, baseline := g.x+n.x-n.width/2, g.top(n), 22.0
	if len(n.dots) > 0 || g.name == ground {
		baseline = 15
	}
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4" fill="#ffffff" stroke="%s"/>`+"\n",
		x, y, n.width, boxHeight, colours[g.name])
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n",
		g.x+n.x, y+baseline, html.EscapeString(n.label()))
	if g.name == ground {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="5" fill="%s"/>`+"\n", g.x+n.x, y+26, dots[n.dir])
		return
	}
	for i, to := range n.dots {
		at := g.x + n.x + (float64(i)-float64(len(n.dots)-1)/2)*dotWidth
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"><title>%s</title></circle>`+"\n",
			at, y+26, dots[to], html.EscapeString(to))
	}
}
