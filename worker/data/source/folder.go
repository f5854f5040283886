package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"unsafe"
)

// folder is a Source over image files: root/<class>/…, and root/* without labels. Classes are the folders with an image
// somewhere below; what systems and programs put beside people's files is none (unseen).
type folder struct {
	files    Files
	root     string // the folder that classes or images are in
	x        *index
	cached   string // where the index is kept; empty: nowhere
	classes  []string
	manifest string
}

func openFolder(ctx context.Context, files Files, uri string, opts Options) (Source, error) {
	what := fmt.Sprintf("open data %q", uri)
	root, err := folderRoot(ctx, files, uri)
	if err != nil {
		return nil, failed(what, err.Error(), "check the folder and its permissions", err)
	}
	var cached string
	if opts.CacheDir != "" {
		cached = cachePath(opts.CacheDir, "folder", root)
	}
	x, err := folderIndex(ctx, files, root, cached)
	if err != nil {
		return nil, failed(what, err.Error(), "check the folder and its permissions", err)
	}
	if x.len() == 0 {
		return nil, failed(what, "there is no image in it"+x.omitted.clause(), emptyHint(ctx, files, root), nil)
	}
	f := &folder{files: files, root: root, x: x, cached: cached, classes: printables(x.classes)}
	f.manifest = manifest(x.len(), len(x.classes), func(i int) (string, int64, int) {
		return x.name(i), int64(x.sizes[i]), int(x.labels[i])
	})
	return f, nil
}

func emptyHint(ctx context.Context, files Files, root string) string {
	entries, _ := files.List(ctx, root)
	for _, e := range entries {
		if path.Ext(e.Name) == ".tar" {
			return "name the archives that lie there: " + join(root, "*"+path.Ext(e.Name))
		}
	}
	return "a folder of picture files (" + endings + "), or of one folder of them per class"
}

// folderRoot is path/train if there are folders in it, as ImageNet is laid out, otherwise path.
func folderRoot(ctx context.Context, files Files, root string) (string, error) {
	train := join(root, "train")
	info, err := files.Stat(ctx, train)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Kind != Folder:
		return root, nil
	case err != nil:
		return "", about(train, err)
	}
	entries, err := files.List(ctx, train)
	if err != nil {
		return "", about(train, err)
	}
	for _, e := range entries {
		if e.Kind == Folder && !unseen(e.Name) {
			return train, nil
		}
	}
	return root, nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// unseen are folders that are nobody's class: hidden ones, and those that file systems, file servers, Windows, macOS
// and Python make.
func unseen(name string) bool {
	switch strings.ToLower(name) {
	case "lost+found", "lost.dir", "found.000", "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
		"~snapshot", "__macosx", "network trash folder", "temporary items", "system volume information", "$recycle.bin",
		"__pycache__":
		return true
	}
	return hidden(name)
}

// inUnseen reports whether a file of that path lies in such a folder, at any depth.
func inUnseen(name string) bool {
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part != "." && part != ".." && unseen(part) {
			return true
		}
	}
	return false
}

// folderIndex takes the cached index if no folder has changed, or scans.
func folderIndex(ctx context.Context, files Files, root, cached string) (*index, error) {
	if cached != "" {
		if x := loadIndex(cached); x != nil && x.fresh(ctx, files, root) {
			return x, nil
		}
	}
	s := scan{ctx: ctx, files: files, root: root}
	if err := s.run(); err != nil {
		return nil, err
	}
	if cached != "" && !s.special {
		storeIndex(cached, &s.x)
	}
	return &s.x, nil
}

// fresh says whether all folders are as they were. A file that is replaced leaves its folder as it was: reading
// notices that.
func (x *index) fresh(ctx context.Context, files Files, root string) bool {
	for _, k := range x.keys {
		info, err := files.Stat(ctx, join(root, k.name))
		if err != nil || stampOf(k.name, info) != k {
			return false
		}
	}
	return len(x.keys) > 0
}

// scan walks a folder. Classes are its subfolders by name, as torchvision numbers them, and images within a class
// go by folder, then by name; those of the folder itself come last, without a label. Links are followed.
type scan struct {
	ctx   context.Context
	files Files
	root  string
	x     index
	// special says that there are things that are neither file nor folder: a link among them may come to be one, which
	// no folder's version tells.
	special bool
}

