package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"byol/internal/lint"
)

// load writes a tree of one file for each package, which imports what is listed, and loads it.
func load(t *testing.T, imports map[string][]string) *lint.Tree {
	t.Helper()
	root := t.TempDir()
	for dir, list := range imports {
		text := "package " + filepath.Base(dir) + "\n"
		for _, to := range list {
			text += fmt.Sprintf("\nimport _ %q\n", lint.Module+"/"+to)
		}
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, "a.go"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := lint.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// house is a small one with what each rule of the picture is about.
var house = map[string][]string{
	"cmd/worker":             {"worker", "model", "internal/vector"},
	"worker":                 {"worker/train", "worker/data", "proto"},
	"worker/train":           {"worker/data", "model", "internal/vector", "proto"},
	"worker/data":            {},
	"model":                  {},
	"internal/vector":        {},
	"proto":                  {},
	"internal/testcluster":   {"worker"},
	"model/device/devicexam": {"model"},
}

// TestGraph shows which packages and arrows are drawn: those of the programs, and no import that others stand for.
func TestGraph(t *testing.T) {
	p := newPicture(load(t, house))
	var got []string
	for _, a := range p.arrows {
		got = append(got, a.from.dir+" -> "+a.to.dir)
	}
	for _, n := range p.nodes {
		got = append(got, fmt.Sprintf("%s %d %v", n.dir, n.row, n.dots))
	}
	slices.Sort(got)
	want := []string{
		"cmd/worker -> worker", "cmd/worker 0 [internal/vector]", "internal/vector 0 []", "model 0 []", "proto 0 []",
		"worker -> worker/train", "worker 0 [proto]", "worker/data 2 []", "worker/train -> model",
		"worker/train -> worker/data", "worker/train 1 [internal/vector proto]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// houses draws trees of imports that point one way.
func houses() *rapid.Generator[map[string][]string] {
	return rapid.Custom(func(t *rapid.T) map[string][]string {
		dirs := []string{"cmd/a", "cmd/b"}
		for _, top := range []string{"coordinator", "worker", "allreduce", "model", "internal", "proto"} {
			for i := range rapid.IntRange(0, 6).Draw(t, top) {
				dirs = append(dirs, fmt.Sprintf("%s/%s", top, strings.Repeat("p", 1+i)))
			}
		}
		imports := map[string][]string{}
		for i, from := range dirs {
			imports[from] = nil
			for _, to := range dirs[i+1:] {
				if to != "cmd/b" && rapid.IntRange(0, 3).Draw(t, "imports") == 0 {
					imports[from] = append(imports[from], to)
				}
			}
		}
		return imports
	})
}

// TestArrowsTellAll shows that the arrows lead to the same packages as the imports do, and that none is too many.
func TestArrowsTellAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		imports := houses().Draw(r, "imports")
		p := newPicture(load(t, imports))
		drawn := map[string][]string{}
		for _, a := range p.arrows {
			drawn[a.from.dir] = append(drawn[a.from.dir], a.to.dir)
		}
		for from, n := range p.nodes {
			for to, m := range p.nodes {
				if n.group == ground || m.group == ground {
					continue
				}
				if leads(drawn, from, to) != leads(imports, from, to) {
					r.Fatalf("%s to %s: by arrows %v, by imports %v", from, to, leads(drawn, from, to), leads(imports, from, to))
				}
			}
		}
		for _, a := range p.arrows {
			without := map[string][]string{}
			for from, list := range drawn {
				without[from] = slices.DeleteFunc(slices.Clone(list), func(to string) bool {
					return from == a.from.dir && to == a.to.dir
				})
			}
			if leads(without, a.from.dir, a.to.dir) {
				r.Fatalf("%s -> %s follows from other arrows", a.from.dir, a.to.dir)
			}
		}
	})
}

type rectangle struct {
	what                     string
	left, top, right, bottom float64
}

func (a rectangle) apart(b rectangle) bool {
	return a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top
}

func (a rectangle) holds(b rectangle) bool {
	return a.left <= b.left && b.right <= a.right && a.top <= b.top && b.bottom <= a.bottom
}

// TestLayout shows that boxes and frames don't cover each other, that all is inside what holds it, and that arrows
// point down.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := newPicture(load(t, houses().Draw(r, "imports")))
		width, height := p.stack()
		whole := rectangle{"the picture", 0, 0, width, height}
		var frames, boxes []rectangle
		for _, g := range p.groups {
			frame := rectangle{"the frame of " + g.name, g.x, g.y, g.x + g.width, g.y + g.height}
			if !whole.holds(frame) {
				r.Fatalf("%v outside of %v", frame, whole)
			}
			frames = append(frames, frame)
			for _, n := range g.nodes {
				x, y := g.x+n.x, g.top(n)
				box := rectangle{n.dir, x - n.width/2, y, x + n.width/2, y + boxHeight}
				if !frame.holds(box) {
					r.Fatalf("%v outside of %v", box, frame)
				}
				boxes = append(boxes, box)
			}
		}
		for _, all := range [][]rectangle{frames, boxes} {
			for i, a := range all {
				for _, b := range all[i+1:] {
					if !a.apart(b) {
						r.Fatalf("%v and %v cover each other", a, b)
					}
				}
			}
		}
		for _, a := range p.arrows {
			from, to := p.groups[a.from.group], p.groups[a.to.group]
			beside := from != to && from.y == to.y // a layer's folders don't import each other in this repository
			if !beside && from.top(a.from)+boxHeight >= to.top(a.to) {
				r.Fatalf("%s -> %s doesn't point down", a.from.dir, a.to.dir)
			}
		}
	})
}

// TestSVG shows that the picture is XML, names each package, and is the same each time.
func TestSVG(t *testing.T) {
	tree := load(t, house)
	text := newPicture(tree).svg()
	for range 5 {
		if again := newPicture(tree).svg(); again != text {
			t.Fatalf("two pictures of the same imports differ:\n%s", cmp.Diff(text, again))
		}
	}
	d := xml.NewDecoder(strings.NewReader(text))
	var names []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok && strings.TrimSpace(string(data)) != "" {
			names = append(names, string(data))
		}
	}
	for _, want := range []string{"cmd", "worker", "train", "data", "model", "internal/vector", "proto"} {
		if !slices.Contains(names, want) {
			t.Errorf("the picture names %q, and not %q", names, want)
		}
	}
}

// TestDraw shows that a picture is written where it should be, and that an old one stays when a tree can't be read.
func TestDraw(t *testing.T) {
	tree := load(t, house)
	out := filepath.Join(t.TempDir(), "a.svg")
	if err := draw(tree.Root, out); err != nil {
		t.Fatal(err)
	}
	want := newPicture(tree).svg()
	if got, err := os.ReadFile(out); err != nil || string(got) != want {
		t.Errorf("drawn: got %d bytes, %v, want the picture's %d", len(got), err, len(want))
	}
	if err := draw(filepath.Join(tree.Root, "gone"), out); err == nil {
		t.Error("draw of a folder that isn't there: no error")
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != want {
		t.Errorf("after an error: %d bytes, %v, want the old picture", len(got), err)
	}
}

// TestFresh compares the picture in docs with what the imports say now.
func TestFresh(t *testing.T) {
	tree, err := lint.Load("../../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../docs/architecture.svg")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != newPicture(tree).svg() {
		t.Error("docs/architecture.svg isn't what the imports say: run make picture")
	}
}
