package lead

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/coordinator/run"
	"byol/internal/failure"
	"byol/model/optim"
)

// crowd is a leader among workers of any behaviour, with everything that must hold at all times.
type crowd struct {
	t     *rapid.T
	lead  *Lead
	state run.State
	now   time.Time
	next  Stream
	fresh Stream // joined last, and has not said that it is prepared
	// live are streams that were opened and have not ended.
	live []Stream
	// open is what slices are taken for, nil when none are.
	open              *Open
	verdicts, commits int
	ended, sought     bool
	failure           *failure.Failure
	last              Event
	inspecting        []Inspect // what the shell looks for
}

// TestAnythingMayHappen has workers join, answer, repeat, lie, fall silent and die, the clock jump, operators ask and
// processes end, in any order. The leader never panics and asks one question at a time, the state keeps its invariants,
// a step is committed only when the whole group has answered for it, there is one end at most, and where all fall
// silent the run ends or says whom it waits for.
func TestAnythingMayHappen(t *testing.T) {
	ends := map[run.Phase]int{}
	commits := 0
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		steps := rapid.IntRange(20, 200).Draw(t, "events")
		for i := 0; i < steps && !c.ended; i++ {
			c.happen(c.draw())
		}
		c.settle()
		ends[c.state.Phase]++
		commits += c.commits
	})
	if testing.Short() {
		return // of so few runs perhaps none comes so far
	}
	for _, p := range []run.Phase{run.Failed, run.Stopped} {
		if ends[p] == 0 {
			t.Errorf("no run ended %s: %v", p, ends)
		}
	}
	if commits == 0 {
		t.Error("no run committed a step")
	}
}

func newCrowd(t *rapid.T) *crowd {
	c := &crowd{t: t, now: epoch, next: 1}
	workers := rapid.IntRange(1, 3).Draw(t, "workers")
	end := int64(rapid.IntRange(1, 4).Draw(t, "end"))
	settings := run.Settings{RunID: "r", Workers: workers, MinWorkers: rapid.IntRange(1, workers).Draw(t, "least"),
		Shards:     workers + rapid.IntRange(0, 2).Draw(t, "more shards"),
		TotalSteps: end, EndStep: end, SaveEvery: int64(rapid.IntRange(0, 2).Draw(t, "save every")),
		Evaluates: rapid.Bool().Draw(t, "evaluates"), EvalEvery: 1,
		VerifyEvery: int64(rapid.IntRange(0, 2).Draw(t, "verify every"))}
	if err := c.state.Apply(run.Create{Settings: settings}); err != nil {
		t.Fatal(err)
	}
	c.lead = New(Settings{Rates: optim.Schedule{BaseLR: 1, Batch: 256, Total: end, BaseTau: 0.5},
		SaveEvery:   time.Duration(rapid.IntRange(0, 3).Draw(t, "timed saves")) * time.Second,
		JoinTimeout: 30 * time.Second, FailureTimeout: 5 * time.Second, Grace: 10 * time.Second,
		Processes: map[bool][]int{true: slices.Repeat([]int{1}, workers)}[rapid.Bool().Draw(t, "local")]}, c.state, c.now)
	return c
}

// draw chooses what happens: mostly what healthy workers would say next.
func (c *crowd) draw() Event {
	pick := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(c.t, what) }
	if len(c.live) == 0 || c.state.Phase == run.Waiting && pick(2, "join") == 0 {
		return c.join()
	}
	if c.fresh != 0 && pick(4, "opens") > 0 {
		s := c.fresh
		c.fresh = 0
		return Said{Stream: s, Message: Beat{Device: "cpu"}}
	}
	s := c.live[pick(len(c.live), "stream")]
	generation, step := c.state.Generation, c.state.Step
	if pick(12, "stale") == 0 {
		generation, step = generation+int64(pick(3, "generation"))-1, step+int64(pick(4, "step"))-2
	}
	said := func(m Message) Event { return Said{Stream: s, Message: m} }
	if pick(3, "healthy") > 0 {
		if e := c.healthy(s, pick(2, "whole") == 0); e != nil {
			return e
		}
	}
	switch k := pick(100, "kind"); {
	case k < 15:
		return said(Ready{Generation: generation, Step: step, Parameters: 9, Fingerprint: "k", Manifest: "m",
			Digests: Digests{Target: targetAt(step), Online: onlineAt(step), Slice: 7}})
	case k < 32:
		return Whole{Stream: s, Generation: generation, Step: step}
	case k < 49:
		return said(c.result(s, generation, step))
	case k < 57:
		return said(Measured{Generation: generation, Step: step, Counts: []run.Count{{Name: "knn", Correct: 1, Total: 2}}})
	case k < 60 && len(c.inspecting) > 0:
		i := c.inspecting[0]
		c.inspecting = c.inspecting[1:]
		return Inspected{Inspect: i, Problem: rapid.SampledFrom([]string{"", "", "", "no such file"}).Draw(c.t, "seen")}
	case k < 63:
		return said(c.saved(step))
	case k < 68:
		c.now = c.now.Add(time.Duration(rapid.IntRange(0, 8000).Draw(c.t, "ms")) * time.Millisecond)
		return Tick{}
	case k < 80:
		c.now = c.now.Add(200 * time.Millisecond)
		return Tick{Heard: map[Stream]time.Time{s: c.now}}
	case k < 84:
		return said(Beat{Step: step, Phase: "ring", Device: "cpu"})
	case k < 87:
		return c.join()
	case k < 91:
		return c.operator(pick(5, "operator"))
	}
	return c.mishap(s, pick(18, "mishap"), generation, step)
}

