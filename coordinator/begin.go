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
	from, err := choose(o)
	if err != nil {
		return beginning{}, err
	}
	if o.Resume == ResumeNever && (!fresh || from != nil) {
		return beginning{}, &failure.Failure{What: fmt.Sprintf("%s holds a run already", o.RunDir),
			Why: fmt.Sprintf("it is at step %d, and --resume never forbids to go on with it", max(state.Step, stepOf(from))),
			Try: "--resume auto to go on, or another --run-dir", Code: failure.Usage}
	}
	b := beginning{step: stepOf(from)}
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

func stepOf(k *run.Checkpoint) int64 {
	if k == nil {
		return 0
	}
	return k.Step
}

// choose finds the checkpoint to begin from; nil for the seed.
func choose(o *Options) (*run.Checkpoint, error) {
	if o.Checkpoints == nil {
		return nil, nil
	}
	find, what := o.Checkpoints.Newest, "the checkpoints cannot be read"
	if o.Resume != ResumeAuto && o.Resume != ResumeNever {
		find = func() (*pb.CheckpointInfo, error) { return o.Checkpoints.Open(o.Resume) }
		what = fmt.Sprintf("checkpoint %s cannot be read", o.Resume)
	}
	info, err := find()
	var known *failure.Failure
	if errors.As(err, &known) {
		return nil, known
	}
	if err != nil {
		return nil, &failure.Failure{What: what, Why: err.Error(),
			Try: "coordinator checkpoints verify " + o.RunDir + ", or --resume PATH of another one", Code: failure.Checkpoint}
	}
	if info == nil {
		return nil, nil
	}
	k := checkpointValue(info)
	return &k, nil
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
