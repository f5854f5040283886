package fault

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	cases := []struct {
		text  string
		want  Plan
		print string
	}{
		{"", nil, ""},
		{" ; ", nil, ""},
		{"kill step=5", Plan{{Action: "kill", Rank: -1, Shard: -1, Step: 5}}, "kill step=5"},
		{"flip theta rank=1 step=3;kill  step=4 rank=0", Plan{
			{Action: "flip", Target: "theta", Rank: 1, Shard: -1, Step: 3},
			{Action: "kill", Rank: 0, Shard: -1, Step: 4},
		}, "flip theta rank=1 step=3; kill rank=0 step=4"},
		{"flip gradient step=3 shard=2 bit=30 element=7", Plan{
			{Action: "flip", Target: "gradient", Rank: -1, Shard: 2, Step: 3, Element: 7, Bit: 30},
		}, "flip gradient shard=2 step=3 element=7 bit=30"},
		{"flip gradient bit=3 attempt=2 step=3", Plan{
			{Action: "flip", Target: "gradient", Rank: -1, Shard: -1, Step: 3, Attempt: 2, Bit: 3},
		}, "flip gradient step=3 attempt=2 bit=3"},
		{"cut a->b", Plan{{Action: "cut", Line: Line{"a", "b", false}, Rank: -1, Shard: -1, Step: -1}}, "cut a->b"},
		{"cut 10.0.0.1<->* for=90s  step=0 after=12", Plan{{Action: "cut", Line: Line{"10.0.0.1", "*", true}, Rank: -1,
			Shard: -1, Step: 0, After: 12, For: 90 * time.Second}}, "cut 10.0.0.1<->* step=0 after=12 for=1m30s"},
		{"delay ::1->a-b by=0.5ms", Plan{{Action: "delay", Line: Line{"::1", "a-b", false}, Rank: -1, Shard: -1, Step: -1,
			By: 500 * time.Microsecond}}, "delay ::1->a-b by=500µs"},
		{"limit *->* rate=1", Plan{{Action: "limit", Line: Line{"*", "*", false}, Rank: -1, Shard: -1, Step: -1,
			Rate: 1}}, "limit *->* rate=1"},
		{"break a<->b step=7;heal a<->b step=8", Plan{
			{Action: "break", Line: Line{"a", "b", true}, Rank: -1, Shard: -1, Step: 7},
			{Action: "heal", Line: Line{"a", "b", true}, Rank: -1, Shard: -1, Step: 8},
		}, "break a<->b step=7; heal a<->b step=8"},
		{"flip theta->b bit=7 after=0", Plan{{Action: "flip", Line: Line{"theta", "b", false}, Rank: -1, Shard: -1,
			Step: -1, Bit: 7}}, "flip theta->b bit=7"},
	}
	for _, c := range cases {
		got, err := Parse(c.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", c.text, d)
		}
		if got.String() != c.print {
			t.Errorf("Parse(%q) prints %q, want %q", c.text, got, c.print)
		}
		if again, err := Parse(got.String()); err != nil || !cmp.Equal(got, again) {
			t.Errorf("%q does not parse back: %v, %v", got, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	cases := []struct{ text, want string }{
		{"burn step=1", `"burn"`},
		{"flip", "flip what"},
		{"flip weights step=1", "flip what"},
		{"kill", "step=N"},
		{"kill step", `"step"`},
		{"kill step=-1", "KEY=NUMBER"},
		{"kill step=1 bit=2", `"bit=2"`},
		{"flip theta step=1 bit=32", `"bit=32"`},
		{"flip theta step=1 shard=1", `"shard=1"`},
		{"flip theta step=1 after=1", `"after=1"`},
		{"flip theta", "step=N"},
		{"kill step=1 step=2", "another step"},
		{"kill a->b step=1", `"a->b"`},
		{"kill rank=2147483648 step=1", "2147483647"},
		{"cut", "which line"},
		{"cut theta", "which line"},
		{"cut a-b", "which line"},
		{"cut ->b", "which line"},
		{"cut a<->", "which line"},
		{"cut a<<->b", "which line"},
		{"cut a=b->c", "which line"},
		{"cut a->b->c", "which line"},
		{"cut a->b rank=1", `"rank=1" does not go with cut a->b`},
		{"cut a->b for=3", "KEY=DURATION"},
		{"cut a->b for=0s", "KEY=DURATION"},
		{"cut a->b for=-1s", "KEY=DURATION"},
		{"delay a->b", "by= is missing"},
		{"delay a->b by=1s after=3", `"after=3"`},
		{"limit a->b for=1s", "rate= is missing"},
		{"limit a->b rate=0", "it is 1 to"},
		{"break a->b for=1s", `"for=1s"`},
		{"flip a->b bit=8", "it is 0 to 7"},
		{"flip a->b element=8", `"element=8"`},
		{"cut a->b; kill", "step=N"},
	}
	for _, c := range cases {
		if _, err := Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q): got %v, want an error with %s", c.text, err, c.want)
		}
	}
}

