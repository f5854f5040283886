package source

import (
	"context"
	"io/fs"
	"os"
)

// Local are the files of this machine.
func Local() Files { return local{} }

type local struct{}

func infoOf(m fs.FileInfo) Info {
	switch {
	case m.IsDir():
		return Info{Kind: Folder, Version: m.ModTime().UnixNano()}
	case m.Mode().IsRegular():
		return Info{Kind: Regular, Size: m.Size(), Version: m.ModTime().UnixNano()}
	}
	return Info{Kind: Special, Version: m.ModTime().UnixNano()}
}

// Stat implements Files.
func (local) Stat(_ context.Context, name string) (Info, error) {
	m, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(m), nil
}

// List implements Files.
func (l local) List(ctx context.Context, folder string) ([]Entry, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(entries))
	for i, e := range entries {
		out[i] = Entry{Name: e.Name(), Kind: Special}
		switch {
		case e.IsDir():
			out[i].Kind = Folder
		case e.Type().IsRegular():
			out[i].Kind = Regular
		case e.Type()&fs.ModeSymlink != 0:
			if to, err := l.Stat(ctx, folder+"/"+e.Name()); err == nil {
				out[i].Kind = to.Kind
			}
		}
	}
	return out, nil
}
