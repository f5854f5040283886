package coordinator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"byol/coordinator/raftnode"
	"byol/coordinator/run"
	"byol/internal/failure"
	pb "byol/proto"
)

// shelf is a Catalogue of one checkpoint, or of a reason why there is none.
type shelf struct {
	newest  *pb.CheckpointInfo
	refused []string
	err     error
}

func (s shelf) Newest() (*pb.CheckpointInfo, []string, error) { return s.newest, s.refused, s.err }
func (s shelf) Open(string) (*pb.CheckpointInfo, error)       { return s.newest, s.err }
func (s shelf) List() ([]*pb.CheckpointInfo, error)           { return nil, s.err }
func (s shelf) Prune(int) error                               { return s.err }
func (s shelf) Sees(*pb.CheckpointInfo) error                 { return s.err }
func (s shelf) Mark(string) error                             { return s.err }

// What a case is asked for beyond --resume.
const scratch, outlived = "--restart-from-scratch", "--launcher none"

// beginCase is a run directory that is taken up.
type beginCase struct {
	name     string
	state    run.State
	shelf    shelf
	resume   string
	commands string // what is proposed, by name
	step     int64
	event    string
	code     int // of the failure, 0 for none
}

func (c *beginCase) check(t *testing.T, o Options, settings run.Settings) {
	t.Helper()
	o.Resume, o.FromScratch, o.Checkpoints = c.resume, false, c.shelf
	o.Launcher = LauncherLocal
	switch c.resume {
	case scratch:
		o.Resume, o.FromScratch, o.Launcher = ResumeAuto, true, LauncherNone
	case outlived:
		o.Resume, o.Launcher = ResumeAuto, LauncherNone
	}
	b, err := takeUp(c.state, settings, &o)
	var f *failure.Failure
	if errors.As(err, &f) != (c.code > 0) || f != nil && (f.Code != c.code || f.What == "") {
		t.Errorf("%s: %v, want code %d", c.name, err, c.code)
		return
	}
	var commands []string
	for _, x := range b.commands {
		commands = append(commands, strings.TrimPrefix(fmt.Sprintf("%T", x), "run."))
	}
	if got := strings.Join(commands, " "); got != c.commands || b.step != c.step && c.code == 0 ||
		!strings.HasPrefix(strings.Join(b.events, "; "), c.event) || b.done != (c.name == "complete") {
		t.Errorf("%s: proposes %q at step %d and tells %q, done %v; want %q at %d and %q", c.name, got, b.step, b.events,
			b.done, c.commands, c.step, c.event)
	}
	s := c.state.Clone()
	for _, x := range b.commands {
		if err := s.Apply(x); err != nil {
			t.Errorf("%s: %T: %v", c.name, x, err)
		}
	}
}

// TestTakeUp decides from what a run directory holds: the log's state, the checkpoints, and what was asked for.
func TestTakeUp(t *testing.T) {
	o := options(t, 2)
	o.setDefaults()
	settings, err := settingsOf(&o)
	if err != nil {
		t.Fatal(err)
	}
	at := func(phase run.Phase, step int64) run.State {
		return run.State{Settings: settings, Phase: phase, Step: step}
	}
	stored := func(step int64) shelf {
		return shelf{newest: &pb.CheckpointInfo{Step: step, Path: fmt.Sprint("c", step)}}
	}
	known := &failure.Failure{What: "known", Code: failure.Data}
	for _, c := range []beginCase{
		{"nothing at all", run.State{}, shelf{}, ResumeAuto, "Create", 0, "a new run", 0},
		{"nothing, and never", run.State{}, shelf{}, ResumeNever, "Create", 0, "a new run", 0},
		{"a log that committed nothing", at(run.Running, 0), shelf{}, ResumeAuto, "Rewind", 0, "going on at step 0", 0},
		{"a log without a checkpoint", at(run.Running, 4), shelf{}, ResumeAuto, "", 0, "", failure.Checkpoint},
		{"a log without a checkpoint, told to begin again", at(run.Running, 4), shelf{}, scratch, "Rewind", 0,
			"steps 0 to 3 will be run again from the seed", 0},
		{"a checkpoint, told to begin again", at(run.Running, 6), stored(5), scratch, "Rewind", 0,
			"steps 0 to 5 will be run again from the seed", 0},
		{"damaged checkpoints, told to begin again", at(run.Running, 6), shelf{err: known}, scratch, "Rewind", 0,
			"steps 0 to 5 will be run again from the seed", 0},
		{"a log and a checkpoint of one step before", at(run.Running, 6), stored(5), ResumeAuto, "Rewind", 5,
			"step 5 will be run again from checkpoint c5", 0},
		{"a log that ends before the checkpoint", at(run.Running, 3), stored(5), ResumeAuto, "Rewind", 5,
			"the raft log ends at step 3; going on at step 5", 0},
		{"a log at the checkpoint", at(run.Stopped, 5), stored(5), ResumeAuto, "Rewind", 5, "going on at step 5", 0},
		{"a checkpoint without a log", run.State{}, stored(5), ResumeAuto, "Create Rewind", 5,
			"the raft log is empty; going on at step 5", 0},
		{"a log without a checkpoint, and workers that may be alive", at(run.Running, 4), shelf{}, outlived, "TakeUp", 4,
			"going on at step 4, if a worker holds its state; otherwise there is no checkpoint", 0},
		{"a checkpoint, and workers that may be alive", at(run.Running, 6), stored(5), outlived, "TakeUp", 6,
			"going on at step 6, if a worker holds its state; otherwise at step 5 from checkpoint c5", 0},
		{"complete", at(run.Completed, 20), stored(20), ResumeAuto, "", 20, "", 0},
		{"complete, and again from a path", at(run.Completed, 20), stored(10), "c10", "Rewind", 10,
			"steps 10 to 19 will be run again", 0},
		{"a run, and never", at(run.Running, 4), shelf{}, ResumeNever, "", 0, "", failure.Usage},
		{"a checkpoint, and never", run.State{}, stored(5), ResumeNever, "", 0, "", failure.Usage},
		{"a checkpoint behind the end", run.State{}, stored(21), ResumeAuto, "", 0, "", failure.Usage},
		{"checkpoints that cannot be read", run.State{}, shelf{err: errors.New("bad disk")}, ResumeAuto, "", 0, "",
			failure.Checkpoint},
		{"a failure that says what", run.State{}, shelf{err: known}, ResumeAuto, "", 0, "", failure.Data},
	} {
		c.check(t, o, settings)
	}
}

