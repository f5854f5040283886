package raftnode

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"hash/crc64"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"byol/coordinator/run"
	"byol/internal/network/memory"
)

func options(dir string) Options {
	return Options{Dir: dir, ID: "node-0", ElectionTimeout: 50 * time.Millisecond, Log: zap.NewNop()}
}

// lead waits until n leads and has applied its log.
func lead(t *testing.T, n *Node) error {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		term, changed := n.Leadership()
		if term > 0 {
			return n.Barrier()
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatal("nobody was elected in 10 s")
		}
	}
}

func open(t *testing.T, dir string) *Node {
	t.Helper()
	n, err := Open(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := lead(t, n); err != nil {
		t.Fatal(err)
	}
	return n
}

// life is a run of two workers up to its second step; the last command is refused.
func life() []run.Command {
	settings := run.Settings{RunID: "r", Workers: 2, MinWorkers: 1, Shards: 4, TotalSteps: 9, EndStep: 9, SaveEvery: 1,
		VerifyEvery: 3, Evaluates: true, Config: []byte{1, 2, 255}}
	commands := []run.Command{
		run.Create{Settings: settings},
		run.Join{Member: run.Member{ID: "a", Wished: -1, Address: "h:1"}},
		run.Leave{Worker: "a", Reason: "gone"},
		run.Join{Member: run.Member{ID: "a", Wished: 1, Incarnation: "x"}},
		run.Prepare{Worker: "a"}, run.Form{Generation: 1}, run.Regroup{Generation: 2, Reason: "ring"},
		run.Limit{Worker: "a", MaxShards: 4, Reason: "memory"},
		run.Started{Generation: 4, Target: math.MaxUint64},
		run.EvalDone{Generation: 4, Evaluation: run.Evaluation{Counts: []run.Count{{Name: "knn", Correct: 1, Total: 3}}}},
		run.Commit{Record: run.Record{Generation: 4, Target: math.MaxUint64 - 1, Loss: 0.1, Momentum: 1 << 63}},
		run.Saved{Checkpoint: run.Checkpoint{Step: 1, Path: "c1", SHA256: "ff"}},
		run.Pause{Request: "p"}, run.Resume{Request: "q"}, run.RequestSave{Request: "s"},
		run.Commit{Record: run.Record{Step: 1, Generation: 4, Target: 7, Loss: math.SmallestNonzeroFloat64}},
		run.Saved{Checkpoint: run.Checkpoint{Step: 2}, Error: "disk full"},
		run.Stop{Request: "t", Reason: "asked", Code: 5},
		run.Fail{Reason: "lost", Code: 4},
		run.TakeUp{Settings: settings},
		run.Rewind{Settings: settings, Checkpoint: &run.Checkpoint{Step: 1, Path: "c1"}},
		run.Depart{Worker: "a"},
		run.Commit{Record: run.Record{Step: 7, Generation: 4}},
	}
	return commands
}

// fill sets every field of v, at any depth, to a value of its own.
func fill(v reflect.Value, next *int) {
	*next++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), next)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), next)
	case reflect.String:
		v.SetString(fmt.Sprint("s", *next))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*next))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(*next))
	case reflect.Float64:
		v.SetFloat(float64(*next) + 0.5)
	default:
		panic("fill: a field of kind " + v.Kind().String())
	}
}

// declaredCommands are the names of the types in coordinator/run that are a run.Command.
func declaredCommands(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join("..", "run", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "apply" {
				continue
			}
			if receiver, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
				names[receiver.Name] = true
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("found the commands %v in run, want at least 20", names)
	}
	return names
}

// TestEveryFieldIsWritten sends each command and the state, with a value of its own in every field, through the codec:
// a field that the messages forget comes back as zero.
func TestEveryFieldIsWritten(t *testing.T) {
	next := 0
	declared := declaredCommands(t)
	for _, c := range []run.Command{run.Create{}, run.Join{}, run.Leave{}, run.Started{}, run.Commit{}, run.Pause{},
		run.Resume{}, run.RequestSave{}, run.Saved{}, run.EvalDone{}, run.Stop{}, run.Fail{}, run.Rewind{},
		run.Form{}, run.Regroup{}, run.Prepare{}, run.TakeUp{}, run.Depart{}, run.Limit{}, run.Balance{}, run.Surpass{}} {
		delete(declared, reflect.TypeOf(c).Name())
		v := reflect.New(reflect.TypeOf(c)).Elem()
		fill(v, &next)
		want := v.Interface().(run.Command)
		entry, err := encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(entry)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%T:\ngot  %+v %v\nwant %+v", c, got, err, want)
		}
	}
	for name := range declared {
		t.Errorf("run.%s is a command that this test does not try: add it here, and to proto/log.proto and entry.go", name)
	}
	var s run.State
	fill(reflect.ValueOf(&s).Elem(), &next)
	if got := state(stateMessage(&s)); !reflect.DeepEqual(got, s) {
		t.Errorf("state:\ngot  %+v\nwant %+v", got, s)
	}
}

