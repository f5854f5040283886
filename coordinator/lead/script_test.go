package lead

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
	"byol/model/optim"
)

var update = flag.Bool("update", false, "rewrite the expected lines of testdata/*.txt")

// TestScripts runs each testdata/*.txt: a line is an event, the lines behind it that begin with "> " are what the
// leader does about it, and the state after it. Questions are answered as the log and the vectors would.
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
				t.Errorf("%s: differs (go test ./coordinator/lead -update rewrites it)\ngot:\n%s\nwant:\n%s", file, got, text)
			}
		})
	}
}

// play is a leader with everything around it: the log's state, the clock, and the vectors' digests.
type play struct {
	t     *testing.T
	lead  *Lead
	state run.State
	now   time.Time
	out   strings.Builder
	// odd is added to what comes of the slices, once.
	odd uint64
	// bits is added to θ' of all workers: an attempt that makes another state than the one without faults.
	bits int64
	// found is what came of looking for checkpoints, unseen why the next one is not seen.
	found  []Inspected
	unseen string
}

var epoch = time.Unix(1_700_000_000, 0)

func runScript(t *testing.T, text string) string {
	p := &play{t: t, now: epoch}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "> ") {
			continue
		}
		p.out.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			p.line(words)
		}
	}
	return p.out.String()
}

func (p *play) line(words []string) {
	a := args{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		a[k] = strings.ReplaceAll(v, "_", " ")
	}
	if words[0] == "new" {
		p.begin(a)
		return
	}
	if words[0] == "wait" {
		p.wait(words[1], a)
		return
	}
	if words[0] == "odd" {
		p.odd = 1
		return
	}
	if words[0] == "bits" {
		p.bits, _ = strconv.ParseInt(words[1], 10, 64)
		return
	}
	if words[0] == "all" {
		for _, m := range p.lead.group() {
			p.happen(p.event("whole", m.stream, a))
			p.happen(p.event(words[1], m.stream, a))
		}
		p.printf("%s", p.stateLine())
		return
	}
	id := Stream(0)
	if len(words) > 1 {
		n, _ := strconv.Atoi(words[1])
		id = Stream(n)
	}
	p.happen(p.event(words[0], id, a))
	for len(p.found) > 0 { // what the shell finds out meanwhile
		e := p.found[0]
		p.found = p.found[1:]
		p.happen(e)
	}
	if _, opening := a["opening"]; words[0] == "join" && !opening && p.lead.streams[id] != nil {
		p.happen(Said{Stream: id, Message: Beat{Device: "cpu", Phase: "waiting"}})
	}
	p.printf("%s", p.stateLine())
}

// begin makes a run and its leader.
func (p *play) begin(a args) {
	_, evaluates := a["eval"]
	p.state = run.State{}
	end := a.num("end", 9)
	p.apply(run.Create{Settings: run.Settings{RunID: "r", Workers: int(a.num("workers", 2)),
		MinWorkers: int(a.num("min", 1)),
		Shards:     int(a.num("shards", 2)),
		TotalSteps: end, EndStep: end, SaveEvery: a.num("save", 0), Evaluates: evaluates, EvalEvery: a.num("eval", 0),
		VerifyEvery: a.num("verify", 0)}})
	set := Settings{Build: "b", Rates: optim.Schedule{BaseLR: 1, Batch: 256, Total: end, BaseTau: 0.5},
		Data: "pictures", EvalData: "others", ManifestHash: a["manifest"], Keep: int(a.num("keep", 0)),
		SaveEvery: a.duration("every", 0), JoinTimeout: a.duration("join", time.Minute), FailureTimeout: 5 * time.Second,
		Grace: 10 * time.Second, Processes: a.processes(), Address: "host:1", CheckpointDir: "/run/checkpoints", Host: "hc",
		Mark: a["mark"], Opening: true, OnNaN: a["nan"], MaxSkips: 1,
		EvictStragglers: a["straggler"] == "evict", BalanceSpeed: a["balance"] == "speed", Replayed: map[int64]run.Record{}}
	p.lead = New(set, p.state, p.now)
}

