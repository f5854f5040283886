package crash

import (
	"bytes"
	"io"
	"io/fs"
	"syscall"
	"time"
)

// file implements disk.File.
type file struct {
	disk   *Disk
	node   *node
	name   string
	at     int64 // where Read goes on
	writes bool
	closed bool
}

// Name implements disk.File.
func (f *file) Name() string { return f.name }

// usable says why the file cannot be used.
func (f *file) usable() error {
	switch {
	case f.disk.offLocked():
		return ErrPower
	case f.closed:
		return fs.ErrClosed
	}
	return nil
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, failed("read", f.name, err)
	}
	return bytes.NewReader(f.node.data).ReadAt(p, at)
}

// Write implements io.Writer: at the end of the file. On a full disk, or one that fails, a part is written.
func (f *file) Write(p []byte) (int, error) {
	d := f.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	err := f.usable()
	if err == nil && !f.writes {
		err = syscall.EBADF
	}
	if err != nil {
		return 0, failed("write", f.name, err)
	}
	if err = d.begin(); err != nil {
		p = p[:len(p)/2]
	}
	if d.room >= 0 {
		if free := max(0, d.room-d.root.used()); free < len(p) {
			p, err = p[:free], syscall.ENOSPC
		}
	}
	f.node.data = append(f.node.data, p...)
	return len(p), failed("write", f.name, err)
}

// Close implements io.Closer.
func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.usable()
	f.closed = true
	if f.writes {
		f.node.held = false
	}
	return failed("close", f.name, err)
}

// Stat implements disk.File.
func (f *file) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.usable(); err != nil {
		return nil, failed("stat", f.name, err)
	}
	return stat(f.name, f.node), nil
}

// Sync implements disk.File.
func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.usable()
	if err == nil {
		err = f.disk.begin()
	}
	if err == nil && f.disk.deaf != Content {
		f.node.flushed = bytes.Clone(f.node.data)
	}
	return failed("sync", f.name, err)
}

// info implements fs.FileInfo.
type info struct {
	name string
	size int64
	dir  bool
}

func stat(name string, n *node) info {
	return info{name: name, size: int64(len(n.data)), dir: n.names != nil}
}

// Name implements fs.FileInfo.
func (i info) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i info) Size() int64 { return i.size }

// IsDir implements fs.FileInfo.
func (i info) IsDir() bool { return i.dir }

// ModTime implements fs.FileInfo: this disk has no clock.
func (i info) ModTime() time.Time { return time.Time{} }

// Sys implements fs.FileInfo.
func (i info) Sys() any { return nil }

// Mode implements fs.FileInfo.
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
