package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byol/coordinator/report"
	"byol/coordinator/trace"
	pb "byol/proto"
)

// tracedRun is a run directory with steps 1 to 10 of two workers, and an event within step 5.
func tracedRun(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Unix(1_700_000_000, 0)
	for step := range int64(10) {
		for rank, name := range []string{"worker-0", "worker-1"} {
			at := began.Add(time.Duration(step) * time.Second)
			if err := l.Add(&pb.TraceRecord{Worker: name, Rank: int32(rank), Host: "h", Generation: 1, Step: step,
				OffsetNanos: int64(rank) * int64(time.Second), Trace: &pb.Trace{BeginUnixNanos: at.UnixNano(),
					Names: []string{"forward"}, Spans: []*pb.Span{{Micros: 900_000}}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	now := began.Add(4500 * time.Millisecond)
	r, err := report.Open(dir, 0, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Event(r.Happened("worker-lost", "worker-1", "no heartbeat")); err != nil {
		t.Fatal(err)
	}
	if err := r.Step(report.Step{Step: 1, Time: report.At(began.Add(time.Second))}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTraceCommand writes the steps that were asked for, with the marks of their time.
func TestTraceCommand(t *testing.T) {
	dir := tracedRun(t)
	path := filepath.Join(t.TempDir(), "t.json")
	code, out, errs := command("trace", dir, "--steps", "5:6", "-o", path)
	if code != 0 || !strings.Contains(out, "steps 5 to 6 of 2 workers: 4 spans, 1 mark") ||
		!strings.Contains(out, "clocks differed by up to 1s") || !strings.Contains(out, "ui.perfetto.dev") {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	code, piped, _ := command("trace", dir, "--steps", "5:6", "-o", "-")
	if code != 0 || piped != string(text) || !json.Valid(text) ||
		!strings.Contains(piped, `"text":"worker-1: no heartbeat"`) {
		t.Errorf("exit %d, on standard output\n%s\nin the file\n%s", code, piped, text)
	}
}

// TestTraceCommandRefuses what cannot be shown, in words.
func TestTraceCommandRefuses(t *testing.T) {
	dir, empty := tracedRun(t), t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{dir}, "trace needs steps|there are steps 1 to 10|--steps 6:10"},
		{[]string{dir, "--steps", "100:110"}, "the trace has no steps 100:110|it has steps 1 to 10"},
		{[]string{dir, "--steps", "0"}, "the trace has no steps 0"},
		{[]string{dir, "--steps", "9:3"}, "ends before it begins|--steps 3:9"},
		{[]string{dir, "--steps", "1-3\x1b"}, `--steps cannot be|FIRST:LAST`},
		{[]string{dir, "--steps", "99999999999999999999"}, "--steps cannot be"},
		{[]string{empty, "--steps", "1"}, "there is no trace in|workers tell"},
		{[]string{filepath.Join(empty, "none"), "--steps", "1"}, "there is no run in|runs ls"},
		{[]string{dir, "--steps", "1", "-o", filepath.Join(empty, "no", "t.json")}, "cannot be written|-o with a file"},
		{nil, "wants one run directory"},
	} {
		code, out, errs := command(append([]string{"trace"}, c.args...)...)
		for part := range strings.SplitSeq(c.want, "|") {
			if code != 2 || out != "" || !strings.Contains(errs, part) || strings.Contains(errs, "\x1b") {
				t.Errorf("trace %q: exit %d, %q, want %q in\n%s", c.args, code, out, part, errs)
			}
		}
	}
}