// TestLogsThatCannotBeOpened says what, why and what to try: for a log of another version, for one that is in use, and
// for one that nobody knows anything about.
func TestLogsThatCannotBeOpened(t *testing.T) {
	c := &Coordinator{opts: Options{RunDir: "runs/r"}, runDir: t.TempDir()}
	for _, x := range []struct {
		err            error
		what, why, try string
	}{
		{fmt.Errorf("apply the log: %w", &raftnode.VersionError{What: "entry", Have: 1}),
			"the log of runs/r was written by another version",
			fmt.Sprintf("the entry has version 1, this coordinator reads versions 4 to %d", raftnode.Version),
			"the binary that wrote it, or move runs/r/raft away"},
		{fmt.Errorf("open raft log: %w", raftnode.ErrLocked), "another coordinator uses runs/r", "in use",
			"coordinator stop --run-dir runs/r"},
		{errors.New("the disk is gone"), "the run's log cannot be opened", "the disk is gone", "another --run-dir"},
	} {
		var f *failure.Failure
		if err := c.openFailure(x.err); !errors.As(err, &f) || f.Code != failure.Usage || f.What != x.what ||
			!strings.Contains(f.Why, x.why) || !strings.HasPrefix(f.Try, x.try) {
			t.Errorf("%v: %+v", x.err, f)
		}
	}
}

// TestLostSteps names the checkpoint that is missing, and says where none was written that none was.
func TestLostSteps(t *testing.T) {
	o := options(t, 2)
	settings, err := settingsOf(&o)
	if err != nil {
		t.Fatal(err)
	}
	o.Resume, o.Launcher, o.Checkpoints = ResumeAuto, LauncherLocal, shelf{}
	for _, c := range []struct {
		saved []run.Checkpoint
		want  []string
	}{
		{nil, []string{"53 steps", "none was written yet", "--restart-from-scratch"}},
		{[]run.Checkpoint{{Step: 20, Path: "/ck/20"}, {Step: 53, Path: "/ck/53"}},
			[]string{"53 steps", "saved as /ck/53", "--resume PATH", "--restart-from-scratch"}},
	} {
		state := run.State{Settings: settings, Phase: run.Stopped, Step: 53, Checkpoints: c.saved}
		_, err := takeUp(state, settings, &o)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Checkpoint {
			t.Fatalf("%v, want exit %d", err, failure.Checkpoint)
		}
		for _, w := range c.want {
			if text := f.What + "\n" + f.Why + "\n" + f.Try; !strings.Contains(text, w) {
				t.Errorf("%q is not in\n%s", w, text)
			}
		}
	}
}

// TestPassedOver: checkpoints that do not verify are told of when an older one is taken.
func TestPassedOver(t *testing.T) {
	o := options(t, 2)
	settings, err := settingsOf(&o)
	if err != nil {
		t.Fatal(err)
	}
	o.Resume, o.Checkpoints = ResumeAuto, shelf{newest: &pb.CheckpointInfo{Step: 5, Path: "c5"},
		refused: []string{"c9 is half a file"}}
	b, err := takeUp(run.State{}, settings, &o)
	if err != nil || len(b.refused) != 1 || b.step != 5 {
		t.Errorf("%+v, %v", b, err)
	}
}