// wait lets time go by, with a look at the clock each quarter of a second. Streams that are named are heard all along.
func (p *play) wait(text string, a args) {
	d, err := time.ParseDuration(text)
	if err != nil {
		p.t.Fatal(err)
	}
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(250 * time.Millisecond)
		p.happen(Tick{Heard: p.heard(a)})
	}
	p.printf("%s", p.stateLine())
}

// happen gives the leader an event and carries out what it says.
func (p *play) happen(e Event) {
	for e != nil {
		actions := p.lead.Step(p.now, e)
		e = nil
		for i, a := range actions {
			if e = p.do(a); e != nil && i < len(actions)-1 {
				p.t.Fatalf("%T is asked before the end of %v", a, actions)
			}
		}
	}
}

func (p *play) do(a Action) Event {
	switch a := a.(type) {
	case Propose:
		before := p.state.Clone()
		err := p.state.Apply(a.Command)
		if err != nil {
			p.printf("propose %s: %v", commandLine(a.Command), err)
		} else {
			p.printf("propose %s", commandLine(a.Command))
		}
		if check := p.state.Check(); check != nil {
			p.t.Fatalf("%+v breaks %+v: %v", a.Command, before, check)
		}
		return Answered{Command: a.Command, Err: err, State: p.state.Clone()}
	case Weigh:
		p.printf("weigh")
		w := Weighed{Whole: targetAt(p.state.Step), Target: targetAt(p.state.Step)}
		if p.state.Started {
			w = Weighed{Whole: onlineAt(p.state.Step+1) + uint64(p.bits), Target: targetAt(p.state.Step + 1)}
		}
		w.Slices = slices.Repeat([]uint64{7}, len(p.state.Group()))
		w.Slices[0] += p.odd
		p.odd = 0
		return w
	}
	p.printf("%s", actionLine(a))
	if i, ok := a.(Inspect); ok {
		p.found = append(p.found, Inspected{Inspect: i, Problem: p.unseen})
	}
	return nil
}

func (p *play) printf(format string, args ...any) { fmt.Fprintf(&p.out, "> "+format+"\n", args...) }

func (p *play) apply(c run.Command) {
	if err := p.state.Apply(c); err != nil {
		p.printf("refused: %v", err)
	}
}

// Digests as healthy workers have them after so many steps.
func onlineAt(step int64) uint64 { return uint64(1000 + step) }
func targetAt(step int64) uint64 { return uint64(100 + step) }

type args map[string]string

func (a args) num(key string, or int64) int64 {
	v, err := strconv.ParseInt(a[key], 10, 64)
	if err != nil {
		return or
	}
	return v
}

// processes are those of a local run: "local" has a worker in each, "local=4,4" two with four workers each.
func (a args) processes() []int {
	text, local := a["local"]
	if !local {
		return nil
	}
	var all []int
	for n := range strings.SplitSeq(text, ",") {
		if workers, err := strconv.Atoi(n); err == nil {
			all = append(all, workers)
		}
	}
	if all == nil {
		return slices.Repeat([]int{1}, int(a.num("workers", 2)))
	}
	return all
}

func (a args) duration(key string, or time.Duration) time.Duration {
	d, err := time.ParseDuration(a[key])
	if err != nil {
		return or
	}
	return d
}

func (a args) text(key, or string) string {
	if v, ok := a[key]; ok {
		return v
	}
	return or
}

