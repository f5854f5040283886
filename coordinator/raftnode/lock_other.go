//go:build !unix

package raftnode

import (
	"os"
	"path/filepath"
)

// lock leaves it to the store to lock its file.
func lock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
}

// Hold makes sure that there is a log in dir; who has it open only its store knows.
func Hold(dir string) (release func(), err error) {
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		return nil, err
	}
	return func() {}, nil
}
