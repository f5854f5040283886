package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator"
	"byol/coordinator/logs"
	"byol/coordinator/past"
	"byol/internal/failure"
	"byol/internal/pause"
)

// coordinatorLog is the coordinator's own log in a run directory, logsName where those of its workers are.
const (
	coordinatorLog = "coordinator.log"
	logsName       = "logs"
)

// logLook is how often a log that is followed is looked at; quietLooks so many times after the end of a run, for what
// was said last.
const (
	logLook    = 250 * time.Millisecond
	quietLooks = 4
)

func logsCommand() *cobra.Command {
	var e endpoint
	var follow bool
	dir := ""
	cmd := &cobra.Command{Use: "logs [WORKER]", Short: "Show the coordinator's log, or that of a worker it started",
		Long: "Show the coordinator's log of a run on this machine, or that of a worker which it started: worker-3, or 3.\n" +
			"Workers that others started log to their own standard error: kubectl -n byol logs -f POD, journalctl -u UNIT,\n" +
			"or the file that sbatch names. -o json prints the lines as they were written.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return nil
			}
			return usage(cmd.CommandPath()+" takes one worker", "", cmd.CommandPath()+" --help")
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if found, err := logDirectory(dir); err == nil && len(args) == 0 {
				return loggedWorkers(found), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			found, err := logDirectory(dir)
			if err != nil {
				return err
			}
			path := filepath.Join(found, coordinatorLog)
			if len(args) == 1 {
				if path, err = workerLog(found, args[0]); err != nil {
					return err
				}
			}
			return e.showLog(cmd, found, path, follow)
		}}
	cmd.Flags().StringVar(&dir, "run-dir", "", "`DIR` of a run on this machine (default: the newest under runs)")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is logged next, until the run ends")
	e.addOutput(cmd)
	return cmd
}

// logDirectory is that of the run that is meant: the one that is named, or the newest that goes on or has been.
func logDirectory(dir string) (string, error) {
	if dir != "" {
		return runDirectory(dir), nil
	}
	found, err := newestRun(runsDir)
	if err == nil {
		return found, nil
	}
	if runs, listErr := past.List(runsDir); listErr == nil && len(runs) > 0 {
		return runs[0].Dir, nil
	}
	return "", err
}

var workerWord = regexp.MustCompile(`^(?:worker-)?([0-9]+)$`)

// workerLog is the log of a worker that the coordinator started.
func workerLog(dir, worker string) (string, error) {
	m := workerWord.FindStringSubmatch(worker)
	path := ""
	if m != nil {
		path = filepath.Join(dir, logsName, "worker-"+m[1]+logs.Ending)
	}
	if _, err := os.Stat(path); m != nil && err == nil {
		return path, nil
	}
	why := "the coordinator of " + dir + " started no workers: they log where they were started"
	if known := loggedWorkers(dir); len(known) > 0 {
		why = "there are logs of " + strings.Join(known, ", ")
	}
	return "", &failure.Failure{What: fmt.Sprintf("there is no log of a worker %q here", plain(worker)), Why: why,
		Try: "kubectl -n byol logs -f POD, journalctl -u UNIT, or the file that sbatch names", Code: failure.Usage}
}

// loggedWorkers are those whose logs lie in a run directory.
func loggedWorkers(dir string) []string {
	names, err := filepath.Glob(filepath.Join(dir, logsName, "worker-*"+logs.Ending))
	if err != nil {
		return nil
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), logs.Ending)
	}
	older := func(name string) bool { return !workerWord.MatchString(name) }
	names = slices.DeleteFunc(names, older)
	slices.SortFunc(names, func(a, b string) int { // worker-2 before worker-10
		return 2*(len(a)-len(b)) + strings.Compare(a, b)
	})
	return names
}

// showLog prints a log to its end, and with follow what comes, for as long as the run goes on.
func (e *endpoint) showLog(cmd *cobra.Command, dir, path string, follow bool) error {
	t, err := logs.Follow(path)
	if err != nil {
		return &failure.Failure{What: "there is no log to show", Why: err.Error(), Code: failure.Usage,
			Try: "--run-dir DIR of a run on this machine; coordinator runs ls lists them"}
	}
	defer t.Close()
	show := logLine
	if e.structured() {
		show = func(line []byte) string { return string(line) }
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	for quiet := 0; ; {
		more, err := t.Next(func(line []byte) error {
			_, err := fmt.Fprintln(out, show(line))
			return err
		})
		if err = errors.Join(err, out.Flush()); err != nil {
			return err
		}
		if quiet++; more || goesOn(dir) {
			quiet = 0
		}
		if !follow || quiet >= quietLooks {
			return t.Rest(func(line []byte) error {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), show(line))
				return err
			})
		}
		if !pause.For(cmd.Context(), logLook) {
			return nil
		}
	}
}

// goesOn reports whether a coordinator serves the run in dir.
func goesOn(dir string) bool {
	_, err := coordinator.ReadCard(dir)
	return err == nil
}

// logLine is a line of a log for people: time, level, message, and what else it says; one that is of no such form, as a
// panic writes them, is itself.
func logLine(line []byte) string {
	fields := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if d.Decode(&fields) != nil {
		return plain(string(line))
	}
	text := func(key string) string {
		s, _ := fields[key].(string)
		delete(fields, key)
		return s
	}
	when, level, message := text("ts"), text("level"), text("msg")
	if at, err := time.Parse(time.RFC3339Nano, when); err == nil {
		when = at.Local().Format(time.TimeOnly)
	}
	parts := []string{when, fmt.Sprintf("%-5s", strings.ToUpper(level)), message}
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		parts = append(parts, key+"="+logValue(fields[key]))
	}
	return plain(strings.Join(parts, " "))
}

// logValue is a value in a line: words that have spaces are quoted.
func logValue(v any) string {
	if s, ok := v.(string); ok {
		if s == "" || strings.ContainsAny(s, " \"=\n\t") {
			return fmt.Sprintf("%q", s)
		}
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
