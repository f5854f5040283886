// Package data turns a set of image files into batches of augmented views. It decides which image is read by
// whom at which step (Sampler: pure, a function of seed and position), reads it at random from folders,
// WebDataset tars or a generated set (Source), decodes it (Decoder), draws and applies BYOL's augmentations T
// and T' (Augment), and keeps batches ready ahead of time (Loader).
//
// Everything that decides what a view looks like is a pure function of (seed, epoch, image, view): the same
// step and shard give the same bits on every worker, whatever the number of workers, threads or restarts. Only
// the decoder can differ, so workers of one run must share it; Decoder.Name belongs in a worker's fingerprint.
//
// A Source is safe for concurrent use and owns its open files. A Loader owns the goroutines it starts, and Close
// returns when they have ended. Batches belong to the caller until Recycle.
//
// # When it fails
//
// Open fails with a *Failure that says what, why and what to try. Reading fails with ErrChanged when a file is
// not the one that was indexed, or with the operating system's error: both end the Loader, because another
// worker may have read something else. An image whose bytes are fine to read but cannot be decoded does not: it
// is reported once to OnUnreadable and replaced by the next image of the epoch's order that decodes, the same
// one on every worker. After any error a Loader is broken for good: Close it and make another at the step to go
// on from.
package data

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrChanged is wrapped by Bytes when a file is no longer the one that was indexed.
var ErrChanged = errors.New("data: file changed since it was indexed")

// ErrClosed is returned by calls on a closed Loader or Source.
var ErrClosed = errors.New("data: closed")

// Source is a set of encoded images with random access. All methods are safe for concurrent use.
type Source interface {
	// Len is the number of images, at least 1.
	Len() int
	// Name says where image i is, for people: a path, or an archive and the entry in it.
	Name(i int) string
	// Label is the class of image i, or -1 where there is none.
	Label(i int) int
	// Classes holds the names of the labels 0, 1, …; empty if the set has no labels.
	Classes() []string
	// Bytes returns the encoded image i, in buf's memory if it is large enough.
	Bytes(ctx context.Context, i int, buf []byte) ([]byte, error)
	// Manifest is a hash of names, sizes and labels in order: equal for equal sets, wherever they are mounted.
	Manifest() string
	// Close releases files. No call may follow it.
	Close() error
}

// Failure is an error for the person who named the data: what was wanted, why it failed, what to try.
type Failure struct {
	What, Why, Try string
	Err            error // the cause, if there is one to unwrap
}

// Error puts the three parts into one line.
func (f *Failure) Error() string {
	s := f.What + ": " + f.Why
	if f.Try != "" {
		s += " (try: " + f.Try + ")"
	}
	return s
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// OpenOptions are the choices of Open.
type OpenOptions struct {
	// CacheDir keeps indexes between runs; empty: scan every time. A cache that cannot be read or written costs a
	// scan, never an error.
	CacheDir string
}

// Open gives the images that uri names: a folder, WebDataset tars as a comma list with {000000..000009} and
// {a,b}, or synthetic:N,size=32,seed=1.
func Open(ctx context.Context, uri string, opts OpenOptions) (Source, error) {
	if strings.TrimSpace(uri) == "" {
		return nil, &Failure{What: "open data", Why: "no path was given",
			Try: "a folder of images, a pattern like train-{000000..000009}.tar, or synthetic:20000,size=32"}
	}
	if spec, ok := strings.CutPrefix(uri, "synthetic:"); ok {
		return openSynthetic(spec)
	}
	if scheme, _, ok := strings.Cut(uri, "://"); ok && !strings.ContainsAny(scheme, "/{,") {
		return nil, &Failure{What: fmt.Sprintf("open data %q", uri), Why: scheme + ":// is not supported",
			Try: "copy or mount the data and give a local path"}
	}
	if info, err := os.Stat(uri); err == nil && info.IsDir() {
		return openFolder(ctx, uri, opts)
	}
	return openTars(ctx, uri, opts)
}
