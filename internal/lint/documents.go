package lint

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Layout checks that the repository's top holds only what it should.
func Layout(t *Tree) []Finding {
	var found []Finding
	for _, name := range t.Top {
		if !slices.Contains(topLevel, name) {
			found = append(found, Finding{"layout", name, "the top level has no place for it (topLevel in exceptions.go)"})
		}
	}
	return found
}

var (
	link         = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+\s+(.*?)\s*$`)
	fenced       = regexp.MustCompile("(?ms)^```.*?^```")
	span         = regexp.MustCompile("`[^`\n]+`")
	target       = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
	include      = regexp.MustCompile(`(?m)^include (\S+)$`)
	majorVersion = regexp.MustCompile(`/v[0-9]+$`)
	makeUse      = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)
)

// Links checks that relative links in documents lead to files and headings that exist.
func Links(t *Tree) []Finding {
	var found []Finding
	for _, doc := range t.Markdown {
		text, err := t.read(doc)
		if err != nil {
			return append(found, Finding{"links", doc, err.Error()})
		}
		prose := span.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if why := t.deadLink(doc, m[1]); why != "" {
				found = append(found, Finding{"links", doc, why})
			}
		}
	}
	return found
}

func (t *Tree) deadLink(doc, to string) string {
	if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
		return ""
	}
	file, anchor, _ := strings.Cut(to, "#")
	name := doc
	if file != "" {
		name = path.Join(path.Dir(doc), file)
	}
	if strings.HasPrefix(name, "..") {
		return to + " leads out of the repository"
	}
	if _, err := os.Stat(filepath.Join(t.Root, name)); err != nil {
		return to + " leads nowhere"
	}
	if anchor == "" || path.Ext(name) != ".md" {
		return ""
	}
	text, err := t.read(name)
	if err != nil {
		return err.Error()
	}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		if slug(m[1]) == anchor {
			return ""
		}
	}
	return to + ": no such heading"
}

// slug is the anchor that Markdown viewers give a heading.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteRune('-')
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// MakeTargets checks that every "make target" a document speaks of exists in the Makefile or a file it includes.
func MakeTargets(t *Tree) []Finding {
	makefile, err := t.read("Makefile")
	if err != nil {
		return []Finding{{"make-targets", "Makefile", err.Error()}}
	}
	for _, m := range include.FindAllStringSubmatch(makefile, -1) {
		more, err := t.read(m[1])
		if err != nil {
			return []Finding{{"make-targets", "Makefile", err.Error()}}
		}
		makefile += more
	}
	have := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		have[m[1]] = true
	}
	var found []Finding
	for _, doc := range t.Markdown {
		text, err := t.read(doc)
		if err != nil {
			return append(found, Finding{"make-targets", doc, err.Error()})
		}
		for _, code := range slices.Concat(span.FindAllString(text, -1), fenced.FindAllString(text, -1)) {
			for _, m := range makeUse.FindAllStringSubmatch(code, -1) {
				if !have[m[1]] {
					found = append(found, Finding{"make-targets", doc,
						fmt.Sprintf("make %s: the Makefile has no such target", m[1])})
				}
			}
		}
	}
	return found
}

// House checks that architecture, a document's path, has a place for each package: its path, or its last name with a
// slash behind it.
func House(t *Tree, architecture string) []Finding {
	text, err := t.read(architecture)
	if err != nil {
		return []Finding{{"house", architecture, err.Error()}}
	}
	var found []Finding
	for _, p := range t.Packages {
		whole := regexp.MustCompile(`(?m)(^|[^\w/-])` + regexp.QuoteMeta(p.Dir) + `($|[^\w/-])`)
		last := regexp.MustCompile(`(?m)(^|[^\w-])` + regexp.QuoteMeta(path.Base(p.Dir)) + `/($|[^\w])`)
		if !whole.MatchString(text) && !last.MatchString(text) {
			found = append(found, Finding{"house", p.Dir, architecture + " has no place for it"})
		}
	}
	return found
}

// Dependencies checks that decision, a document's path, says of each module of the table foreign what it is for: it has
// the module's name, which is the last part of its path that is no version.
func Dependencies(t *Tree, decision string) []Finding {
	text, err := t.read(decision)
	if err != nil {
		return []Finding{{"dependencies", decision, err.Error()}}
	}
	var found []Finding
	for _, module := range slices.Concat(slices.Sorted(maps.Keys(foreign)), testForeign) {
		name := path.Base(majorVersion.ReplaceAllString(module, ""))
		if !strings.Contains(text, name) {
			found = append(found, Finding{"dependencies", module, decision + " doesn't say what it is for"})
		}
	}
	return found
}

func (t *Tree) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(t.Root, name))
	return string(text), err
}
