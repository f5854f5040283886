package lint

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// files lists the repository's files, sorted, from root and with slashes. In a git checkout they are what git tracks
// less what is deleted, so that a user's pictures, runs and exports are nobody's concern (tracked is true). Elsewhere,
// as in an unpacked archive or on a machine without git, they are everything under root.
func files(root string) (names []string, tracked bool, err error) {
	if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil {
		if list, err := exec.Command("git", "-C", root, "ls-files", "-z").Output(); err == nil {
			for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
				if _, err := os.Lstat(filepath.Join(root, name)); err == nil && name != "" {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return slices.Compact(names), true, nil
		}
	}
	names, err = walk(root)
	return names, false, err
}

// walk lists everything under root that is not in a hidden folder. A folder that may not be read is left out.
func walk(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == root:
			return fmt.Errorf("list files: %w", err)
		case err != nil:
			return fs.SkipDir
		case d.IsDir() && name != root && d.Name()[0] == '.':
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return fmt.Errorf("list files: %w", err)
		}
		names = append(names, filepath.ToSlash(rel))
		return nil
	})
	slices.Sort(names)
	return names, err
}

// apartFromSources reports whether a folder is hidden, or data of a test.
func apartFromSources(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if part == "testdata" || (part[0] == '.' && part != ".") {
			return true
		}
	}
	return false
}
