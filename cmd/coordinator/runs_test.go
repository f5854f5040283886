package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	ranConfig = `{"run_id": "r", "samples": "40", "shards": 4, "batch_size": 8, "total_steps": "10", "base_lr": 0.4}`
	ranEvents = `{"id":1,"time":"2026-03-04T12:00:00Z","type":"coordinator-started","text":"a new run"}
{"id":2,"time":"2026-03-04T12:00:08Z","type":"worker-lost","worker":"worker-1","text":"nothing was heard of it"}
`
	ranMetrics = `{"step":1,"time":"2026-03-04T12:00:04.000Z","epoch":0.2,"loss":4,"std":0.9,"images_per_second":4}
{"step":2,"time":"2026-03-04T12:00:06.000Z","epoch":0.4,"loss":3.5,"std":0.8,"images_per_second":4}
`
)

// ran makes a run that is over, of which status.json says how, and that says nothing where it is "".
func ran(t *testing.T, dir, status string) {
	t.Helper()
	files := map[string]string{"config.json": ranConfig, "events.jsonl": ranEvents, "metrics.jsonl": ranMetrics,
		"raft/raft.db": "x", "raft/lock": ""}
	if status != "" {
		files["status.json"] = status
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRunsOver lists runs that are over, shows one of them from its files, and removes it when somebody says so.
func TestRunsOver(t *testing.T) {
	t.Chdir(t.TempDir())
	ran(t, "runs/killed", "")
	ran(t, "runs/done",
		`{"run_id": "r", "state": "RUN_STATE_COMPLETED", "progress": {"step": "10", "target_steps": "10"}}`)
	ran(t, "runs/torn", "")
	if err := os.WriteFile("runs/torn/config.json", []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command("runs", "ls", "-o", "json")
	var list []listedRun
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list) != 3 {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	states := map[string]string{}
	for _, l := range list {
		states[l.Name] = string(l.State)
		if l.Name == "killed" && (l.Step != 2 || l.TargetSteps != 10 || l.Loss != 3.5 || l.KNNTop1 != nil) {
			t.Errorf("killed: %+v", l)
		}
	}
	if states["killed"] != "stopped" || states["done"] != "finished" || states["torn"] != "damaged" {
		t.Errorf("states %v", states)
	}
	for _, c := range []struct{ args, want string }{
		{"runs ls", "finished  10/10"}, {"runs show killed", "runs/killed is"}, {"runs ls --dir none", "no runs in none"},
		{"runs show killed", "step 2/10 (20.0 %)"}, {"runs show torn", "is damaged"},
		{"runs show killed -o json", `"step": 2`},
		{"status runs/killed", "loss 3.5000   std 0.80 healthy"}, {"status runs/killed -o json", `"step": 2,`},
		{"status runs/done", "RUN r   completed   step 10/10"}, {"events runs/killed", "worker-1: nothing was heard of it"},
		{"events runs/killed -o json", `"type": "worker-lost"`},
	} {
		code, out, errs := command(strings.Fields(c.args)...)
		if c.want = strings.ReplaceAll(c.want, "runs/killed is", "killed is stopped: it ended without a word"); code != 0 ||
			!strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, %s%s", c.args, code, out, errs)
		}
	}
}

// TestRunsRefused: what cannot be done is said in three parts, and changes nothing.
func TestRunsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	ran(t, "runs/a", "")
	ran(t, "runs/b", "")
	if err := os.Symlink("runs/a", "link"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"runs rm", "at least one run directory", 2}, {"runs rm none --yes", "there is no such directory", 2},
		{"runs rm a none --yes", "there is no such directory", 2}, {"runs rm link --yes", "it is a link", 2},
		{"runs rm runs --yes", "it holds no run", 2}, {"runs show runs", "not the directory of a run", 2},
		{"status runs", "not the directory of a run", 2}, {"status a b", "one run directory", 2},
		{"status runs/a -s x:1", "both a run directory and --server", 2}, {"runs ls -o yaml", "--output", 2},
		{"events --run-dir runs/a", "coordinator status runs/a, and events runs/a", 3},
		{"status", "coordinator runs ls lists those that are over", 3},
	} {
		code, out, errs := command(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.want) || !strings.Contains(errs, "try: ") {
			t.Errorf("%s: exit %d, %s%s", c.args, code, out, errs)
		}
	}
	if !exists("runs/a/config.json") || !exists("runs/b/config.json") {
		t.Error("a run was removed")
	}
}

// TestRunsRm removes what a person agreed to, and asks nobody with --yes.
func TestRunsRm(t *testing.T) {
	t.Chdir(t.TempDir())
	ran(t, "runs/a", "")
	ran(t, "runs/b", "")
	answer := func(text string, args ...string) (string, error) {
		root := rootCommand()
		var out strings.Builder
		root.SetArgs(args)
		root.SetIn(strings.NewReader(text))
		root.SetOut(&out)
		root.SetErr(&out)
		err := root.Execute()
		return out.String(), err
	}
	for _, text := range []string{"", "\n", "n\n", "yesterday\n"} {
		if out, err := answer(text, "runs", "rm", "a"); err == nil || !exists("runs/a") {
			t.Errorf("answer %q: %v %s", text, err, out)
		}
	}
	if out, err := answer("Y\n", "runs", "rm", "a"); err != nil || exists("runs/a") ||
		!strings.Contains(out, "removed runs/a") {
		t.Errorf("yes: %v %s", err, out)
	}
	if out, err := answer("", "runs", "rm", "./runs/b", "--yes"); err != nil || exists("runs/b") {
		t.Errorf("--yes: %v %s", err, out)
	}
}
