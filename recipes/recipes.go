// Package recipes holds settings that were run, or published, and are worth running again, as YAML files with the names
// of the coordinator's flags as keys. They are built into the program: coordinator --config NAME takes one.
//
// The comment at the head of a recipe is a line that says what it is for, and behind an empty one headings with their
// words, which go on in lines that are indented: aim (the figure it is to reach), source (who published it), data (what
// --data looks like), run and evaluate (commands, each on lines of its own), time, differs (from the source), shards.
//
// When it fails: nothing here does; an unknown name is reported as such.
package recipes

import (
	"embed"
	"path"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists the recipes in alphabetical order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("recipes: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return names
}

// Read returns the text of a recipe.
func Read(name string) ([]byte, bool) {
	text, err := files.ReadFile(name + ".yaml")
	return text, err == nil
}

// Summary is the first line of a recipe's comment.
func Summary(name string) string {
	text, _ := Read(name)
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "#"))
}

// Lines are what a recipe's comment says under a heading, without what they are indented by; none where it has no such
// heading.
func Lines(name, heading string) []string {
	text, _ := Read(name)
	var lines []string
	inside := false
	for line := range strings.Lines(string(text)) {
		words, comment := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# ")
		if !comment {
			inside = false
			continue
		}
		if more, indented := strings.CutPrefix(words, "  "); indented {
			if inside {
				lines = append(lines, more)
			}
			continue
		}
		var first string
		if first, inside = strings.CutPrefix(words, heading+":"); inside && first != "" {
			lines = append(lines, strings.TrimSpace(first))
		}
	}
	return lines
}
