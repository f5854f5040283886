package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRatios(t *testing.T) {
	for _, c := range []struct {
		name       string
		ours, peer []float64
		less       bool
		want       []float64
	}{
		{"speeds", []float64{6, 8}, []float64{2, 4}, false, []float64{3, 2}},
		{"times", []float64{2, 4}, []float64{6, 8}, true, []float64{3, 2}},
		{"a pair without peer", []float64{6, 8}, []float64{2}, false, []float64{3}},
		{"a peer that stood still", []float64{6, 8}, []float64{0, 4}, false, []float64{2}},
		{"nothing", nil, []float64{1}, false, nil},
	} {
		if got := ratios(c.ours, c.peer, c.less); !slices.Equal(got, c.want) {
			t.Errorf("%s: ratios(%v, %v, %v): got %v, want %v", c.name, c.ours, c.peer, c.less, got, c.want)
		}
	}
}

func TestSignificant(t *testing.T) {
	for x, want := range map[float64]string{1234.5: "1234", 31.14: "31.1", 4.018: "4.02", 0.01234: "0.0123", 0: "0",
		math.NaN(): "–", -12.34: "-12.3"} {
		if got := significant(x); got != want {
			t.Errorf("significant(%v): got %q, want %q", x, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	places := map[string]string{"bin": "b", "shared": "s"}
	for _, c := range []struct {
		arg   string
		short bool
		want  string
		fails string
	}{
		{arg: "{bin}/worker", want: "b/worker"},
		{arg: "{7:2}", want: "7"},
		{arg: "{7:2}", short: true, want: "2"},
		{arg: "x{bin}{shared}{10:1}", want: "xbs10"},
		{arg: "train-{000000..000009}.tar", want: "train-{000000..000009}.tar"},
		{arg: "{openblas}", fails: "{openblas}"},
	} {
		got, err := expand(c.arg, places, c.short)
		if got != c.want || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("expand %q, short %v: got %q, %v; want %q, error with %q", c.arg, c.short, got, err, c.want, c.fails)
		}
	}
}

func TestReadJSON(t *testing.T) {
	got, err := readJSON([]byte("a warning\n"+
		`{"speed": 3.5, "about": "peer 1", "arch": "x", "phases": {"forward": 0.25, "odd": "y"}}`+"\n"), "")
	want := &reading{figures: map[string]float64{"speed": 3.5}, shares: map[string]float64{"forward": 0.25},
		about: "peer 1"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(reading{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, text := range []string{"", "no JSON", "{\"speed\": 1}\nmore"} {
		if got, err := readJSON([]byte(text), ""); err == nil {
			t.Errorf("readJSON %q: got %v, want an error", text, got)
		}
	}
}

func TestReadMetrics(t *testing.T) {
	dir := t.TempDir()
	if _, err := readMetrics(8)(nil, dir); err == nil {
		t.Error("no file: want an error")
	}
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, wantError string }{
		{`{"step":0,"seconds":9,"phases":{"forward":1}}`, "fewer than two steps"},
		{"{\"step\":0,\"seconds\":9}\n{", "line 2"},
		{"{\"seconds\":9,\"phases\":{\"forward\":9}}\n{\"seconds\":2,\"phases\":{\"forward\":1}}\n" +
			"{\"seconds\":4,\"phases\":{\"forward\":1,\"ring\":2}}\n", ""},
	} {
		if err := os.WriteFile(filepath.Join(dir, "run", "metrics.jsonl"), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := readMetrics(6)(nil, dir)
		if c.wantError != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("metrics %q: got %v, want an error with %q", c.text, err, c.wantError)
			}
			continue
		}
		want := &reading{figures: map[string]float64{"images_per_second": 2},
			shares: map[string]float64{"forward": 0.375, "ring": 0.5}}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(reading{})); err != nil || diff != "" {
			t.Errorf("metrics %q: %v\n%s", c.text, err, diff)
		}
	}
}

// TestReadSteps: a step that waited 0.1 s of a commit of 0.5 s, in 2 s.
func TestReadSteps(t *testing.T) {
	tmp := t.TempDir()
	if err := os.Mkdir(filepath.Join(tmp, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	line := `{"seconds":2,"phases":{"forward":1.9,"commit":0.06,"broadcast":0.04},` +
		`"latency":{"commit":0.4,"broadcast":0.1}}` + "\n"
	for n, want := range map[int]string{1: "fewer than two", 2: "", 4: ""} {
		name, text := filepath.Join(tmp, "run", "metrics.jsonl"), strings.Repeat(line, n)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := readSteps(8)(nil, tmp)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d steps: error %v, want %q", n, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		figures := map[string]float64{"exposed": 0.05, "latency": 0.25, "broadcast": 0.02, "images_per_second": 4}
		for key, want := range figures {
			if got := r.figures[key]; got < want-1e-9 || got > want+1e-9 {
				t.Errorf("%s is %g, want %g", key, got, want)
			}
		}
	}
}

func TestReadRing(t *testing.T) {
	const shared = `operation                    ranks        bytes       median         best    processor
all-reduce shared memory         2         4096        11.5µs         10µs         20µs
all-reduce shared memory         2     26214400        3.25ms          3ms          6ms
total shared memory              2          512          5µs          4µs          8µs
`
	tcp := strings.ReplaceAll(shared, "shared memory", "tcp (no shared memory: switched off)")
	want := map[string]float64{"seconds_4096": 11.5e-6, "seconds_26214400": 3.25e-3}
	for _, c := range []struct{ name, text, transport, wantError string }{
		{"shared", shared, "shared memory", ""},
		{"tcp", tcp, "tcp", ""},
		{"not shared", tcp, "shared memory", "all-reduce tcp (no shared memory"},
		{"nothing", "operation\n", "tcp", "no all-reduce"},
		{"no head", "all-reduce tcp 2 4096 1ms 1ms\n", "tcp", "invalid duration"},
		{"no time", "operation median best\nall-reduce tcp 2 4096 fast 1ms\n", "tcp", "fast"},
	} {
		got, err := readRing(c.transport)([]byte(c.text), "")
		if c.wantError != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("%s: got %v, want an error with %q", c.name, err, c.wantError)
			}
			continue
		}
		if err != nil || !cmp.Equal(got.figures, want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, want)
		}
	}
}

// TestCases checks the table of comparisons: names, figures, places and conditions that a run would trip over.
func TestCases(t *testing.T) {
	places := map[string]string{}
	for _, name := range []string{"self", "tmp", "bin", "scripts", "shared", "cifar", "photos", "python", "plainblas",
		"openblas"} {
		places[name] = "X"
	}
	need := regexp.MustCompile(`^(lines|openblas|(python|newest):[A-Za-z,]+|file:\{shared\}/.+)$`)
	files := map[string]bool{}
	for _, p := range parts {
		if files[p.file] || filepath.Ext(p.file) != ".md" {
			t.Errorf("%s: file %q: want one of its own", p.name, p.file)
		}
		files[p.file] = true
		seen := map[string]bool{}
		for _, c := range p.cases {
			if seen[c.name] || c.name == "" || len(c.figures) == 0 || len(c.sides) == 0 || c.sides[0].peer {
				t.Errorf("%s, %q: want a name of its own, figures, and a side of ours first", p.name, c.name)
			}
			seen[c.name] = true
			for _, s := range c.sides {
				for _, a := range slices.Concat(append([][]string{s.argv, s.environment}, s.variants...)...) {
					if _, err := expand(a, places, true); err != nil {
						t.Errorf("%s, %s: %v", c.name, s.name, err)
					}
				}
				for _, n := range s.needs {
					if !need.MatchString(n) {
						t.Errorf("%s, %s: condition %q is not known", c.name, s.name, n)
					}
				}
				if slices.Contains(s.argv, "{python}") && !slices.ContainsFunc(s.needs, func(n string) bool {
					return strings.HasPrefix(n, "python:") || strings.HasPrefix(n, "newest:")
				}) {
					t.Errorf("%s, %s: which modules python needs is not said", c.name, s.name)
				}
			}
		}
	}
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-part", "data,torch", "-case", "^cifar", "-quick"}, io.Discard)
	if err != nil || !slices.Equal(o.parts, []string{"data", "torch"}) || o.pairs != 1 || !o.only.MatchString("cifar-32") {
		t.Errorf("got %+v, %v", o, err)
	}
	for args, want := range map[string]string{"-part speed": "torch, allreduce, line, data", "-pairs 0": "at least 1",
		"-case (": "-case", "now": `"now"`} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bench %s: got %v, want an error with %q", args, err, want)
		}
	}
}

