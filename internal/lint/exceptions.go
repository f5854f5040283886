package lint

import (
	"slices"
	"strings"
)

// Exception lets one finding pass, and says why it may.
type Exception struct {
	Rule  string
	Where string // a file, a file:function, or a package, as the finding prints it less the line
	Why   string
}

// exceptions is the whole list. It only shrinks: a line that no finding needs is reported.
var exceptions = []Exception{}

// goFiles are the files that start goroutines, and who ends them.
var goFiles = map[string]string{}

// topLevel is everything the repository's top may hold.
var topLevel = []string{
	".ci", ".git", ".gitignore", ".golangci.yml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
	"allreduce", "cmd", "coordinator", "deploy", "docs", "go.mod", "go.sum", "internal", "model", "proto", "recipes",
	"worker",
}

// Except splits findings into those that stand, and adds one for each exception that nothing needed.
func Except(found []Finding, list []Exception) []Finding {
	used := make([]bool, len(list))
	stand := slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
		for i, e := range list {
			if e.Rule == f.Rule && (f.Where == e.Where || strings.HasPrefix(f.Where, e.Where+":")) {
				used[i] = true
				return true
			}
		}
		return false
	})
	for i, e := range list {
		if !used[i] {
			stand = append(stand, Finding{"exception", e.Where, "the exception from " + e.Rule + " is no longer needed"})
		}
	}
	return stand
}
