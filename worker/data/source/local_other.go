//go:build !unix

package source

import (
	"context"
	"os"
)

// handle is an open file.
type handle struct{ *os.File }

// Open implements Files.
func (local) Open(_ context.Context, name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return handle{f}, nil
}

// Stat implements File.
func (h handle) Stat() (Info, error) {
	m, err := h.File.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(m), nil
}

func openLimit() int { return fewFiles }
