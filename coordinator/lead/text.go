package lead

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain is a text from outside as it may be kept and shown: characters that do not print and bytes that are no UTF-8
// are escaped, white space becomes a blank, and of what is longer than limit bytes the beginning is left.
func Plain(s string, limit int) string {
	const more = "…"
	var b strings.Builder
	keep := 0 // so much of b leaves room for more
	for len(s) > 0 {
		piece, n := printable(s)
		if b.Len()+len(piece) > limit {
			return b.String()[:keep] + more
		}
		b.WriteString(piece)
		s = s[n:]
		if b.Len()+len(more) <= limit {
			keep = b.Len()
		}
	}
	return b.String()
}

// printable is the first character of s as it can be shown, and its length in s.
func printable(s string) (piece string, n int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf(`\x%02x`, s[0]), n
	case unicode.IsPrint(r):
		return s[:n], n
	case unicode.IsSpace(r):
		return " ", n
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1], n
}
