//go:build !unix

package source

import (
	"io"
	"os"
)

// file is an open file that is read as a whole.
type file struct{ f *os.File }

// openFile opens the file of that name for reading. The name may change afterwards.
func openFile(name []byte) (file, error) {
	f, err := os.Open(string(name))
	return file{f}, err
}

func (f file) close() { _ = f.f.Close() }

// stat gives size and time of the last change, in nanoseconds.
func (f file) stat() (size, mtime int64, err error) { return statOf(f.f) }

// read fills buf from the start of the file.
func (f file) read(buf []byte) error {
	_, err := io.ReadFull(f.f, buf)
	return err
}

// statOf is stat of a file that stays open.
func statOf(f *os.File) (size, mtime int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), info.ModTime().UnixNano(), nil
}
