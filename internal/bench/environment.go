package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// environment is what commands find on this machine.
type environment struct {
	options *options
	root    string            // of the module
	places  map[string]string // what {name} stands for; missing where there is nothing
	pythons map[string]string // by modules and names: the first interpreter that has them, "" if none
	commit  string
	say     func(format string, args ...any)
}

// newEnvironment finds the module above the working directory and makes the folder for temporary files.
func newEnvironment(o *options) (*environment, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	tmp, err := os.MkdirTemp("", "byol-bench-")
	if err != nil {
		return nil, fmt.Errorf("make temporary folder: %w", err)
	}
	if o.out == "" {
		o.out = filepath.Join(root, "docs", "bench")
	}
	e := &environment{options: o, root: root, pythons: map[string]string{}, places: map[string]string{
		"self": self, "tmp": tmp, "bin": filepath.Join(root, "bin"), "scripts": filepath.Join(root, "internal", "bench"),
		"shared": filepath.Join(filepath.Dir(root), "shared"),
		"cifar":  "synthetic:2560,size=32", "photos": "synthetic:400,size=256",
	}}
	e.say = func(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
	if o.binDir != "" {
		if e.places["bin"], err = filepath.Abs(o.binDir); err != nil {
			return nil, fmt.Errorf("-bin: %w", err)
		}
	}
	if tars := filepath.Join(e.places["shared"], "data", "cifar10"); exists(filepath.Join(tars, "train-000000.tar")) {
		e.places["cifar"] = filepath.Join(tars, "train-{000000..000009}.tar")
	}
	if photos := filepath.Join(e.places["shared"], "data", "imagenet-sample"); exists(photos) {
		e.places["photos"] = photos
	}
	e.findBLAS()
	return e, nil
}

// findBLAS finds Debian's two libraries of matrix products, which stand beside each other.
func (e *environment) findBLAS() {
	for name, pattern := range map[string]string{"plainblas": "/usr/lib/*/blas/libblas.so.3",
		"openblas": "/usr/lib/*/openblas-pthread/libblas.so.3"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			e.places[name] = filepath.Dir(found[0])
		}
	}
	if dir := os.Getenv("BYOL_BENCH_OPENBLAS"); dir != "" {
		e.places["openblas"] = dir
	}
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, "go.mod")) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("find module: no go.mod above " + dir)
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

var (
	number = regexp.MustCompile(`\{(\d+):(\d+)\}`)
	place  = regexp.MustCompile(`\{([a-z]+)\}`)
)

// expand fills in one argument: {7:2} is 7, or 2 in a short run, and {name} a place. A name without a place is an
// error.
func expand(arg string, places map[string]string, short bool) (string, error) {
	use := "$1"
	if short {
		use = "$2"
	}
	arg = number.ReplaceAllString(arg, use)
	unknown := ""
	arg = place.ReplaceAllStringFunc(arg, func(m string) string {
		value, ok := places[m[1:len(m)-1]]
		if !ok {
			unknown = m
		}
		return value
	})
	if unknown != "" {
		return "", fmt.Errorf("expand %q: nothing is known as %s here", arg, unknown)
	}
	return arg, nil
}

// missing says why a condition isn't met; "" if it is. Conditions are file:PATH, python:MODULE,MODULE,
// newest:MODULE,MODULE (of PyPI's newest PyTorch), lines (what link.sh needs) and openblas.
func (e *environment) missing(ctx context.Context, need string) string {
	kind, what, _ := strings.Cut(need, ":")
	switch kind {
	case "file":
		name, err := expand(what, e.places, false)
		if err != nil {
			return err.Error()
		}
		if !exists(name) {
			rel, err := filepath.Rel(e.root, name)
			if err != nil {
				rel = name
			}
			return "there is no " + rel
		}
	case "python":
		if e.python(ctx, what) == "" {
			return fmt.Sprintf("no python3 can import %s (as root: make bench-peers; or set BYOL_BENCH_PYTHON)", what)
		}
	case "newest":
		if e.newest(ctx, what) == "" {
			return fmt.Sprintf("%s cannot import %s (make bench-peers-newest)", newestPython, what)
		}
	case "lines":
		script := filepath.Join(e.root, "internal", "bench", "link.sh")
		if out, err := exec.CommandContext(ctx, "sh", script, "check").Output(); err != nil {
			return strings.TrimSpace(string(out)) + " (root, iproute2 and util-linux are needed)"
		}
	case "openblas":
		if e.places["openblas"] == "" {
			return "libopenblas0-pthread isn't installed (as root: make bench-peers)"
		}
	default:
		panic("bench: unknown condition " + need)
	}
	return ""
}

// python is the first interpreter that can import modules: $BYOL_BENCH_PYTHON, .venv, /usr/bin/python3, python3.
func (e *environment) python(ctx context.Context, modules string) string {
	return e.interpreter(ctx, modules, os.Getenv("BYOL_BENCH_PYTHON"), filepath.Join(e.root, ".venv", "bin", "python3"),
		"/usr/bin/python3", "python3")
}

// newestPython has the newest PyTorch of PyPI, if make bench-peers-newest was run.
const newestPython = ".tools/torch-newest/bin/python3"

// newest is that interpreter if it can import modules.
func (e *environment) newest(ctx context.Context, modules string) string {
	return e.interpreter(ctx, modules, filepath.Join(e.root, newestPython))
}

// interpreter is the first of some that can import modules; "" if none can.
func (e *environment) interpreter(ctx context.Context, modules string, names ...string) string {
	key := modules + " " + strings.Join(names, " ")
	if found, known := e.pythons[key]; known {
		return found
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		try, stop := context.WithTimeout(ctx, time.Minute)
		err := exec.CommandContext(try, name, "-c", "import "+modules).Run()
		stop()
		if err == nil {
			e.pythons[key] = name
			return name
		}
	}
	e.pythons[key] = ""
	return ""
}

// placesOf are the places as a side sees them: {python} has the modules it needs.
func (e *environment) placesOf(ctx context.Context, s *side, tmp string) map[string]string {
	out := map[string]string{}
	for name, value := range e.places {
		out[name] = value
	}
	out["tmp"] = tmp
	for _, need := range s.needs {
		if modules, ok := strings.CutPrefix(need, "python:"); ok {
			out["python"] = e.python(ctx, modules)
		}
		if modules, ok := strings.CutPrefix(need, "newest:"); ok {
			out["python"] = e.newest(ctx, modules)
		}
	}
	return out
}
