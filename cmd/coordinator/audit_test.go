package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"

	"byol/coordinator/settings"
	"byol/coordinator/steplog"
	"byol/internal/failure"
	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// auditable is the directory of a run of 20 images, in batches of 8 in 4 shards, of which these steps are committed.
func auditable(t *testing.T, all ...steplog.Record) string {
	t.Helper()
	return auditableFrom(t, 0, all...)
}

// auditableFrom is auditable of a run that began with step first.
func auditableFrom(t *testing.T, first int64, all ...steplog.Record) string {
	t.Helper()
	dir := t.TempDir()
	const data = "synthetic:20,size=8,seed=1"
	found, err := inspect(t.Context(), "data", data, access{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(&pb.RunConfig{Seed: 3, BatchSize: 8, Shards: 4, Samples: 20, Data: data,
		ManifestHash: found.manifest})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := steplog.Open(dir, first)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if err := l.Follow([]steplog.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// honest is a step as workers commit it.
func honest(step, generation int64) steplog.Record {
	rules := rulesOf(&pb.RunConfig{Seed: 3, BatchSize: 8, Shards: 4, Samples: 20})
	var shards []uint64
	for v := range rules.Shards {
		shards = append(shards, vector.FoldIndices(rules.Order(step, v)))
	}
	return steplog.Record{Step: step, Generation: generation, Samples: vector.Fold(shards), Images: 8, UnixNano: step + 1}
}

func TestAuditCommand(t *testing.T) {
	other := honest(2, 1)
	other.Samples = honest(1, 1).Samples
	for _, c := range []struct {
		name  string
		steps []steplog.Record
		args  []string
		code  int
		says  []string
	}{
		{"nothing yet", nil, nil, 0, []string{"none was committed yet"}},
		{"two epochs and a half", []steplog.Record{honest(0, 1), honest(1, 1), honest(2, 1), honest(3, 1), honest(4, 1),
			honest(5, 1)},
			nil, 0, []string{"0 to 5, each committed once\n", "0 to 1 used each of 20 images exactly once",
				"the one that goes on used 8 of them", "audit    passed: 48 images used, as the order of seed 3 gives them"}},
		{"one of them", []steplog.Record{honest(0, 1), honest(1, 1), honest(2, 1), honest(3, 1), honest(4, 1)},
			[]string{"--epoch", "1"}, 0, []string{"epochs   1 used each of 20 images exactly once", "passed: 20 images"}},
		{"one that is not over", []steplog.Record{honest(0, 1), honest(1, 1)}, []string{"--epoch", "0"}, failure.Usage,
			[]string{"epoch 0 is not in the log from its first image to its last", "steps 0 to 1"}},
		{"an epoch before the first", nil, []string{"--epoch", "-3"}, failure.Usage, []string{"--epoch cannot be -3"}},
		{"run again", []steplog.Record{honest(0, 1), honest(1, 1), honest(1, 2)}, nil, 0,
			[]string{"1 step run again, with the same bits"}},
		{"a step is missing", []steplog.Record{honest(0, 1), honest(2, 1)}, nil, failure.Training,
			[]string{"audit failed: step 1 is missing", "line 3 of "}},
		{"a step is there twice", []steplog.Record{honest(0, 1), {Step: 0, Generation: 1, UnixNano: 9}}, nil,
			failure.Training,
			[]string{"step 0 was committed twice"}},
		{"other images", []steplog.Record{honest(0, 1), honest(1, 1), other}, nil, failure.Training,
			[]string{"audit failed: step 2 did not use the images that are its own"}},
	} {
		dir := auditable(t, c.steps...)
		code, out, errs := command(append([]string{"audit", dir}, c.args...)...)
		for _, words := range c.says {
			if !strings.Contains(out+errs, words) {
				t.Errorf("%s: does not say %q:\n%s%s", c.name, words, out, errs)
			}
		}
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d:\n%s", c.name, code, c.code, errs)
		}
	}
}

func TestAuditAsJSON(t *testing.T) {
	var found struct {
		Next    int64  `json:"next_step"`
		Whole   int64  `json:"whole_epochs"`
		Problem string `json:"problem"`
	}
	code, out, _ := command("audit", "-o", "json", auditable(t, honest(0, 1), honest(1, 1), honest(2, 1)))
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || found.Next != 3 || found.Whole != 1 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	code, out, _ = command("audit", "-o", "json", auditable(t, honest(1, 1)))
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != failure.Training ||
		!strings.Contains(found.Problem, "step 0 is missing") {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

// TestAuditLooksAtTheImages: those that were changed since the run began are found, those that are elsewhere are not
// asked for.
func TestAuditLooksAtTheImages(t *testing.T) {
	for _, c := range []struct {
		was, is string
		code    int
		says    string
	}{
		{"synthetic:20,size=8,seed=1", "synthetic:20,size=8,seed=2", failure.Data, "are not those that the run began with"},
		{"synthetic:20,size=8,seed=1", "/nowhere/at/all", 0, "not looked at"},
	} {
		dir := auditable(t, honest(0, 1))
		name := filepath.Join(dir, "config.json")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.Replace(string(text), c.was, c.is, 1))
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := command("audit", dir); code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit code %d, want %d:\n%s%s", c.is, code, c.code, out, errs)
		}
		if c.code == 0 {
			continue
		}
		if code, out, errs := command("replay", dir, "--step", "0"); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("replay on %s: exit code %d, want %d:\n%s%s", c.is, code, c.code, out, errs)
		}
	}
}

func TestNoDirectoryOfARun(t *testing.T) {
	for _, args := range [][]string{{"audit", t.TempDir()}, {"replay", t.TempDir(), "--step", "0"}} {
		if code, _, errs := command(args...); code != failure.Usage ||
			!strings.Contains(errs, "is not the directory of a run") {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
	dir := auditable(t, honest(0, 1))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"replay", dir}, "replay needs a step"},
		{[]string{"replay", dir, "--step", "-1"}, "replay needs a step"},
		{[]string{"replay", dir, "--step", "1"}, "step 1 is not in the log of " + dir},
		{[]string{"replay"}, "wants one run directory"},
	} {
		if code, _, errs := command(c.args...); code != failure.Usage || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, want %q: %s", c.args, code, c.says, errs)
		}
	}
	if err := os.Remove(filepath.Join(dir, steplog.File)); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command("audit", dir); code != failure.Data || !strings.Contains(errs, "kept no such log") {
		t.Errorf("without a log: exit code %d, %s", code, errs)
	}
}