// event is the event of a line.
func (p *play) event(name string, id Stream, a args) Event {
	said := func(m Message) Event { return Said{Stream: id, Message: m} }
	generation, step := a.num("gen", p.state.Generation), a.num("step", p.state.Step)
	switch name {
	case "join":
		return Joining{Stream: id, Join: Join{ID: a["id"], Index: int(a.num("index", -1)), Address: a.text("address", "h:1"),
			Host: a.text("host", "h"), Build: a.text("build", "b"), Incarnation: a.text("inc", fmt.Sprint(id)), PID: 1,
			Held: a.num("held", -1), SeenVersion: a.num("plan", 0), SeenGeneration: a.num("seen", 0),
			Workers: int(a.num("workers", 0))}}
	case "tick":
		return Tick{Heard: p.heard(a)}
	case "beat":
		return said(Beat{Step: step, Phase: a.text("phase", "ring"), WaitingFor: a["for"], Device: a.text("device", "cpu")})
	case "ready":
		return said(Ready{Generation: generation, Step: step, Parameters: a.num("parameters", 9),
			Fingerprint: a.text("kernels", "avx2"), Manifest: a.text("images", "m"), Mark: a["mark"],
			Digests: Digests{Target: uint64(a.num("target", int64(targetAt(step)))), Online: onlineAt(step),
				Statistics: uint64(a.num("statistics", 0)), Slice: 7}})
	case "result":
		return said(p.result(id, generation, step, a))
	case "measured":
		var counts []run.Count
		if name, ok := a["empty"]; ok {
			counts = append(counts, run.Count{Name: name})
		}
		for i := range a.num("more", 0) {
			counts = append(counts, run.Count{Name: fmt.Sprint("count", i)})
		}
		counts = append(counts, run.Count{Name: "knn", Correct: a.num("correct", 1), Total: a.num("total", 4)})
		return said(Measured{Generation: generation, Step: step, Error: a["error"], Counts: counts})
	case "whole":
		return Whole{Stream: id, Generation: generation, Step: step}
	case "slice":
		return Misplaced{Stream: id, Generation: generation, Step: step, Why: a["why"]}
	case "saved":
		p.unseen = a["unseen"]
		return said(Saved{Step: step, Path: fmt.Sprint("c", step), Bytes: 1 << 20, Error: a["error"], Seconds: 2,
			Order: a.num("order", 0)})
	case "leave":
		_, failed := a["failed"]
		return said(Leave{Reason: a["reason"], Hint: a["hint"], Failed: failed, Code: int(a.num("code", 1))})
	case "read":
		return said(Contents{Images: []Content{{Index: a.num("index", 0), Sum: uint32(a.num("sum", 0)), Name: a["name"]}}})
	case "unreadable":
		_, evaluation := a["eval"]
		return said(Unreadable{Index: a.num("index", 0), Name: a["name"], Error: "no picture", Evaluation: evaluation})
	}
	return p.trouble(name, id, a)
}

// trouble is an event that nobody wants.
func (p *play) trouble(name string, id Stream, a args) Event {
	said := func(m Message) Event { return Said{Stream: id, Message: m} }
	generation, step := a.num("gen", p.state.Generation), a.num("step", p.state.Step)
	switch name {
	case "lacks":
		return said(Ready{Generation: generation, Step: -1, Lacks: true, Problem: a.text("problem", "nobody answers")})
	case "complain":
		_, nan := a["nan"]
		return said(Complaint{Generation: generation, Step: step, Phase: a.text("phase", "ring"), NotFinite: nan,
			Suspect: int(a.num("of", -1)), Address: a["address"], Reason: a.text("reason", "connection reset"),
			Code: int(a.num("code", 0)), Hint: a["hint"]})
	case "drain":
		return Drain{Worker: run.WorkerID(fmt.Sprintf("worker-%d", id))}
	case "leaving":
		return said(Leaving{Reason: a.text("reason", "terminated")})
	case "large":
		return said(TooLarge{Generation: generation, MaxShards: int(a.num("shards", 1)), Reason: "2 GiB of 1 GiB"})
	case "sought":
		e := Sought{Why: "none verifies"}
		if _, ok := a["step"]; ok {
			e.Checkpoint = &run.Checkpoint{Step: step, Path: fmt.Sprint("c", step)}
		}
		return e
	case "term":
		set := p.lead.set
		if set.Heard = (time.Time{}); a["heard"] != "" {
			set.Heard = p.now.Add(-a.duration("heard", 0))
		}
		p.lead = New(set, p.state.Clone(), p.now)
		return Changed{State: p.state.Clone()}
	case "strange":
		return said(Strange{Type: "a Join"})
	case "gone":
		return Gone{Stream: id, Why: a.text("why", "its socket was closed")}
	case "exit":
		_, killed := a["killed"]
		_, again := a["again"]
		return Exited{Restarting: again, After: time.Second, Index: int(id), Code: int(a.num("code", 1)), Signalled: killed,
			Log: "log", Tail: a["tail"],
			Status: a.text("status", "exit status 1")}
	case "signal":
		return Signal{}
	case "abort":
		return Abort{}
	}
	return p.operator(name)
}

