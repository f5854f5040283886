package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folder is a Source over image files: root/<class>/…, or root/* without labels.
type folder struct {
	root     string // the folder that classes or images are in
	x        *index
	cached   string // where the index is kept; empty: nowhere
	manifest string
}

func openFolder(ctx context.Context, path string, opts Options) (Source, error) {
	what := fmt.Sprintf("open data %q", path)
	root, err := folderRoot(path)
	if err != nil {
		return nil, failed(what, err.Error(),
			"check the folder and its permissions", err)
	}
	var cached string
	if opts.CacheDir != "" {
		cached = cachePath(opts.CacheDir, "folder", root)
	}
	x, err := folderIndex(ctx, root, cached)
	if err != nil {
		return nil, failed(what, err.Error(),
			"check the folder and its permissions", err)
	}
	if x.len() == 0 {
		return nil, failed(what, "there is no image in it",
			emptyHint(root), nil)
	}
	f := &folder{root: root, x: x, cached: cached}
	f.manifest = manifest(x.len(), len(x.classes), func(i int) (string, int64, int) {
		return filepath.ToSlash(x.name(i)), int64(x.sizes[i]), int(x.labels[i])
	})
	return f, nil
}

func emptyHint(root string) string {
	if tars, _ := filepath.Glob(filepath.Join(root, "*.tar")); len(tars) > 0 {
		return fmt.Sprintf("name the tars that lie there, as in %s", filepath.Join(root, "{"+filepath.Base(tars[0])+",…}"))
	}
	return "a folder of .jpg, .jpeg or .png files, or of one folder of them per class"
}

// folderRoot is path/train if there are folders in it, as ImageNet is laid out, otherwise path.
func folderRoot(path string) (string, error) {
	train := filepath.Join(path, "train")
	entries, err := os.ReadDir(train)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		if info, statErr := os.Stat(train); statErr == nil && !info.IsDir() {
			return path, nil
		}
		return "", err
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(train, e.Name())); err == nil && info.IsDir() && !hidden(e.Name()) {
			return train, nil
		}
	}
	return path, nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// isImage goes by the name's ending; what the file is, is told by its content when it is decoded.
func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".png":
		return true
	}
	return false
}

// folderIndex takes the cached index if no folder has changed, or scans.
func folderIndex(ctx context.Context, root, cached string) (*index, error) {
	if cached != "" {
		if x := loadIndex(cached); x != nil && x.fresh(root) {
			return x, nil
		}
	}
	s := scan{ctx: ctx, root: root}
	if err := s.run(); err != nil {
		return nil, err
	}
	if cached != "" {
		storeIndex(cached, &s.x)
	}
	return &s.x, nil
}

// fresh says whether all folders are as they were. A file that is replaced leaves its folder as it was: reading
// notices that.
func (x *index) fresh(root string) bool {
	for _, k := range x.keys {
		info, err := os.Stat(filepath.Join(root, k.name))
		if err != nil || stampOf(k.name, info) != k {
			return false
		}
	}
	return len(x.keys) > 0
}

// scan walks a folder. Classes are its subfolders by name, as torchvision numbers them, and images within a class
// go by folder, then by name. Links are followed.
type scan struct {
	ctx  context.Context
	root string
	x    index
}

func (s *scan) run() error {
	files, dirs, err := s.list("")
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if !hidden(d) {
			s.x.classes = append(s.x.classes, d)
		}
	}
	for label, class := range s.x.classes {
		if err := s.class(class, label, 0); err != nil {
			return err
		}
	}
	if s.x.len() > 0 {
		return nil
	}
	s.x.classes = nil // no images below: the images of the folder itself, without labels
	for _, f := range files {
		if err := s.add(f, -1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) class(dir string, label, depth int) error {
	if depth > 16 {
		return fmt.Errorf("%s: folders more than 16 deep, or a link that leads back", filepath.Join(s.root, dir))
	}
	files, dirs, err := s.list(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.add(filepath.Join(dir, f), label); err != nil {
			return err
		}
	}
	for _, d := range dirs {
		if err := s.class(filepath.Join(dir, d), label, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// list gives the image files and the folders in a folder, sorted by name.
func (s *scan) list(dir string) (files, dirs []string, err error) {
	if s.ctx.Err() != nil {
		return nil, nil, context.Cause(s.ctx)
	}
	path := filepath.Join(s.root, dir)
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	s.x.keys = append(s.x.keys, stampOf(dir, info))
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			if to, err := os.Stat(filepath.Join(path, e.Name())); err == nil {
				isDir = to.IsDir()
			}
		}
		switch {
		case isDir:
			dirs = append(dirs, e.Name())
		case isImage(e.Name()) && !hidden(e.Name()):
			files = append(files, e.Name())
		}
	}
	slices.Sort(files)
	slices.Sort(dirs)
	return files, dirs, nil
}

func (s *scan) add(name string, label int) error {
	info, err := os.Stat(filepath.Join(s.root, name))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", filepath.Join(s.root, name))
	}
	if err := s.x.add(name, info.Size(), label); err != nil {
		return err
	}
	s.x.mtimes = append(s.x.mtimes, info.ModTime().UnixNano())
	return nil
}

func (f *folder) Len() int          { return f.x.len() }
func (f *folder) Name(i int) string { return filepath.Join(f.root, f.x.name(i)) }
func (f *folder) Label(i int) int   { return int(f.x.labels[i]) }
func (f *folder) Classes() []string { return f.x.classes }
func (f *folder) Manifest() string  { return f.manifest }
func (f *folder) Close() error      { return nil }

func (f *folder) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	buf = append(append(append(buf[:0], f.root...), filepath.Separator), f.x.nameBytes(i)...)
	file, err := openFile(buf)
	if err != nil {
		return nil, err
	}
	defer file.close()
	size, mtime, err := file.stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(i), err)
	}
	if size != int64(f.x.sizes[i]) || mtime != f.x.mtimes[i] {
		if f.cached != "" {
			_ = os.Remove(f.cached) // the folder's own time does not tell: scan next time
		}
		return nil, fmt.Errorf("%s: %w (restart the run if this was meant)", f.Name(i), ErrChanged)
	}
	buf = sized(buf, int(size))
	if err := file.read(buf); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(i), err)
	}
	return buf, nil
}

// sized gives n bytes, in buf's memory if it is large enough.
func sized(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, n, n+n/4)
	}
	return buf[:n]
}
