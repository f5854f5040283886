// Package recipes holds settings that were run and are worth running again, as YAML files with the names of the
// coordinator's flags as keys. They are built into the program: coordinator --config NAME takes one.
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