// healthy is what the worker of a stream says next, nil where nothing is asked of it.
func (c *crowd) healthy(s Stream, whole bool) Event {
	m := c.lead.streams[s]
	if m == nil || m.rank < 0 {
		return nil
	}
	at := c.lead.collecting
	switch {
	case at.what == nothing:
		return nil
	case at.what == evaluations:
		return Said{Stream: s, Message: Measured{Generation: at.generation, Step: at.step,
			Counts: []run.Count{{Name: "knn", Correct: 1, Total: 2}}}}
	case whole && (at.what == results || m.ready != nil):
		return Whole{Stream: s, Generation: at.generation, Step: at.step}
	case at.what == results:
		return Said{Stream: s, Message: c.result(s, at.generation, at.step)}
	}
	return Said{Stream: s, Message: Ready{Generation: at.generation, Step: at.step, Parameters: 9, Fingerprint: "k",
		Manifest: "m", Digests: Digests{Target: targetAt(at.step), Online: onlineAt(at.step), Slice: 7}}}
}

// mishap is what nobody wants.
func (c *crowd) mishap(s Stream, kind int, generation, step int64) Event {
	said := func(m Message) Event { return Said{Stream: s, Message: m} }
	switch kind {
	case 0, 1:
		c.live = slices.DeleteFunc(c.live, func(o Stream) bool { return o == s })
		return Gone{Stream: s, Why: "cut"}
	case 2:
		return said(Leave{Reason: "broke", Failed: true})
	case 3:
		return Exited{Index: rapid.IntRange(0, 3).Draw(c.t, "index"), Signalled: true, Status: "signal: killed"}
	case 4:
		return Misplaced{Stream: s, Generation: generation, Step: step}
	case 5:
		return said(Unreadable{Index: 1, Name: "a"})
	case 6:
		return said(Measured{Generation: generation, Step: step, Error: "no data"})
	case 7:
		return said(Saved{Step: step, Error: "disk full"})
	case 8:
		return Said{Stream: s + 1000, Message: Beat{}}
	case 9:
		return Signal{}
	case 10:
		r := c.result(s, generation, step)
		r.Digests.Momentum++
		return said(r)
	case 12, 13:
		return said(Complaint{Generation: generation, Step: step, Suspect: rapid.IntRange(-1, 3).Draw(c.t, "suspect"),
			NotFinite: rapid.IntRange(0, 5).Draw(c.t, "not finite") == 0})
	case 14:
		return said(Leaving{Reason: "asked"})
	case 15:
		return said(TooLarge{Generation: generation, MaxShards: rapid.IntRange(0, 3).Draw(c.t, "room")})
	case 16:
		return said(Ready{Generation: generation, Step: step, Lacks: true, Problem: "nobody"})
	case 17: // another term, on the same coordinator
		if c.state.Phase.Final() {
			return Signal{}
		}
		c.lead, c.open = New(c.lead.set, c.state.Clone(), c.now), nil
		c.live = nil
		return Changed{State: c.state.Clone()}
	}
	if rapid.IntRange(0, 3).Draw(c.t, "strange") == 0 {
		return said(Strange{Type: "nothing"})
	}
	return Misplaced{Stream: s + 1000, Generation: generation, Step: step, Why: "garbled"}
}

func (c *crowd) join() Event {
	s := c.next
	c.next++
	c.live, c.fresh = append(c.live, s), s
	return Joining{Stream: s, Join: Join{Index: rapid.IntRange(-1, 3).Draw(c.t, "wish"), Address: "h:1",
		Incarnation: fmt.Sprint(rapid.IntRange(0, 5).Draw(c.t, "incarnation")),
		Workers:     max(0, rapid.IntRange(-2, 2).Draw(c.t, "stands for"))}}
}

func (c *crowd) operator(kind int) Event {
	command := []run.Command{run.Pause{}, run.Resume{}, run.Resume{}, run.RequestSave{}, run.Stop{Reason: "asked"}}[kind]
	_ = c.state.Apply(command) // a refusal changes nothing
	return Changed{State: c.state.Clone()}
}

// result names the shards that the stream's worker owns.
func (c *crowd) result(s Stream, generation, step int64) Result {
	r := Result{Generation: generation, Step: step, Digests: Digests{Online: onlineAt(step + 1), Target: c.state.Target,
		Slice: 7}}
	if m := c.lead.streams[s]; m != nil && m.rank >= 0 {
		if peers := c.state.Peers(); m.rank < len(peers) {
			for v := peers[m.rank].ShardBegin; v < peers[m.rank].ShardEnd; v++ {
				s := Shard{Shard: v, Loss: 1, Images: 1, Gradient: uint64(v)}
				if c.state.Verifies() && rapid.IntRange(0, 20).Draw(c.t, "wrong gradient") == 0 {
					s.Gradient += 1000
				}
				r.Shards = append(r.Shards, s)
			}
		}
	}
	return r
}

