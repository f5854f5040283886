// Command vulndb writes the database of known holes in Go modules as govulncheck reads it from a folder. It takes the
// reports from the module golang.org/x/vulndb, so it works wherever modules can be fetched and vuln.go.dev can't be
// reached.
//
//	make vuln VULN=modules
//
// When it fails: it prints one line and exits with 1; a folder that it was given may then be incomplete.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// module holds the reports, one file for each, under data/osv.
const module = "golang.org/x/vulndb@latest"

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vulndb:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	if len(args) != 1 {
		return errors.New("give one argument, the folder to write")
	}
	dir, version, err := download()
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "data", "osv", "GO-*.json"))
	if err != nil {
		return err
	}
	reports := map[string][]byte{}
	for _, p := range paths {
		if reports[filepath.Base(p)], err = os.ReadFile(p); err != nil {
			return err
		}
	}
	files, err := database(reports)
	if err != nil {
		return fmt.Errorf("read the reports of %s: %w", version, err)
	}
	for name, content := range files {
		path := filepath.Join(args[0], filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%d reports of golang.org/x/vulndb %s\n", len(reports), version)
	return nil
}

// download fetches the module and returns where it is. It asks outside any module, so that none gets to require it.
func download() (dir, version string, err error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GO111MODULE=on")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	var answer struct{ Dir, Version, Error string }
	if bad := json.Unmarshal(out, &answer); err != nil || bad != nil {
		return "", "", fmt.Errorf("fetch %s: %w %s%s", module, errors.Join(err, bad), answer.Error, problem.Bytes())
	}
	return answer.Dir, answer.Version, nil
}
