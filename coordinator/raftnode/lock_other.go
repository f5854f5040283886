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
