package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxPaths bounds what a pattern may expand to.
const maxPaths = 100_000

// expandPattern gives the paths that a pattern stands for, in order: a list separated by commas, {a,b} for
// alternatives and {000000..000009} for numbers, with leading zeros where an end has them. Braces may be
// nested.
func expandPattern(pattern string) ([]string, error) {
	parts, err := splitTop(pattern)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			return nil, errors.New("there is an empty name in the list")
		}
		more, err := expandBraces(part, 0)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxPaths {
			return nil, errTooMany
		}
	}
	return out, nil
}

var errTooMany = fmt.Errorf("it stands for more than %d paths", maxPaths)

// splitTop cuts s at the commas that are in no brace.
func splitTop(s string) ([]string, error) {
	var parts []string
	depth, from := 0, 0
	for i, c := range s {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, s[from:i])
				from = i + 1
			}
		}
		if depth < 0 {
			return nil, errors.New("there is a } without its {")
		}
	}
	if depth > 0 {
		return nil, errors.New("there is a { without its }")
	}
	return append(parts, s[from:]), nil
}

// expandBraces expands the first brace of s, whose braces are balanced, and what follows it.
func expandBraces(s string, depth int) ([]string, error) {
	if depth > 16 {
		return nil, errors.New("there are more than 16 braces")
	}
	open := strings.IndexByte(s, '{')
	if open < 0 {
		return []string{s}, nil
	}
	end, level := open, 0
	for ; end < len(s); end++ {
		if s[end] == '{' {
			level++
		} else if s[end] == '}' {
			if level--; level == 0 {
				break
			}
		}
	}
	middle, err := expandInner(s[open+1:end], depth)
	if err != nil {
		return nil, err
	}
	rest, err := expandBraces(s[end+1:], depth+1)
	if err != nil {
		return nil, err
	}
	if len(middle)*len(rest) > maxPaths {
		return nil, errTooMany
	}
	out := make([]string, 0, len(middle)*len(rest))
	for _, m := range middle {
		for _, r := range rest {
			out = append(out, s[:open]+m+r)
		}
	}
	return out, nil
}

// expandInner expands what stands between a brace and its end.
func expandInner(s string, depth int) ([]string, error) {
	if lo, hi, ok := strings.Cut(s, ".."); ok && !strings.ContainsAny(s, "{,") {
		return expandRange(lo, hi)
	}
	parts, err := splitTop(s)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 && !strings.Contains(s, "{") {
		return nil, fmt.Errorf("{%s} is neither a list like {a,b} nor a range like {0..9}", s)
	}
	var out []string
	for _, p := range parts {
		more, err := expandBraces(p, depth+1)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxPaths {
			return nil, errTooMany
		}
	}
	return out, nil
}

func expandRange(lo, hi string) ([]string, error) {
	a, errA := strconv.ParseUint(lo, 10, 31)
	b, errB := strconv.ParseUint(hi, 10, 31)
	if errA != nil || errB != nil {
		return nil, fmt.Errorf("the range {%s..%s} is not of two numbers", lo, hi)
	}
	if a > b {
		return nil, fmt.Errorf("the range {%s..%s} runs downwards", lo, hi)
	}
	if b-a >= maxPaths {
		return nil, errTooMany
	}
	width := 0
	if lo[0] == '0' || hi[0] == '0' {
		width = max(len(lo), len(hi))
	}
	out := make([]string, 0, b-a+1)
	for i := a; i <= b; i++ {
		out = append(out, fmt.Sprintf("%0*d", width, i))
	}
	return out, nil
}
