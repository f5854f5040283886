package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// A log of a run directory is bounded: logBytes of the newest lines, and logsKept older files of that size beside it.
const (
	logBytes = 32 << 20
	logsKept = 3
)

// olderLog is the name of the file that was turned over so many times ago; 0 is the log itself.
func olderLog(path string, ago int) string {
	if ago == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(path, logEnding), ago, logEnding)
}

// logFile is a log that turns over when it is long. Each Write is a line, and goes to one file whole. Where the next
// file cannot be begun, the old one grows on: no line is lost for that.
type logFile struct {
	path string
	most int64
	// turned is told that lines go to another file from here on.
	turned func() error

	mu   sync.Mutex // guards what follows
	file *os.File
	size int64
}

// openLogFile goes on with the log at path.
func openLogFile(path string, turned func() error) (*logFile, error) {
	l := &logFile{path: path, most: logBytes, turned: turned}
	file, size, err := appendToLog(path)
	if err != nil {
		return nil, err
	}
	l.file, l.size = file, size
	return l, turned()
}

func appendToLog(path string) (*os.File, int64, error) {
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
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > l.most {
		l.turnLocked()
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return n, err
}

// turnLocked begins another file. Nothing is written to the old one once it has its new name, so who reads it to its
// end has all of it.
func (l *logFile) turnLocked() {
	for ago := logsKept; ago > 0; ago-- {
		err := os.Rename(olderLog(l.path, ago-1), olderLog(l.path, ago))
		if err != nil && !(ago > 1 && errors.Is(err, fs.ErrNotExist)) {
			return
		}
	}
	file, size, err := appendToLog(l.path)
	if err != nil {
		_ = os.Rename(olderLog(l.path, 1), l.path) // it is what is written to
		return
	}
	old := l.file
	l.file, l.size = file, size
	_ = errors.Join(l.turned(), old.Close()) // lines are written all the same
}

// Sync implements zapcore.WriteSyncer.
func (l *logFile) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Sync()
}

// oldestLog is the oldest file of a log that is there.
func oldestLog(path string) string {
	for ago := logsKept; ago > 0; ago-- {
		if isFile(olderLog(path, ago)) {
			return olderLog(path, ago)
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
	next, at := oldestLog(path), ""
	for ago := range logsKept + 1 {
		info, err := os.Stat(olderLog(path, ago))
		if err != nil || !os.SameFile(info, have) {
			continue
		}
		if ago == 0 {
			return nil
		}
		next, at = olderLog(path, ago-1), olderLog(path, ago)
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