func TestMatch(t *testing.T) {
	p, err := Parse("flip theta rank=1 step=3 element=5 bit=31; flip gradient shard=2 step=4; " +
		"kill rank=2 step=5; flip momentum step=6 attempt=2")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		at   Spot
		want bool
	}{
		{Spot{"theta", 1, -1, 3, 1}, true},
		{Spot{"theta", 0, -1, 3, 1}, false},
		{Spot{"theta", 1, -1, 4, 1}, false},
		{Spot{"momentum", 1, -1, 3, 1}, false},
		{Spot{"gradient", 7, 2, 4, 3}, true},
		{Spot{"gradient", 7, 1, 4, 1}, false},
		{Spot{"momentum", 7, -1, 6, 1}, false},
		{Spot{"momentum", 7, -1, 6, 2}, true},
		{Spot{"momentum", 7, -1, 6, 3}, false},
	}
	for _, c := range cases {
		x := []float32{1, 2, 3}
		got := p.Flip(c.at, x)
		if changed := !cmp.Equal(x, []float32{1, 2, 3}); got != c.want || changed != c.want {
			t.Errorf("%+v: got %v and changed %v", c, got, changed)
		}
	}
	x := []float32{1, 2, 3}
	p.Flip(Spot{"theta", 1, -1, 3, 1}, x)
	if x[2] != -3 {
		t.Errorf("element 5 of 3, bit 31: got %v, want the third negated", x)
	}
	p.Flip(Spot{"gradient", 0, 2, 4, 1}, x)
	if math.Float32bits(x[0]) != math.Float32bits(1)^1 {
		t.Errorf("bit 0: got %v", x)
	}
	if !p.Kill(2, 5) || p.Kill(1, 5) || p.Kill(2, 4) {
		t.Error("kill rank=2 step=5 matches the wrong one")
	}
}

// TestKillProposed: a process is killed at the beginning of a step or when all is proposed, never by the other's fault.
func TestKillProposed(t *testing.T) {
	p, err := Parse("kill-proposed rank=1 step=4; kill step=6")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rank           int
		step           int64
		kill, proposed bool
	}{{1, 4, false, true}, {0, 4, false, false}, {1, 5, false, false}, {0, 6, true, false}, {7, 6, true, false}} {
		if k, q := p.Kill(c.rank, c.step), p.KillProposed(c.rank, c.step); k != c.kill || q != c.proposed {
			t.Errorf("rank %d in step %d: kill %v, kill-proposed %v, want %v and %v", c.rank, c.step, k, q, c.kill,
				c.proposed)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		line     string
		from, to string
		want     bool
	}{
		{"a->b", "a", "b", true},
		{"a->b", "b", "a", false},
		{"a<->b", "b", "a", true},
		{"a<->b", "a", "a", false},
		{"a->*", "a", "b", true},
		{"a->*", "b", "a", false},
		{"a<->*", "b", "a", true},
		{"*->*", "x", "x", true},
		{"*->b", "b", "a", false},
	} {
		line, ok := parseLine(c.line)
		if !ok {
			t.Fatalf("%s is no line", c.line)
		}
		if got := line.Covers(c.from, c.to); got != c.want {
			t.Errorf("%s covers %s to %s: got %v", c.line, c.from, c.to, got)
		}
	}
}

// TestShares: a plan for everybody has each its own part, and a network's faults never touch a worker's state.
func TestShares(t *testing.T) {
	p, err := Parse("kill rank=0 step=5; cut a->b; flip target step=1; flip a->b step=1; heal *->*")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Lines().String(), "cut a->b; flip a->b step=1; heal *->*"; got != want {
		t.Errorf("lines: got %q, want %q", got, want)
	}
	if len(p) != 5 {
		t.Errorf("the plan itself became %q", p)
	}
	x := []float32{1}
	if p.Lines().Flip(Spot{"target", 0, -1, 1, 1}, x) || p.Lines().Flip(Spot{"", 0, -1, 1, 1}, x) || x[0] != 1 {
		t.Errorf("the faults of lines changed a vector to %v", x)
	}
}

// TestPlansPrintAsTheyParse builds plans at random.
func TestPlansPrintAsTheyParse(t *testing.T) {
	number := rapid.Int64Range(0, math.MaxInt32)
	values := map[string]*rapid.Generator[string]{}
	for _, key := range []string{"rank", "shard", "step", "element", "after"} {
		values[key] = rapid.Map(number, func(n int64) string { return strconv.FormatInt(n, 10) })
	}
	values["attempt"] = rapid.SampledFrom([]string{"1", "2147483647"})
	values["bit"] = rapid.SampledFrom([]string{"0", "3", "7"})
	values["rate"] = rapid.SampledFrom([]string{"1", "9223372036854775807"})
	duration := rapid.Map(rapid.Int64Range(1, 1<<50), func(n int64) string { return time.Duration(n).String() })
	values["by"], values["for"] = duration, duration
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		for range rapid.IntRange(0, 4).Draw(t, "faults") {
			kind := rapid.SampledFrom([]string{ofProcess, ofTarget, ofLine}).Draw(t, "of")
			action := rapid.SampledFrom(slices.Sorted(maps.Keys(keys[kind]))).Draw(t, "action")
			words := []string{action}
			switch kind {
			case ofTarget:
				words = append(words, rapid.SampledFrom(targets).Draw(t, "target"))
			case ofLine:
				words = append(words, rapid.StringMatching(`[a-z0-9.:*-]{1,5}<?->[a-z0-9.:*]{1,5}`).Draw(t, "line"))
			}
			for _, key := range keys[kind][action] {
				optional := key != needed[action] && (key != "step" || kind == ofLine)
				if key == "shard" && words[1] != "gradient" || optional && rapid.Bool().Draw(t, "without "+key) {
					continue
				}
				words = append(words, key+"="+values[key].Draw(t, key))
			}
			parts = append(parts, strings.Join(words, " "))
		}
		text := strings.Join(parts, "; ")
		p, err := Parse(text)
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		again, err := Parse(p.String())
		if err != nil || !cmp.Equal(p, again) {
			t.Fatalf("%q prints %q, which parses as %v, %v", text, p, again, err)
		}
	})
}
