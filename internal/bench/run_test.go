package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"byol/internal/bench/measure"
)

// programs makes a folder with scripts in the place of byol's programs and of python.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("needs /bin/sh")
	}
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ringTable is what arbench prints.
const ringTable = `all-reduce %s 2 4096 10µs 9µs 20µs
all-reduce %[1]s 2 26214400 %[2]s 3ms 6ms
all-reduce %[1]s 2 134217728 30ms 29ms 60ms
total %[1]s 2 512 5µs 4µs 8µs`

// TestRunWritesTheTableOfACase goes all the way: flags, conditions, programs in turn, figures, table, file.
func TestRunWritesTheTableOfACase(t *testing.T) {
	head := "operation ranks bytes median best processor"
	bin := programs(t, map[string]string{
		"arbench": "echo '" + head + "'\ncase \"$*\" in *-tcp*) echo '" + fmt.Sprintf(ringTable, "tcp", "8ms") +
			"';; *) echo '" + fmt.Sprintf(ringTable, "shared memory, in place", "4ms") + "';; esac",
		"python": `case "$1" in -c) exit 0;; esac
echo '{"seconds_4096": 0.00004, "seconds_26214400": 0.016, "seconds_134217728": 0.09, "about": "gloo of a test"}'`,
	})
	t.Setenv("BYOL_BENCH_PYTHON", filepath.Join(bin, "python"))
	out := filepath.Join(t.TempDir(), "tables")
	o, err := parseOptions([]string{"-part", "allreduce", "-case", "^ranks-2$", "-pairs", "3", "-bin", bin, "-out", out},
		os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := run(t.Context(), o, &printed); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "allreduce-gloo-ranks-2.md"))
	if err != nil || strings.TrimSpace(string(text)) != strings.TrimSpace(printed.String()) {
		t.Errorf("the file holds\n%s\nand this was printed (error %v):\n%s", text, err, &printed)
	}
	flat := regexp.MustCompile(` +`).ReplaceAllString(string(text), " ")
	for _, want := range []string{
		"# All-reduce against Gloo\n\nWritten by `make bench-allreduce`.\n", "- Pairs: 3\n- Gloo: gloo of a test\n",
		"| 2 ranks | 25 MiB | byol, shared memory | Gloo | 4.00 × | |",
		"| 2 ranks | 25 MiB | byol, TCP | Gloo | 2.00 × | |",
		"| 2 ranks | byol, TCP | 25 MiB | 8.00 | ms | | 3 |",
		"| 2 ranks | Gloo | 4 KiB | 0.04 | ms | | 3 |",
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestRunTellsWhichCasesFailed(t *testing.T) {
	bin := programs(t, map[string]string{
		"stepbench": "echo the network cannot be built >&2; exit 2",
		"python":    `case "$1" in -c) exit 0;; esac; echo '{"images_per_second": 1}'`,
	})
	t.Setenv("BYOL_BENCH_PYTHON", filepath.Join(bin, "python"))
	o := &options{parts: []string{"torch"}, only: regexp.MustCompile("^resnet20$"), pairs: 1, quick: true, binDir: bin,
		limit: time.Minute}
	var printed bytes.Buffer
	err := run(t.Context(), o, &printed)
	if err == nil || err.Error() != "these cases failed: resnet20" {
		t.Errorf("got %v, want the case that failed", err)
	}
	if !strings.Contains(printed.String(), "byol: stepbench: exit status 2: the network cannot be built") {
		t.Errorf("the table does not say why:\n%s", &printed)
	}
}

func TestRunListsCasesAndStops(t *testing.T) {
	var printed bytes.Buffer
	o := &options{parts: []string{"allreduce", "line"}, only: regexp.MustCompile("-4$"), list: true, pairs: 1}
	if err := run(t.Context(), o, &printed); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(printed.String()) {
		names = append(names, strings.Join(strings.Fields(line)[:2], " "))
	}
	if want := []string{"allreduce ranks-4", "line line-4"}; !slices.Equal(names, want) {
		t.Errorf("listed %q, want %q", names, want)
	}
}

func TestRunStopsWhenItIsInterrupted(t *testing.T) {
	bin := programs(t, map[string]string{"stepbench": "sleep 60", "python": "exit 0"})
	t.Setenv("BYOL_BENCH_PYTHON", filepath.Join(bin, "python"))
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("ctrl-c")) })
	o := &options{parts: []string{"torch"}, only: regexp.MustCompile("^resnet20$"), pairs: 1, quick: true, binDir: bin,
		limit: time.Minute}
	start := time.Now()
	if err := run(ctx, o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "stopped: ctrl-c") {
		t.Errorf("got %v, want that it was stopped", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v after an interrupt", took)
	}
}

