package lead

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"", 5, ""}, {"plain", 5, "plain"}, {"plainer", 5, "pl…"}, {"θ' = ξ", 20, "θ' = ξ"}, {"θθθ", 5, "θ…"},
		{"two\nlines\tand more", 40, "two lines and more"}, {"caf\xe9.jpg", 40, `caf\xe9.jpg`},
		{"\x1b[31mred", 40, `\x1b[31mred`},
		{"a\x00b", 40, `a\x00b`}, {"\u202eevil", 40, `\u202eevil`},
		{strings.Repeat("x", 70_000), 64, strings.Repeat("x", 61) + "…"},
	} {
		if got := Plain(c.in, c.limit); got != c.want {
			t.Errorf("Plain(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

// TestPlainIsPlain takes any bytes: what comes out prints, is no longer than asked for, and stays as it is the second
// time.
func TestPlainIsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes"))
		limit := rapid.IntRange(3, 80).Draw(t, "limit")
		got := Plain(in, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("Plain(%q, %d) = %q of %d bytes", in, limit, got, len(got))
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("Plain(%q, %d) = %q, which does not print at %d", in, limit, got, i)
		}
		if again := Plain(got, limit); again != got {
			t.Fatalf("Plain of %q is %q", got, again)
		}
	})
}