// TestReplayLeavesTheRunAlone: a replay writes into a directory of its own, whatever the run's settings say, begins at
// a checkpoint of the directory that it is given, and has nobody who watches.
func TestReplayLeavesTheRunAlone(t *testing.T) {
	r := replaying{step: 7, workers: 1}
	flags := strings.Join(r.flags("run", "scratch", replayStart{step: 5, path: "elsewhere/five"}), " ")
	for _, want := range []string{"--run-dir scratch", "--checkpoint-dir scratch/checkpoints", "--resume elsewhere/five",
		"--max-steps 8", "--verify-shards 0"} {
		if !strings.Contains(flags, want) {
			t.Errorf("%q lacks %q", flags, want)
		}
	}
	s := &settings.Values{}
	p := &plan{resolution: &resolution{settings: s, flags: newFlags(s)}, config: &pb.RunConfig{}}
	if o := p.options(zap.NewNop(), nil); o.OnProgress != nil || o.OnEvent != nil {
		t.Error("somebody is told of it")
	}
}

// TestReplayOfAnExtendedRun: one that began behind step 0 is never begun again from the seed. Without what it began
// with nothing is trained; with it, and only with a checkpoint of its own steps, that is where the replay begins.
func TestReplayOfAnExtendedRun(t *testing.T) {
	dir := auditableFrom(t, 3, honest(3, 1), honest(4, 1))
	code, _, errs := command("replay", dir, "--step", "4")
	for _, want := range []string{"no checkpoint is there from which step 4 can be run again", "began with step 3",
		"bring step-000000003.safetensors back"} {
		if code != failure.Checkpoint || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, want %q:\n%s", code, want, errs)
		}
	}
	checkpoints := filepath.Join(dir, "checkpoints")
	adopted, err := checkpoint.Save(t.TempDir(), checkpoint.State{Step: 3})
	if err == nil {
		_, err = checkpoint.Adopt(checkpoints, adopted.Path)
	}
	for _, step := range []int64{2, 5, 6, 7} {
		if err == nil {
			_, err = checkpoint.Save(checkpoints, checkpoint.State{Step: step})
		}
	}
	if err == nil {
		err = checkpoint.Prune(checkpoints, 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	if from, err := before(checkpoints, 3, 4); err != nil || from.step != 3 {
		t.Errorf("begins at %v, %v, want step 3", from, err)
	}
}

// TestReplayCompares: what came out otherwise is named, the first step of it.
func TestReplayCompares(t *testing.T) {
	content := func(all ...steplog.Record) steplog.Content {
		var c steplog.Content
		for _, r := range all {
			c.Lines = append(c.Lines, steplog.Line{Kind: steplog.Committed, Record: r})
		}
		return c
	}
	changed := honest(3, 9)
	changed.Target = 77
	was := content(honest(1, 1), honest(2, 1), honest(3, 1), honest(4, 1))
	for _, c := range []struct {
		name  string
		again steplog.Content
		says  string
	}{
		{"the same, by another generation", content(honest(2, 7), honest(3, 7), honest(4, 7)), ""},
		{"another target on the way", content(honest(2, 7), changed, honest(4, 7)), "step 3 came out with other bits"},
		{"it did not get there", content(honest(2, 7)), "step 4 was not committed again"},
	} {
		var out strings.Builder
		err := compareReplay(&out, was, c.again, 4)
		if c.says == "" && (err != nil || !strings.Contains(out.String(), "same bits: 3 steps, up to step 4")) ||
			c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, %s", c.name, err, &out)
		}
	}
}