func TestDispatch(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"views -data nowhere:", "nowhere"}, {"profile -steps", "flag needs an argument"}, {"-part x", `part "x"`},
		{"profile now", `unknown argument "now"`},
	} {
		if err := dispatch(t.Context(), strings.Fields(c.args), &bytes.Buffer{}); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("bench %s: got %v, want %q", c.args, err, c.want)
		}
	}
	if err := dispatch(t.Context(), []string{"-h"}, &bytes.Buffer{}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("bench -h: got %v, want the help", err)
	}
	var errs bytes.Buffer
	code := measure.Main(t.Context(), "bench", &errs, func(ctx context.Context) error {
		return dispatch(ctx, []string{"-pairs", "0"}, &bytes.Buffer{})
	})
	if code != 2 || !strings.HasPrefix(errs.String(), "bench: -pairs 0") {
		t.Errorf("flags without sense: exit code %d and %q, want 2", code, &errs)
	}
}

// TestProfileSteps takes steps of a program that writes a profile of its own.
func TestProfileSteps(t *testing.T) {
	bin := programs(t, map[string]string{"stepbench": `while [ $# -gt 1 ]; do
  [ "$1" = -profile ] && cp /dev/null "$2"
  shift
done
echo '{"device": "dev", "step_seconds": 1.5}'`})
	e := &environment{places: map[string]string{"tmp": t.TempDir(), "bin": bin}}
	_, err := e.profileOne(t.Context(), []string{"-arch", "x"})
	if err == nil || !strings.Contains(err.Error(), "profile") {
		t.Errorf("an empty profile: got %v, want an error", err)
	}
	e.places["bin"] = programs(t, map[string]string{"stepbench": "echo no JSON"})
	if _, err := e.profileOne(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "what stepbench printed") {
		t.Errorf("no JSON: got %v", err)
	}
	e.places["bin"] = programs(t, map[string]string{"stepbench": "exit 1"})
	if _, err := e.profileOne(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "run stepbench") {
		t.Errorf("a program that fails: got %v", err)
	}
}

func TestNewEnvironment(t *testing.T) {
	o := &options{binDir: "some/bin"}
	e, err := newEnvironment(o)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(e.places["tmp"])
	root, err := moduleRoot()
	if err != nil || !exists(filepath.Join(root, "go.mod")) {
		t.Fatalf("module root %q, error %v", root, err)
	}
	if o.out != filepath.Join(root, "docs", "bench") || !filepath.IsAbs(e.places["bin"]) ||
		!strings.HasSuffix(e.places["bin"], "some/bin") || !exists(filepath.Join(e.places["scripts"], "link.sh")) {
		t.Errorf("out %q, places %v", o.out, e.places)
	}
	t.Setenv("BYOL_BENCH_OPENBLAS", "/opt/blas")
	e.findBLAS()
	if e.places["openblas"] != "/opt/blas" || e.missing(t.Context(), "openblas") != "" {
		t.Errorf("openblas is at %q", e.places["openblas"])
	}
	t.Chdir(t.TempDir())
	if _, err := moduleRoot(); err == nil || !strings.Contains(err.Error(), "no go.mod above") {
		t.Errorf("outside of a module: got %v", err)
	}
	if _, err := newEnvironment(&options{}); err == nil {
		t.Error("outside of a module: an environment")
	}
}

