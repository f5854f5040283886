package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "byol/proto"
)

// began is when step 1 begins; each step takes 100 ms.
var began = time.Unix(1_700_000_000, 0)

const stepTime = 100 * time.Millisecond

// told is what a worker tells with the result of a step (an index) whose clock is behind by offset: the end of the step
// before, and most of the step.
func told(worker string, rank int, step, generation int64, offset time.Duration) *pb.TraceRecord {
	t := &pb.Trace{BeginUnixNanos: began.Add(time.Duration(step)*stepTime - 20*time.Millisecond - offset).UnixNano(),
		Names: []string{"commit", "data", "forward", "sync", "backward", "bucket", "odd"}}
	for _, s := range [][4]int64{{0, 0, 15, -1}, {1, 15, 5, 0}, {2, 20, 30, 0},
		{3, 50, 10, 0}, {4, 60, 40, 0}, {5, 70, 40, 0},
		{6, 100, 5, 0}} {
		t.Spans = append(t.Spans, &pb.Span{Name: uint32(s[0]), BeginMicros: 1000 * s[1], Micros: 1000 * s[2], Ahead: s[3]})
	}
	return &pb.TraceRecord{Worker: worker, Rank: int32(rank), Host: "h", Generation: generation, Step: step,
		OffsetNanos: offset.Nanoseconds(), UncertainNanos: int64(time.Millisecond), Trace: t}
}

func kept(t *testing.T, dir string, records ...*pb.TraceRecord) {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := l.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func steps(t *testing.T, dir string) []int64 {
	t.Helper()
	all, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for _, r := range all {
		out = append(out, r.Step)
	}
	return out
}

// TestLogIsReadBack over restarts, and after crashes that tear or damage the last record at each of its bytes.
func TestLogIsReadBack(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, told("a", 0, 0, 1, 0), told("a", 0, 1, 1, 0))
	path := filepath.Join(dir, File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept(t, dir, told("a", 0, 2, 1, 0))
	if all, err := Read(dir); err != nil || len(all) != 3 || !proto.Equal(all[2], told("a", 0, 2, 1, 0)) {
		t.Fatalf("%v, %v", all, err)
	}
	longer, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole) + 1; n < len(longer); n += 7 {
		for _, text := range [][]byte{longer[:n], append(slices.Clone(longer[:n]), make([]byte, len(longer)-n)...)} {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := steps(t, dir); !slices.Equal(got, []int64{0, 1}) {
				t.Fatalf("torn at %d of %d: steps %v", n, len(longer), got)
			}
			kept(t, dir, told("a", 0, 3, 1, 0))
			if got := steps(t, dir); !slices.Equal(got, []int64{0, 1, 3}) {
				t.Fatalf("torn at %d, and gone on with: steps %v", n, got)
			}
		}
	}
}

