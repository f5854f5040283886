//go:build unix

package source

import (
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// file is an open file that is read as a whole. The operating system is asked directly: os.File would allocate its
// own record, a name and a description for every image.
type file int

// openFile opens the file of that name for reading. The name may change afterwards.
func openFile(name []byte) (file, error) {
	for {
		fd, err := unix.Open(unsafe.String(unsafe.SliceData(name), len(name)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			return file(fd), nil
		}
		if err != unix.EINTR {
			return -1, &os.PathError{Op: "open", Path: string(name), Err: err}
		}
	}
}

func (f file) close() { _ = unix.Close(int(f)) }

// stat gives size and time of the last change, in nanoseconds.
func (f file) stat() (size, mtime int64, err error) {
	var s unix.Stat_t
	for {
		if err = unix.Fstat(int(f), &s); err != unix.EINTR {
			return s.Size, s.Mtim.Nano(), err
		}
	}
}

// read fills buf from the start of the file.
func (f file) read(buf []byte) error {
	for n := 0; n < len(buf); {
		got, err := unix.Pread(int(f), buf[n:], int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case got == 0:
			return io.ErrUnexpectedEOF
		default:
			n += got
		}
	}
	return nil
}

// statOf is stat of a file that stays open.
func statOf(f *os.File) (size, mtime int64, err error) { return file(f.Fd()).stat() }