// TestEntriesAreSmall bounds what a step costs the log: no command of a usual life is as large as a disk's block.
func TestEntriesAreSmall(t *testing.T) {
	for _, c := range life() {
		entry, err := encode(c)
		if err != nil || len(entry) > 256 {
			t.Errorf("%T takes %d bytes, %v", c, len(entry), err)
		}
	}
}

// TestTooMuchIsNotProposed has texts that would make an entry nobody reads, or that are no texts at all.
func TestTooMuchIsNotProposed(t *testing.T) {
	for name, c := range map[string]run.Command{
		"64 KiB": run.Fail{Reason: strings.Repeat("x", entryBytes)}, "not UTF-8": run.Fail{Reason: "caf\xe9"},
	} {
		if _, err := encode(c); !errors.Is(err, run.ErrInvalid) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

// TestTheVersionBeforeIsRead has an entry and a snapshot as the program before wrote them.
func TestTheVersionBeforeIsRead(t *testing.T) {
	entry, err := encode(run.Stop{Reason: "asked"})
	if err != nil {
		t.Fatal(err)
	}
	body := entry[entryHeader:]
	entry = append(binary.LittleEndian.AppendUint32([]byte{4}, crc32.Checksum(body, castagnoli)), body...)
	if got, err := decode(entry); err != nil || got != (run.Stop{Reason: "asked"}) {
		t.Errorf("decoded as %+v, %v", got, err)
	}
	var state run.State
	if err := state.Apply(life()[0]); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeSnapshot(&b, &state); err != nil {
		t.Fatal(err)
	}
	snapshot := b.Bytes()
	snapshot[0] = 4
	sum := sha256.Sum256(snapshot[snapshotHeader:])
	copy(snapshot[9:], sum[:])
	if got, err := readSnapshot(bytes.NewReader(snapshot)); err != nil || got.Settings.RunID != state.Settings.RunID {
		t.Errorf("read as %+v, %v", got, err)
	}
}

// TestUnknownBytesAreRefused has entries that are damaged, of the version before, or of a later one.
func TestUnknownBytesAreRefused(t *testing.T) {
	whole, err := encode(run.Leave{Worker: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, entry string
		version     int // of the VersionError that is wanted, 0 for another error
	}{
		{"nothing", "", 0}, {"no command", sealed(""), 0}, {"no protobuf", sealed("{}"), 0}, {"no checksum", "\x04", 0},
		{"a flipped bit", string(flip(whole, 7)), 0}, {"a flipped bit of the checksum", string(flip(whole, 2)), 0},
		{"cut off", string(whole[:len(whole)-1]), 0},
		{"too long", string(whole) + strings.Repeat("x", entryBytes), 0},
		{"a command that is not known", sealed("\xf2\x06\x00"), 0},
		{"a field that is not known", sealed(string(whole[entryHeader:]) + "\xf8\x06\x01"), 0},
		{"such a field inside", sealed("\x1a\x06\x0a\x01a\xf8\x06\x01"), 0},
		{"JSON of version 1", "\x01{\"kind\":\"fail\",\"command\":{\"Reason\":\"x\",\"Code\":4}}", 1},
		{"version 2", "\x02\x1a\x03\x0a\x01a", 2}, {"version 3", "\x03abc", 3}, {"version 6", "\x06abc", 6},
	} {
		got, err := decode([]byte(c.entry))
		var version *VersionError
		if !errors.Is(err, ErrFormat) || errors.As(err, &version) != (c.version > 0) {
			t.Errorf("%s: decoded as %+v, %v", c.name, got, err)
		}
		if version != nil && version.Have != c.version {
			t.Errorf("%s: %v, want version %d", c.name, err, c.version)
		}
	}
}

// sealed is an entry whose checksum is right.
func sealed(body string) string {
	return string(binary.LittleEndian.AppendUint32([]byte{Version}, entrySum(Version, []byte(body)))) + body
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
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s: -want +got:\n%s", when, diff)
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
	if info := n.Info(); info.LeaderID != "node-0" || info.Term == 0 || info.CommitIndex == 0 {
		t.Errorf("info %+v", info)
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
	if _, err := Open(t.Context(), options(dir)); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v, want %v", err, ErrLocked)
	}
	if _, err := Open(t.Context(), options(filepath.Join(dir, "raft.db", "x"))); err == nil {
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
	n, err := Open(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var version *VersionError
	if err := lead(t, n); !errors.As(err, &version) || version.Have != 9 {
		t.Errorf("leading with a log from the future: %v", err)
	}
}

// TestSnapshotOfAnotherVersion opens a log whose only snapshot is of the version before.
func TestSnapshotOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	if err := n.Propose(t.Context(), life()[0]); err != nil {
		t.Fatal(err)
	}
	if err := n.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil || len(files) != 1 {
		t.Fatalf("snapshots %v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	whole[0] = 1
	if err := os.WriteFile(files[0], whole, 0o644); err != nil {
		t.Fatal(err)
	}
	var version *VersionError
	meta := filepath.Join(filepath.Dir(files[0]), "meta.json")
	if err := reseal(meta, whole); err != nil {
		t.Fatal(err)
	}
	if n, err := Open(t.Context(), options(dir)); !errors.As(err, &version) || version.What != "snapshot" ||
		version.Have != 1 {
		t.Errorf("open: %v %v, want a VersionError of version 1", n, err)
	}
}

// reseal writes the checksum of a snapshot's bytes where raft looks for it.
func reseal(meta string, state []byte) error {
	text, err := os.ReadFile(meta)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	fields["CRC"] = binary.BigEndian.AppendUint64(nil, crc64.Checksum(state, crc64.MakeTable(crc64.ECMA)))
	if text, err = json.Marshal(fields); err != nil {
		return err
	}
	return os.WriteFile(meta, text, 0o644)
}

// TestOpenDoesNotWait opens a node that nobody votes for: it is there, it shows its state, it leads nothing, and it
// can be closed.
func TestOpenDoesNotWait(t *testing.T) {
	o := options(t.TempDir())
	o.Network, o.Listen = memory.New().Host("h"), "h:1"
	o.Peers = map[string]string{o.ID: "h:1", "node-1": "other:1"} // who never comes
	n, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if term, _ := n.Leadership(); term != 0 {
		t.Errorf("it leads term %d", term)
	}
	if s, _ := n.View(); s.Phase != "" {
		t.Errorf("state %+v", s)
	}
	if err := n.Barrier(); err == nil {
		t.Error("a node that does not lead passed a barrier")
	}
	if err := n.Propose(t.Context(), life()[0]); !errors.Is(err, ErrNotDone) {
		t.Errorf("propose: %v, want %v", err, ErrNotDone)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// TestTermsRise has a node elected, closed and elected again: each time it leads a later term.
func TestTermsRise(t *testing.T) {
	dir, last := t.TempDir(), uint64(0)
	for range 3 {
		n := open(t, dir)
		term, _ := n.Leadership()
		if term <= last {
			t.Errorf("term %d after %d", term, last)
		}
		last = term
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnyStateSurvivesASnapshot draws commands in any order: the state that they leave, whatever it is, is the same
// after a snapshot, and goes on to the same.
func TestAnyStateSurvivesASnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lives := life()
		var s run.State
		apply := func(state *run.State, n int) {
			c := lives[n]
			if k, ok := c.(run.Commit); ok { // the next one, so that steps are reached
				k.Record.Generation, k.Record.Step = state.Generation, state.Step
				c = k
			}
			if k, ok := c.(run.Started); ok {
				k.Generation, k.Step, k.Target = state.Generation, state.Step, state.Target
				c = k
			}
			_ = state.Apply(c) // refusals are part of it
		}
		order := rapid.SliceOfN(rapid.IntRange(0, len(lives)-1), 1, 40).Draw(t, "commands")
		for _, n := range append([]int{0}, order...) {
			apply(&s, n)
		}
		var buf bytes.Buffer
		if err := writeSnapshot(&buf, &s); err != nil {
			t.Fatal(err)
		}
		got, err := readSnapshot(&buf)
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		for i, n := range append([]int{len(lives) - 1}, order...) {
			if diff := cmp.Diff(s, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("after %d more commands: -want +got:\n%s", i, diff)
			}
			apply(&s, n)
			apply(&got, n)
		}
	})
}
