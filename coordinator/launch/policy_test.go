package launch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/internal/failure"
)

// TestPolicy plays the lives of one worker: how each process ended, how long it lasted and in how many steps it took
// part, and what becomes of the worker.
func TestPolicy(t *testing.T) {
	t.Parallel()
	killed, broke := Exit{Signalled: true}, Exit{Code: failure.Training}
	code := func(c int) Exit { return Exit{Code: c} }
	type end struct {
		exit  Exit
		life  life
		after string
	}
	short, worked := life{time.Second, 1}, life{time.Minute, goodSteps}
	for _, c := range []struct {
		name string
		max  int
		ends []end
	}{
		{"pauses grow to half a minute", 10, []end{{killed, short, "1s 1/10"}, {killed, short, "2s 2/10"},
			{broke, short, "4s 3/10"}, {killed, short, "8s 4/10"}, {killed, short, "16s 5/10"}, {killed, short, "30s 6/10"},
			{killed, short, "30s 7/10"}, {killed, short, "30s 8/10"}, {killed, short, "30s 9/10"}, {killed, short, "30s 10/10"},
			{killed, short, "out"}}},
		{"never", 0, []end{{killed, worked, "out"}}},
		{"steps make good", 2, []end{{killed, short, "1s 1/2"}, {killed, short, "2s 2/2"}, {killed, worked, "1s 1/2"},
			{killed, life{time.Second, goodSteps - 1}, "2s 2/2"}, {killed, short, "out"}}},
		{"time makes good", 2, []end{{killed, short, "1s 1/2"}, {killed, short, "2s 2/2"},
			{killed, life{goodTime, 0}, "1s 1/2"}}},
		{"one that never worked", 10, []end{{broke, life{}, "1s 1/3"}, {killed, life{}, "2s 2/3"}, {broke, life{}, "4s 3/3"},
			{broke, life{}, "out"}}},
		{"one that worked at last", 10, []end{{broke, life{}, "1s 1/3"}, {killed, short, "2s 2/10"},
			{broke, life{}, "4s 3/10"},
			{broke, life{}, "8s 4/10"}}},
		{"wrong settings", 10, []end{{code(failure.Usage), short, "out"}}},
		{"no data", 10, []end{{code(failure.Data), worked, "out"}}},
		{"no checkpoint", 10, []end{{code(failure.Checkpoint), worked, "out"}}},
		{"asked to go", 10, []end{{code(failure.Temporary), worked, "out"}}},
		{"asked twice", 10, []end{{code(failure.Interrupted), worked, "out"}}},
		{"done", 10, []end{{code(0), worked, "out"}}},
		{"the coordinator was not to be reached", 10, []end{{code(failure.Unreachable), short, "1s 1/10"}}},
		{"a bug", 10, []end{{code(failure.Internal), short, "1s 1/10"}}},
		{"killed, whatever its status", 10, []end{{Exit{Signalled: true, Code: failure.Usage}, short, "1s 1/10"}}},
	} {
		var p past
		for i, e := range c.ends {
			n, got := p.after(e.exit, e.life, c.max), "out"
			if n.Restart {
				got = fmt.Sprintf("%v %d/%d", n.After, n.Number, n.Limit)
			}
			if got != e.after {
				t.Errorf("%s: end %d: %s, want %s", c.name, i+1, got, e.after)
			}
		}
	}
}

// TestPolicyEnds: whatever becomes of a worker that does no good, it is started a bounded number of times, with pauses
// that do not shrink and are never longer than the longest.
func TestPolicyEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 100).Draw(t, "limit")
		var p past
		var last time.Duration
		for n := 1; ; n++ {
			x := Exit{Code: rapid.SampledFrom([]int{1, 3, 4, 6}).Draw(t, "code"), Signalled: rapid.Bool().Draw(t, "killed")}
			l := life{time.Duration(rapid.Int64Range(0, int64(goodTime)-1).Draw(t, "lasted")),
				rapid.Int64Range(0, goodSteps-1).Draw(t, "steps")}
			next := p.after(x, l, limit)
			if !next.Restart {
				return
			}
			if next.Number != n || n > limit || next.After < last || next.After > lastPause || next.After < firstPause {
				t.Fatalf("restart %d of %d after %v: %+v", n, limit, last, next)
			}
			last = next.After
		}
	})
}

