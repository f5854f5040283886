// Package disk is the file system as those use it who must not lose what they have written: few operations, each of
// which may be the last before the power fails. What is behind it is the operating system's, or in tests one that
// forgets what was not flushed (package crash).
//
// Ownership. A File belongs to whoever opened it and is closed once. An FS may be used from any goroutine.
//
// When it fails: errors are the operating system's, a *fs.PathError or *os.LinkError with the name. What an operation
// that failed has done is not known, but for Create and Mkdir: they have made nothing.
package disk

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// FS is a file system.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Create makes a new file in dir, whose name is pattern with a number for its "*", and holds it until it is closed
	// or the process has ended. Its permissions are mode, but for those that the process's mask denies.
	Create(dir, pattern string, mode fs.FileMode) (File, error)
	// Abandoned reports whether nobody holds a file that Create made.
	Abandoned(name string) bool
	// Rename gives a file another name, and takes that from whichever file had it, all at once.
	Rename(from, to string) error
	Remove(name string) error
	Mkdir(name string) error
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir returns when the names in a directory are on the disk: of files that were made, renamed and removed.
	SyncDir(name string) error
}

// File is an open file.
type File interface {
	io.ReadWriteCloser
	io.ReaderAt
	Name() string
	Stat() (fs.FileInfo, error)
	// Sync returns when the content is on the disk. The name may not be: see SyncDir.
	Sync() error
}

// System is the operating system's.
type System struct{}

// Open implements FS.
func (System) Open(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // and no File that holds a nil
	}
	return f, nil
}

// Create implements FS. Where the file system has no locks nobody holds anything.
func (System) Create(dir, pattern string, mode fs.FileMode) (File, error) {
	for {
		var number [4]byte
		_, _ = rand.Read(number[:]) // it never fails
		name := strings.Replace(pattern, "*", fmt.Sprint(binary.NativeEndian.Uint32(number[:])), 1)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		switch {
		case errors.Is(err, fs.ErrExist) && name != pattern:
			continue
		case err != nil:
			return nil, err
		}
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		return f, nil
	}
}

// Abandoned implements FS.
func (System) Abandoned(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// ErrHeld is that a directory is another one's.
var ErrHeld = errors.New("disk: somebody else holds it")

// Hold makes a directory the caller's until release is called or the process has ended, or returns ErrHeld. It changes
// nothing in it. Where the file system has no locks nobody holds anything.
func Hold(dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrHeld, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// Rename implements FS.
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (System) Remove(name string) error { return os.Remove(name) }

// Mkdir implements FS.
func (System) Mkdir(name string) error { return os.Mkdir(name, 0o755) }

// ReadDir implements FS.
func (System) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// SyncDir implements FS.
func (System) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadFile returns the content of a file.
func ReadFile(files FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// MkdirAll makes a directory and those above it that are missing. When it returns without error the directory's own
// name is on the disk, too: what is flushed in a directory is lost with it.
func MkdirAll(files FS, name string) error {
	parent := filepath.Dir(name)
	err := files.Mkdir(name)
	if errors.Is(err, fs.ErrNotExist) && parent != name {
		if err := MkdirAll(files, parent); err != nil {
			return err
		}
		err = files.Mkdir(name)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := files.SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) { // another's, who looks after it
		return err
	}
	return nil
}
