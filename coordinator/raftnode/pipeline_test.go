package raftnode

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"byol/coordinator/run"
	"byol/internal/fault"
)

// inMemory is a directory that is no disk, where there is one.
const inMemory = "/dev/shm"

// hangs is how many cuts it takes to see pipelining hang.
const hangs = 12

// partitioned lets three nodes run while lines between them are cut and heal, one way at a time, and reports whether
// all agree and end afterwards.
func partitioned(t *testing.T, seed uint64, inFlight, rounds int) (stuck string) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		for name := range c.dirs {
			o := c.options(name)
			o.inFlight = inFlight
			n, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			c.nodes[name] = n
		}
		c.leader()
		r := rand.New(rand.NewPCG(seed, 5))
		names := []string{"a", "b", "c"}
		for round := range rounds {
			from := r.IntN(3)
			c.faults(fmt.Sprintf("cut %s->%s for=%dms", names[from], names[(from+1+r.IntN(2))%3], 200+r.IntN(9000)))
			for i := range 40 {
				for _, n := range c.nodes {
					if term, _ := n.Leadership(); term > 0 {
						ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
						_ = n.Propose(ctx, run.Fail{Reason: fmt.Sprint(round, i)})
						cancel()
					}
				}
				time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			}
		}
		p, err := fault.Parse("heal *<->*")
		if err != nil {
			t.Fatal(err)
		}
		c.lines.Begin(p)
		time.Sleep(15 * time.Second)
		var applied []uint64
		for _, n := range c.nodes {
			applied = append(applied, n.raft.AppliedIndex())
		}
		if slices.Max(applied)-slices.Min(applied) > nearEntries {
			stuck = fmt.Sprintf("they have applied %v", applied)
		}
		for _, name := range names {
			if err := c.nodes[name].Close(); err != nil {
				stuck += fmt.Sprintf(" %s: %v", name, err)
			}
			delete(c.nodes, name)
		}
	})
	return stuck
}

// TestOneWayPartitions cuts lines at random with 20 seeds: replication goes on after each. (With two RPCs in flight
// raft's pipelining leaves a goroutine stuck for ever: TestPipeliningHangs.)
func TestOneWayPartitions(t *testing.T) {
	seeds := uint64(20)
	rounds := 5
	if os.Getenv("BYOL_LONG") != "" {
		rounds = hangs
	}
	for seed := range seeds {
		if stuck := partitioned(t, seed, 1, rounds); stuck != "" {
			t.Errorf("seed %d: %s", seed, stuck)
		}
	}
}

// TestPipeliningHangs is TestOneWayPartitions with raft's own default, which fails: when it does not any more, the
// limit of one RPC can go. A bubble with a goroutine that is stuck ends its program, and so it is one of its own.
func TestPipeliningHangs(t *testing.T) {
	const child = "BYOL_TEST_PIPELINING"
	if os.Getenv(child) != "" {
		for seed := range uint64(200) {
			if stuck := partitioned(t, seed, 2, hangs); stuck != "" {
				t.Fatalf("seed %d: stuck: %s", seed, stuck)
			}
		}
		return
	}
	if testing.Short() {
		t.Skip("-short: it takes some seconds; make unit runs it")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPipeliningHangs$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), child+"=1")
	if dir, err := os.MkdirTemp(inMemory, "raftnode"); err == nil {
		cmd.Env = append(cmd.Env, "TMPDIR="+dir) // it waits for disks, and for nothing else
		defer func() { _ = os.RemoveAll(dir) }() // which a program that panics may leave
	}
	output, err := cmd.CombinedOutput()
	text := string(output)
	if err == nil || !strings.Contains(text, "stuck: ") && !strings.Contains(text, "netPipeline") {
		t.Errorf("two RPCs in flight left nothing stuck with 200 seeds: %v\n%s", err, text)
	}
}
