//go:build unix

package source

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// handle is an open file. The operating system is asked directly: os.File would allocate its own record, a name and a
// description for every image.
type handle int

// Open implements Files.
func (local) Open(_ context.Context, name string) (File, error) {
	for {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			return handle(fd), nil
		}
		if err != unix.EINTR {
			return nil, &fs.PathError{Op: "open", Path: strings.Clone(name), Err: err}
		}
	}
}

// Close implements File.
func (h handle) Close() error { return os.NewSyscallError("close", unix.Close(int(h))) }

// Stat implements File.
func (h handle) Stat() (Info, error) {
	var s unix.Stat_t
	for {
		err := unix.Fstat(int(h), &s)
		if err == unix.EINTR {
			continue
		}
		kind := Special
		switch s.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			kind = Regular
		case unix.S_IFDIR:
			return Info{Kind: Folder, Version: s.Mtim.Nano()}, err
		}
		return Info{Kind: kind, Size: s.Size, Version: s.Mtim.Nano()}, err
	}
}

// ReadAt implements io.ReaderAt.
func (h handle) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		got, err := unix.Pread(int(h), p[n:], off+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, err
		case got == 0:
			return n, io.EOF
		default:
			n += got
		}
	}
	return n, nil
}

// openLimit is how many files a set may keep open: a quarter of what the process may.
func openLimit() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return fewFiles
	}
	return int(min(r.Cur/4, manyFiles))
}
