package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"byol/internal/failure"
)

// names gives the paths that a URI stands for, in order: it itself if a thing of that very name exists, else what
// commas, braces and then wildcards in it make. Wildcards name what exists, sorted; all else is taken as it is.
func names(ctx context.Context, files Files, uri string) ([]string, error) {
	what := fmt.Sprintf("open data %q", uri)
	if remote, _ := scheme(uri); remote == "" || !strings.ContainsAny(uri, "{,*?[") { // no object is named so
		if _, err := files.Stat(ctx, uri); err == nil {
			return []string{uri}, nil
		} else if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	there := looking(ctx, files)
	items, err := cutList(uri, there)
	var out []string
	for _, item := range items {
		if _, ok := there(item); ok {
			out = append(out, item)
			continue
		}
		folder, rest := plainFolder(item, there)
		var paths []string
		if paths, err = expandBraces(rest, 0); err != nil {
			break
		}
		for _, p := range paths {
			more, err := matching(ctx, files, folder, p)
			if err != nil {
				return nil, wrongName(what, folder+p, err)
			}
			if out = append(out, more...); len(out) > maxPaths {
				return nil, failed(what, errTooMany.Error(), "fewer, larger archives", errTooMany)
			}
		}
	}
	if err != nil {
		return nil, failed(what, "the pattern is wrong: "+err.Error(),
			"a pattern like train-{000000..000009}.tar, train-*.tar, or a.tar,b.tar", err)
	}
	return out, nil
}

// List cuts a list of paths and patterns at its commas, as opening it does: not at those in braces, nor in the names of
// things that are there.
func List(ctx context.Context, files Files, uri string) ([]string, error) {
	return cutList(uri, looking(ctx, files))
}

// looking says what is among files. Nothing is in a store or behind a scheme by its name here.
func looking(ctx context.Context, files Files) lies {
	return func(name string) (Kind, bool) {
		if remote, _ := scheme(name); remote != "" {
			return 0, false
		}
		info, err := files.Stat(ctx, name)
		return info.Kind, err == nil
	}
}

// errNothing is that wildcards match nothing.
var errNothing = errors.New("nothing matches")

func wrongName(what, name string, err error) error {
	switch {
	case known(err):
		return err
	case errors.Is(err, errNothing):
		return failed(what, "nothing matches "+name, "list the folder; * stands for a part of one name, ** for folders",
			nil)
	}
	return failed(what, err.Error(), "check the pattern and the permissions", err)
}

// matching gives what a path without braces stands for in a folder that is taken as it is.
func matching(ctx context.Context, files Files, folder, p string) ([]string, error) {
	if folder == "" {
		p = withoutFile(p)
	}
	remote, _ := scheme(folder + p)
	if !strings.ContainsAny(p, "*?[") || strings.HasPrefix(remote, "http") { // there it is what is behind a question mark
		return []string{folder + p}, nil
	}
	if _, err := files.Stat(ctx, folder+p); err == nil {
		return []string{folder + p}, nil
	}
	matches, err := glob(ctx, files, folder, p)
	if err == nil && len(matches) == 0 {
		err = errNothing
	}
	return matches, err
}

// withoutFile is the path that a file:// URI names, and what is none of these as it is.
func withoutFile(name string) string {
	rest, ok := strings.CutPrefix(name, "file://")
	if !ok {
		return name
	}
	rest = strings.TrimPrefix(rest, "localhost")
	if plain, err := url.PathUnescape(rest); err == nil {
		return plain
	}
	return rest
}

// known reports whether an error has words for people already.
func known(err error) bool {
	var f *failure.Failure
	return errors.As(err, &f)
}

// ending is that of a name, without what a web address has behind it.
func ending(name string) string {
	if remote, _ := scheme(name); strings.HasPrefix(remote, "http") {
		name, _, _ = strings.Cut(name, "?")
	}
	return path.Ext(name)
}

// archives makes sure that paths are archives of one kind, all of which exist.
func archives(ctx context.Context, files Files, uri string, paths []string) error {
	what := fmt.Sprintf("open data %q", uri)
	for _, p := range paths {
		info, err := files.Stat(ctx, p)
		var told interface{ Advice() string }
		switch {
		case known(err):
			return err
		case errors.As(err, &told):
			return failed(what, err.Error(), told.Advice(), err)
		case errors.Is(err, fs.ErrNotExist):
			return failed(what, p+" does not exist", "check the path; it is taken from the folder the program was started in",
				err)
		case err != nil:
			return failed(what, err.Error(), "check the permissions", err)
		case info.Kind == Folder:
			return failed(what, p+" is a folder in a list of tars", "one folder, or tars alone", nil)
		case info.Kind == Special:
			return failed(what, p+" is a pipe or a device, and images are read from their place", "write it to a file first",
				nil)
		case strings.EqualFold(ending(p), ".parquet") && strings.EqualFold(ending(paths[0]), ".parquet"):
		case strings.EqualFold(ending(paths[0]), ".parquet"):
			return failed(what, p+" stands behind a .parquet file and is none", "archives of one kind", nil)
		case !strings.EqualFold(ending(p), ".tar"):
			return failed(what, p+" is neither a folder nor a .tar file", "the folder it lies in, or an uncompressed .tar", nil)
		}
	}
	return nil
}

// scheme cuts a name into its scheme with "://" and what follows; a path has none.
func scheme(name string) (string, string) {
	i := strings.Index(name, "://")
	if i <= 0 || strings.ContainsAny(name[:i], "/{,*?[") {
		return "", name
	}
	return name[:i+3], name[i+3:]
}

// beside is a file in the folder that another one is in.
func beside(name, other string) string { return name[:strings.LastIndexByte(name, '/')+1] + other }

// join is path.Join that leaves a scheme alone.
func join(folder, name string) string {
	s, rest := scheme(folder)
	return s + path.Join(rest, name)
}

// glob gives what matches a pattern, sorted: * and ? stand for a part of one name, [a-z] for a letter, and ** for any
// number of folders, none too. Names with a dot in front are matched by a dot alone. folder, which ends with a slash or
// is empty, is taken as it is.
func glob(ctx context.Context, files Files, folder, pattern string) ([]string, error) {
	prefix, rest := strings.TrimSuffix(folder, "/"), pattern
	if folder == "" {
		prefix, rest = scheme(pattern)
	}
	if folder == "" && strings.HasPrefix(rest, "/") {
		prefix, rest = prefix+"/", strings.TrimLeft(rest, "/")
	}
	g := globber{ctx: ctx, files: files}
	parts := strings.Split(rest, "/")
	if folder == "" && prefix != "" && prefix != "/" && len(parts) > 1 { // a bucket or a host is no pattern
		prefix, parts = prefix+parts[0], parts[1:]
	}
	if err := g.walk(prefix, parts, 0); err != nil {
		return nil, err
	}
	slices.Sort(g.found)
	return slices.Compact(g.found), nil
}

type globber struct {
	ctx   context.Context
	files Files
	found []string
}

// walk matches the parts of a pattern below a folder.
func (g *globber) walk(folder string, parts []string, depth int) error {
	if depth > 64 {
		return fmt.Errorf("%s: folders more than 64 deep, or a link that leads back", Printable(folder))
	}
	for len(parts) > 0 && !strings.ContainsAny(parts[0], "*?[") {
		folder, parts = extend(folder, parts[0]), parts[1:]
	}
	if len(parts) == 0 {
		if _, err := g.files.Stat(g.ctx, folder); err == nil {
			g.found = append(g.found, folder)
		}
		return nil
	}
	where := folder
	if where == "" {
		where = "."
	}
	entries, err := g.files.List(g.ctx, where)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return about(where, err)
	}
	deep := parts[0] == "**"
	if deep {
		if err := g.walk(folder, parts[1:], depth+1); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := g.entry(folder, e, parts, depth); err != nil {
			return err
		}
	}
	return nil
}

func (g *globber) entry(folder string, e Entry, parts []string, depth int) error {
	if hidden(e.Name) && !hidden(parts[0]) {
		return nil
	}
	name := extend(folder, e.Name)
	if parts[0] == "**" {
		if e.Kind == Folder {
			return g.walk(name, parts, depth+1)
		}
		return nil
	}
	matched, err := path.Match(parts[0], e.Name)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", parts[0], err)
	case !matched:
		return nil
	case len(parts) == 1:
		g.found = append(g.found, name)
		return nil
	case e.Kind == Folder:
		return g.walk(name, parts[1:], depth+1)
	}
	return nil
}

// extend is a name in a folder; the empty folder is where the program is.
func extend(folder, name string) string {
	if folder == "" || strings.HasSuffix(folder, "/") {
		return folder + name
	}
	return folder + "/" + name
}
