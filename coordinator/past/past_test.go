package past

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator"
	"byol/coordinator/raftnode"
	"byol/coordinator/report"
	"byol/internal/failure"
	pb "byol/proto"
)

var config = &pb.RunConfig{RunId: "r", Samples: 40, Shards: 4, BatchSize: 8, TotalSteps: 10, BaseLr: 0.4, BaseTau: 0.9}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// made is the directory of a run that ended after so many steps, without a word.
func made(t *testing.T, name string, steps int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	text, err := protojson.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, coordinator.ConfigFile), string(text))
	write(t, filepath.Join(dir, coordinator.RaftDir, "raft.db"), "x")
	write(t, filepath.Join(dir, coordinator.RaftDir, "lock"), "")
	at := time.Unix(1_700_000_000, 0)
	r, err := report.Open(dir, 0, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	keep := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keep(r.Event(r.Happened("coordinator-started", "", "a new run")))
	keep(r.Evaluation(report.Evaluation{Measures: []report.Measure{{Name: "knn_top1", Ratio: 0.125, Of: 8},
		{Name: "pixels_top1", Ratio: 0.25, Of: 8}}}))
	for s := range steps {
		at = at.Add(2 * time.Second)
		keep(r.Step(report.Step{Step: s + 1, Time: report.At(at), Loss: float64(s), Std: 0.75, Seconds: 2, ImagesPerSecond: 5,
			Phases: map[string]float64{"forward": 0.5, "data": 1.5}}))
	}
	keep(r.Evaluation(report.Evaluation{Step: steps, Measures: []report.Measure{{Name: "knn_top1", Ratio: 0.5, Of: 8}}}))
	keep(r.Event(r.Happened("image-unreadable", "w", "image 3 cannot be read")))
	keep(r.Close())
	return dir
}

// leave writes the status of a coordinator that ended in order.
func leave(t *testing.T, dir string, st *pb.Status) {
	t.Helper()
	text, err := protojson.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, coordinator.StatusFile), string(text))
}

// TestRebuilt is the status of a run that was killed: all that its files say, under the names of a live one.
func TestRebuilt(t *testing.T) {
	dir := made(t, "run", 4)
	st, err := Status(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, l, speed := st.Progress, st.Learning, st.Throughput
	if st.RunId != "r" || st.State != pb.RunState_RUN_STATE_STOPPED ||
		!strings.Contains(st.StateReason, "without a word") ||
		st.RunDir != dir {
		t.Errorf("state %v, %q", st.State, st.StateReason)
	}
	if p.Step != 4 || p.TargetSteps != 10 || p.Epoch != 0.8 || p.UnreadableImages != 1 ||
		p.Elapsed.AsDuration() != 8*time.Second {
		t.Errorf("progress %v", p)
	}
	if l.Loss != 3 || l.EmbeddingStdRatio != 0.75 || !l.KnnKnown || l.KnnStep != 4 || l.KnnTop1Ratio != 0.5 ||
		l.KnnUntrainedTop1Ratio != 0.125 || l.KnnPixelsTop1Ratio != 0.25 {
		t.Errorf("learning %v", l)
	}
	if speed.ImagesPerSecond != 5 || speed.MeanImagesPerSecond != 4 || speed.MeanSteps != 4 || len(speed.Phases) != 2 ||
		speed.Phases[0].Phase != "data" || speed.Phases[0].Ratio != 0.75 {
		t.Errorf("throughput %v", speed)
	}
	if st, err := Status(made(t, "run", 10)); err != nil || st.State != pb.RunState_RUN_STATE_COMPLETED {
		t.Errorf("with all its steps it is %v, %v", st.GetState(), err)
	}
}

// TestLeft: what a coordinator left counts, as long as it can be read.
func TestLeft(t *testing.T) {
	dir := made(t, "run", 4)
	leave(t, dir, &pb.Status{RunId: "r", State: pb.RunState_RUN_STATE_FAILED, StateReason: "no number",
		RunDir: "/where/it/was", AsOf: timestamppb.Now(), Progress: &pb.Progress{Step: 4}})
	if st, err := Status(dir); err != nil || st.StateReason != "no number" || st.RunDir != dir {
		t.Errorf("%v, %v", st, err)
	}
	write(t, filepath.Join(dir, coordinator.StatusFile), `{"run_id": "r", "sta`)
	if st, err := Status(dir); err != nil || st.Progress.Step != 4 || st.State != pb.RunState_RUN_STATE_STOPPED {
		t.Errorf("with a torn status: %v, %v", st, err)
	}
}

// TestStates has a run in each state, beside what is no run.
func TestStates(t *testing.T) {
	all := t.TempDir()
	place := func(name string, change func(dir string)) {
		t.Helper()
		dir := made(t, name, 4)
		change(dir)
		if err := os.Rename(dir, filepath.Join(all, name)); err != nil {
			t.Fatal(err)
		}
	}
	end := func(s pb.RunState) func(string) {
		return func(dir string) { leave(t, dir, &pb.Status{RunId: "r", State: s}) }
	}
	place("killed", func(string) {})
	place("signalled", end(pb.RunState_RUN_STATE_STOPPED))
	place("left-early", end(pb.RunState_RUN_STATE_WAITING_FOR_WORKERS))
	place("done", end(pb.RunState_RUN_STATE_COMPLETED))
	place("nan", end(pb.RunState_RUN_STATE_FAILED))
	place("no-config", func(dir string) { write(t, filepath.Join(dir, coordinator.ConfigFile), "{") })
	place("no-log", func(dir string) { _ = os.Remove(filepath.Join(dir, coordinator.RaftDir, "raft.db")) })
	place("empty-log", func(dir string) { write(t, filepath.Join(dir, coordinator.RaftDir, "raft.db"), "") })
	place("stale-card", func(dir string) { write(t, filepath.Join(dir, coordinator.CardFile), `{"address":"a:1"}`) })
	place("live", func(dir string) { write(t, filepath.Join(dir, coordinator.CardFile), `{"address":"a:1"}`) })
	release, err := raftnode.Hold(filepath.Join(all, "live", coordinator.RaftDir))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	write(t, filepath.Join(all, "notes", "metrics.jsonl"), "{}")
	write(t, filepath.Join(all, "file"), "")
	if err := os.Symlink(filepath.Join(all, "done"), filepath.Join(all, "link")); err != nil {
		t.Fatal(err)
	}
	runs, err := List(all)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]State{}
	for _, r := range runs {
		got[r.Name] = r.State
		if (r.Status == nil) != (r.State == Running || r.State == Damaged) || r.Bytes == 0 || r.Seen.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	want := map[string]State{"killed": Stopped, "signalled": Stopped, "left-early": Stopped, "done": Finished,
		"nan":       Failed,
		"no-config": Damaged, "no-log": Damaged, "empty-log": Damaged, "stale-card": Stopped, "live": Running}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("states %v, want %v", got, want)
	}
	if runs, err := List(filepath.Join(all, "none")); err != nil || len(runs) != 0 {
		t.Errorf("where nothing is: %v, %v", runs, err)
	}
}

