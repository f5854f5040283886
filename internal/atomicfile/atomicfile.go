// Package atomicfile replaces files all or nothing: whoever reads the name sees the old content or the new one, also
// when the process or the machine dies in between.
//
// Nothing is owned beyond a call; several processes may replace one file at a time, and one of them wins.
//
// When it fails: an error, the file as it was, and no temporary left. A process that dies in between leaves a hidden
// temporary beside the file.
package atomicfile

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Write makes the file at path hold content.
func Write(path string, content []byte) error {
	return Replace(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(content))
		return err
	})
}

// Replace makes the file at path hold what write writes: a temporary in the same directory, flushed to the disk, then
// renamed, then the directory flushed.
func Replace(path string, write func(io.Writer) error) error { return replace(path, createTemp, write) }

// Temporary reports whether name, in a directory, is that of what a process left that died while it replaced a file.
func Temporary(name, of string) bool { return strings.HasPrefix(name, "."+of+"-") }

// file is what replacing needs of an open file; tests put a full disk behind it.
type file interface {
	io.WriteCloser
	Sync() error
	Chmod(mode os.FileMode) error
	Name() string
}

func createTemp(dir, pattern string) (file, error) { return os.CreateTemp(dir, pattern) }

func replace(path string, create func(dir, pattern string) (file, error), write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := create(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return flush(dir)
}

func flush(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
