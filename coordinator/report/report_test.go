package report

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func clock() func() time.Time {
	at := time.Unix(1700000000, 500_000_000)
	return func() time.Time { return at }
}

func open(t *testing.T, dir string, step int64) *Report {
	t.Helper()
	r, err := Open(dir, step, clock())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func steps(t *testing.T, r *Report, from, to int64, loss float64) {
	t.Helper()
	for s := from; s <= to; s++ {
		if err := r.Step(Step{Step: s, Time: At(r.now()), Loss: loss, LR: 0.5,
			Phases: map[string]float64{"forward": 1}}); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// summary lists step:loss of each line, step:-n of one that says that n are missing.
func summary(t *testing.T, path string) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(read(t, path)) {
		var s Step
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%s: %q: %v", path, line, err)
		}
		var gap Missing
		if err := json.Unmarshal([]byte(line), &gap); err == nil && gap.Missing > 0 {
			s.Loss = float64(-gap.Missing)
		}
		out = append(out, fmt.Sprintf("%d:%v", s.Step, s.Loss))
	}
	return strings.Join(out, " ")
}

// TestResume runs 5 steps, then resumes behind step 3, and after a torn line.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	metrics := filepath.Join(dir, MetricsFile)
	r := open(t, dir, 0)
	steps(t, r, 1, 5, 1)
	for _, s := range []int64{0, 3, 4} {
		if err := r.Evaluation(Evaluation{Step: s, Measures: []Measure{{"knn_top1", 0.5, 2}}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := r.Event(r.Happened("joined", "w", fmt.Sprint("event ", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir, 3)
	if got, want := summary(t, metrics), "1:1 2:1 3:1"; got != want {
		t.Errorf("after resume: %s, want %s", got, want)
	}
	steps(t, r, 4, 5, 2)
	if err := r.Event(r.Happened("resumed", "", "again")); err != nil {
		t.Fatal(err)
	}
	if got := r.Events(1, 10); len(got) != 3 || got[0].ID != 2 || got[2].ID != 4 || got[2].Type != "resumed" {
		t.Errorf("events after 1: %+v", got)
	}
	if got := r.Events(0, 2); len(got) != 2 || got[0].ID != 1 {
		t.Errorf("two events: %+v", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(metrics, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"step":6,"lo`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r = open(t, dir, 5)
	steps(t, r, 6, 6, 3)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := summary(t, metrics), "1:1 2:1 3:1 4:2 5:2 6:3"; got != want {
		t.Errorf("metrics: %s, want %s", got, want)
	}
	superseded := read(t, filepath.Join(dir, "metrics.superseded.jsonl"))
	if n := strings.Count(superseded, `"loss":1`); n != 2 || !strings.Contains(superseded, `{"step":6,"lo`) {
		t.Errorf("superseded lines: %s", superseded)
	}
	if got := strings.Count(read(t, filepath.Join(dir, EvaluationsFile)), "\n"); got != 2 {
		t.Errorf("%d evaluations are left, want those of steps 0 and 3", got)
	}
	if boards, _ := filepath.Glob(filepath.Join(dir, "events.out.tfevents.1700000000.*")); len(boards) != 3 {
		t.Errorf("event files: %v", boards)
	}
}

type boardEvent struct {
	wall    float64
	step    int64
	version string
	start   bool
	values  map[string]float32
}

// parseBoard reads an event file, independently of how it was written.
func parseBoard(t *testing.T, data []byte) []boardEvent {
	t.Helper()
	var events []boardEvent
	for len(data) > 0 {
		n := binary.LittleEndian.Uint64(data)
		body := data[12 : 12+n]
		for _, c := range []struct {
			of  []byte
			sum uint32
		}{{data[:8], binary.LittleEndian.Uint32(data[8:])}, {body, binary.LittleEndian.Uint32(data[12+n:])}} {
			if maskedCRC(c.of) != c.sum {
				t.Fatalf("record %d: checksum", len(events))
			}
		}
		data = data[16+n:]
		e := boardEvent{values: map[string]float32{}}
		fields(t, body, func(num protowire.Number, u uint64, b []byte) {
			switch num {
			case 1:
				e.wall = math.Float64frombits(u)
			case 2:
				e.step = int64(u)
			case 3:
				e.version = string(b)
			case 5:
				fields(t, b, func(_ protowire.Number, _ uint64, value []byte) {
					tag := ""
					fields(t, value, func(num protowire.Number, u uint64, b []byte) {
						if num == 1 {
							tag = string(b)
						} else {
							e.values[tag] = math.Float32frombits(uint32(u))
						}
					})
				})
			case 7:
				e.start = bytes.Equal(b, []byte{8, 1})
			}
		})
		events = append(events, e)
	}
	return events
}

func fields(t *testing.T, b []byte, visit func(protowire.Number, uint64, []byte)) {
	t.Helper()
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		b = b[n:]
		var u uint64
		var s []byte
		switch kind {
		case protowire.VarintType:
			u, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			u, n = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			u = uint64(v)
		default:
			s, n = protowire.ConsumeBytes(b)
		}
		if n < 0 {
			t.Fatalf("field %d: %v", num, protowire.ParseError(n))
		}
		visit(num, u, s)
		b = b[n:]
	}
}

func TestBoard(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 7)
	step := Step{Step: 8, Loss: 1.5, LR: 0.25, Tau: 0.99, Std: 0.75, ImagesPerSecond: 300}
	if err := r.Step(step); err != nil {
		t.Fatal(err)
	}
	if err := r.Evaluation(Evaluation{Step: 8, Measures: []Measure{{"knn_top1", 0.5, 2}}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Evaluation(Evaluation{Step: 9, Error: "no data"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("event files %v, %v", files, err)
	}
	data := []byte(read(t, files[0]))
	// The first 12 bytes of every file that TensorFlow writes: the length 24 and its masked checksum.
	if want := "\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7fK\""; string(data[:12]) != want {
		t.Errorf("header % x, want % x", data[:12], want)
	}
	events := parseBoard(t, data)
	if len(events) != 4 || events[0].version != fileVersion || events[0].wall != 1700000000.5 {
		t.Fatalf("events %+v", events)
	}
	if !events[1].start || events[1].step != 8 {
		t.Errorf("session start %+v", events[1])
	}
	want := map[string]float32{"train/loss": 1.5, "train/lr": 0.25, "train/tau": 0.99, "train/embedding_std": 0.75,
		"perf/images_per_second": 300, "train/probe_loss": 0}
	for tag, v := range want {
		if got, ok := events[2].values[tag]; !ok || got != v {
			t.Errorf("%s = %v %v, want %v", tag, got, ok, v)
		}
	}
	if events[3].values["eval/knn_top1"] != 0.5 || events[3].step != 8 {
		t.Errorf("evaluation %+v", events[3])
	}
}

func TestManyEventsStayBounded(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	for range 3 * eventsKept {
		if err := r.Event(r.Happened("image-unreadable", "", "x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.recent); n >= 2*eventsKept || n < eventsKept {
		t.Errorf("%d events in memory", n)
	}
	if got := r.Events(3*eventsKept-1, 5); len(got) != 1 || got[0].ID != 3*eventsKept {
		t.Errorf("last event %+v", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "x\x00"), 0, clock()); err == nil {
		t.Error("a directory that cannot be was opened")
	}
}

// TestLinesOfAnyLength opens a report whose events hold a line of two megabytes, as somebody's message once could.
func TestLinesOfAnyLength(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	for _, text := range []string{"before", strings.Repeat("x", 2<<20), "after"} {
		if err := r.Event(r.Happened("worker-refused", "w", text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir, 0)
	defer r.Close()
	got := r.Events(0, 10)
	if len(got) != 3 || got[2].Text != "after" || len(got[1].Text) != 2<<20 {
		t.Errorf("%d events", len(got))
	}
}

// TestEvaluationLine has a line for each kind of evaluation, with the keys in their order.
func TestEvaluationLine(t *testing.T) {
	for _, c := range []struct {
		e    Evaluation
		want string
	}{
		{Evaluation{Step: 3}, `{"step":3}`},
		{Evaluation{Step: 3, Time: At(clock()())}, `{"step":3,"time":"2023-11-14T22:13:20.500Z"}`},
		{Evaluation{Step: 4, Measures: []Measure{{"knn_top1", 0.5, 20}, {"pixels_top1", 0.25, 20}}},
			`{"step":4,"queries":20,"knn_top1":0.5,"pixels_top1":0.25}`},
		{Evaluation{Step: 5, Error: `no "data"`}, `{"step":5,"error":"no \"data\""}`},
		{Evaluation{Measures: []Measure{{`li"near`, 1, 7}}}, `{"step":0,"queries":7,"li\"near":1}`},
	} {
		got, err := json.Marshal(c.e)
		if err != nil || string(got) != c.want {
			t.Errorf("%+v: %s %v, want %s", c.e, got, err, c.want)
		}
	}
	if _, err := json.Marshal(Evaluation{Measures: []Measure{{"a", math.NaN(), 1}}}); err == nil {
		t.Error("a line with a number that JSON does not have was made")
	}
}

// TestFill completes the curves of a coordinator that led some of the steps, with what it knows of the others, and says
// of the rest that they are missing.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	metrics := filepath.Join(dir, MetricsFile)
	known := func(step int64) (Agreed, bool) {
		loss := float64(step) / 10
		if step == 7 {
			loss = math.NaN()
		}
		return Agreed{Step: step, Time: At(clock()()), Loss: loss, LR: 0.5, Digest: "ab"}, step != 5 && step != 6
	}
	fill := func(r *Report, step int64) {
		t.Helper()
		if whole := r.Complete(step); whole {
			t.Errorf("nothing is missing up to step %d", step)
		}
		if err := r.Fill(step, known); err != nil || !r.Complete(step) {
			t.Errorf("fill up to %d: %v", step, err)
		}
	}
	r := open(t, dir, 2) // it never led before
	fill(r, 2)
	steps(t, r, 3, 4, 1)
	if !r.Complete(4) {
		t.Error("what was led is missing")
	}
	fill(r, 9) // of steps 5 and 6 nothing is known
	steps(t, r, 12, 12, 2)
	if err := r.Rewind(8); err != nil {
		t.Fatal(err)
	}
	if !r.Complete(8) || r.Complete(9) {
		t.Error("after going back to step 8 there are lines of other steps")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir, 9)
	fill(r, 9)
	steps(t, r, 12, 12, 2)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := summary(t, metrics), "1:0.1 2:0.2 3:1 4:1 6:-2 7:0 8:0.8 9:0.9 11:-2 12:2"; got != want {
		t.Errorf("the curve is %s, want %s", got, want)
	}
	first := `{"step":1,"time":"2023-11-14T22:13:20.500Z","epoch":0,"loss":0.1,"lr":0.5,"tau":0,` +
		`"digest":"ab","from_log":true}`
	if text := read(t, metrics); !strings.HasPrefix(text, first) {
		t.Errorf("the first line is %.120s", text)
	}
	h, err := Read(dir)
	if err != nil || len(h.Steps) != 8 || h.Missing != 4 || h.FromLog != 5 || h.Unreadable != 0 {
		t.Errorf("read back: %d steps, %+v, %v", len(h.Steps), h, err)
	}
}

// TestOneCount: the last step, the evaluation after it and TensorBoard's points have one number, the count of steps
// that are committed, and lines of programs that counted from 0 are counted anew when their run goes on.
func TestOneCount(t *testing.T) {
	dir := t.TempDir()
	old := `{"step":0,"epoch":0.5,"loss":7}` + "\n" + `{"step":1,"epoch":1,"loss":8}` + "\n" +
		`{"step":2,"epoch":2,"loss":9}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, MetricsFile), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	if h, err := Read(dir); err != nil || len(h.Steps) != 3 || h.Steps[0].Step.Step != 1 || h.Steps[2].Loss != 9 {
		t.Errorf("an old file is read as %+v, %v", h.Steps, err)
	}
	for range 2 { // the second time nothing is left to change
		if err := open(t, dir, 2).Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir, 2)
	steps(t, r, 3, 3, 5)
	if err := r.Evaluation(Evaluation{Step: 3, Measures: []Measure{{"knn_top1", 0.5, 2}}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(dir, MetricsFile))
	if !strings.HasPrefix(text, `{"step":1,"time":null,"epoch":0.5,"loss":7}`+"\n"+`{"step":2,"time":null,`) ||
		!strings.Contains(text, `{"step":3,"time":"2023-11-14T22:13:20.500Z",`) {
		t.Errorf("the file is now\n%s", text)
	}
	h, err := Read(dir)
	if err != nil || len(h.Steps) != 3 || len(h.Evaluations) != 1 {
		t.Fatalf("read back %+v, %v", h, err)
	}
	if last, e := h.Steps[2].Step, h.Evaluations[0]; last.Step != 3 || e.Step != 3 || !last.Time.Time().Equal(clock()()) ||
		!e.Time.Time().Equal(clock()()) || e.Measures[0] != (Measure{"knn_top1", 0.5, 2}) {
		t.Errorf("step %+v, evaluation %+v", last, e)
	}
}

// TestPace is the time of the steps that have one, also after the report was opened again.
func TestPace(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	for i := range int64(4) {
		if err := r.Step(Step{Step: i + 1, Seconds: float64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if n, s := r.Pace(); n != 3 || s != 6 {
			t.Errorf("%d steps in %v s, want 3 in 6 s", n, s)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = open(t, dir, 4)
	}
	defer r.Close()
	h, err := Read(dir)
	if n, s := h.Pace(); err != nil || n != 3 || s != 6 {
		t.Errorf("read back: %d steps in %v s, %v", n, s, err)
	}
}

// TestReadDamaged takes what can be understood of files that a crash or a person left.
func TestReadDamaged(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		MetricsFile: "\x00\x00\n" + `{"step":5,"time":null,"loss":1}` + "\n[]\n" + `{"step":4,"time":null,"loss":2}` +
			"\n" + `{"st`,
		EvaluationsFile: "{}{}\n" + `{"step":5,"knn_top1":"x","a":0.5}`,
		EventsFile:      `{"id":0}` + "\n" + `{"id":7,"type":"note","text":"x"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, err := Read(dir)
	if err != nil || len(h.Steps) != 1 || h.Steps[0].Loss != 2 || len(h.Evaluations) != 1 || len(h.Events) != 1 ||
		h.Unreadable != 5 {
		t.Errorf("read %+v, %v", h, err)
	}
	if h, err := Read(filepath.Join(dir, "none")); err != nil || len(h.Steps) != 0 {
		t.Errorf("of a directory that is not there: %+v, %v", h, err)
	}
	if err := os.Remove(filepath.Join(dir, MetricsFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, MetricsFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if h, err := Read(dir); err == nil || len(h.Events) != 1 {
		t.Errorf("metrics that are a directory: %+v, %v", h, err)
	}
}