// testEnvironment runs sides that are shell scripts; they write what they did to the file {log}.
func testEnvironment(t *testing.T, pairs int) (*environment, func() string) {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("needs /bin/sh")
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	e := &environment{options: &options{pairs: pairs, limit: time.Minute}, root: dir, pythons: map[string]string{},
		places: map[string]string{"tmp": dir, "log": log, "bin": dir}, say: t.Logf}
	return e, func() string {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(text)), " ")
	}
}

func shell(name, script string) side {
	return side{name: name, argv: []string{"/bin/sh", "-c", "echo " + name + " >>{log}; " + script, "sh"}}
}

func TestCompareAlternates(t *testing.T) {
	e, log := testEnvironment(t, 3)
	ours, peer := shell("ours", `echo '{"speed": 6}'`), shell("peer", `case $1 in slow) echo '{"speed": 1}';; `+
		`*) echo '{"speed": 2, "about": "v1"}';; esac`)
	peer.peer, peer.variants = true, [][]string{{"slow"}, {"fast"}}
	absent := shell("absent", "exit 1")
	absent.peer, absent.needs = true, []string{"file:{tmp}/nothing"}
	got := e.compare(context.Background(), comparison{name: "c", title: "C", sides: []side{ours, absent, peer},
		figures: []figure{{key: "speed", title: "speed", unit: "1/s", scale: 1}}})
	if got.failure != "" {
		t.Fatal(got.failure)
	}
	if want := "peer peer ours peer ours peer ours peer"; log() != want {
		t.Errorf("order: got %s, want %s", log(), want)
	}
	if v := got.sides[2].variant; !slices.Equal(v, []string{"fast"}) {
		t.Errorf("variant: got %v, want fast", v)
	}
	text := render(part{name: "p", title: "P", memory: true}, []string{"Machine: M"}, []outcome{got})
	for _, want := range []string{"# P\n", "make bench-p", "- Machine: M\n- peer: v1\n",
		"| C    | speed  | ours | peer (fast) | 3.00 ×        |       |\n", "absent was skipped: there is no nothing",
		"slow speed 1.00 1/s; fast speed 2.00 1/s"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestCompareFails(t *testing.T) {
	for _, c := range []struct {
		name, script, want string
		limit              time.Duration
	}{
		{"exit code", "echo reason >&2; exit 3", "exit status 3: reason", time.Minute},
		{"no figures", "echo hello", "read figures of sh", time.Minute},
		{"too slow", "sleep 60 & wait", "took longer than 50ms", 50 * time.Millisecond},
	} {
		e, _ := testEnvironment(t, 1)
		e.options.limit = c.limit
		peer := shell("peer", c.script)
		peer.peer = true
		got := e.compare(context.Background(), comparison{name: "c", title: "C",
			sides: []side{peer}, figures: []figure{{key: "speed"}}})
		if got.failure != "" {
			t.Errorf("%s: ran without a side of ours: %s", c.name, got.failure)
		}
		got = e.compare(context.Background(), comparison{name: "c", title: "C",
			sides: []side{shell("ours", c.script), peer}, figures: []figure{{key: "speed"}}})
		if !strings.Contains(got.failure, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got.failure, c.want)
		}
		if text := render(part{}, nil, []outcome{got}); !strings.Contains(text, c.want) {
			t.Errorf("%s: the table does not say %q:\n%s", c.name, c.want, text)
		}
	}
}

func TestWrite(t *testing.T) {
	p := part{file: "p.md", cases: []comparison{{name: "a"}, {name: "b"}, {name: "c"}}}
	for _, c := range []struct {
		quick  bool
		chosen int
		want   string
	}{
		{false, 3, "p.md"}, {true, 3, ""}, {false, 2, ""}, {false, 1, "p-a.md"}, {true, 1, ""},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		e := &environment{options: &options{quick: c.quick, out: dir}, say: t.Logf}
		if err := e.write(tableFile(p, p.cases[:c.chosen]), "text"); err != nil {
			t.Fatal(err)
		}
		written, _ := filepath.Glob(filepath.Join(dir, "*"))
		if c.want == "" {
			if len(written) > 0 {
				t.Errorf("quick %v, %d cases: %v is written, want nothing", c.quick, c.chosen, written)
			}
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, c.want)); err != nil || string(text) != "text" {
			t.Errorf("quick %v, %d cases: %s holds %q, %v", c.quick, c.chosen, c.want, text, err)
		}
	}
}

