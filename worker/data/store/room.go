package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// lodger is an object that lies in the cache's folder.
type lodger struct {
	path string // without its ending
	size int64
	used time.Time
}

// reserve gives a part its size, if there is room for it besides what this process uses, and says whether there is. Of
// the others the least used go. From then on it counts, for other processes too.
func (c *cache) reserve(part *os.File, size int64, path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roomLocked(size, path) && part.Truncate(0) == nil && part.Truncate(size) == nil
}

func (c *cache) roomLocked(size int64, path string) bool {
	mine := map[string]bool{path: true}
	for _, e := range c.kept {
		mine[e.path] = true
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return false
	}
	var total int64
	var others []lodger
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // it is gone
		}
		file, ext := filepath.Join(c.dir, e.Name()), filepath.Ext(e.Name())
		at := strings.TrimSuffix(file, ext)
		switch {
		case ext == ".part" && at == path:
		default:
			total += info.Size()
			if ext == ".data" && !mine[at] {
				others = append(others, lodger{at, info.Size(), lastUse(at, info)})
			}
		}
	}
	slices.SortFunc(others, func(a, b lodger) int { return a.used.Compare(b.used) })
	for _, o := range others {
		if total+size <= c.most {
			break
		}
		_ = os.Remove(o.path + ".meta")
		if os.Remove(o.path+".data") == nil {
			total -= o.size
		}
	}
	return total+size <= c.most
}

func lastUse(path string, data os.FileInfo) time.Time {
	if m, err := os.Stat(path + ".meta"); err == nil {
		return m.ModTime()
	}
	return data.ModTime()
}

// tidy removes what killed processes were fetching. It is done once, as it takes each part's lock for a moment.
func (c *cache) tidy() {
	parts, _ := filepath.Glob(filepath.Join(c.dir, "*.part")) // fails for bad patterns alone
	for _, p := range parts {
		removeAbandoned(p)
	}
}

// removeAbandoned removes a part that nobody fetches any more, and says whether it did. It goes while its lock is held:
// who opened it meanwhile finds that it has lost its name.
func removeAbandoned(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return lock(f) && stillNamed(f) && os.Remove(path) == nil
}
