package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"byol/coordinator/launch"
	"byol/internal/failure"
)

// versionTimeout bounds the question "which build are you?" to the worker program.
const versionTimeout = 10 * time.Second

// findWorker finds the worker program, before anything is started.
func (p *plan) findWorker(ctx context.Context) error {
	if p.launcher != "local" {
		if warning := notStarted(p.settings); warning != "" {
			p.warnings = append(p.warnings, warning)
		}
		return nil
	}
	path, warning, err := findProgram(ctx, p.settings.WorkerBinary, p.settings.Determinism == "relaxed")
	if err != nil {
		return err
	}
	if p.worker = path; warning != "" {
		p.warnings = append(p.warnings, warning)
	}
	return nil
}

// findProgram finds the worker program, beside this one where asked is "", and makes sure that it is of this build.
// Where another build is good enough, a warning says so.
func findProgram(ctx context.Context, asked string, relaxed bool) (path, warning string, err error) {
	path = asked
	if path == "" {
		path = besideThis("worker")
	}
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		why := "it is not an executable file"
		if errors.Is(err, os.ErrNotExist) {
			why = "there is no such file"
		} else if err != nil {
			why = err.Error()
		}
		return "", "", usage(fmt.Sprintf("the worker program %s cannot be started", path), why,
			"make build puts it beside the coordinator; --worker-binary PATH names another place")
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	warning, err = checkWorkerBuild(ctx, path, relaxed)
	return path, warning, err
}

// lastWords is how a program ended, with the first line of what it wrote to standard error.
func lastWords(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if line, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n"); line != "" {
			return err.Error() + ": " + line
		}
	}
	return err.Error()
}

// checkWorkerBuild asks the worker program for its build.
func checkWorkerBuild(ctx context.Context, path string, relaxed bool) (warning string, err error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "version").Output()
	theirs := strings.TrimSpace(string(out))
	if err != nil {
		return "", usage(fmt.Sprintf("the worker program %s doesn't answer", path),
			fmt.Sprintf("%q ended with: %v", path+" version", lastWords(err)),
			cmp.Or(launch.Shortage(err), "make build, and try again"))
	}
	if _, build, ok := strings.Cut(theirs, " "); ok {
		theirs = build
	}
	switch {
	case theirs == buildName():
		return "", nil
	case relaxed:
		return fmt.Sprintf("the worker is of build %s, this coordinator of %s", theirs, buildName()), nil
	}
	return "", &failure.Failure{What: "coordinator and worker are of different builds",
		Why:  fmt.Sprintf("%s is %s, this coordinator is %s", path, theirs, buildName()),
		Try:  "make build, or --determinism relaxed to run them together all the same",
		Code: failure.Usage}
}

// besideThis is the path of a program in the directory of this one.
func besideThis(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return filepath.Join(filepath.Dir(self), name)
}
