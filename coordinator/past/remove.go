package past

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"byol/coordinator"
	"byol/coordinator/raftnode"
	"byol/internal/failure"
)

// Removable says why the run in dir must not be removed; nil if it may be.
func Removable(dir string) error {
	refuse := func(why, try string) error {
		return &failure.Failure{What: "cannot remove " + dir, Why: why, Try: try, Code: failure.Usage}
	}
	info, err := os.Lstat(filepath.Clean(dir))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return refuse("there is no such directory", "coordinator runs ls shows what there is")
	case err != nil:
		return refuse(err.Error(), "check the permissions")
	case info.Mode()&os.ModeSymlink != 0:
		return refuse("it is a link, and what it names lies elsewhere", "the directory itself, or rm for the link")
	case !info.IsDir():
		return refuse("it is no directory", "coordinator runs ls shows what there is")
	case !IsRun(dir):
		return refuse("it holds no run: none of the files is there that every run has", "rm -r, if you mean it")
	case holdsHere(dir):
		return refuse("the working directory is in it", "another working directory")
	case InHand(dir):
		return refuse("the run is going on", "coordinator stop --run-dir "+dir+", then again")
	}
	return nil
}

// holdsHere reports whether the working directory is dir, or in it.
func holdsHere(dir string) bool {
	here, err := os.Getwd()
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	if err != nil {
		return true // nobody can tell
	}
	full, err := filepath.Abs(dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return true
	}
	rel, err := filepath.Rel(full, here)
	return err != nil || rel == "." || rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Remove removes a run that is not going on, with everything in its directory. Links in it are removed, and not what
// they name. Nobody can take the run up while it goes.
func Remove(dir string) error {
	if err := Removable(dir); err != nil {
		return err
	}
	release, err := raftnode.Hold(filepath.Join(dir, coordinator.RaftDir))
	switch {
	case err == nil:
		defer release()
	case !errors.Is(err, os.ErrNotExist):
		return &failure.Failure{What: "cannot remove " + dir, Why: "its log is in use: " + err.Error(), Code: failure.Usage,
			Try: "coordinator stop --run-dir " + dir + ", then again"}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove run: %w", err)
	}
	return nil
}
