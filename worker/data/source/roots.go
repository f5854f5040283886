package source

import (
	"context"
	"fmt"
	"strings"
)

// Root says that what others find below From lies below To on this machine.
type Root struct{ From, To string }

// Roots are applied to each path of a URI: the first that fits.
type Roots []Root

// ParseRoots reads FROM=TO, or TO alone, which stands for /=TO.
func ParseRoots(texts []string) (Roots, error) {
	var roots Roots
	for _, text := range texts {
		from, to, both := strings.Cut(text, "=")
		if !both {
			from, to = "/", text
		}
		if from == "" || to == "" {
			return nil, fmt.Errorf("%q is not FROM=TO", text)
		}
		roots = append(roots, Root{From: from, To: to})
	}
	return roots, nil
}

// Apply gives the URI by which this machine reaches the same data. Commas in names do no harm: what does not begin like
// a root stays as it is.
func (r Roots) Apply(uri string) string {
	parts, err := splitTop(uri)
	if err != nil || len(r) == 0 || strings.HasPrefix(uri, "synthetic:") {
		parts = []string{uri}
	}
	for i, part := range parts {
		text := strings.TrimLeft(part, " ")
		parts[i] = part[:len(part)-len(text)] + r.one(text)
	}
	return strings.Join(parts, ",")
}

func (r Roots) one(name string) string {
	for _, root := range r {
		from := strings.TrimSuffix(root.From, "/")
		rest, below := strings.CutPrefix(name, from)
		if below && (rest == "" || strings.HasPrefix(rest, "/")) {
			return strings.TrimSuffix(root.To, "/") + rest
		}
	}
	return name
}

// byScheme are files of this machine, and others whose names have a scheme.
type byScheme struct{ here, remote Files }

type unsupported struct{ name, scheme string }

// Error implements error.
func (u unsupported) Error() string {
	return fmt.Sprintf("%s is not supported (s3://, gs://, https:// and http:// are)", u.scheme)
}

// Advice is what to try.
func (unsupported) Advice() string { return "copy or mount the data and give a local path" }

func (b byScheme) of(name string) (Files, error) {
	s, _ := scheme(name)
	switch s {
	case "":
		return b.here, nil
	case "s3://", "gs://", "https://", "http://":
		if b.remote != nil {
			return b.remote, nil
		}
	}
	return nil, unsupported{name: name, scheme: s}
}

// Stat implements Files.
func (b byScheme) Stat(ctx context.Context, name string) (Info, error) {
	files, err := b.of(name)
	if err != nil {
		return Info{}, err
	}
	return files.Stat(ctx, name)
}

// List implements Files.
func (b byScheme) List(ctx context.Context, folder string) ([]Entry, error) {
	files, err := b.of(folder)
	if err != nil {
		return nil, err
	}
	return files.List(ctx, folder)
}

// Open implements Files.
func (b byScheme) Open(ctx context.Context, name string) (File, error) {
	files, err := b.of(name)
	if err != nil {
		return nil, err
	}
	return files.Open(ctx, name)
}