// TestLogIsBounded to two files, of which it keeps the newest steps, in order.
func TestLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	one := told("a", 0, 0, 1, 0)
	l.most = 5 * int64(proto.Size(one)+headBytes)
	for step := range int64(40) {
		if err := l.Add(told("a", 0, step, 1, 0)); err != nil {
			t.Fatal(err)
		}
		got := steps(t, dir)
		if got[len(got)-1] != step || len(got) > 10 || step > 9 && len(got) < 5 || !slices.IsSorted(got) {
			t.Fatalf("after step %d: %v", step, got)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{File, Older} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() > l.most+64 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if all, err := Read(t.TempDir()); err != nil || len(all) != 0 {
		t.Errorf("of nothing: %v, %v", all, err)
	}
}

// TestWhole refuses what no worker says.
func TestWhole(t *testing.T) {
	good := func() *pb.Trace { return told("a", 0, 0, 1, 0).Trace }
	if !Whole(good()) || Whole(nil) {
		t.Fatal("a good one, or none")
	}
	for name, spoil := range map[string]func(*pb.Trace){
		"a name that is not there": func(x *pb.Trace) { x.Spans[0].Name = 7 },
		"before its begin":         func(x *pb.Trace) { x.Spans[0].BeginMicros = -1 },
		"a negative length":        func(x *pb.Trace) { x.Spans[0].Micros = -1 },
		"for ever":                 func(x *pb.Trace) { x.Spans[0].Micros = 1 << 62 },
		"in ages":                  func(x *pb.Trace) { x.Spans[0].BeginMicros = 1 << 62 },
		"before 1970":              func(x *pb.Trace) { x.BeginUnixNanos = -1 },
		"names":                    func(x *pb.Trace) { x.Names = make([]string, mostNames+1) },
		"spans":                    func(x *pb.Trace) { x.Spans = slices.Repeat(x.Spans, 1000) },
	} {
		x := good()
		if spoil(x); Whole(x) {
			t.Errorf("%s: taken", name)
		}
	}
}

// loaded is a file of Write, as a reader of the format sees it.
type loaded struct {
	TraceEvents []struct {
		Name, Ph, Cat, S string
		TS, Dur          int64
		PID, TID         int
		Args             map[string]any
	}
}

func load(t *testing.T, text []byte) (l loaded) {
	t.Helper()
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return l
}

// TestWrite has two workers, one of whose clocks is an hour ahead and one of which said one step twice: on one time
// line, each span once, threads in the order of a step, and marks of the time of these steps alone.
func TestWrite(t *testing.T) {
	var records []*pb.TraceRecord
	for step := range int64(6) {
		records = append(records, told("worker-1", 1, step, 2, -time.Hour), told("worker-0", 0, step, 2, 0))
	}
	records = append(records, told("worker-0", 0, 3, 2, 0)) // again
	var out bytes.Buffer
	marks := []Mark{{began.Add(-time.Minute), "long-before", ""}, {began.Add(3 * stepTime), "commit of step 3", "loss 1"},
		{began.Add(350 * time.Millisecond), "worker-lost", "\"x\"\n"}, {began.Add(time.Hour), "long-after", ""}}
	shown, err := Write(&out, records, Range{3, 4}, marks)
	if err != nil {
		t.Fatal(err)
	}
	if shown.Workers != 2 || shown.Spans != 2*2*7 || shown.Marks != 2 || shown.Offset != time.Hour ||
		shown.Uncertain != time.Millisecond {
		t.Errorf("%+v", shown)
	}
	l := load(t, out.Bytes())
	begins := map[string]int64{} // of a worker's spans, by worker, name and step
	names := map[string]string{}
	var seen []string
	for _, e := range l.TraceEvents {
		switch e.Ph {
		case "M":
			names[fmt.Sprintf("%s %d.%d", e.Name, e.PID, e.TID)] = fmt.Sprint(e.Args["name"])
		case "X":
			begins[fmt.Sprintf("%d %s %v", e.PID, e.Name, e.Args["step"])] = e.TS
			if e.TS < 0 || e.Dur <= 0 || names[fmt.Sprintf("thread_name %d.%d", e.PID, e.TID)] == "" {
				t.Errorf("span %+v", e)
			}
		case "i":
			seen = append(seen, e.Name)
			if e.S != "g" || e.PID != 1 {
				t.Errorf("mark %+v", e)
			}
		}
	}
	if !slices.Equal(seen, []string{"commit of step 3", "worker-lost"}) {
		t.Errorf("marks %v", seen)
	}
	if names["process_name 2.0"] != "worker-0 (rank 0) on h" || names["process_name 3.0"] != "worker-1 (rank 1) on h" ||
		names["thread_name 2.1"] != "waiting for data" || names["thread_name 2.14"] != "other" {
		t.Errorf("names %v", names)
	}
	for key, at := range begins {
		if rest, ok := strings.CutPrefix(key, "2 "); ok && begins["3 "+rest] != at {
			t.Errorf("%s begins at %d on worker-0, at %d on worker-1", rest, at, begins["3 "+rest])
		}
	}
	if got := begins["2 forward 4"] - begins["2 forward 3"]; got != stepTime.Microseconds() {
		t.Errorf("a step is %d µs", got)
	}
	if shown, err := Write(&out, records, Range{100, 110}, marks); err != nil || shown.Spans != 0 {
		t.Errorf("steps that are not there: %+v, %v", shown, err)
	}
}

// TestWriteFails as its writer does.
func TestWriteFails(t *testing.T) {
	if _, err := Write(full{}, []*pb.TraceRecord{told("a", 0, 0, 1, 0)}, Range{1, 1}, nil); err == nil {
		t.Error("a full disk is no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrInvalid }

// TestGathering makes a chart of a step once all workers have told of the next, at most once a second, and begins anew
// with another generation or when steps are run again.
func TestGathering(t *testing.T) {
	var g Gathering
	at := began
	add := func(worker string, rank int, step, generation int64, later time.Duration) *Chart {
		at = at.Add(later)
		return g.Add(told(worker, rank, step, generation, 0), at)
	}
	for _, c := range []struct {
		worker           string
		rank             int
		step, generation int64
		later            time.Duration
		want             int64 // step of the chart, 0: none
	}{
		{"a", 0, 0, 1, time.Second, 0},
		{"b", 1, 0, 1, 0, 0},
		{"a", 0, 1, 1, 0, 0},
		{"b", 1, 1, 1, 0, 1},
		{"a", 0, 2, 1, 0, 0},
		{"b", 1, 2, 1, 0, 0}, // a moment ago there was one
		{"a", 0, 3, 1, 2 * time.Second, 0},
		{"b", 1, 3, 1, 0, 3},
		{"a", 0, 4, 2, 2 * time.Second, 0}, // alone in another generation
		{"a", 0, 5, 2, 0, 5},
		{"a", 0, 0, 3, 2 * time.Second, 0}, // again from the start
		{"a", 0, 1, 3, 0, 1},
	} {
		got := add(c.worker, c.rank, c.step, c.generation, c.later)
		if (got == nil) != (c.want == 0) || got != nil && (got.Step != c.want || got.Generation != c.generation) {
			t.Errorf("%+v: chart %+v", c, got)
		}
		if len(g.records) > 2*stepsGathered {
			t.Fatalf("%d records are kept", len(g.records))
		}
	}
}

// TestChart counts what each worker spent, and its cells are those of the spans: a step of 120 ms, from waiting for
// data to the commit, in 600 cells.
func TestChart(t *testing.T) {
	spans := distinct([]*pb.TraceRecord{told("b", 1, 4, 1, 0), told("a", 0, 4, 1, 0), told("a", 0, 5, 1, 0),
		told("b", 1, 5, 1, 0)})
	c := draw(spans, 5, 1)
	if c == nil || len(c.Rows) != 2 || c.Rows[0].Worker != "a" || c.Micros != 100_000 || len(c.Kinds) != 11 {
		t.Fatalf("%+v", c)
	}
	for _, r := range c.Rows {
		want := []int{0, 0, 30, 1, 30, 180, 2, 210, 60, 3, 270, 240, 8, 510, 90}
		if !slices.Equal(r.Main, want) || !slices.Equal(r.Beside, []int{4, 330, 240}) {
			t.Errorf("main %v, want %v; beside %v", r.Main, want, r.Beside)
		}
		if r.Spent[0] != 5000 || r.Spent[1] != 30_000 || r.Spent[4] != 40_000 || r.Spent[8] != 15_000 {
			t.Errorf("spent %v", r.Spent)
		}
	}
	if draw(spans, 9, 1) != nil || draw(spans, 5, 2) != nil {
		t.Error("a chart of nothing")
	}
}
