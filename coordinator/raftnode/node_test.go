package raftnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/run"
)

func open(t *testing.T, dir string) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := Open(ctx, dir, "node-0", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// life is a run of two workers up to its second step; the last command is refused.
func life() []run.Command {
	settings := run.Settings{RunID: "r", Workers: 2, Shards: 4, TotalSteps: 9, EndStep: 9, SaveEvery: 1,
		Evaluates: true, Config: []byte{1, 2, 255}}
	commands := []run.Command{
		run.Create{Settings: settings},
		run.Join{Member: run.Member{ID: "a", Wished: -1, Address: "h:1"}},
		run.Leave{Worker: "a", Reason: "gone"},
		run.Join{Member: run.Member{ID: "a", Wished: 1, Incarnation: "x"}},
		run.Join{Member: run.Member{ID: "b", Wished: 0}},
		run.Started{Generation: 4, Target: math.MaxUint64},
		run.EvalDone{Generation: 4, Evaluation: run.Evaluation{Queries: 3, PixelsCorrect: -1}},
		run.Commit{Record: run.Record{Generation: 4, Target: math.MaxUint64 - 1, Loss: 0.1, Momentum: 1 << 63}},
		run.Saved{Checkpoint: run.Checkpoint{Step: 1, Path: "c1", SHA256: "ff"}},
		run.Pause{Request: "p"}, run.Resume{Request: "q"}, run.RequestSave{Request: "s"},
		run.Commit{Record: run.Record{Step: 1, Generation: 4, Target: 7, Loss: math.SmallestNonzeroFloat64}},
		run.Saved{Checkpoint: run.Checkpoint{Step: 2}, Error: "disk full", FailCode: 7},
		run.Stop{Request: "t", Reason: "asked"},
		run.Fail{Reason: "lost", Code: 4},
		run.Rewind{Settings: settings, Checkpoint: &run.Checkpoint{Step: 1, Path: "c1"}},
		run.Commit{Record: run.Record{Step: 7, Generation: 4}},
	}
	return commands
}

func TestCommandsSurviveTheCodec(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range life() {
		entry, err := encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if len(entry) > 4096 {
			t.Errorf("%T takes %d bytes", c, len(entry))
		}
		got, err := decode(entry)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%T: got %+v %v, want %+v", c, got, err, c)
		}
		seen[reflect.TypeOf(c).Name()] = true
	}
	if len(seen) != len(kinds) {
		t.Errorf("%d commands tested of %d: %v", len(seen), len(kinds), seen)
	}
	huge := run.Fail{Reason: strings.Repeat("x", entryBytes)}
	if _, err := encode(huge); err == nil {
		t.Error("an entry of 64 KiB was encoded")
	}
}

func TestUnknownBytesAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "\x01", "\x02{}", "\x01{\"kind\":\"commit\"}", "\x01{\"kind\":\"dance\",\"command\":{}}",
		"\x01{\"kind\":\"fail\",\"command\":{\"Reason\":\"x\",\"Colour\":1}}", "\x01{\"kind\":\"fail\",\"command\":{}} {}",
	} {
		if c, err := decode([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: decoded as %+v, %v", text, c, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range life() {
		entry, err := encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		c, err := decode(entry)
		if err != nil {
			return
		}
		var s run.State
		_ = s.Apply(c) // must not panic, whatever the values
		if err := s.Check(); err != nil {
			t.Errorf("%+v breaks the zero state: %v", c, err)
		}
	})
}

// TestSnapshotAtEachPrefix writes and reads the state after each command, then damages the bytes.
func TestSnapshotAtEachPrefix(t *testing.T) {
	var s run.State
	for i, c := range life() {
		_ = s.Apply(c) // the refused command is part of the life
		var buf bytes.Buffer
		if err := writeSnapshot(&buf, &s); err != nil {
			t.Fatal(err)
		}
		whole := buf.Bytes()
		got, err := readSnapshot(bytes.NewReader(whole))
		if err != nil {
			t.Fatalf("after command %d: %v", i, err)
		}
		var again bytes.Buffer
		if err := writeSnapshot(&again, &got); err != nil || !bytes.Equal(again.Bytes(), whole) {
			t.Fatalf("after command %d: read %+v, want %+v (%v)", i, got, s, err)
		}
		for _, damaged := range [][]byte{whole[:len(whole)-1], append(bytes.Clone(whole), 0), flip(whole, 0),
			flip(whole, 3), flip(whole, 20), flip(whole, len(whole)/2), nil} {
			if _, err := readSnapshot(bytes.NewReader(damaged)); err == nil {
				t.Fatalf("after command %d: a damaged snapshot was read", i)
			}
		}
	}
}

func flip(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

// TestRestart proposes a life, restarting in the middle and at the end, from the log and from a snapshot.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	var want run.State
	check := func(when string) {
		t.Helper()
		got, _ := n.View()
		if !reflect.DeepEqual(got.Clone(), want.Clone()) {
			t.Fatalf("%s:\ngot  %+v\nwant %+v", when, got, want)
		}
	}
	for i, c := range life() {
		_, changed := n.View()
		errWant := want.Apply(c)
		if err := n.Propose(t.Context(), c); fmt.Sprint(err) != fmt.Sprint(errWant) {
			t.Fatalf("%+v: %v, want %v", c, err, errWant)
		}
		select {
		case <-changed:
		default:
			t.Fatalf("the state changed and nobody was told, at command %d", i)
		}
		check("after a command")
		if i == 8 {
			if err := n.raft.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		if i == 5 || i == 11 {
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			n = open(t, dir)
			check("after a restart")
		}
	}
	if info := n.Info(); !n.IsLeader() || info.LeaderID != "node-0" || info.Term == 0 || info.CommitIndex == 0 {
		t.Errorf("leader %v, info %+v", n.IsLeader(), info)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Propose(t.Context(), life()[0]); !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNotDone) {
		t.Errorf("proposal to a closed node: %v", err)
	}
}

func TestOneProcessPerLog(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	defer n.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := Open(ctx, dir, "node-0", zap.NewNop()); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v, want %v", err, ErrLocked)
	}
	if _, err := Open(ctx, filepath.Join(dir, "raft.db", "x"), "node-0", zap.NewNop()); err == nil {
		t.Error("a log below a file was opened")
	}
}

// TestEntryOfANewerVersion shows that an entry nobody understands stops the node instead of being skipped.
func TestEntryOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	future := n.raft.Apply([]byte("\x09future"), time.Second)
	if err := outcome(future); !errors.Is(err, ErrFormat) {
		t.Errorf("apply of an unknown entry: %v", err)
	}
	if err := n.Propose(t.Context(), life()[0]); !errors.Is(err, ErrFormat) {
		t.Errorf("proposal after it: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, "node-0", zap.NewNop()); !errors.Is(err, ErrFormat) {
		t.Errorf("open of a log from the future: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "raft.db")); err != nil {
		t.Error(err)
	}
}
