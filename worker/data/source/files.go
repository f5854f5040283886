package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Files are what folders and tars are read from: named bytes with random access. Local are this machine's; an object
// store would be another. Names are joined with "/", links are followed, and what is not there gives an error that
// wraps fs.ErrNotExist. All methods are safe for concurrent use; sourcetest.RunFiles is the exam.
type Files interface {
	// Stat says what a name stands for.
	Stat(ctx context.Context, name string) (Info, error)
	// List gives what lies in a folder, sorted by name, with the kind of each.
	List(ctx context.Context, folder string) ([]Entry, error)
	// Open opens a file. It does not keep the name, whose memory may change afterwards.
	Open(ctx context.Context, name string) (File, error)
}

// File is an open file. All methods are safe for concurrent use, but Close: no call may follow or run beside it.
type File interface {
	io.ReaderAt
	// Stat says what the file is now.
	Stat() (Info, error)
	Close() error
}

// Info says of a file or folder what tells whether it is still the same.
type Info struct {
	Kind    Kind
	Size    int64 // of a regular file
	Version int64 // another after each change: its time in nanoseconds
}

// Entry is a thing in a folder.
type Entry struct {
	Name string // the last part of it
	Kind Kind
}

// Kind is what a name stands for.
type Kind int

// The kinds. A link to nothing is special.
const (
	Regular Kind = iota
	Folder
	Special
)

// readAt fills buf from an offset on, or fails.
func readAt(f File, buf []byte, off int64) error {
	n, err := f.ReadAt(buf, off)
	switch {
	case n == len(buf):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return reason(err)
}

// sized gives n bytes, in buf's memory if it is large enough.
func sized(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, n, n+n/4)
	}
	return buf[:n]
}

// reason is what went wrong without the name, which errors of the operating system spell as it is.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// about names the thing that an error is about, for people.
func about(name string, err error) error { return fmt.Errorf("%s: %w", Printable(name), reason(err)) }

// printables makes all names printable.
func printables(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, Printable(n))
	}
	return out
}

// Printable is a name for people, logs and messages, which are UTF-8: what is not, and what would move a terminal's
// cursor, is spelled as in Go.
func Printable(name string) string {
	clean := func(r rune, size int) bool { return !(r == utf8.RuneError && size <= 1) && !unicode.IsControl(r) }
	var b strings.Builder
	for from, i := 0, 0; i <= len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if i < len(name) && clean(r, size) {
			i += size
			continue
		}
		if from == 0 && i == len(name) {
			return name
		}
		b.WriteString(name[from:i])
		if i == len(name) {
			break
		}
		for _, c := range []byte(name[i : i+size]) {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		i += size
		from = i
	}
	return b.String()
}

// ErrDenied is wrapped where a service refuses to show a thing, which may mean that there is none.
var ErrDenied = errors.New("source: access denied")