// result is what a healthy worker of the stream would commit.
func (p *play) result(id Stream, generation, step int64, a args) Result {
	r := Result{Generation: generation, Step: step, Std: 1, Norm: 2, Phases: p.phases(a),
		Digests: Digests{Online: uint64(a.num("online", int64(onlineAt(step+1))+p.bits)), Slice: 7, Target: p.state.Target,
			Momentum: uint64(a.num("momentum", 0))}}
	rank := 0
	if m := p.lead.streams[id]; m != nil {
		rank = m.rank
	}
	if peers := p.state.Peers(); rank >= 0 && rank < len(peers) {
		for v := peers[rank].ShardBegin; v < peers[rank].ShardEnd; v++ {
			loss, err := strconv.ParseFloat(a.text("loss", "1"), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			s := Shard{Shard: int(a.num("shard", int64(v))), Loss: loss, Images: 1, Gradient: uint64(500 + v)}
			if slices.Contains(strings.Split(a["wrong"], ","), fmt.Sprint(v)) {
				s.Gradient += uint64(a.num("by", 1))
			}
			r.Shards = append(r.Shards, s)
		}
	}
	if _, none := a["no-shards"]; none {
		r.Shards = nil
	}
	return r
}

// phases are what a worker says of a step: work=SECONDS is its own.
func (p *play) phases(a args) []Phase {
	all := []Phase{{Name: "ring", Seconds: 0.5}}
	if own, err := strconv.ParseFloat(a["work"], 64); err == nil {
		all = append(all, Phase{Name: "data", Seconds: own / 4}, Phase{Name: "forward", Seconds: own * 3 / 4})
	}
	return all
}

// heard lists streams of which something was heard just now.
func (p *play) heard(a args) map[Stream]time.Time {
	all := map[Stream]time.Time{}
	for k := range a {
		if n, err := strconv.Atoi(k); err == nil {
			all[Stream(n)] = p.now
		}
	}
	if d := a.duration("after", 0); d > 0 {
		p.now = p.now.Add(d)
	}
	return all
}

// operator changes the state as an operator's call would.
func (p *play) operator(name string) Event {
	switch name {
	case "pause":
		p.apply(run.Pause{})
	case "resume":
		p.apply(run.Resume{})
	case "save":
		p.apply(run.RequestSave{})
	case "stranger": // another leader lets somebody in
		p.apply(run.Join{Member: run.Member{ID: "stranger", Wished: -1, Address: "h:9", Host: "h", Incarnation: "s",
			Prepared: true}})
	case "stop":
		p.apply(run.Stop{Reason: "asked"})
	default:
		p.t.Fatalf("unknown line %q", name)
	}
	return Changed{State: p.state.Clone()}
}

func (p *play) stateLine() string {
	s := &p.state
	line := fmt.Sprintf("= %4.1fs g%d %s step %d", p.now.Sub(epoch).Seconds(), s.Generation, s.Phase, s.Step)
	if c := p.lead.collecting; c.what != nothing {
		line += ", collecting " + c.what.String()
	}
	return line
}

func commandLine(c run.Command) string {
	switch c := c.(type) {
	case run.Join:
		return fmt.Sprintf("join %s index %d", c.Member.ID, c.Member.Wished)
	case run.Leave:
		if c.Quarantine {
			return fmt.Sprintf("quarantine %s (%s)", c.Worker, c.Reason)
		}
		return fmt.Sprintf("leave %s (%s)", c.Worker, c.Reason)
	case run.Depart:
		return fmt.Sprintf("depart %s", c.Worker)
	case run.Prepare:
		return fmt.Sprintf("prepare %s", c.Worker)
	case run.Regroup:
		return fmt.Sprintf("regroup g%d turn %v (%s)", c.Generation, c.Turn, c.Reason)
	case run.Balance:
		return fmt.Sprintf("balance %v", c.Speeds)
	case run.Limit:
		return fmt.Sprintf("limit %s to %d", c.Worker, c.MaxShards)
	case run.Rewind:
		return fmt.Sprintf("rewind to %s (%s)", c.Checkpoint.Path, c.Reason)
	case run.Started:
		return fmt.Sprintf("started g%d step %d target %d", c.Generation, c.Step, c.Target)
	case run.Commit:
		if c.Record.Skipped {
			return fmt.Sprintf("skip g%d step %d target %d", c.Record.Generation, c.Record.Step, c.Record.Target)
		}
		return fmt.Sprintf("commit g%d step %d target %d loss %v", c.Record.Generation, c.Record.Step, c.Record.Target,
			c.Record.Loss)
	case run.EvalDone:
		return fmt.Sprintf("evaluation of step %d %v %s", c.Evaluation.Step, c.Evaluation.Counts, c.Evaluation.Error)
	case run.Saved:
		return fmt.Sprintf("saved %s %s", c.Checkpoint.Path, c.Error)
	case run.Fail:
		return fmt.Sprintf("fail %d", c.Code)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", c), "run.")
}

func actionLine(a Action) string {
	switch a := a.(type) {
	case Send:
		switch m := a.Message.(type) {
		case run.Plan:
			line := fmt.Sprintf("send %d plan g%d %s rank %d step %d", a.Stream, m.Generation, m.Phase, m.Rank, m.Step)
			if m.Started {
				line += " go"
			}
			if m.Save {
				line += " save"
			}
			if m.Evaluate {
				line += " evaluate"
			}
			if m.Verify {
				line += " verify"
			}
			return line
		case Welcome:
			return fmt.Sprintf("send %d welcome %s", a.Stream, m.ID)
		case Refused:
			line := fmt.Sprintf("send %d refused: %s / %s", a.Stream, m.Reason, m.Hint)
			if m.Temporary {
				line += " (for now)"
			}
			return line
		}
	case Open:
		if a.Restore {
			return fmt.Sprintf("open g%d step %d for ξ of %d parameters, ranks %v", a.Generation, a.Step, a.Parameters, a.Ranks)
		}
		return fmt.Sprintf("open g%d step %d rate %.3f, ranks %v", a.Generation, a.Step, a.Rate, a.Ranks)
	case Incident:
		line := fmt.Sprintf("incident g%d step %d %s %s", a.Generation, a.Step, a.Kind, a.Culprit)
		for _, w := range a.Workers {
			line += fmt.Sprintf("; %s %s quiet %v", w.ID, w.Phase, w.Quiet)
		}
		return line
	case Tell:
		return fmt.Sprintf("tell %s %s: %s", a.Kind, a.Worker, a.Text)
	case Note:
		return "note " + a.Text
	case Inspect:
		return fmt.Sprintf("inspect %s of %s", a.Saved.Path, a.Worker)
	case Committed:
		f := a.Figures
		line := fmt.Sprintf("committed step %d loss %v lr %.3f in %.2fs %v", f.Record.Step, f.Loss, f.LR, f.Seconds, f.Phases)
		if r := a.Recovery; !r.Began.IsZero() {
			line += fmt.Sprintf(", broken since %.1fs: %s", r.Began.Sub(epoch).Seconds(), r.Cause)
		}
		return line
	case Evaluated:
		return fmt.Sprintf("evaluated step %d %v", a.Evaluation.Step, a.Evaluation.Counts)
	case End:
		return "end " + failureLine(a.Failure)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T %+v", a, a), "lead."))
}

func failureLine(f *failure.Failure) string {
	if f == nil {
		return "well"
	}
	return fmt.Sprintf("%d %s / %s / %s", f.Code, f.What, f.Why, f.Try)
}
