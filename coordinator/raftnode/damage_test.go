package raftnode

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"byol/coordinator/run"
)

// manyPages is a log of some pages with a snapshot, as a run leaves it.
func manyPages(t *testing.T, dir string) {
	t.Helper()
	n := open(t, dir)
	for i := range 100 {
		if i == 60 {
			if err := n.raft.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		_ = n.Propose(t.Context(), run.Fail{Reason: strings.Repeat("x", 200)}) // refused, and in the log
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyTree(t *testing.T, from, to string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(filepath.Join(to, rel), 0o755))
		}
		text, err := os.ReadFile(path)
		if d.Name() != "lock" {
			files = append(files, filepath.Join(to, rel))
		}
		return errors.Join(err, os.WriteFile(filepath.Join(to, rel), text, 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// damage changes one of the files as a disk or a hand could, and says how.
func damage(t *testing.T, r *rand.Rand, files []string) string {
	t.Helper()
	path := files[0]
	for _, f := range files {
		if filepath.Base(f) == storeFile {
			path = f
		}
	}
	if r.IntN(4) == 0 {
		path = files[r.IntN(len(files))]
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	what := ""
	switch k := r.IntN(6); k {
	case 0:
		n := r.IntN(len(text))
		text, what = text[:n], fmt.Sprintf("cut to %d", n)
	case 1:
		i := r.IntN(len(text))
		text[i] ^= 1 << r.IntN(8)
		what = fmt.Sprintf("a bit of byte %d", i)
	case 2:
		for range 32 {
			text[r.IntN(len(text))] ^= 1 << r.IntN(8)
		}
		what = "32 bits"
	case 3, 4:
		page := r.IntN(1+len(text)/4096) * 4096
		for i := page; i < min(len(text), page+4096); i++ {
			text[i] = byte(r.Uint32()) * byte(k-3) // noise, or zeros
		}
		what = fmt.Sprintf("page at %d, kind %d", page, k)
	case 5:
		from, to := r.IntN(1+len(text)/4096)*4096, r.IntN(1+len(text)/4096)*4096
		copy(text[to:min(len(text), to+4096)], text[from:])
		what = fmt.Sprintf("page at %d over that at %d", from, to)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path) + ": " + what
}

// TestDamage opens 150 logs that are damaged at random: none makes the program panic. Each opens with all that was
// committed, or at most without what a torn last write would cost, too; or it is refused, and what is moved aside
// leaves room for a new one.
func TestDamage(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "raft")
	manyPages(t, whole)
	good := open(t, whole)
	want := good.Info().CommitIndex
	if err := good.Close(); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for seed := range uint64(150) {
		dir := filepath.Join(t.TempDir(), "raft")
		how := damage(t, rand.New(rand.NewPCG(seed, 9)), copyTree(t, whole, dir))
		n, err := Open(t.Context(), options(dir))
		var damaged *DamagedError
		var version *VersionError
		switch {
		case err == nil:
			outcomes["opened"]++
			if err := lead(t, n); err != nil {
				t.Errorf("seed %d, %s: %v", seed, how, err)
			}
			if got := n.Info().CommitIndex; got < want-1 {
				t.Errorf("seed %d, %s: it opened with %d entries of %d", seed, how, got, want)
			}
		case errors.As(err, &damaged):
			outcomes["damaged"]++
			to, moveErr := MoveAside(damaged.Dir)
			if !damaged.Alone || moveErr != nil || to != dir+".damaged-1" {
				t.Errorf("seed %d, %s: %+v, moved to %s, %v", seed, how, damaged, to, moveErr)
			}
			n = open(t, dir)
		case errors.As(err, &version):
			outcomes["version"]++
		default:
			t.Errorf("seed %d, %s: %v", seed, how, err)
		}
		if n != nil {
			if err := n.Close(); err != nil {
				t.Errorf("seed %d, %s: close: %v", seed, how, err)
			}
		}
	}
	t.Log(outcomes)
	if outcomes["damaged"] < 50 || outcomes["opened"] < 5 {
		t.Errorf("outcomes %v", outcomes)
	}
}

// TestOneOfSeveralIsNotBegunAnew has a damaged log whose owner has peers.
func TestOneOfSeveralIsNotBegunAnew(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c")
		beginSteps(t, c.leader())
		c.stop("a")
		path := filepath.Join(c.dirs["a"], storeFile)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []int{0, 5000} {
			if err := os.WriteFile(path, text[:cut], 0o644); err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), c.options("a"))
			var damaged *DamagedError
			if !errors.As(err, &damaged) || damaged.Alone {
				t.Errorf("cut to %d: %v, want a DamagedError of one among several", cut, err)
			}
		}
	})
}