func (c *crowd) saved(step int64) Saved {
	if n := len(c.state.Saving); n > 0 {
		step = c.state.Saving[0]
	}
	return Saved{Step: step, Path: fmt.Sprint("c", step)}
}

// happen gives the leader an event, carries out what it says, and checks what must hold.
func (c *crowd) happen(e Event) {
	c.last = e
	if c.sought {
		c.sought = false
		c.happen(c.found())
	}
	for e != nil {
		actions := c.lead.Step(c.now, e)
		e = nil
		for i, a := range actions {
			if c.ended {
				c.t.Fatalf("%T after the end", a)
			}
			if e = c.do(a); e != nil && i < len(actions)-1 {
				c.t.Fatalf("%T is asked before the end of %v", a, actions)
			}
		}
	}
	if err := c.state.Check(); err != nil {
		c.t.Fatalf("after %+v: %v", c.last, err)
	}
}

func (c *crowd) do(a Action) Event {
	switch a := a.(type) {
	case Propose:
		c.check(a.Command)
		err := c.state.Apply(a.Command)
		if _, ok := a.Command.(run.Commit); ok && err == nil {
			c.commits++
		}
		return Answered{Command: a.Command, Err: err, State: c.state.Clone()}
	case Weigh:
		if c.open == nil {
			c.t.Fatal("weigh without anything open")
		}
		w := Weighed{Slices: slices.Repeat([]uint64{7}, len(c.open.Ranks)), Whole: targetAt(c.open.Step),
			Target: targetAt(c.open.Step)}
		if !c.open.Restore {
			w.Whole, w.Target = onlineAt(c.open.Step+1), targetAt(c.open.Step+1)
		}
		return w
	case Open:
		if a.Generation != c.state.Generation || a.Step != c.state.Step || len(a.Ranks) != len(c.state.Group()) {
			c.t.Fatalf("open %+v at generation %d step %d", a, c.state.Generation, c.state.Step)
		}
		c.open = &a
	case Shut:
		c.open = nil
	case Inspect:
		c.inspecting = append(c.inspecting, a)
	case Seek:
		c.sought = true
	case Tell:
		if a.Kind == "run-failed" || a.Kind == "run-stopped" || a.Kind == "run-completed" {
			c.verdicts++
		}
		if c.verdicts > 1 {
			c.t.Fatalf("a second verdict: %+v", a)
		}
	case Drop:
		if !slices.Contains(c.live, a.Stream) {
			c.t.Fatalf("stream %d is dropped and was not there", a.Stream)
		}
		c.live = slices.DeleteFunc(c.live, func(o Stream) bool { return o == a.Stream })
	case End:
		if !c.state.Phase.Final() {
			c.t.Fatalf("the end while %s", c.state.Phase)
		}
		if (c.state.Phase == run.Completed) != (a.Failure == nil) && c.state.Phase != run.Stopped {
			c.t.Fatalf("%s ends with %v", c.state.Phase, a.Failure)
		}
		c.ended, c.failure = true, a.Failure
	}
	return nil
}

// found is what comes of looking for a checkpoint.
func (c *crowd) found() Event {
	if rapid.Bool().Draw(c.t, "found none") {
		return Sought{Why: "none"}
	}
	step := int64(rapid.IntRange(0, int(c.state.Step)).Draw(c.t, "found"))
	return Sought{Checkpoint: &run.Checkpoint{Step: step, Path: "old"}}
}

// check looks at a command before it is agreed on.
func (c *crowd) check(command run.Command) {
	k, ok := command.(run.Commit)
	if !ok {
		return
	}
	if k.Record.Skipped {
		return
	}
	shards := map[int]int{}
	for _, o := range c.state.Group() {
		m := c.lead.members[o.ID]
		if m == nil || m.result == nil || m.result.Generation != k.Record.Generation || m.result.Step != k.Record.Step {
			c.t.Fatalf("step %d is committed without %s", k.Record.Step, o.ID)
		}
		for _, s := range m.result.Shards {
			shards[s.Shard]++
		}
	}
	for v := range c.state.Settings.Shards {
		if shards[v] != 1 {
			c.t.Fatalf("step %d is committed with shard %d %d times", k.Record.Step, v, shards[v])
		}
	}
}

// settle lets everybody fall silent: within the leader's own patience the run comes to its end, or it waits for workers
// and says so.
func (c *crowd) settle() {
	for limit := c.now.Add(3 * time.Minute); !c.ended && c.now.Before(limit); {
		c.now = c.now.Add(250 * time.Millisecond)
		c.happen(Tick{})
	}
	waits := c.state.Phase == run.Waiting && c.state.Reason != "" && len(c.state.Members) == 0
	if !c.ended && !waits {
		c.t.Fatalf("no end after three silent minutes: %s %q, members %v, signs %+v", c.state.Phase, c.state.Reason,
			c.state.Members, c.lead.signs)
	}
}
