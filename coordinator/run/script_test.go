package run

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected lines of testdata/*.txt")

// TestScripts runs each testdata/*.txt: a line is a command, the lines behind it that begin with "> " are what it
// answers and the state it leaves.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s: differs (go test ./coordinator/run -update rewrites it)\ngot:\n%s\nwant:\n%s", file, got, text)
			}
		})
	}
}

func runScript(t *testing.T, text string) string {
	var s State
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "> ") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "plan" {
			p, ok := s.Plan(WorkerID(words[1]))
			fmt.Fprintf(&out, "> %s\n", planLine(p, ok))
			continue
		}
		before := s.Clone()
		if err := s.Apply(parse(t, &s, words)); err != nil {
			fmt.Fprintf(&out, "> error: %v\n", err)
			assertUnchanged(t, before, s, line)
		}
		fmt.Fprintf(&out, "> %s\n", stateLine(&s))
		if err := s.Check(); err != nil {
			t.Fatalf("after %q: %v", line, err)
		}
	}
	return out.String()
}

func stateLine(s *State) string {
	line := fmt.Sprintf("g%d %s step %d", s.Generation, s.Phase, s.Step)
	for _, f := range []struct {
		on   bool
		text string
	}{
		{s.InFlight, "in-flight"}, {s.PauseWanted, "pause-wanted"}, {s.StopWanted, "stop-wanted"},
		{s.SaveWanted, "save-wanted"}, {s.GrowWanted, "grow-wanted"}, {s.SaveTries > 0, fmt.Sprintf("tries %d", s.SaveTries)},
		{len(s.Saving) > 0, fmt.Sprintf("saving %v", s.Saving)},
		{s.Phase != Waiting && s.standby() > 0, fmt.Sprintf("standby %d", s.standby())},
		{s.Reason != "", fmt.Sprintf("(%s)", s.Reason)}, {s.FailCode != 0, fmt.Sprintf("exit %d", s.FailCode)},
	} {
		if f.on {
			line += " " + f.text
		}
	}
	for _, k := range s.Checkpoints {
		line += fmt.Sprintf(" ckpt-%d", k.Step)
	}
	for _, r := range s.Requests {
		if r.Kind == kindSave {
			line += fmt.Sprintf(" %s:%d:%v:%s", r.ID, r.Step, r.Done, r.Error)
		}
	}
	return line
}

func planLine(p Plan, ok bool) string {
	if !ok {
		return "no plan"
	}
	line := fmt.Sprintf("g%d %s rank %d step %d", p.Generation, p.Phase, p.Rank, p.Step)
	if p.Save {
		line += " save"
	}
	if p.Evaluate {
		line += " evaluate"
	}
	if p.Committed.Target != 0 {
		line += fmt.Sprintf(" target %x", p.Committed.Target)
	}
	if p.Restore.Path != "" {
		line += " from " + p.Restore.Path
	}
	for _, e := range p.Peers {
		line += fmt.Sprintf(" %s[%d,%d)", e.ID, e.ShardBegin, e.ShardEnd)
	}
	if p.FailCode != 0 {
		line += fmt.Sprintf(" exit %d", p.FailCode)
	}
	return line
}

type args map[string]string

func (a args) num(key string, or int64) int64 {
	v, err := strconv.ParseInt(a[key], 10, 64)
	if err != nil {
		return or
	}
	return v
}

func parse(t *testing.T, s *State, words []string) Command {
	a := args{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		a[k] = v
	}
	name := ""
	if len(words) > 1 && !strings.Contains(words[1], "=") {
		name = words[1]
	}
	settings := s.Settings
	if slices.Contains([]string{"create", "rewind", "takeup"}, words[0]) {
		_, evaluates := a["eval"]
		settings = Settings{RunID: "r", Workers: int(a.num("workers", 2)), MinWorkers: int(a.num("min", 1)),
			Shards:     int(a.num("shards", 4)),
			TotalSteps: a.num("total", 10), EndStep: a.num("end", 10), SaveEvery: a.num("save", 0),
			Evaluates: evaluates, EvalEvery: a.num("eval", 0)}
	}
	generation, step := a.num("gen", s.Generation), a.num("step", s.Step)
	switch words[0] {
	case "create":
		return Create{Settings: settings}
	case "join":
		_, opening := a["opening"]
		return Join{Member{ID: WorkerID(name), Wished: int(a.num("index", -1)), Incarnation: a["inc"], Prepared: !opening,
			Workers: int(a.num("workers", 0))}}
	case "prepare":
		return Prepare{Worker: WorkerID(name)}
	case "leave":
		_, out := a["quarantine"]
		return Leave{Worker: WorkerID(name), Reason: a["reason"], Quarantine: out}
	case "takeup":
		return TakeUp{Settings: settings}
	case "skip":
		return Commit{Record{Step: step, Generation: generation, Target: s.Target, Skipped: true}}
	case "started":
		return Started{Generation: generation, Step: step, Target: uint64(a.num("target", 100+step))}
	case "commit":
		return Commit{Record{Step: step, Generation: generation, Target: uint64(a.num("target", 101+step)), Loss: 1}}
	case "pause":
		return Pause{Request: a["id"]}
	case "resume":
		return Resume{Request: a["id"]}
	case "save":
		return RequestSave{Request: a["id"]}
	case "saved":
		return Saved{Checkpoint: Checkpoint{Step: step, Path: fmt.Sprint("c", step)}, Error: a["error"]}
	case "evaluated":
		return EvalDone{Generation: generation, Evaluation: Evaluation{Step: step, Counts: []Count{{"knn", 4, 10}}}}
	case "stop":
		_, now := a["now"]
		return Stop{Request: a["id"], Reason: a["reason"], Now: now}
	case "fail":
		return Fail{Reason: a["reason"], Code: int(a.num("code", 4))}
	case "rewind":
		_, keep := a["keep"]
		c := Rewind{Settings: settings, Keep: keep, Reason: a["reason"]}
		if step > 0 {
			c.Checkpoint = &Checkpoint{Step: step, Path: fmt.Sprint("c", step)}
		}
		return c
	}
	if c := parseGroup(s, words[0], WorkerID(name), a); c != nil {
		return c
	}
	t.Fatalf("unknown command %q", words)
	return nil
}

// parseGroup reads the commands about who works together.
func parseGroup(s *State, command string, name WorkerID, a args) Command {
	generation := a.num("gen", s.Generation)
	switch command {
	case "depart":
		return Depart{Worker: name, Reason: a["reason"]}
	case "surpass":
		return Surpass{Version: a.num("version", 0), Generation: generation}
	case "form":
		return Form{Generation: generation}
	case "balance":
		c := Balance{Generation: generation}
		for _, m := range s.Members {
			if v := a.num(string(m.ID), -1); v >= 0 {
				c.Speeds = append(c.Speeds, Speed{Worker: m.ID, Speed: v})
			}
		}
		return c
	case "regroup":
		_, turn := a["turn"]
		return Regroup{Generation: generation, Reason: a["reason"], Turn: turn}
	case "limit":
		return Limit{Worker: name, MaxShards: int(a.num("shards", 1)), Reason: a["reason"]}
	}
	return nil
}
