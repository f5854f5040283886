package logs

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// Tail reads the lines of a log that grows, from the oldest file of it on. A file that has become shorter is read from
// its beginning.
type Tail struct {
	path   string
	file   *os.File
	at     int64
	begun  []byte // of a line whose end was not there yet
	buffer [32 << 10]byte
}

// Follow begins with the oldest file of a log.
func Follow(path string) (*Tail, error) {
	f, err := os.Open(oldest(path))
	if err != nil {
		return nil, err
	}
	return &Tail{path: path, file: f}, nil
}

// Close closes the file that is read.
func (t *Tail) Close() { _ = t.file.Close() } // it was read

// Next calls f with each whole line that has come since in this file of the log and in those after it, and reports
// whether anything has.
func (t *Tail) Next(f func(line []byte) error) (more bool, err error) {
	for {
		// Who follows this file is looked for before it is read to its end: then nothing is written to it any more.
		after := successor(t.path, t.file)
		some, err := t.read(f)
		more = more || some
		if after == nil || err != nil {
			return more, err
		}
		_ = t.file.Close() // it was read
		t.file, t.at, t.begun = after, 0, nil
	}
}

// read calls f with each whole line that has come since, and reports whether anything has.
func (t *Tail) read(f func(line []byte) error) (more bool, err error) {
	if info, err := t.file.Stat(); err == nil && info.Size() < t.at {
		t.at, t.begun = 0, nil
	}
	for {
		n, err := t.file.ReadAt(t.buffer[:], t.at)
		t.at += int64(n)
		t.begun = append(t.begun, t.buffer[:n]...)
		for more = more || n > 0; ; {
			line, rest, whole := bytes.Cut(t.begun, []byte("\n"))
			if !whole {
				break
			}
			if err := f(line); err != nil {
				return more, err
			}
			t.begun = rest
		}
		t.begun = bytes.Clone(t.begun)
		if err == io.EOF || n == 0 && err == nil {
			return more, nil
		}
		if err != nil {
			return more, fmt.Errorf("read log: %w", err)
		}
	}
}

// Rest calls f with a last line that nobody ended, if there is one.
func (t *Tail) Rest(f func(line []byte) error) error {
	if len(t.begun) == 0 {
		return nil
	}
	return f(t.begun)
}

// oldest is the oldest file of a log that is there.
func oldest(path string) string {
	for ago := mostKept; ago > 0; ago-- {
		if info, err := os.Stat(Older(path, ago)); err == nil && info.Mode().IsRegular() {
			return Older(path, ago)
		}
	}
	return path
}

// successor opens the file of the log at path that was begun after f; nil where there is none yet. One that has been
// removed is followed by the oldest that is there.
func successor(path string, f *os.File) *os.File {
	have, err := f.Stat()
	if err != nil {
		return nil
	}
	next, at := oldest(path), ""
	for ago := range mostKept + 1 {
		info, err := os.Stat(Older(path, ago))
		if err != nil || !os.SameFile(info, have) {
			continue
		}
		if ago == 0 {
			return nil
		}
		next, at = Older(path, ago-1), Older(path, ago)
		break
	}
	file, err := os.Open(next)
	if err != nil {
		return nil // it is being turned over just now
	}
	if at != "" {
		if info, err := os.Stat(at); err != nil || !os.SameFile(info, have) { // it was, and next is another one
			_ = file.Close()
			return nil
		}
	}
	return file
}