// TestLack tells who was killed for lack of memory from counters of every kind of system.
func TestLack(t *testing.T) {
	t.Parallel()
	const had = "; the process had up to 7 MiB"
	for _, c := range []struct {
		name   string
		files  map[string]string // before
		change map[string]string // when somebody was killed
		want   []string          // of each process that was killed at once
	}{
		{"a limit of version 2",
			map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.events": "oom 1\noom_kill 3\n",
				"sys/fs/cgroup/a/b/memory.max": "268435456\n"},
			map[string]string{"sys/fs/cgroup/a/b/memory.events": "oom 2\noom_kill 5\n"},
			[]string{"the kernel killed it for lack of memory: the control group may have 256 MiB" + had,
				"the kernel killed it for lack of memory: the control group may have 256 MiB" + had, ""}},
		{"a container that is its own root",
			map[string]string{"proc/self/cgroup": "0::/kube/pod\n", "sys/fs/cgroup/memory.events": "oom_kill 0\n",
				"sys/fs/cgroup/memory.max": "max\n"},
			map[string]string{"sys/fs/cgroup/memory.events": "oom_kill 1\n"},
			[]string{"the kernel killed it for lack of memory in its control group" + had, ""}},
		{"a limit of version 1",
			map[string]string{"proc/self/cgroup": "4:memory:/x\n1:cpu:/y\n0::/\n",
				"sys/fs/cgroup/memory/x/memory.oom_control":    "under_oom 0\noom_kill 0\n",
				"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1073741824\n"},
			map[string]string{"sys/fs/cgroup/memory/x/memory.oom_control": "under_oom 0\noom_kill 1\n"},
			[]string{"the kernel killed it for lack of memory: the control group may have 1024 MiB" + had}},
		{"the machine", map[string]string{"proc/vmstat": "oom_kill 7\n"}, map[string]string{"proc/vmstat": "oom_kill 8\n"},
			[]string{"the kernel killed it for lack of memory of the machine" + had, ""}},
		{"somebody else", map[string]string{"proc/vmstat": "oom_kill 7\n"}, nil, []string{""}},
		{"nothing is known", nil, nil, []string{""}},
	} {
		root := t.TempDir()
		plant(t, root, c.files)
		m := watchMemory(system(root))
		plant(t, root, c.change)
		for i, want := range c.want {
			if got := m.lack(7 << 20); got != want {
				t.Errorf("%s: process %d: %q, want %q", c.name, i, got, want)
			}
		}
	}
	if got := watchMemory("/").lack(0); strings.Contains(got, "up to") {
		t.Errorf("without a peak: %q", got)
	}
}

// TestHow puts ends in words for a line of the screen.
func TestHow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		exit Exit
		want string
	}{
		{Exit{Signalled: true, Signal: 9, Status: "signal: killed", Tail: "ring broke"}, "was killed (signal 9)"},
		{Exit{Signalled: true, Signal: 9, Lack: "no memory", Status: "signal: killed: no memory"},
			"was killed (signal 9): no memory"},
		{Exit{Signalled: true, Signal: 15, Status: "signal: terminated", Tail: "x"}, "ended (signal: terminated)"},
		{Exit{Code: 1, Signal: 6, Status: "signal: aborted", Tail: "panic: boom"}, "ended (signal: aborted): panic: boom"},
		{Exit{Code: 4, Status: "exit status 4", Tail: "no device"}, "ended (exit status 4): no device"},
		{Exit{Code: 4, Status: "exit status 4"}, "ended (exit status 4)"},
	} {
		if got := c.exit.How(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.exit, got, c.want)
		}
	}
}