// TestCheckBoltBelievesWhatBboltWrites compares the check with bbolt's own, on files that grow and shrink.
func TestCheckBoltBelievesWhatBboltWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		err := db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{"large", "small"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				for range 100 {
					key := fmt.Appendf(nil, "%04d", r.IntN(3000))
					if name == "small" && string(key) > "0001" {
						continue
					}
					if r.IntN(3) == 0 {
						err = b.Delete(key)
					} else {
						err = b.Put(key, make([]byte, r.IntN(9000)/(1+r.IntN(50))))
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkBolt(text); err != nil {
			t.Fatalf("after round %d: %v", round, err)
		}
	}
}

// FuzzCheckBolt looks for bytes that make the check panic.
func FuzzCheckBolt(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		f.Fatal(err)
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(_ *testing.T, file []byte) { _ = checkBolt(file) })
}

// disk is a store that fails or stalls.
type disk struct {
	*raft.InmemStore
	err   error
	stall chan struct{}
}

func newDisk() *disk { return &disk{InmemStore: raft.NewInmemStore()} }

func (d *disk) StoreLogs(l []*raft.Log) error {
	if d.stall != nil {
		<-d.stall
	}
	if d.err != nil {
		return d.err
	}
	return d.InmemStore.StoreLogs(l)
}

// TestDiskFailures says of each error of a disk what it is, and fails for good.
func TestDiskFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		full bool
	}{
		{&os.PathError{Op: "write", Path: "raft.db", Err: syscall.ENOSPC}, true},
		{fmt.Errorf("file resize error: %s", syscall.ENOSPC), true},
		{&os.PathError{Op: "write", Path: "raft.db", Err: syscall.EIO}, false},
	} {
		d := newDisk()
		s := newStore(d, make(chan struct{}))
		if err := s.StoreLog(&raft.Log{Index: 1}); err != nil {
			t.Fatal(err)
		}
		d.err = c.err
		var disk *DiskError
		if err := s.StoreLog(&raft.Log{Index: 2}); !errors.As(err, &disk) || errors.Is(err, ErrFull) != c.full {
			t.Errorf("%v became %v", c.err, err)
		}
		d.err = nil
		if err := s.StoreLog(&raft.Log{Index: 2}); !errors.As(err, &disk) {
			t.Errorf("it wrote again after %v: %v", c.err, err)
		}
		select {
		case <-s.failed:
		default:
			t.Error("nobody was told")
		}
	}
}

// TestStalledDisk has a write that takes a minute: a leader is told after ten seconds, a follower is not.
func TestStalledDisk(t *testing.T) {
	for _, leads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			d.stall = make(chan struct{})
			s := newStore(d, make(chan struct{}))
			s.leads.Store(leads)
			began := time.Now()
			time.AfterFunc(time.Minute, func() { close(d.stall) })
			told := time.Duration(0)
			go func() {
				<-s.failed
				told = time.Since(began)
			}()
			err := s.StoreLog(&raft.Log{Index: 1})
			synctest.Wait()
			if leads && (told != stall || !errors.Is(err, ErrStalled)) || !leads && err != nil {
				t.Errorf("leads %v: told after %v, %v", leads, told, err)
			}
			if !leads {
				_ = s.fail(ErrStalled) // ends the watcher
			}
		})
	}
}

// TestSumsCoverWhereAnEntryStands changes each part of an entry, and each value.
func TestSumsCoverWhereAnEntryStands(t *testing.T) {
	d := newDisk()
	s := newStore(d, make(chan struct{}))
	whole := raft.Log{Index: 3, Term: 2, Type: raft.LogNoop, Data: []byte("data")}
	if err := s.StoreLog(&whole); err != nil {
		t.Fatal(err)
	}
	var got raft.Log
	if err := s.GetLog(3, &got); err != nil || string(got.Data) != "data" || got.Term != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, change := range map[string]func(*raft.Log){
		"term": func(l *raft.Log) { l.Term++ }, "type": func(l *raft.Log) { l.Type = raft.LogBarrier },
		"data": func(l *raft.Log) { l.Data[0]++ }, "length": func(l *raft.Log) { l.Data = l.Data[:3] },
	} {
		var l raft.Log
		if err := d.GetLog(3, &l); err != nil {
			t.Fatal(err)
		}
		l.Data = append([]byte(nil), l.Data...)
		change(&l)
		if err := d.InmemStore.StoreLogs([]*raft.Log{&l}); err != nil {
			t.Fatal(err)
		}
		if err := s.GetLog(3, &got); !errors.Is(err, errSum) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.StoreLog(&whole); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetUint64(keyTerm, 7); err != nil {
		t.Fatal(err)
	}
	if n, err := s.GetUint64(keyTerm); n != 7 || err != nil {
		t.Errorf("term %d, %v", n, err)
	}
	if v, err := d.Get(keyTerm); err != nil || d.Set(keyVote, v) != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(keyVote); !errors.Is(err, errSum) {
		t.Errorf("a value of another key: %v", err)
	}
}
