package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/coordinator"
	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/model/arch"
	"byol/model/engine"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// stored makes a run directory with a checkpoint of the smallest network after each of steps.
func stored(t *testing.T, steps ...int64) (dir string, infos []checkpoint.Info) {
	t.Helper()
	dir = t.TempDir()
	for _, step := range steps {
		state := checkpoint.State{Step: step,
			Config: `{"runId":"made-up","arch":"tiny","stem":"cifar","imageSize":8,"augment":"byol","totalSteps":"40"}`}
		for _, network := range []string{"online", "target"} {
			for name, shape := range tinyTensors(t) {
				n := 1
				for _, d := range shape {
					n *= d
				}
				state.Tensors = append(state.Tensors, safetensors.Tensor{Name: network + "/encoder." + name, DType: "F32",
					Shape: shape, Data: bytes.Repeat([]byte{byte(step), 0, 128, 63}, n)})
			}
		}
		info, err := checkpoint.Save(filepath.Join(dir, "checkpoints"), state)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	return dir, infos
}

// TestMovedRun moves the directory of a run, and goes on with it from another place: its checkpoints are in it. Those
// that --checkpoint-dir put elsewhere stay where they were.
func TestMovedRun(t *testing.T) {
	top := t.TempDir()
	t.Chdir(top)
	begin := func(dir string, args ...string) string { // the directory of checkpoints
		p, err := planned(t, append(args, "--run-dir", dir)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, coordinator.SettingsFile), p.marshal(), 0o644); err != nil {
			t.Fatal(err)
		}
		return p.config.CheckpointDir
	}
	if got, want := begin("a"), filepath.Join(top, "a", "checkpoints"); got != want {
		t.Errorf("checkpoints in %s, want %s", got, want)
	}
	begin("given", "--checkpoint-dir", "apart")
	for _, name := range []string{"a", "given"} {
		if err := os.Rename(name, name+"-moved"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ here, dir, want string }{
		{".", "a-moved", "a-moved/checkpoints"},
		{"a-moved", ".", "a-moved/checkpoints"},
		{"a-moved", "../given-moved", "apart"},
		{".", filepath.Join(top, "given-moved"), "apart"},
	} {
		t.Chdir(filepath.Join(top, c.here))
		if got := begin(c.dir); got != filepath.Join(top, c.want) {
			t.Errorf("%s seen from %s: checkpoints in %s, want %s", c.dir, c.here, got, c.want)
		}
	}
}

// TestCheckpointsIn finds the checkpoints of runs for commands that read them.
func TestCheckpointsIn(t *testing.T) {
	dir, _ := stored(t, 1)
	if got, want := checkpointsIn(dir), filepath.Join(dir, "checkpoints"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	elsewhere := t.TempDir()
	for text, want := range map[string]string{
		`{"checkpoint_dir": "` + filepath.Join(dir, "checkpoints") + `"}`: filepath.Join(dir, "checkpoints"),
		`{"checkpoint_dir": "/does/not/exist"}`:                           elsewhere,
		`{"checkpoint_dir": 3}`:                                           elsewhere,
		`{`:                                                               elsewhere,
	} {
		if err := os.WriteFile(filepath.Join(elsewhere, "config.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := checkpointsIn(elsewhere); got != want {
			t.Errorf("with %s: %s, want %s", text, got, want)
		}
	}
}

// tinyTensors are the shapes of the smallest encoder's tensors.
func tinyTensors(t *testing.T) map[string][]int {
	t.Helper()
	e, err := arch.Find("tiny")
	if err != nil {
		t.Fatal(err)
	}
	l, err := engine.Describe(engine.Network{Encoder: e, Padding: "symmetric", ImageSize: 8, ProjectorHidden: 1,
		ProjectorOut: 1, PredictorHidden: 1})
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int{}
	for _, p := range l.Params {
		if name, ok := strings.CutPrefix(p.Name, "encoder."); ok {
			shapes[name] = p.Shape
		}
	}
	for _, n := range l.Norms {
		if name, ok := strings.CutPrefix(n.Name, "encoder."); ok {
			shapes[name+".running_mean"], shapes[name+".running_var"] = []int{n.C}, []int{n.C}
		}
	}
	return shapes
}

// spoil changes the last byte of a file.
func spoil(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-1] ^= 1
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCheckpointsCommands lists and verifies good checkpoints by the run, by their directory and by file, then damages
// one.
func TestCheckpointsCommands(t *testing.T) {
	dir, infos := stored(t, 3, 12)
	for _, path := range []string{dir, filepath.Join(dir, "checkpoints")} {
		code, out, errs := command("checkpoints", "ls", path, "-o", "json")
		var list []listed
		if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list) != 2 {
			t.Fatalf("%s: exit code %d, %v, %s%s", path, code, err, out, errs)
		}
		for i, l := range list {
			if l.Step != infos[i].Step || l.StateSHA256 != infos[i].StateSHA256 ||
				l.SizeBytes != infos[i].Bytes || l.Problem != "" {
				t.Errorf("%s: got %+v, want %+v", path, l, infos[i])
			}
		}
	}
	code, out, _ := command("checkpoints", "verify", dir)
	if code != 0 || !strings.HasSuffix(out, "2 checkpoints, all good\n") || strings.Count(out, "\n") != 4 {
		t.Errorf("verify: exit code %d\n%s", code, out)
	}
	if code, out, _ := command("checkpoints", "verify", infos[1].Path); code != 0 ||
		!strings.Contains(out, infos[1].StateSHA256) || !strings.HasSuffix(out, "1 checkpoints, all good\n") {
		t.Errorf("verify of one: exit code %d\n%s", code, out)
	}
	spoil(t, infos[1].Path)
	code, out, errs := command("checkpoints", "verify", dir)
	if code != failure.Checkpoint || !strings.HasPrefix(errs, "error: 1 of 2 checkpoints are not good\n") ||
		strings.Contains(out, "all good") {
		t.Errorf("verify of a damaged one: exit code %d\n%s%s", code, out, errs)
	}
	code, out, _ = command("checkpoints", "ls", dir, "-o", "json")
	var list []listed
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list) != 2 || list[0].Problem != "" ||
		!strings.Contains(list[1].Problem, "does not verify") {
		t.Errorf("ls of a damaged one: exit code %d, %v\n%s", code, err, out)
	}
	if code, _, errs := command("checkpoints", "verify", infos[1].Path, "-o", "json"); code != failure.Checkpoint {
		t.Errorf("verify of the damaged one: exit code %d, %s", code, errs)
	}
	if code, _, _ := command("checkpoints", "ls", dir, "-o", "xml"); code != failure.Usage {
		t.Errorf("-o xml: exit code %d", code)
	}
}

// TestCatalogue: the coordinator's view of the checkpoints that workers wrote.
func TestCatalogue(t *testing.T) {
	empty := catalogue{dir: filepath.Join(t.TempDir(), "none")}
	if info, _, err := empty.Newest(); info != nil || err != nil {
		t.Errorf("of no directory: %v, %v", info, err)
	}
	if list, err := empty.List(); list != nil || err != nil {
		t.Errorf("list of no directory: %v, %v", list, err)
	}
	dir, infos := stored(t, 3, 12, 40)
	c := catalogue{dir: filepath.Join(dir, "checkpoints")}
	newest, _, err := c.Newest()
	if err != nil || newest.Step != 40 || newest.StateSha256 != infos[2].StateSHA256 || newest.Path != infos[2].Path {
		t.Errorf("newest: %v, %v", newest, err)
	}
	for name, says := range map[string]string{"another": "", "made-up": "adds its shards from left to right"} {
		c.run = &pb.RunConfig{RunId: name, Shards: 8, Sums: pb.SumsTree}
		if info, _, err := c.Newest(); (says == "") != (err == nil) || says == "" && info.Step != 40 ||
			says != "" && !strings.Contains(err.Error(), says) {
			t.Errorf("of run made-up, wanted by run %s: %v, %v", name, info, err)
		}
	}
	c.run = nil
	opened, err := c.Open(infos[0].Path)
	if err != nil || opened.Step != 3 || opened.SizeBytes != uint64(infos[0].Bytes) {
		t.Errorf("opened: %v, %v", opened, err)
	}
	spoil(t, infos[2].Path)
	if newest, refused, err := c.Newest(); err != nil || newest.Step != 12 || len(refused) != 1 ||
		!strings.Contains(refused[0], infos[2].Path) {
		t.Errorf("with a damaged newest: %v, %v", newest, err)
	}
	var f *failure.Failure
	if _, err := c.Open(infos[2].Path); !errors.As(err, &f) || f.Code != failure.Checkpoint ||
		!strings.Contains(f.Try, "checkpoints verify") {
		t.Errorf("a damaged one: %+v", err)
	}
	if _, err := c.Open(filepath.Join(dir, "gone")); !errors.As(err, &f) ||
		!strings.HasPrefix(f.What, "there is no checkpoint") {
		t.Errorf("one that is not there: %+v", err)
	}
	spoil(t, infos[0].Path)
	spoil(t, infos[1].Path)
	if _, _, err := c.Newest(); !errors.As(err, &f) || f.Code != failure.Checkpoint {
		t.Errorf("of damaged ones only: %+v, want a failure: to begin anew would hide a loss", err)
	}
	if err := c.Prune(1); err != nil {
		t.Error(err)
	}
	if list, err := c.List(); err != nil || len(list) != 1 || list[0].Step != 40 {
		t.Errorf("after pruning: %v, %v", list, err)
	}
}
