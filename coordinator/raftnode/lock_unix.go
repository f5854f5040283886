//go:build unix

package raftnode

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lock makes dir this process's until the file is closed.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, ErrLocked
	}
	return f, nil
}

// Hold makes the log in dir, which nobody may open, the caller's until release is called; it changes nothing. It
// returns ErrLocked while a process has the log open, and an error that wraps os.ErrNotExist where there is none.
func Hold(dir string) (release func(), err error) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
