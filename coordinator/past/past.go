// Package past tells of runs from their directories alone: which there are under a directory, what became of each, and
// the Status that its coordinator would give if it still lived.
//
// Everything is read anew at each call and nothing is kept; nothing is written but by Remove.
//
// # When it fails
//
// A directory that says too little, or what cannot be read, is a run in the state Damaged, with the reason. Status
// returns a *failure.Failure for it. Remove refuses what it must not touch and changes nothing then; when the disk
// fails in the middle, what is left can be removed again.
package past

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/coordinator"
	"byol/coordinator/raftnode"
	"byol/internal/failure"
	pb "byol/proto"
)

// State is what became of a run.
type State string

// The states.
const (
	Running  State = "running"  // a process of this machine has it in hand
	Stopped  State = "stopped"  // the same command goes on with it
	Finished State = "finished" // all its steps are done
	Failed   State = "failed"
	Damaged  State = "damaged" // its files do not say
)

// Run is what a list of runs shows of one.
type Run struct {
	Name, Dir string
	State     State
	// Reason says more about the state, "" for nothing.
	Reason string
	// Status is what the files say; nil when they are damaged, and while the run goes on: its coordinator knows more.
	Status *pb.Status
	// Bytes are those of all files in the directory.
	Bytes int64
	// Seen is when a file in the directory was last written.
	Seen time.Time
}

// marks are files by which a directory is known as one of a run.
func marks() []string {
	return []string{coordinator.ConfigFile, coordinator.SettingsFile, coordinator.CardFile, coordinator.StatusFile,
		filepath.Join(coordinator.RaftDir, "raft.db")}
}

// IsRun reports whether a directory holds a run, or what is left of one.
func IsRun(dir string) bool {
	return slices.ContainsFunc(marks(), func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	})
}

// List looks at each run under dir, the newest first. A directory that is not there holds none.
func List(dir string) ([]Run, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &failure.Failure{What: "cannot look for runs in " + dir, Why: err.Error(),
			Try:  "--dir with another place",
			Code: failure.Usage}
	}
	var runs []Run
	for _, e := range entries {
		if sub := filepath.Join(dir, e.Name()); e.IsDir() && IsRun(sub) {
			runs = append(runs, Look(sub))
		}
	}
	slices.SortStableFunc(runs, func(a, b Run) int { return b.Seen.Compare(a.Seen) })
	return runs, nil
}

// Look says what became of the run in dir.
func Look(dir string) Run {
	r := Run{Dir: dir, Name: filepath.Base(dir)}
	if full, err := filepath.Abs(dir); err == nil {
		r.Name = filepath.Base(full)
	}
	r.measure()
	if InHand(dir) {
		r.State = Running
		return r
	}
	st, err := Status(dir)
	if err == nil {
		err = takable(dir)
	}
	if err != nil {
		var f *failure.Failure
		r.State, r.Reason = Damaged, err.Error()
		if errors.As(err, &f) {
			r.Reason = f.Why
		}
		return r
	}
	r.State, r.Reason, r.Status = outcome(st), st.StateReason, st
	return r
}

func outcome(st *pb.Status) State {
	switch st.State {
	case pb.RunState_RUN_STATE_COMPLETED:
		return Finished
	case pb.RunState_RUN_STATE_FAILED:
		return Failed
	}
	return Stopped
}

// takable says why the log that a run would go on from is none.
func takable(dir string) error {
	name := filepath.Join(dir, coordinator.RaftDir, "raft.db")
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("%s/raft.db is gone", coordinator.RaftDir)
	case info.Size() == 0:
		return fmt.Errorf("%s/raft.db is empty", coordinator.RaftDir)
	}
	return nil
}

// InHand reports whether a process of this machine coordinates the run in dir. A coordinator that lives has left its
// card: the lock is looked at only then, as whoever looks at it has it for a moment.
func InHand(dir string) bool {
	if _, err := coordinator.ReadCard(dir); err != nil {
		return false
	}
	release, err := raftnode.Hold(filepath.Join(dir, coordinator.RaftDir))
	if err == nil {
		release()
	}
	return errors.Is(err, raftnode.ErrLocked)
}

// measure adds up the files, without following links.
func (r *Run) measure() {
	_ = filepath.WalkDir(r.Dir, func(_ string, d fs.DirEntry, err error) error { // what cannot be looked at counts nothing
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // the rest counts all the same
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			r.Bytes += info.Size()
			if info.ModTime().After(r.Seen) {
				r.Seen = info.ModTime()
			}
		}
		return nil
	})
}

// Config reads what the workers of a run were told.
func Config(dir string) (*pb.RunConfig, error) {
	config := &pb.RunConfig{}
	text, err := os.ReadFile(filepath.Join(dir, coordinator.ConfigFile))
	if err == nil {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, config)
	}
	if err == nil && (config.Samples < 1 || config.Shards < 1 || config.BatchSize < config.Shards) {
		err = errors.New("it names no images, batch or shards")
	}
	if err != nil {
		return nil, &failure.Failure{What: dir + " is not the directory of a run", Why: err.Error(),
			Try: "the directory that --run-dir named, as in runs/NAME", Code: failure.Usage}
	}
	return config, nil
}
