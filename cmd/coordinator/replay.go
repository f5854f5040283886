package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"byol/coordinator"
	"byol/coordinator/settings"
	"byol/coordinator/steplog"
	"byol/internal/failure"
	"byol/worker/checkpoint"
)

// replaying is what replay was asked for.
type replaying struct {
	step    int64
	workers int
	binary  string
}

func replayCommand() *cobra.Command {
	var r replaying
	cmd := &cobra.Command{Use: "replay RUN_DIR", Short: "Run a committed step again and compare its bits with the log",
		Long: "Run a committed step again, from the newest checkpoint before it or from where the run began, in a\n" +
			"directory of its own, and say whether its bits are those that the log has. The run itself is only read,\n" +
			"and may go on meanwhile.",
		Args: oneArgument("run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("step") || r.step < 0 {
				return usage("replay needs a step", "steps are counted from 0", "--step N")
			}
			return replay(cmd, args[0], &r)
		}}
	cmd.Flags().Int64Var(&r.step, "step", 0, "the `STEP` to run again, from 0")
	cmd.Flags().IntVar(&r.workers, "workers", 1, "how many workers run it: the bits are the same for any number")
	cmd.Flags().StringVar(&r.binary, "worker-binary", "", "worker program; default: beside this one")
	return cmd
}

func replay(cmd *cobra.Command, dir string, r *replaying) (err error) {
	config, log, err := storedRun(dir)
	if err != nil {
		return err
	}
	first := log.First()
	if _, ok := log.Last(r.step); !ok {
		return &failure.Failure{What: fmt.Sprintf("step %d is not in the log of %s", r.step, dir), Code: failure.Usage,
			Try: "coordinator audit " + quoted(dir) + " says which steps are"}
	}
	from, err := before(checkpointsIn(dir), first, r.step)
	if err != nil {
		return err
	}
	if from.path == "" && first > 0 {
		return &failure.Failure{What: fmt.Sprintf("no checkpoint is there from which step %d can be run again", r.step),
			Why: fmt.Sprintf("the run began with step %d, from a checkpoint of another run: the seed does not give its state",
				first),
			Try:  fmt.Sprintf("bring %s back to %s", checkpoint.Name(first), short(checkpointsIn(dir))),
			Code: failure.Checkpoint}
	}
	if found := auditImages(cmd, config); found.wrong != nil { // they would be blamed on whoever computes
		return found.wrong
	}
	scratch, err := os.MkdirTemp("", "byol-replay-")
	if err != nil {
		return fmt.Errorf("make a directory for the replay: %w", err)
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(scratch)
		} else {
			fmt.Fprintf(cmd.ErrOrStderr(), "the replay stays in %s\n", scratch)
		}
	}()
	fmt.Fprintf(cmd.OutOrStdout(), "step %s again from %s, by %s\n", grouped(r.step), from.name(),
		count(int64(r.workers), "worker"))
	ctx, release := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer release()
	if err := runAgain(ctx, r.flags(dir, scratch, from)); err != nil {
		return err
	}
	again, err := steplog.ReadFile(scratch)
	if err != nil {
		return err
	}
	return compareReplay(cmd.OutOrStdout(), log, again, r.step)
}

// replayStart says where a replay begins: the zero one is the seed.
type replayStart struct {
	step int64
	path string
}

func (s replayStart) name() string {
	if s.path == "" {
		return "the seed"
	}
	return fmt.Sprintf("the checkpoint of step %s", grouped(s.step))
}

// before finds the newest checkpoint in dir that verifies and holds no more than step steps, of a run that began with
// step first.
func before(dir string, first, step int64) (replayStart, error) {
	infos, err := checkpoint.List(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return replayStart{}, checkpointFailure(dir, err)
	}
	for i := len(infos) - 1; i >= 0; i-- {
		if infos[i].Step > step || infos[i].Step < first {
			continue
		}
		if _, err := checkpoint.Verify(infos[i].Path); err == nil {
			path, err := filepath.Abs(infos[i].Path)
			return replayStart{step: infos[i].Step, path: path}, err
		}
	}
	return replayStart{}, nil
}

// flags are those of a run that ends behind the step.
func (r *replaying) flags(dir, scratch string, from replayStart) []string {
	resume := coordinator.ResumeNever
	if from.path != "" {
		resume = from.path
	}
	flags := []string{"--config", filepath.Join(dir, coordinator.SettingsFile), "--run-dir", scratch,
		"--run-name", "replay", "--resume", resume, "--max-steps", fmt.Sprint(r.step + 1),
		"--checkpoint-dir", filepath.Join(scratch, "checkpoints"), "--verify-shards", "0",
		"--workers", fmt.Sprint(r.workers), "--threads", "0", "--save-interval", "0", "--eval-data", "",
		"--require-gain", "0", "--launcher", coordinator.LauncherLocal, "--listen", "127.0.0.1:0",
		"--tls-dir", "", "--token-file", ""}
	if kept := filepath.Join(dir, initFile); from.path == "" && isFile(kept) {
		flags = append(flags, "--init", kept)
	}
	if r.binary != "" {
		flags = append(flags, "--worker-binary", r.binary)
	}
	return flags
}

// runAgain trains as a run with these flags would, without a screen.
func runAgain(ctx context.Context, args []string) error {
	s := &settings.Values{}
	flags := newFlags(s)
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("prepare the replay: %w", err)
	}
	resolved, err := resolve(flags, s, nil)
	if err != nil {
		return err
	}
	p, err := makePlan(ctx, resolved)
	if err != nil {
		return err
	}
	log, err := openLog(s)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }()
	if err := p.keepStart(); err != nil {
		return err
	}
	o := p.options(log, nil)
	if p.guard, err = protect(p); err != nil {
		return err
	}
	p.guard.apply(&o)
	c, err := coordinator.New(ctx, o)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// compareReplay says whether each step that was run again has the bits of the log.
func compareReplay(out io.Writer, log, again steplog.Content, step int64) error {
	want, _ := log.Last(step)
	steps := int64(0)
	for _, l := range again.Lines {
		if l.Kind != steplog.Committed || l.Record.Step > want.Step {
			continue
		}
		was, ok := log.Last(l.Record.Step)
		if !ok {
			continue // before the log begins
		}
		steps++
		if parts := steplog.Differences(was, l.Record); len(parts) > 0 {
			return &failure.Failure{What: fmt.Sprintf("step %d came out with other bits", was.Step), Code: failure.Training,
				Why: "in the log and again: " + strings.Join(parts, "; "),
				Try: "an earlier checkpoint, another --workers, another machine: what stays the same tells who is wrong"}
		}
	}
	if got, ok := again.Last(want.Step); !ok || len(steplog.Differences(want, got)) > 0 {
		return &failure.Failure{What: fmt.Sprintf("step %d was not committed again", want.Step), Code: failure.Internal,
			Try: "report this with the directory of the replay"}
	}
	fmt.Fprintf(out, "same bits: %s, up to step %s: online %016x, target %016x, loss %v\n", count(steps, "step"),
		grouped(want.Step), want.Online, want.Target, want.Loss)
	return nil
}
