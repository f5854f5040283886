// Package source gives encoded images by number: from folders, from WebDataset tars, or drawn by itself. It knows
// nothing of what is inside of them.
//
// A Source is safe for concurrent use and owns its open files. Indexes of folders and tars may be kept in a cache
// between runs.
//
// # When it fails
//
// Open fails with a *failure.Failure that says what, why and what to try. Bytes fails with ErrChanged when a file is
// not the one that was indexed, or with the operating system's error; the Source goes on being usable.
package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"byol/internal/failure"
)

// ErrChanged is wrapped by Bytes when a file is no longer the one that was indexed.
var ErrChanged = errors.New("source: file changed since it was indexed")

// ErrClosed is returned by calls on a closed Source.
var ErrClosed = errors.New("source: closed")

// Source is a set of encoded images with random access. All methods are safe for concurrent use.
type Source interface {
	// Len is the number of images, at least 1.
	Len() int
	// Name says where image i is, for people: a path, or an archive and the entry in it.
	Name(i int) string
	// Entry is the name of image i within the set, byte for byte: what the manifest is made of.
	Entry(i int) string
	// Label is the class of image i, or -1 where there is none.
	Label(i int) int
	// Classes holds the names of the labels 0, 1, …; empty if the set has no labels.
	Classes() []string
	// Bytes returns the encoded image i, in buf's memory if it is large enough.
	Bytes(ctx context.Context, i int, buf []byte) ([]byte, error)
	// Omitted lists what lies there and is no image of this set, and why; empty if nothing is left out.
	Omitted() []Omission
	// Manifest is a hash of names, sizes and labels in order: equal for equal sets, wherever they are mounted.
	Manifest() string
	// Close releases files. No call may follow it.
	Close() error
}

// Options are the choices of Open.
type Options struct {
	// CacheDir keeps indexes between runs; empty: scan every time. A cache that cannot be read or written costs a
	// scan, never an error.
	CacheDir string
	// Remote holds the files whose names have a scheme, as s3://bucket/a.tar; nil: there are none.
	Remote Files
	// Roots say where this machine has what the URI names.
	Roots Roots
	// Patience is how long one image, or one thing that is asked while a set is opened, may take to come; 0: for ever.
	Patience time.Duration
}

// Open gives the images that uri names: a folder, archives as a comma list with {000000..000009}, {a,b}, *, ? and **,
// or synthetic:N,size=32,seed=1. A file or folder of that very name goes first.
func Open(ctx context.Context, uri string, opts Options) (Source, error) {
	if strings.TrimSpace(uri) == "" {
		return nil, failed("open data", "no path was given",
			"a folder of images, a pattern like train-{000000..000009}.tar, or synthetic:20000,size=32", nil)
	}
	if spec, ok := strings.CutPrefix(uri, "synthetic:"); ok {
		return openSynthetic(spec)
	}
	src, err := inTime(ctx, local{}, opts.Patience, func(here Files) (Source, error) {
		return OpenIn(ctx, byScheme{here, opts.Remote}, opts.Roots.Apply(uri), opts)
	})
	if err != nil {
		return nil, err
	}
	return punctual(src, opts.Patience), nil
}

// OpenIn is Open of a folder or of archives among the files given.
func OpenIn(ctx context.Context, files Files, uri string, opts Options) (Source, error) {
	if !utf8.ValidString(uri) {
		return nil, failed(fmt.Sprintf("open data %q", uri), "this path is not UTF-8, which messages to workers are in",
			"a link to it, or another name", nil)
	}
	paths, err := names(ctx, files, uri)
	if err != nil {
		return nil, err
	}
	if info, err := files.Stat(ctx, paths[0]); err == nil && info.Kind == Folder && len(paths) == 1 {
		if x := isMDS(ctx, files, paths[0]); x != nil {
			return openMDS(ctx, files, paths[0], x)
		}
		return openFolder(ctx, files, paths[0], opts)
	}
	if err := archives(ctx, files, uri, paths); err != nil {
		return nil, err
	}
	if strings.EqualFold(ending(paths[0]), ".parquet") {
		return openTables(ctx, files, paths)
	}
	return openTars(ctx, files, paths, opts)
}

// failed is an error for the person who named the data: what was wanted, why it failed, what to try, and the cause.
func failed(what, why, try string, err error) error {
	return &failure.Failure{What: what, Why: Printable(why), Try: Printable(try), Code: failure.Data, Err: err}
}