// A side that -without names takes no part, and the table says so.
func TestWithout(t *testing.T) {
	e, _ := testEnvironment(t, 1)
	e.options.without = regexp.MustCompile("^slow")
	slow := shell("slow peer", "exit 1")
	slow.peer = true
	fast := shell("peer", `echo '{"speed": 1}'`)
	fast.peer = true
	got := e.compare(context.Background(), comparison{name: "x", title: "x", figures: []figure{{key: "speed", scale: 1}},
		sides: []side{shell("ours", `echo '{"speed": 2}'`), slow, fast}})
	if got.failure != "" || got.sides[1].skipped == "" || len(got.sides[2].runs) != 1 {
		t.Errorf("failure %q, skipped %q, %d runs of the other peer", got.failure, got.sides[1].skipped,
			len(got.sides[2].runs))
	}
	if text := render(part{}, nil, []outcome{got}); !strings.Contains(text, "left out by -without") {
		t.Errorf("the table does not say that a side was left out:\n%s", text)
	}
}

func TestRanks(t *testing.T) {
	t.Setenv("BYOL_WORKERS", "3")
	e, log := testEnvironment(t, 1)
	s := shell("rank$RANK-of-$WORLD_SIZE$BYOL_WORKERS", `test -n "$MASTER_PORT" && echo "{\"speed\": $RANK}"`)
	s.ranks = 3
	r, err := e.measure(context.Background(), &s, nil, false)
	if err != nil || r.figures["speed"] != 0 || r.peakMiB <= 0 {
		t.Errorf("got %+v, %v; want the figures of rank 0", r, err)
	}
	said := strings.Fields(log())
	slices.Sort(said)
	if want := []string{"rank0-of-3", "rank1-of-3", "rank2-of-3"}; !slices.Equal(said, want) {
		t.Errorf("got %v, want %v", said, want)
	}
}

