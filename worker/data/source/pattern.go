package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxPaths bounds what a pattern may expand to.
const maxPaths = 100_000

var errTooMany = fmt.Errorf("it stands for more than %d paths", maxPaths)

// lies says what is there under a name; ok is false where nothing is, and for what is no path.
type lies func(name string) (kind Kind, ok bool)

// mostCommas is how many commas further a name is looked for that has some in it.
const mostCommas = 8

// cutList cuts a list at its commas, but for those in braces and those in the name of something that is there: of a
// file or folder that reaches to a later comma or to the end, or of a folder that the next slash ends. Spaces around
// an item are none of it, unless that is the name of something.
func cutList(list string, there lies) ([]string, error) {
	parts, err := splitTop(list)
	if err != nil {
		if folder, _ := plainFolder(list, there); folder != "" {
			return []string{list}, nil // its braces are in the folder's name
		}
		return nil, err
	}
	var items []string
	from := 0 // the first part of the item
	for i := 0; i < len(parts); i++ {
		item := strings.Join(parts[from:i+1], ",")
		name, whole := itself(item, there)
		for last := min(i+mostCommas, len(parts)-1); !whole && last > i; last-- {
			if name, whole = itself(strings.Join(parts[from:last+1], ","), there); whole {
				i = last
			}
		}
		if !whole && inFolder(item, parts[i+1:], there) {
			continue
		}
		if !whole {
			name = strings.TrimSpace(item)
		}
		if name == "" {
			return nil, errors.New("there is an empty name in the list")
		}
		items = append(items, name)
		from = i + 1
	}
	return items, nil
}

// itself is the name of something that an item is, with the spaces around it or without.
func itself(item string, there lies) (name string, ok bool) {
	for _, name := range []string{item, strings.TrimSpace(item)} {
		if _, ok := there(name); ok && name != "" {
			return name, true
		}
	}
	return "", false
}

// inFolder reports whether the comma between an item and the next parts is in the name of a folder.
func inFolder(item string, next []string, there lies) bool {
	end, _, deeper := strings.Cut(strings.Join(next[:min(len(next), mostCommas)], ","), "/")
	if !deeper {
		return false
	}
	for _, item := range []string{item, strings.TrimLeft(item, " ")} {
		if kind, ok := there(item + "," + end); ok && kind == Folder {
			return true
		}
	}
	return false
}

// plainFolder cuts a path behind the deepest folder that is there and has braces or wildcards in its name, which mean
// nothing then; "" where there is none.
func plainFolder(name string, there lies) (folder, rest string) {
	for end := strings.LastIndexByte(name, '/'); end > 0; end = strings.LastIndexByte(name[:end], '/') {
		if !strings.ContainsAny(name[:end], "{}*?[") {
			break
		}
		if kind, ok := there(name[:end]); ok && kind == Folder {
			return name[:end+1], name[end+1:]
		}
	}
	return "", name
}

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
