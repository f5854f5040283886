package fault

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	}
	for _, c := range cases {
		if _, err := Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q): got %v, want an error with %s", c.text, err, c.want)
		}
	}
}

func TestMatch(t *testing.T) {
	p, err := Parse("flip theta rank=1 step=3 element=5 bit=31; flip gradient shard=2 step=4; kill rank=2 step=5")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		target      string
		rank, shard int
		step        int64
		want        bool
	}{
		{"theta", 1, -1, 3, true},
		{"theta", 0, -1, 3, false},
		{"theta", 1, -1, 4, false},
		{"momentum", 1, -1, 3, false},
		{"gradient", 7, 2, 4, true},
		{"gradient", 7, 1, 4, false},
	}
	for _, c := range cases {
		x := []float32{1, 2, 3}
		got := p.Flip(c.target, c.rank, c.shard, c.step, x)
		if changed := !cmp.Equal(x, []float32{1, 2, 3}); got != c.want || changed != c.want {
			t.Errorf("%+v: got %v and changed %v", c, got, changed)
		}
	}
	x := []float32{1, 2, 3}
	p.Flip("theta", 1, -1, 3, x)
	if x[2] != -3 {
		t.Errorf("element 5 of 3, bit 31: got %v, want the third negated", x)
	}
	p.Flip("gradient", 0, 2, 4, x)
	if math.Float32bits(x[0]) != math.Float32bits(1)^1 {
		t.Errorf("bit 0: got %v", x)
	}
	if !p.Kill(2, 5) || p.Kill(1, 5) || p.Kill(2, 4) {
		t.Error("kill rank=2 step=5 matches the wrong one")
	}
}
