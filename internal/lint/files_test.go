package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sources is a small repository, with a Go file where tests keep data and one in a hidden folder.
var sources = map[string]string{
	"README.md": "# X\n", "run/run.go": "package run\n", "run/testdata/x.go": "no Go at all", ".ci/x.go": "nor here",
	"cmd/x/main.go": "package main\n",
}

// strays is what a user may leave in a clone: none of it is the repository's.
var strays = map[string]string{
	"encoder.safetensors": "weights", "my pictures/notes.md": "[dead](link.md)",
	"try/try.go":    "package try\n\nfunc init() {}\n",
	"run/broken.go": "package", "runs/a/events.jsonl": "{}",
}

// seen is what a loaded tree tells of its files.
type seen struct{ Packages, Markdown, Top []string }

func look(t *testing.T, root string) seen {
	t.Helper()
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	s := seen{Markdown: tree.Markdown, Top: tree.Top}
	for _, p := range tree.Packages {
		s.Packages = append(s.Packages, p.Dir)
	}
	return s
}

// checkout is a git checkout of sources.
func checkout(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git isn't installed")
	}
	root := t.TempDir()
	write(t, root, sources)
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}} {
		if text, err := exec.Command("git", append([]string{"-C", root}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, text)
		}
	}
	return root
}

// TestCheckout shows that what a user leaves in a clone is not looked at, not even where it doesn't parse.
func TestCheckout(t *testing.T) {
	root := checkout(t)
	write(t, root, strays)
	want := seen{[]string{"cmd/x", "run"}, []string{"README.md"}, []string{".ci", "README.md", "cmd", "run"}}
	if d := cmp.Diff(want, look(t, root)); d != "" {
		t.Errorf("with a user's files, (-want +got):\n%s", d)
	}
	if err := os.RemoveAll(filepath.Join(root, "cmd")); err != nil {
		t.Fatal(err)
	}
	want = seen{[]string{"run"}, []string{"README.md"}, []string{".ci", "README.md", "run"}}
	if d := cmp.Diff(want, look(t, root)); d != "" {
		t.Errorf("with a tracked folder deleted, (-want +got):\n%s", d)
	}
}

// TestWorktree shows that a worktree, whose .git is a file, is a checkout too.
func TestWorktree(t *testing.T) {
	root, second := checkout(t), filepath.Join(t.TempDir(), "second")
	for _, args := range [][]string{
		{"-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "-m", "x"}, {"worktree", "add", "-q", second},
	} {
		if text, err := exec.Command("git", append([]string{"-C", root}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, text)
		}
	}
	write(t, second, strays)
	if got, want := look(t, second), look(t, root); !reflect.DeepEqual(got, want) {
		t.Errorf("worktree:\n got %+v\nwant %+v", got, want)
	}
}

// TestArchive shows that a tree without git is walked, that its top is then not judged, and that a broken .git
// or a folder that may not be read ends nothing.
func TestArchive(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
	}{
		{"no .git", nil},
		{".git of something else", map[string]string{".git": "gitdir: /nowhere\n"}},
		{"stray data", map[string]string{"encoder.safetensors": "weights"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, sources)
			write(t, root, c.files)
			if err := os.Mkdir(filepath.Join(root, "locked"), 0o000); err != nil {
				t.Fatal(err)
			}
			want := seen{[]string{"cmd/x", "run"}, []string{"README.md"}, nil}
			if d := cmp.Diff(want, look(t, root)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestLoadFails shows what Load says of a root that isn't there and of a file that isn't Go.
func TestLoadFails(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("Load of a folder that isn't there: no error")
	}
	root := t.TempDir()
	write(t, root, map[string]string{"run/a.go": "package"})
	if _, err := Load(root); err == nil {
		t.Error("Load of a file that isn't Go: no error")
	}
}

// TestLayout shows that only tracked names are judged.
func TestLayout(t *testing.T) {
	root := checkout(t)
	write(t, root, strays)
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{{"layout", "run", "the top level has no place for it (topLevel in exceptions.go)"}}
	if d := cmp.Diff(want, Layout(tree)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
