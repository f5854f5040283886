// Package find looks for accelerators: where PJRT plugins may lie, which of them open, and which is the best, and says
// of every other one why it is not taken.
//
// A plugin that nobody has tried may end the process that loads it, or never answer. So each is tried in a process of
// its own, the program itself with arguments that a Prober is given, and with a time limit: what ends it or stops it is
// a line among the others. Looking for plugins reads the file system and starts nothing.
//
// Finding, choosing and finding words are functions of what they are given, of a file system too.
//
// When it fails: a plugin that cannot be used is a Report with Refused set, never an error. Choose returns a
// failure.Failure where what was asked for is not there.
package find

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Kind is what a plugin is for.
type Kind string

// The kinds, as --device spells those that it takes.
const (
	CUDA  Kind = "cuda"
	ROCm  Kind = "rocm"
	TPU   Kind = "tpu"
	Other Kind = "other"
	CPU   Kind = "cpu" // XLA's own: for tests, slower than this program's
)

// order is which kind is best, the first.
var order = []Kind{CUDA, ROCm, TPU, Other, CPU}

// Candidate is a file that may be a plugin.
type Candidate struct {
	Path  string `json:"path"`
	Kind  Kind   `json:"kind"`  // by its name
	Where string `json:"where"` // "site-packages of /usr/bin/python3"
	Named bool   `json:"named"` // by the user: tried whatever its kind is
}

// Places is where to look.
type Places struct {
	Root fs.FS    // the file system, from / on
	Path []string // of PATH
	Home string
	// Files or folders that the user named, and how: "--pjrt-plugin", "BYOL_PJRT_PLUGIN".
	Named map[string][]string
}

// plugins are names of files that plugins have.
var plugins = []string{"xla_*_plugin.so", "pjrt_*plugin*.so", "libpjrt*.so", "libtpu.so"}

// Candidates lists what may be plugins: those that the user named first, in the order of the names, then the best kind
// first, and the newest of a kind.
func Candidates(p Places) []Candidate {
	var named, found []Candidate
	seen := map[string]bool{}
	add := func(to *[]Candidate, file, where string, byUser bool) {
		if !seen[file] {
			seen[file] = true
			*to = append(*to, Candidate{Path: "/" + file, Kind: kindOf(file), Where: where, Named: byUser})
		}
	}
	for _, how := range sortedKeys(p.Named) {
		for _, name := range p.Named[how] {
			files := p.inside(name)
			if files == nil {
				files = []string{strings.TrimPrefix(path.Clean(name), "/")}
			}
			for _, file := range files {
				add(&named, file, how, true)
			}
		}
	}
	for _, dir := range p.sitePackages() {
		for _, file := range p.match(dir.name, "jax_plugins/*", "libtpu", "*pjrt*", "*xla*") {
			add(&found, file, "site-packages of "+dir.of, false)
		}
	}
	for _, file := range p.match("opt", ".", "*", "*/lib") {
		add(&found, file, "/opt", false)
	}
	for _, lib := range []string{"usr/lib", "usr/local/lib"} {
		for _, file := range p.match(lib, ".", "*-linux-gnu", "*pjrt*") {
			add(&found, file, "/"+lib, false)
		}
	}
	slices.SortStableFunc(found, func(a, b Candidate) int {
		if d := slices.Index(order, a.Kind) - slices.Index(order, b.Kind); d != 0 {
			return d
		}
		return strings.Compare(path.Dir(b.Path), path.Dir(a.Path)) // xla_cuda13 before xla_cuda12
	})
	return append(named, found...)
}

// inside are the plugins in a folder, nil if name is none.
func (p Places) inside(name string) []string {
	dir := strings.TrimPrefix(path.Clean(name), "/")
	if info, err := fs.Stat(p.Root, dir); err != nil || !info.IsDir() {
		return nil
	}
	return append([]string{}, p.match(dir, ".", "jax_plugins/*", "libtpu", "*pjrt*", "*xla*")...)
}

// match are the files with names of plugins in the folders below dir.
func (p Places) match(dir string, folders ...string) (found []string) {
	for _, folder := range folders {
		for _, name := range plugins {
			files, err := fs.Glob(p.Root, path.Join(dir, folder, name))
			if err == nil { // else the pattern is wrong
				found = append(found, files...)
			}
		}
	}
	return found
}

// site is a folder of Python's packages, and whose it is.
type site struct{ name, of string }

// sitePackages are the folders of packages that the first python3 of PATH has, without running it: beside the program,
// and beside what it is a link to, in the user's home, and, where a program of pyenv chooses, those of all versions.
func (p Places) sitePackages() (found []site) {
	python := p.python()
	if python == "" {
		return nil
	}
	var patterns []string
	prefix := func(dir string) {
		for _, packages := range []string{"site-packages", "dist-packages"} {
			patterns = append(patterns, path.Join(dir, "lib/python3*", packages))
		}
	}
	prefix(path.Dir(path.Dir(python)))
	if target := p.follow(python); target != python {
		prefix(path.Dir(path.Dir(target)))
	}
	if dir := path.Dir(python); path.Base(dir) == "shims" {
		prefix(path.Join(path.Dir(dir), "versions/*"))
	}
	if path.Dir(python) == "usr/bin" {
		prefix("usr/local")
	}
	if p.Home != "" {
		prefix(path.Join(strings.TrimPrefix(p.Home, "/"), ".local"))
	}
	for _, pattern := range patterns {
		dirs, err := fs.Glob(p.Root, pattern)
		if err != nil { // a path with characters of patterns in it
			continue
		}
		for _, dir := range dirs {
			if s := (site{dir, "/" + python}); !slices.Contains(found, s) {
				found = append(found, s)
			}
		}
	}
	return found
}

// python is the first python3 of PATH.
func (p Places) python() string {
	for _, dir := range p.Path {
		if !path.IsAbs(dir) {
			continue
		}
		name := strings.TrimPrefix(path.Join(dir, "python3"), "/")
		if info, err := fs.Stat(p.Root, name); err == nil && !info.IsDir() {
			return name
		}
	}
	return ""
}

// follow is what a name is a link to in the end. Links to folders on the way stay.
func (p Places) follow(name string) string {
	for range 20 {
		target, err := fs.ReadLink(p.Root, name)
		if err != nil {
			return name
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		name = strings.TrimPrefix(path.Clean(target), "/")
	}
	return name
}

// kindOf tells a plugin's kind by its name and folder.
func kindOf(file string) Kind {
	name := path.Join(path.Base(path.Dir(file)), path.Base(file))
	switch {
	case strings.Contains(name, "cuda"):
		return CUDA
	case strings.Contains(name, "rocm"):
		return ROCm
	case strings.Contains(name, "tpu"):
		return TPU
	case strings.Contains(name, "cpu"):
		return CPU
	}
	return Other
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
