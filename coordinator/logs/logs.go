// Package logs keeps the logs of a run directory bounded: a File is what is written to, and turns over when it is long;
// a Tail reads its lines from the oldest file on, and follows it from one to the next.
//
// A log is the file at a path and some older ones beside it: worker-0.log, and worker-0.1.log before it. A File may be
// written to from any goroutine, by one process at a time. Lines and a Tail belong to one goroutine.
//
// # When it fails
//
// Where the next file cannot be begun, the old one grows on: no line is lost for that. Lines loses what the disk does
// not take: who writes to it is another process, which a full disk must not end.
package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Ending is that of the names of logs.
const Ending = ".log"

// Bounds are those of a log: so many bytes of its newest lines, and as many older files of that size beside it.
type Bounds struct {
	Bytes int64
	Kept  int
}

// OfCoordinator and OfWorker are the bounds of the coordinator's log, and of one of a worker that it started.
var (
	OfCoordinator = Bounds{32 << 20, 3}
	OfWorker      = Bounds{8 << 20, 1}
)

// mostKept is the most older files that any log has.
const mostKept = 3

// Older is the name of the file that was turned over so many times ago; 0 is the log itself.
func Older(path string, ago int) string {
	if ago == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(path, Ending), ago, Ending)
}

// File is a log that turns over when it is long. What is written at once goes to one file whole.
type File struct {
	path   string
	bounds Bounds
	turned func() error

	mu    sync.Mutex // guards what follows
	file  *os.File
	size  int64
	wrote int64 // since it was opened
}

// Open goes on with the log at path. turned, unless it is nil, is told that lines go to another file from here on.
func Open(path string, b Bounds, turned func() error) (*File, error) {
	if turned == nil {
		turned = func() error { return nil }
	}
	l := &File{path: path, bounds: b, turned: turned}
	file, size, err := appendTo(path)
	if err != nil {
		return nil, err
	}
	l.file, l.size = file, size
	return l, turned()
}

func appendTo(path string) (*os.File, int64, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// Write implements zapcore.WriteSyncer.
func (l *File) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(lines)) > l.bounds.Bytes {
		l.turnLocked()
	}
	n, err := l.file.Write(lines)
	l.size, l.wrote = l.size+int64(n), l.wrote+int64(n)
	return n, err
}

// turnLocked begins another file. Nothing is written to the old one once it has its new name, so who reads it to its
// end has all of it.
func (l *File) turnLocked() {
	for ago := l.bounds.Kept; ago > 0; ago-- {
		err := os.Rename(Older(l.path, ago-1), Older(l.path, ago))
		if err != nil && !(ago > 1 && errors.Is(err, fs.ErrNotExist)) {
			return
		}
	}
	file, size, err := appendTo(l.path)
	if err != nil {
		_ = os.Rename(Older(l.path, 1), l.path) // it is what is written to
		return
	}
	old := l.file
	l.file, l.size = file, size
	_ = errors.Join(l.turned(), old.Close()) // lines are written all the same
}

// Sync implements zapcore.WriteSyncer.
func (l *File) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Sync()
}

// Close closes the file.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Last is the end of what was written since the log was opened, at most so many bytes of it, as far as it is kept.
func (l *File) Last(most int) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	most = int(min(int64(most), l.wrote))
	text, err := end(l.path, most)
	if missing := most - len(text); err == nil && missing > 0 {
		older, olderErr := end(Older(l.path, 1), missing)
		if !errors.Is(olderErr, fs.ErrNotExist) {
			text, err = append(older, text...), olderErr
		}
	}
	return text, err
}

// end is the last n bytes of a file, or all of a shorter one.
func end(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, min(int64(n), info.Size()))
	read, err := f.ReadAt(text, info.Size()-int64(len(text)))
	if read == len(text) {
		err = nil
	}
	return text[:read], err
}

// longestLine is where a line is cut that does not end.
const longestLine = 1 << 20

// Lines writes what another process says to a File, in whole lines. It takes everything.
type Lines struct {
	File  *File
	begun []byte // of a line that has not ended
}

// Write implements io.Writer.
func (w *Lines) Write(text []byte) (int, error) {
	w.begun = append(w.begun, text...)
	whole := bytes.LastIndexByte(w.begun, '\n') + 1
	if whole == 0 && len(w.begun) >= longestLine {
		whole = len(w.begun)
	}
	w.take(whole)
	return len(text), nil
}

// Flush writes a last line that did not end.
func (w *Lines) Flush() { w.take(len(w.begun)) }

func (w *Lines) take(n int) {
	if n > 0 {
		_, _ = w.File.Write(w.begun[:n]) // what the disk does not take is lost
		w.begun = append(w.begun[:0], w.begun[n:]...)
	}
}
