package coordinator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"byol/internal/failure"
	pb "byol/proto"
)

func TestCard(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadCard(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no card: %v", err)
	}
	want := Card{Address: "10.0.0.1:7070", PID: 12, RunID: "r", Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	remove, err := want.leave(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadCard(dir); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	remove()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if _, err := want.leave(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left in a directory that is not there: %v", err)
	}
	for text, word := range map[string]string{"": "unexpected end", `{"addr`: "unexpected end", "[]": "cannot unmarshal",
		`{"pid": 3}`: "names no address"} {
		if err := os.WriteFile(filepath.Join(dir, CardFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCard(dir); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: got %v, want %q", text, err, word)
		}
	}
}

// TestRefusedStartsKeepSettings: a start that is refused leaves the settings of the run that it would have taken up.
func TestRefusedStartsKeepSettings(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	opts.Settings = []byte("seed: 1\n")
	first := begin(t, opts)
	first.until(first.client(), "its first status", func(*pb.Status) bool { return true })
	refused := func(code int, change func(*Options), word string) {
		t.Helper()
		other := opts
		other.Config = config()
		other.Settings = []byte("seed: 2\n")
		change(&other)
		begin(t, other).failed(code, word)
		if text := read(t, filepath.Join(opts.RunDir, SettingsFile)); text != "seed: 1\n" {
			t.Errorf("a start that was refused (%s) left the settings %q", word, text)
		}
	}
	refused(failure.Usage, func(*Options) {}, "another coordinator uses")
	first.cancel()
	first.failed(failure.Temporary, "stopped")
	refused(failure.Usage, func(o *Options) { o.Config.Seed++ }, "other settings")
	refused(failure.Usage, func(o *Options) { o.Resume = ResumeNever }, "holds a run already")
	refused(failure.Checkpoint, func(o *Options) { o.Resume = "/nowhere" }, "/nowhere")
}

// TestStopAtAnyMoment ends the context before the run directory is taken up, meanwhile and after: each time the run
// says that it was stopped, and the next start goes on.
func TestStopAtAnyMoment(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	for _, after := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond,
		100 * time.Millisecond, 300 * time.Millisecond} {
		c, err := New(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err = c.Run(ctx)
		cancel()
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Temporary || !strings.HasPrefix(f.What, "stopped") || f.Try == "" {
			t.Errorf("stopped after %v: %+v, want an end that says so, with code %d", after, err, failure.Temporary)
		}
	}
}

// TestStatusLeft: a run that has ended leaves the status that it showed last.
func TestStatusLeft(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	var last *pb.Status
	opts.OnProgress = func(st *pb.Status) { last = st }
	if err := os.MkdirAll(opts.RunDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(opts.RunDir, StatusFile), []byte("of an earlier end"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := full(t, opts, -1, deed{})
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	w.workers.Wait()
	st := &pb.Status{}
	if err := protojson.Unmarshal([]byte(read(t, filepath.Join(opts.RunDir, StatusFile))), st); err != nil {
		t.Fatal(err)
	}
	last.Throughput.MeanSteps, last.Throughput.MeanImagesPerSecond = 20, st.Throughput.MeanImagesPerSecond
	if !proto.Equal(st, last) || st.State != pb.RunState_RUN_STATE_COMPLETED || st.Throughput.MeanSteps != 20 ||
		st.Throughput.MeanImagesPerSecond <= 0 {
		t.Errorf("it left\n%v\nit showed\n%v", st, last)
	}
}
