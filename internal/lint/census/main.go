// Command census counts what the repository holds, as a table in Markdown: for each package the lines of code and of
// tests, their ratio, and the names that other packages can use. With -base REVISION it sets a revision's counts
// beside those of the working tree. Generated files are nobody's lines, and are not counted.
//
//	make census BASE=v1.0
//
// When it fails: it prints one line and exits with 1; it writes nothing but that and the table.
package main

import (
	"archive/tar"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"byol/internal/lint"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "census:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("census", flag.ContinueOnError)
	root := flags.String("root", ".", "the repository")
	base := flags.String("base", "", "a revision to compare the working tree with")
	if err := flags.Parse(args); err != nil {
		return err
	}
	now, err := lint.Load(*root)
	if err != nil {
		return err
	}
	if *base == "" {
		table(w, now)
		return nil
	}
	then, err := revision(*root, *base)
	if err != nil {
		return fmt.Errorf("read revision %s: %w", *base, err)
	}
	comparison(w, *base, then, now)
	return nil
}

// revision loads the sources of an older state of the repository.
func revision(root, name string) (t *lint.Tree, err error) {
	dir, err := os.MkdirTemp("", "census-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	var complaint strings.Builder
	git := exec.Command("git", "-C", root, "archive", "--format=tar", name)
	git.Stderr = &complaint
	archive, err := git.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := git.Start(); err != nil {
		return nil, err
	}
	unpacked := unpack(archive, dir)
	if err := git.Wait(); err != nil {
		return nil, fmt.Errorf("git archive: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	if unpacked != nil {
		return nil, unpacked
	}
	return lint.Load(dir)
}

// unpack writes an archive's Go files below dir.
func unpack(r io.Reader, dir string) error {
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r) // what git pads the archive with
			return err
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".go") || !filepath.IsLocal(h.Name) {
			continue
		}
		name := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
}