func TestConditions(t *testing.T) {
	e, _ := testEnvironment(t, 1)
	bin := programs(t, map[string]string{"python3": "[ \"$2\" = 'import good' ]"})
	t.Setenv("BYOL_BENCH_PYTHON", filepath.Join(bin, "python3"))
	t.Setenv("PATH", "/nowhere")
	if err := os.WriteFile(filepath.Join(e.root, "there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ need, want string }{
		{"file:{tmp}/there", ""}, {"file:{tmp}/not", "there is no not"},
		{"file:{nothing}/x", "nothing is known as {nothing}"},
		{"python:good", ""}, {"python:no_such_module_here", "no python3 can import no_such_module_here"},
		{"newest:good", ".tools/torch-newest"}, {"openblas", "isn't installed"},
		{"lines", "root, iproute2 and util-linux"},
	} {
		if got := e.missing(t.Context(), c.need); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: missing %q, want %q", c.need, got, c.want)
		}
	}
	if e.pythons["good "+strings.Join([]string{filepath.Join(bin, "python3"), filepath.Join(e.root, ".venv/bin/python3"),
		"/usr/bin/python3", "python3"}, " ")] == "" {
		t.Errorf("the interpreter is not remembered: %v", e.pythons)
	}
	defer func() {
		if recover() == nil {
			t.Error("a condition that nobody knows: no panic")
		}
	}()
	e.missing(t.Context(), "moon:full")
}

// TestSidesSeeAPlainEnvironment: byol's own variables would change what is compared; libraries are put first where
// they are.
func TestSidesSeeAPlainEnvironment(t *testing.T) {
	t.Setenv("BYOL_THREADS", "7")
	e, _ := testEnvironment(t, 1)
	e.places["plainblas"] = "/lib/blas"
	s := side{name: "s", argv: []string{"/bin/sh", "-c", `echo "{\"about\": \"$BYOL_THREADS|$LIBS|$NONE|$1\"}"`, "sh"},
		environment: []string{"LIBS={plainblas}", "NONE={openblas}"}}
	r, err := e.measure(t.Context(), &s, []string{"{5:3}"}, true)
	if err != nil || r.about != "|/lib/blas||3" {
		t.Errorf("got %+v, error %v; want the library's place and the short number alone", r, err)
	}
	s.argv = []string{"{nothing}"}
	if _, err := e.measure(t.Context(), &s, nil, false); err == nil || !strings.Contains(err.Error(), "{nothing}") {
		t.Errorf("a place that is not there: got %v", err)
	}
	s.argv = []string{filepath.Join(e.root, "no-such-program")}
	s.ranks = 2
	if _, err := e.measure(t.Context(), &s, nil, false); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a program that is not there: got %v", err)
	}
}

// TestARankThatFailsIsTold with its number and its last words; the others are waited for.
func TestARankThatFailsIsTold(t *testing.T) {
	e, _ := testEnvironment(t, 1)
	s := side{name: "s", ranks: 3, argv: []string{"/bin/sh", "-c",
		`if [ $RANK = 1 ]; then seq 5 >&2; exit 4; fi; echo '{"speed": 1}'`, "sh"}}
	_, err := e.measure(t.Context(), &s, nil, false)
	if err == nil || err.Error() != "sh, rank 1 of 3: exit status 4: 3 / 4 / 5" {
		t.Errorf("got %v, want rank 1's last three lines", err)
	}
}

func TestPeakMemoryIsOfTheLargest(t *testing.T) {
	e, _ := testEnvironment(t, 1)
	s := side{name: "s", argv: []string{"/bin/sh", "-c",
		`x=$(head -c 30000000 /dev/zero | tr '\0' x); echo '{"speed": 1}'`}}
	r, err := e.measure(t.Context(), &s, nil, false)
	if err != nil || r.peakMiB < 25 || r.peakMiB > 500 {
		t.Errorf("a shell with 30 MB in a variable: peak %v MiB, error %v", r, err)
	}
}
