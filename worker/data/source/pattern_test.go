package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawPattern draws a pattern with at most so many braces in each other, and what it stands for.
func drawPattern(t *rapid.T, depth int) (pattern string, want []string) {
	want = []string{""}
	join := func(text string, each []string) {
		pattern += text
		var all []string
		for _, w := range want {
			for _, e := range each {
				all = append(all, w+e)
			}
		}
		want = all
	}
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		switch kind := rapid.IntRange(0, 2).Draw(t, "kind"); {
		case kind == 0 || depth == 0:
			text := rapid.StringMatching(`[a-z0-9./_-]{1,4}`).Draw(t, "text")
			join(text, []string{text})
		case kind == 1:
			lo := rapid.IntRange(0, 12).Draw(t, "lo")
			hi, width := lo+rapid.IntRange(0, 3).Draw(t, "more"), rapid.IntRange(1, 4).Draw(t, "width")
			var each []string
			padded := len(fmt.Sprint(hi)) < width || lo == 0
			for v := lo; v <= hi; v++ {
				if padded {
					each = append(each, fmt.Sprintf("%0*d", max(width, len(fmt.Sprint(hi))), v))
				} else {
					each = append(each, fmt.Sprint(v))
				}
			}
			join("{"+each[0]+".."+each[len(each)-1]+"}", each)
		default:
			var texts, each []string
			for range rapid.IntRange(2, 3).Draw(t, "alternatives") {
				text, more := drawPattern(t, depth-1)
				texts, each = append(texts, text), append(each, more...)
			}
			join("{"+strings.Join(texts, ",")+"}", each)
		}
	}
	return pattern, want
}

// TestPatternsFollowTheirDefinition: lists of any braces stand for all combinations, in order.
func TestPatternsFollowTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var patterns, want []string
		for range rapid.IntRange(1, 2).Draw(t, "list") {
			pattern, each := drawPattern(t, 2)
			patterns, want = append(patterns, pattern), append(want, each...)
		}
		got, err := expandPattern(strings.Join(patterns, ","))
		if len(want) > maxPaths {
			if err == nil {
				t.Fatalf("%q: %d paths", patterns, len(got))
			}
			return
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: %q, %v, want %q", patterns, got, err, want)
		}
	})
}

// TestIndexIsKeptOnlyWhenSettled: what was changed just before the index was written may change again unseen.
func TestIndexIsKeptOnlyWhenSettled(t *testing.T) {
	x := index{keys: []stamp{{"", 0, 100}, {"a", 0, 300}, {"b", 0, 200}}}
	for at, want := range map[int64]bool{99: true, 299: true, 300: false, 301: false} {
		if got := x.changedSince(at); got != want {
			t.Errorf("changed since %d: %v, want %v", at, got, want)
		}
	}
	if (&index{}).changedSince(0) {
		t.Error("nothing has changed")
	}
}

// TestIndexBounds: what an index cannot hold is refused with its name.
func TestIndexBounds(t *testing.T) {
	var x index
	if err := x.add("caf\xe9.jpg", maxImageBytes+1, 0); err == nil ||
		err.Error() != `caf\xe9.jpg: image file of 1073741825 bytes` {
		t.Errorf("a file of 1 GiB and a byte: %v", err)
	}
	if err := x.add("a.jpg", maxImageBytes, 0); err != nil || x.len() != 1 || x.name(0) != "a.jpg" {
		t.Errorf("a file of 1 GiB: %v, %d images", err, x.len())
	}
}

// TestManifestCoversEverything: another order, name, size, label or number of classes is another set.
func TestManifestCoversEverything(t *testing.T) {
	type image struct {
		name  string
		size  int64
		label int
	}
	of := func(classes int, images ...image) string {
		return manifest(len(images), classes, func(i int) (string, int64, int) {
			return images[i].name, images[i].size, images[i].label
		})
	}
	a, b := image{"a", 1, 0}, image{"b", 2, 1}
	base := of(2, a, b)
	seen := map[string]int{base: -1}
	for i, other := range []string{of(3, a, b), of(2, b, a), of(2, a), of(2, a, b, b), of(2, image{"ab", 1, 0}, b),
		of(2, image{"a", 3, 0}, b), of(2, image{"a", 1, -1}, b), of(0), of(2, image{"", 1, 0}, image{"ab", 2, 1})} {
		if was, taken := seen[other]; taken {
			t.Errorf("sets %d and %d have one manifest", was, i)
		}
		seen[other] = i
	}
	if again := of(2, a, b); again != base || !strings.HasPrefix(base, "sha256:") {
		t.Errorf("%s, then %s", base, again)
	}
}
