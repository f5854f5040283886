package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/encoder"
)

// catalogue lets the coordinator see the checkpoints that workers write.
type catalogue struct {
	dir string
	run *pb.RunConfig // nil: not of one run
}

// Newest returns the newest checkpoint that verifies. A directory with checkpoints of which none does is an
// error: to begin anew over it would hide a loss.
func (c catalogue) Newest() (newest *pb.CheckpointInfo, refused []string, err error) {
	info, problems, err := checkpoint.Newest(c.dir)
	for _, p := range problems {
		refused = append(refused, strings.TrimPrefix(p.Err.Error(), "checkpoint: "))
	}
	switch {
	case err == nil:
		if err := c.sameSums(info.Path); err != nil {
			return nil, refused, err
		}
		return checkpointInfo(info), refused, nil
	case errors.Is(err, checkpoint.ErrNone) && len(problems) == 0:
		return nil, nil, nil
	case len(problems) > 0:
		return nil, refused, checkpointFailure(problems[0].Path, problems[0].Err)
	}
	return nil, nil, checkpointFailure(c.dir, err)
}

// sameSums refuses a checkpoint that the run wrote itself when it added shards in another order. One of another run is
// where this one began, on purpose.
func (c catalogue) sameSums(path string) error {
	_, text, err := checkpoint.Config(path)
	was := &pb.RunConfig{}
	if err != nil || c.run == nil ||
		(protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), was) != nil {
		return nil // it verified: what it says of itself is not needed to go on
	}
	if was.RunId != c.run.RunId || was.SameSums(c.run) {
		return nil
	}
	return &failure.Failure{What: fmt.Sprintf("%s is of a run that adds its shards %s", short(path), was.OrderOfSums()),
		Why: fmt.Sprintf("this version adds them %s; a run keeps its order, because its bits depend on it",
			c.run.OrderOfSums()),
		Try:  "the version that wrote it; or another --run-dir with --resume " + path + ", for a new run that begins with it",
		Code: failure.Checkpoint}
}

// Open verifies the checkpoint at path.
func (c catalogue) Open(path string) (*pb.CheckpointInfo, error) {
	info, err := checkpoint.Verify(path)
	if err != nil {
		return nil, checkpointFailure(path, err)
	}
	return checkpointInfo(info), nil
}

// List returns all checkpoints, oldest first.
func (c catalogue) List() ([]*pb.CheckpointInfo, error) {
	infos, err := checkpoint.List(c.dir)
	if err != nil {
		return nil, checkpointFailure(c.dir, err)
	}
	var list []*pb.CheckpointInfo
	for _, info := range infos {
		list = append(list, checkpointInfo(info))
	}
	return list, nil
}

// Prune removes all but the newest keep.
func (c catalogue) Prune(keep int) error { return checkpoint.Prune(c.dir, keep) }

// Sees looks whether this host sees a checkpoint as its writer describes it.
func (c catalogue) Sees(k *pb.CheckpointInfo) error {
	return checkpoint.Sees(checkpoint.Info{Step: k.GetStep(), Path: k.GetPath(), Bytes: int64(k.GetSizeBytes()),
		StateSHA256: k.GetStateSha256()})
}

// Mark leaves a word in the directory.
func (c catalogue) Mark(word string) error { return checkpoint.Mark(c.dir, word) }

func checkpointInfo(i checkpoint.Info) *pb.CheckpointInfo {
	return &pb.CheckpointInfo{Step: i.Step, Path: i.Path, SizeBytes: uint64(i.Bytes), StateSha256: i.StateSHA256,
		Created: timestamppb.New(i.Created)}
}

// checkpointFailure names a checkpoint that cannot be used, and what can be tried.
func checkpointFailure(path string, err error) *failure.Failure {
	f := &failure.Failure{What: fmt.Sprintf("the checkpoint %s cannot be read", short(path)), Why: err.Error(),
		Code: failure.Checkpoint}
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.What = fmt.Sprintf("there is no checkpoint %s", short(path))
		f.Why = "no such file"
		f.Try = "coordinator checkpoints ls RUN_DIR lists what is there"
	case errors.Is(err, checkpoint.ErrInvalid) && isEncoder(path):
		f.What = fmt.Sprintf("%s is no checkpoint", short(path))
		f.Why = "it is an encoder alone, as export writes it, without the rest of a training"
		f.Try = "the run's directory or one of its checkpoints; a new run begins with an encoder by --init"
	case errors.Is(err, checkpoint.ErrInvalid):
		f.Try = "an older one: coordinator checkpoints verify RUN_DIR tells which are good, --resume PATH takes one"
	default:
		f.Try = "check the disk and the permissions of " + filepath.Dir(path)
	}
	f.Why = strings.TrimPrefix(f.Why, "checkpoint: ")
	return f
}

// isEncoder reports whether a file is an encoder that says so.
func isEncoder(path string) bool {
	_, known, err := encoder.Open(path)
	return err == nil && known
}