func (s *scan) run() error {
	files, dirs, err := s.list("")
	if err != nil {
		return err
	}
	for _, class := range dirs {
		before := s.x.len()
		if err := s.class(class, len(s.x.classes), 0); err != nil {
			return err
		}
		if s.x.len() > before {
			s.x.classes = append(s.x.classes, class)
		} else {
			s.x.omitted.add("folders without a picture", "they are no classes", class)
		}
	}
	for _, f := range files {
		if err := s.add(f, -1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) class(dir string, label, depth int) error {
	if depth > 16 {
		return fmt.Errorf("%s: folders more than 16 deep, or a link that leads back", Printable(join(s.root, dir)))
	}
	files, dirs, err := s.list(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.add(path.Join(dir, f), label); err != nil {
			return err
		}
	}
	for _, d := range dirs {
		if err := s.class(path.Join(dir, d), label, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// list gives the image files and the folders in a folder, sorted by name, and notes what is neither.
func (s *scan) list(dir string) (files, dirs []string, err error) {
	if s.ctx.Err() != nil {
		return nil, nil, context.Cause(s.ctx)
	}
	at := join(s.root, dir)
	info, err := s.files.Stat(s.ctx, at)
	if err != nil {
		return nil, nil, about(at, err)
	}
	s.x.keys = append(s.x.keys, stampOf(dir, info))
	entries, err := s.files.List(s.ctx, at)
	if err != nil {
		return nil, nil, about(at, err)
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		switch {
		case e.Kind == Folder && unseen(e.Name):
			s.x.omitted.add("hidden folders", "with a dot in front, or made by a system", name)
		case e.Kind == Folder:
			dirs = append(dirs, e.Name)
		case hidden(e.Name):
			s.x.omitted.add("hidden files", "with a dot in front", name)
		case e.Kind == Special:
			s.special = true
			s.x.omitted.add("links to nothing, pipes and devices", "there is nothing to read", name)
		case isImage(e.Name):
			files = append(files, e.Name)
		default:
			s.x.omitted.addFile(name)
		}
	}
	return files, dirs, nil
}

func (s *scan) add(name string, label int) error {
	at := join(s.root, name)
	info, err := s.files.Stat(s.ctx, at)
	if err != nil {
		return about(at, err)
	}
	if info.Kind != Regular {
		return fmt.Errorf("%s is not a file", Printable(at))
	}
	if err := s.x.add(name, info.Size, label); err != nil {
		return err
	}
	s.x.mtimes = append(s.x.mtimes, info.Version)
	return nil
}

func (f *folder) Len() int           { return f.x.len() }
func (f *folder) Name(i int) string  { return Printable(join(f.root, f.x.name(i))) }
func (f *folder) Entry(i int) string { return f.x.name(i) }
func (f *folder) Label(i int) int    { return int(f.x.labels[i]) }
func (f *folder) Classes() []string  { return f.classes }

// Omitted implements Source.
func (f *folder) Omitted() []Omission { return f.x.omitted.printable() }

func (f *folder) Manifest() string { return f.manifest }
func (f *folder) Close() error     { return nil }

// Bytes makes the path in buf and has it read as a string, so that an image costs no memory for its name.
func (f *folder) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	buf = append(append(append(buf[:0], f.root...), '/'), f.x.nameBytes(i)...)
	file, err := f.files.Open(ctx, unsafe.String(unsafe.SliceData(buf), len(buf)))
	if err != nil {
		return nil, about(f.Name(i), err)
	}
	buf, err = f.read(file, i, buf)
	return buf, errors.Join(err, file.Close())
}

func (f *folder) read(file File, i int, buf []byte) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, about(f.Name(i), err)
	}
	if info.Size != int64(f.x.sizes[i]) || info.Version != f.x.mtimes[i] {
		if f.cached != "" {
			_ = os.Remove(f.cached) // the folder's own version does not tell: scan next time
		}
		return nil, fmt.Errorf("%s: %w (restart the run if this was meant)", f.Name(i), ErrChanged)
	}
	buf = sized(buf, int(info.Size))
	if err := readAt(file, buf, 0); err != nil {
		return nil, about(f.Name(i), err)
	}
	return buf, nil
}
