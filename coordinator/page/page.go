// Package page makes one HTML page of what a run has come to: curves, events, settings, evaluations, data, views, a map
// of embeddings and neighbours. The page is one file and asks nobody for anything: styles and pictures are in it. It
// is light or dark as its reader's screen is, wide or narrow, and its size does not grow with the length of the run.
//
// A Page is a value that its maker fills; Render and Paint are functions of it. Nothing is owned.
//
// # When it fails
//
// Whatever texts and numbers a Page has, Render makes a page of them: names are never markup, what is no UTF-8 is
// replaced, numbers that are none leave gaps. An error is the writer's.
package page

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
)

// Page is the content. A part that is empty is left out, or shown as its note where it has one.
type Page struct {
	Title string // of the run
	State string // what became of it
	Lead  string // a sentence about it
	Made  string // when and by which program the page was made
	Facts []Fact

	Charts     []Chart
	ChartsNote string
	Marks      []Mark // events on the charts

	Events     []Event
	EventsNote string

	Tables     []Table
	TablesNote string

	Settings     []Setting
	SettingsNote string

	Data []Fact

	Pairs     []Pair
	PairsNote string

	Map     *Map
	MapNote string

	Neighbours     []Neighbours
	NeighboursNote string
}

// Fact is a figure with its name. Bad ones stand out.
type Fact struct {
	Name, Value, More string
	Bad               bool
}

// Event is something that happened.
type Event struct{ Time, Kind, Text string }

// Setting is one of the run's. Usual is what its preset has, "" where that is the same.
type Setting struct{ Name, Value, Usual string }

// Table has a head and rows of as many cells.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
	Notes []string
}

// Picture is an encoded image, PNG or JPEG.
type Picture []byte

// URL is the picture itself, as an address. What is no picture is shown as one that is broken.
func (p Picture) URL() template.URL {
	kind := http.DetectContentType(p)
	if !strings.HasPrefix(kind, "image/") {
		kind = "image/png"
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(p))
}

// Pair is the two views of an image.
type Pair struct {
	One, Two Picture
	About    string // how they were drawn
}

// Neighbours are the nearest images of one.
type Neighbours struct {
	Of   Picture
	Name string
	Near []Near
}

// Near is one of them. Same says that it is of the same class.
type Near struct {
	Image Picture
	Name  string
	Same  bool
}

//go:embed page.html
var source string

//go:embed style.css
var style string

// Style is the sheet of the page, which others may wear, too.
func Style() string { return style }

// Render writes the page.
func Render(w io.Writer, p *Page) error {
	t, err := template.New("page").Parse(source)
	if err != nil {
		panic("page: " + err.Error())
	}
	var text bytes.Buffer
	if err := t.Execute(&text, p.drawn()); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	if _, err := io.WriteString(w, strings.ToValidUTF8(text.String(), "\ufffd")); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// sheet is a page with its charts drawn, by step and by time.
type sheet struct {
	*Page
	Drawn  []drawnChart
	Cloud  *cloud
	Style  template.CSS
	ByTime bool // the time of steps is known
}

type drawnChart struct {
	Chart
	Plots []Plot
	Both  bool // there is one by time, too
}

func (p *Page) drawn() sheet {
	d := sheet{Page: p, Style: template.CSS(style)}
	for _, c := range p.Charts {
		all := drawnChart{Chart: c, Plots: []Plot{c.Plot(BySteps, p.Marks)}}
		if all.Both = c.timed(); all.Both {
			d.ByTime = true
			all.Plots = append(all.Plots, c.Plot(ByTime, p.Marks))
		}
		d.Drawn = append(d.Drawn, all)
	}
	if p.Map != nil {
		d.Cloud = p.Map.cloud()
	}
	return d
}
