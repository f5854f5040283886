package coordinator

import (
	"errors"
	"fmt"

	"byol/coordinator/run"
	"byol/internal/failure"
	pb "byol/proto"
)

// beginning is how a run directory is taken up: commands to propose first, and what to tell.
type beginning struct {
	commands []run.Command
	events   []string
	// refused are checkpoints that were passed over, and why.
	refused []string
	// done says that the run is complete and nothing is left to do.
	done bool
	// step is the one that the run begins with.
	step int64
}

// takeUp decides where to begin, from the state of the log, the checkpoints that verify, and what was asked for.
func takeUp(state run.State, settings run.Settings, o *Options) (beginning, error) {
	fresh := state.Phase == ""
	if !fresh {
		if err := sameRun(state.Settings, o.Config, o.RunDir); err != nil {
			return beginning{}, err
		}
		if state.Phase == run.Completed && state.Step >= settings.EndStep && o.Resume == ResumeAuto {
			return beginning{done: true, step: state.Step}, nil
		}
		settings.RunID = state.Settings.RunID
	}
	from, refused, err := choose(o)
	if err != nil {
		return beginning{}, err
	}
	if o.Resume == ResumeNever && (!fresh || from != nil) {
		return beginning{}, &failure.Failure{What: fmt.Sprintf("%s holds a run already", o.RunDir),
			Why: fmt.Sprintf("it is at step %d, and --resume never forbids to go on with it", max(state.Step, stepOf(from))),
			Try: "--resume auto to go on, or another --run-dir", Code: failure.Usage}
	}
	b := beginning{step: stepOf(from), refused: refused}
	if !fresh && mayBeHeld(o) && state.Step > b.step && state.Step <= settings.EndStep {
		b.step, b.commands = state.Step, []run.Command{run.TakeUp{Settings: settings}}
		b.events = []string{fmt.Sprintf("going on at step %d, if a worker holds its state; otherwise %s", state.Step,
			elsewhere(from))}
		return b, nil
	}
	if !fresh && state.Step > 0 && from == nil && !o.FromScratch {
		return beginning{}, lostSteps(state, o)
	}
	if b.step > settings.EndStep {
		return beginning{}, &failure.Failure{Code: failure.Usage,
			What: fmt.Sprintf("the checkpoint is of step %d, past the end at step %d", b.step, settings.EndStep),
			Try:  fmt.Sprintf("--max-steps %d or more, or --resume PATH of an earlier one", b.step)}
	}
	if fresh {
		b.commands = append(b.commands, run.Create{Settings: settings})
	}
	if !fresh || from != nil {
		b.commands = append(b.commands, run.Rewind{Settings: settings, Checkpoint: from})
	}
	b.events = tell(state, from, fresh)
	return b, nil
}

// mayBeHeld reports whether workers may hold what is committed: they outlive a coordinator that did not start them.
func mayBeHeld(o *Options) bool {
	return o.Launcher == LauncherNone && o.Resume == ResumeAuto && !o.FromScratch
}

// elsewhere says where a state is that no worker holds.
func elsewhere(from *run.Checkpoint) string {
	if from == nil {
		return "there is no checkpoint to go back to"
	}
	return fmt.Sprintf("at step %d from checkpoint %s", from.Step, from.Path)
}

func stepOf(k *run.Checkpoint) int64 {
	if k == nil {
		return 0
	}
	return k.Step
}

// lostSteps says that a run would begin again at step 0 although it got on, which nobody asked for.
func lostSteps(state run.State, o *Options) error {
	f := &failure.Failure{Code: failure.Checkpoint,
		What: fmt.Sprintf("%d steps of the run in %s are committed, and no checkpoint of them is there", state.Step,
			o.RunDir),
		Why: "none was written yet",
		Try: "--restart-from-scratch to begin again at step 0, with the same numbers"}
	if n := len(state.Checkpoints); n > 0 {
		k := state.Checkpoints[n-1]
		f.Why = fmt.Sprintf("the one of step %d was saved as %s, which this host does not see now", k.Step, k.Path)
		f.Try = "bring the checkpoints back or mount their disk, --resume PATH to go on from another place, or " +
			"--restart-from-scratch to begin again at step 0"
	}
	return f
}

// choose finds the checkpoint to begin from, nil for the seed, and says which were passed over.
func choose(o *Options) (from *run.Checkpoint, refused []string, err error) {
	if o.Checkpoints == nil || o.FromScratch {
		return nil, nil, nil
	}
	var info *pb.CheckpointInfo
	what := "the checkpoints cannot be read"
	if o.Resume == ResumeAuto || o.Resume == ResumeNever {
		info, refused, err = o.Checkpoints.Newest()
	} else {
		what = fmt.Sprintf("checkpoint %s cannot be read", o.Resume)
		info, err = o.Checkpoints.Open(o.Resume)
	}
	var known *failure.Failure
	if errors.As(err, &known) {
		return nil, nil, known
	}
	if err != nil {
		return nil, nil, &failure.Failure{What: what, Why: err.Error(),
			Try: "coordinator checkpoints verify " + o.RunDir + ", or --resume PATH of another one", Code: failure.Checkpoint}
	}
	if info == nil {
		return nil, refused, nil
	}
	k := checkpointValue(info)
	return &k, refused, nil
}

// tell says what taking up the run means for steps that were committed.
func tell(state run.State, from *run.Checkpoint, fresh bool) []string {
	step := stepOf(from)
	where := "from the seed: there is no checkpoint"
	if from != nil {
		where = "from checkpoint " + from.Path
	}
	switch {
	case fresh && from == nil:
		return []string{"a new run"}
	case fresh:
		return []string{fmt.Sprintf("the raft log is empty; going on at step %d %s", step, where)}
	case state.Step == step+1:
		return []string{fmt.Sprintf("step %d will be run again %s", step, where)}
	case state.Step > step:
		return []string{fmt.Sprintf("steps %d to %d will be run again %s", step, state.Step-1, where)}
	case state.Step < step:
		return []string{fmt.Sprintf("the raft log ends at step %d; going on at step %d %s", state.Step, step, where)}
	}
	return []string{fmt.Sprintf("going on at step %d %s", step, where)}
}
