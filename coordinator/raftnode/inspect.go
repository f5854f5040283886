package raftnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// storeFile is the log itself.
const storeFile = "raft.db"

// Keys of raft's own in the stable store.
var (
	keyTerm     = []byte("CurrentTerm")
	keyVoteTerm = []byte("LastVoteTerm")
	keyVote     = []byte("LastVoteCand")
)

// DamagedError says that a log is not what was written. Nothing was changed.
type DamagedError struct {
	Dir string
	Err error
	// Alone says that there is no other voter: nobody knows more than this node does, and it may begin anew.
	Alone bool
}

// Error says what is wrong.
func (e *DamagedError) Error() string { return fmt.Sprintf("the raft log is damaged: %v", e.Err) }

// Unwrap is what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }

// MoveAside gives a damaged log's directory another name, which it returns: dir.damaged-1, or the next that is free.
func MoveAside(dir string) (string, error) {
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s.damaged-%d", filepath.Clean(dir), n)
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := os.Rename(dir, to); err != nil {
			return "", fmt.Errorf("move the damaged log: %w", err)
		}
		return to, nil
	}
}

// files are the parts of an open log.
type files struct {
	who       identity
	lock      *os.File
	bolt      *raftboltdb.BoltStore
	store     *store
	snapshots raft.SnapshotStore
	begun     bool // there is something in it
}

func (f *files) close() error {
	var errs []error
	if f.bolt != nil {
		errs = append(errs, f.bolt.Close())
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

// openFiles opens or makes the files in the directory. What is there is looked through first: raft and bbolt panic at
// what they do not expect.
func openFiles(o *Options, closed chan struct{}, logger hclog.Logger) (*files, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	held, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	f := &files{lock: held}
	if err := f.open(o, closed, logger); err != nil {
		_ = f.close() // the first error says more
		return nil, err
	}
	return f, nil
}

func (f *files) open(o *Options, closed chan struct{}, logger hclog.Logger) error {
	path := filepath.Join(o.Dir, storeFile)
	who, err := readIdentity(o.Dir)
	damaged := func(err error) error {
		return &DamagedError{Dir: o.Dir, Err: err, Alone: o.Listen == "" || who != nil && who.Alone}
	}
	if err != nil {
		return damaged(err)
	}
	if who != nil && who.ID != o.ID {
		return &IdentityError{Have: who.ID, Want: o.ID}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && who == nil:
	case err != nil && who == nil:
		return err
	case err != nil || info.Size() == 0:
		if who != nil {
			return damaged(fmt.Errorf("%s is gone or empty", path))
		}
	default:
		if err := checkStoreFile(path); err != nil {
			return damaged(err)
		}
	}
	err = guard(func() error {
		f.bolt, err = raftboltdb.New(raftboltdb.Options{Path: path, NoSync: !durable,
			BoltOptions: &bbolt.Options{Timeout: lockTimeout}})
		return err
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return ErrLocked
	case errors.Is(err, errPanic) || errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum):
		return damaged(err)
	case err != nil:
		return err
	}
	f.store = newStore(f.bolt, closed)
	f.store.points = o.Points
	if f.snapshots, err = raft.NewFileSnapshotStoreWithLogger(o.Dir, snapshotsKept, logger); err != nil {
		return err
	}
	var version *VersionError
	err = guard(func() error { return f.inspect(o.Dir, who == nil) })
	if err != nil && !errors.As(err, &version) {
		return damaged(err)
	}
	if err != nil {
		return err
	}
	if who == nil {
		fresh := newIdentity(o.ID, o.alone())
		who = &fresh
		if err := who.write(o.Dir); err != nil {
			return err
		}
	}
	f.who = *who
	return nil
}

func checkStoreFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := checkBolt(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// errPanic is wrapped by what guard caught.
var errPanic = errors.New("it makes its reader panic")

// guard calls f, which reads what may be damaged, and makes an error of a panic.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	return f()
}

// inspect reads everything that raft will, before raft does. nameless says that the files have no identity.
func (f *files) inspect(dir string, nameless bool) error {
	var err error
	for _, key := range [][]byte{keyTerm, keyVoteTerm} {
		if value, getErr := f.bolt.Get(key); nameless && getErr == nil && len(value) == 8 {
			return &VersionError{What: "log", Have: 3} // its values have no checksums
		}
		if _, err := f.store.GetUint64(key); err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return err
		}
	}
	if _, err := f.store.Get(keyVote); err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return err
	}
	if f.begun, err = raft.HasExistingState(f.store, f.store, f.snapshots); err != nil {
		return err
	}
	if f.begun && nameless {
		return errors.New(identityFile + " is gone")
	}
	applied, err := f.newestSnapshot(dir)
	if err != nil {
		return err
	}
	return f.inspectLog(applied)
}

// newestSnapshot returns the index of the newest snapshot that can be restored, 0 where there is none and there has
// been none.
func (f *files) newestSnapshot(dir string) (uint64, error) {
	list, err := f.snapshots.List()
	if err != nil {
		return 0, err
	}
	var first error
	for _, meta := range list {
		if err = f.readSnapshot(meta.ID); err == nil {
			return meta.Index, nil
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return 0, fmt.Errorf("no snapshot can be restored: %w", first)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "snapshots", "*-*-*")); err == nil && len(found) > 0 {
		return 0, fmt.Errorf("%s is no snapshot", found[0])
	}
	return 0, nil
}

func (f *files) readSnapshot(id string) error {
	_, r, err := f.snapshots.Open(id)
	if err != nil {
		return err
	}
	_, err = readSnapshot(r)
	return errors.Join(err, r.Close())
}

// inspectLog reads every entry. Those up to applied are in the snapshot: there may be gaps among them.
func (f *files) inspectLog(applied uint64) error {
	first, err := f.store.FirstIndex()
	if err != nil {
		return err
	}
	last, err := f.store.LastIndex()
	if err != nil {
		return err
	}
	if last > 0 && first > applied+1 {
		return fmt.Errorf("its first entry is %d, its snapshot ends with %d", first, applied)
	}
	term, err := f.store.GetUint64(keyTerm)
	if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return err
	}
	if last > 0 && last-first > 1<<24 {
		return fmt.Errorf("it goes from %d to %d", first, last)
	}
	before := uint64(0)
	for i := first; i > 0 && i <= last; i++ {
		var l raft.Log
		err := f.store.GetLog(i, &l)
		switch {
		case errors.Is(err, raft.ErrLogNotFound) && i <= applied:
			continue
		case err != nil:
			return fmt.Errorf("read entry %d: %w", i, err)
		case l.Term < before || l.Term > term:
			return fmt.Errorf("entry %d is of term %d, after %d and before %d", i, l.Term, before, term)
		}
		before = l.Term
		if l.Type == raft.LogConfiguration {
			raft.DecodeConfiguration(l.Data) // it panics at what it cannot read
		}
	}
	return nil
}
