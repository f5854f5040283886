package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"byol/coordinator/drill"
	"byol/coordinator/steplog"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// collect reads what the run directories of all coordinators say of the whole drill. The log of each is audited, and
// the one with most steps counts. A coordinator that never led knows the steps, and not the settings.
func (d *drilling) collect(title string, dirs []string, outcomes []drill.Outcome) (*drill.Findings, error) {
	f := &drill.Findings{Title: title, Timeout: d.timeout, Outcomes: outcomes}
	config, err := configOf(dirs)
	if err != nil {
		return nil, err
	}
	if infos, err := checkpoint.List(config.CheckpointDir); err == nil && len(infos) > 0 {
		f.SHA256 = infos[len(infos)-1].StateSHA256
	}
	for _, dir := range dirs {
		log, err := steplog.ReadFile(dir)
		if err != nil {
			return nil, err
		}
		found, err := steplog.Audit(log, rulesOf(config), -1)
		if err != nil && f.Audit == "" {
			f.Audit = fmt.Sprintf("%s: %v", dir, err)
		}
		if steps := found.Next - found.First; f.Dir == "" || steps > f.Steps {
			f.Dir, f.Steps, f.Again, f.Lost, f.Commits = dir, steps, found.Again, found.Pending, commitsOf(log)
		}
	}
	return f, nil
}

// configOf is the configuration of a run with several run directories.
func configOf(dirs []string) (config *pb.RunConfig, err error) {
	for _, dir := range dirs {
		if config, _, err = storedRun(dir); err == nil {
			return config, nil
		}
	}
	return nil, err
}

func commitsOf(log steplog.Content) []drill.Commit {
	var all []drill.Commit
	for _, l := range log.Lines {
		if l.Kind == steplog.Committed {
			all = append(all, drill.Commit{At: time.Unix(0, l.Record.UnixNano), Step: l.Record.Step,
				Generation: l.Record.Generation})
		}
	}
	return all
}

// compare makes the run once more without faults, and notes in what it ends otherwise. One worker does: the bits are
// those of any number.
func (d *drilling) compare(ctx context.Context, f *drill.Findings, dir, plain string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	args := append(demoFlags(1, d.timeout), "--launcher", "local", "--run-dir", plain, "--max-steps",
		fmt.Sprint(f.Steps))
	if d.binary != "" {
		args = append(args, "--worker-binary", d.binary)
	}
	if text, err := exec.CommandContext(ctx, self, args...).CombinedOutput(); err != nil {
		return &failure.Failure{What: "the run without faults failed", Why: fmt.Sprintf("%v: %s", err, text), Err: err,
			Try: "see " + plain, Code: failure.Training}
	}
	f.Compared = true
	ours, err := steplog.ReadFile(f.Dir)
	if err != nil {
		return err
	}
	f.Differs, err = differ(ours, dir, plain)
	return err
}

// differ names the first thing in which two runs differ: one by its steps and the directory with its checkpoints, the
// other by its directory. "" says that they have the same bits.
func differ(ours steplog.Content, dir, plain string) (string, error) {
	theirs, err := steplog.ReadFile(plain)
	if err != nil {
		return "", err
	}
	last := map[int64]steplog.Record{}
	for _, l := range ours.Lines {
		if l.Kind == steplog.Committed {
			last[l.Record.Step] = l.Record
		}
	}
	for _, l := range theirs.Lines {
		if l.Kind != steplog.Committed {
			continue
		}
		if parts := steplog.Differences(last[l.Record.Step], l.Record); len(parts) > 0 {
			return fmt.Sprintf("step %d: %s", l.Record.Step, parts[0]), nil
		}
	}
	var sums [2]string
	for i, d := range []string{dir, plain} {
		infos, err := checkpoint.List(filepath.Join(d, "checkpoints"))
		if err != nil || len(infos) == 0 {
			return "", checkpointFailure(d, errors.Join(err, checkpoint.ErrNone))
		}
		newest := infos[len(infos)-1]
		sums[i] = fmt.Sprintf("step %d %s", newest.Step, newest.StateSHA256)
	}
	if sums[0] != sums[1] {
		return fmt.Sprintf("%s with faults, %s without", sums[0], sums[1]), nil
	}
	return "", nil
}