func TestTable(t *testing.T) {
	got := table([]string{"a", "work"}, [][]string{{"32²", "x"}, {"1", "longer"}})
	const want = "| a   | work   |\n| --- | ------ |\n| 32² | x      |\n| 1   | longer |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestViews renders generated images both ways and reads the speed as bench does.
func TestViews(t *testing.T) {
	for _, args := range []string{"", "-plain", "-plain -decoder go"} {
		var out bytes.Buffer
		args = "-data synthetic:20,size=32 -size 32 -augment byol-noblur -images 10 " + args
		err := viewsPart(context.Background(), strings.Fields(args), &out)
		if err != nil {
			t.Fatalf("views %s: %v", args, err)
		}
		r, err := readJSON(out.Bytes(), "")
		if err != nil || !(r.figures["images_per_second"] > 0) || !(r.figures["images_per_cpu_second"] > 0) {
			t.Errorf("views %s: %s, %v", args, &out, err)
		}
		if !json.Valid(out.Bytes()) {
			t.Errorf("views %s: %s", args, &out)
		}
	}
}

// TestScripts compiles the scripts of this folder.
func TestScripts(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	scripts, err := filepath.Glob("*.py")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	const compile = "import sys; [compile(open(f).read(), f, 'exec') for f in sys.argv[1:]]"
	if out, err := exec.Command(python, append([]string{"-c", compile}, scripts...)...).CombinedOutput(); err != nil {
		t.Errorf("compile: %v\n%s", err, out)
	}
}

func TestOfLine(t *testing.T) {
	read := ofLine(4, readJSON)
	got, err := read([]byte(`{"seconds_26214400": 0.31457280, "seconds_4096": 0.001}`), "")
	if err != nil {
		t.Fatal(err)
	}
	if x := got.figures["line_26214400"]; math.Abs(x-1) > 1e-9 { // 1.5 vectors of 209.7 Mbit
		t.Errorf("fraction of line rate: got %v, want 1", x)
	}
	if x, ok := got.figures["line_134217728"]; ok {
		t.Errorf("a vector that was not summed has a fraction of line rate: %v", x)
	}
	if _, err := read([]byte("nothing"), ""); err == nil {
		t.Error("no figures: want an error")
	}
}

// TestLines runs programs in namespaces of their own, where that may be done.
func TestLines(t *testing.T) {
	if out, err := exec.Command("sh", "link.sh", "check").Output(); err != nil {
		t.Skipf("no network namespaces here: %s", out)
	}
	show := `echo "$RANK of $WORLD_SIZE: $0 $1"`
	out, err := exec.Command("sh", "link.sh", "2", "sh", "-c", show, "@rank@", "@peers@").Output()
	if want := "0 of 2: 0 10.77.0.1:7000,10.77.0.2:7000\n"; err != nil || string(out) != want {
		t.Errorf("got %q, error %v, want %q", out, err, want)
	}
	if err := exec.Command("sh", "link.sh", "2", "false").Run(); err == nil {
		t.Error("a program that fails: want an error")
	}
}
