// Package atomicfile replaces files all or nothing: whoever reads the name sees the old content or the new one, also
// when the process or the machine dies in between.
//
// Nothing is owned beyond a call; several processes may replace one file at a time, and one of them wins.
//
// When it fails: an error, and no temporary left. The file is as it was, unless the last flush failed: then it may be
// the new one, whole. A process that dies in between leaves a hidden temporary beside the file.
package atomicfile

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"byol/internal/disk"
)

// Write makes the file at path hold content. Who else may read it the process's mask says, as of any new file.
func Write(path string, content []byte) error {
	return Replace(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(content))
		return err
	})
}

// WriteSecret makes the file at path hold content, which its owner alone may read.
func WriteSecret(path string, content []byte) error {
	return replace(disk.System{}, path, 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(content))
		return err
	})
}

// Replace makes the file at path hold what write writes: a temporary in the same directory, flushed to the disk, then
// renamed, then the directory flushed.
func Replace(path string, write func(io.Writer) error) error {
	return ReplaceOn(disk.System{}, path, write)
}

// ReplaceOn is Replace on any file system.
func ReplaceOn(files disk.FS, path string, write func(io.Writer) error) error {
	return replace(files, path, 0o644, write)
}

func replace(files disk.FS, path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := files.Create(dir, "."+filepath.Base(path)+"-*", mode)
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		_ = f.Close() // what it holds is on the disk, or of no use; until now nobody took it for abandoned
		if err != nil && !renamed {
			_ = files.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if flushes {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := files.Rename(f.Name(), path); err != nil {
		return err
	}
	renamed = true
	return files.SyncDir(dir)
}

// Temporary reports whether name, in a directory, is that of what a process left that died while it replaced a file.
func Temporary(name, of string) bool {
	number, ok := strings.CutPrefix(name, "."+of+"-")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}