// TestRemove removes a run with its links, and nothing that they name.
func TestRemove(t *testing.T) {
	dir := made(t, "run", 2)
	outside := t.TempDir()
	write(t, filepath.Join(outside, "photo.jpg"), "x")
	for from, to := range map[string]string{"checkpoints": outside, "incidents/photo": filepath.Join(outside, "photo.jpg"),
		"up": ".."} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, from)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	beside := filepath.Join(filepath.Dir(dir), "beside")
	write(t, beside, "x")
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run is still there: %v", err)
	}
	for _, kept := range []string{filepath.Join(outside, "photo.jpg"), beside} {
		if _, err := os.Stat(kept); err != nil {
			t.Errorf("what a link named is gone: %v", err)
		}
	}
}

// TestRefuseToRemove leaves alone what must stay, whole.
func TestRefuseToRemove(t *testing.T) {
	dir := made(t, "run", 2)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	plain := t.TempDir()
	write(t, filepath.Join(plain, "thesis.txt"), "x")
	refused := func(dir, why string) {
		t.Helper()
		err := Remove(dir)
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Why, why) || f.Try == "" {
			t.Errorf("%s: %v, want a refusal because %q", dir, err, why)
		}
	}
	refused(link, "it is a link")
	refused(link+"/", "it is a link")
	refused(plain, "it holds no run")
	refused(filepath.Join(plain, "thesis.txt"), "no directory")
	refused(filepath.Join(plain, "none"), "no such directory")
	release, err := raftnode.Hold(filepath.Join(dir, coordinator.RaftDir))
	if err != nil {
		t.Fatal(err)
	}
	refused(dir, "its log is in use")
	write(t, filepath.Join(dir, coordinator.CardFile), `{"address":"a:1"}`)
	refused(dir, "the run is going on")
	release()
	t.Chdir(filepath.Join(dir, coordinator.RaftDir))
	refused(dir, "the working directory is in it")
	refused("..", "the working directory is in it")
	if _, err := Config(dir); err != nil {
		t.Errorf("the run was touched: %v", err)
	}
}

// TestNoRun: what is no run's directory has no status.
func TestNoRun(t *testing.T) {
	dir := t.TempDir()
	text, err := json.Marshal(map[string]int{"samples": 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", string(text)} {
		if content != "" {
			write(t, filepath.Join(dir, coordinator.ConfigFile), content)
		}
		var f *failure.Failure
		if _, err := Status(dir); !errors.As(err, &f) || f.Code != failure.Usage {
			t.Errorf("config %q: %v", content, err)
		}
	}
}
