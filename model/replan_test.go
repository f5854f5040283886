package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
)

// redealt runs as many steps as there are deals, with deals[i] shards on each rank in step i, and returns what every
// rank ends with.
func redealt(c Config, deals [][]int, open func() engine.Engine) ([]snapshot, error) {
	ranks := len(deals[0])
	h, gradients := newHub(ranks), make([][]float32, c.Shards)
	ends, errs := make([]snapshot, ranks), make([]error, ranks)
	var wg sync.WaitGroup
	for rank := range ranks {
		wg.Go(func() {
			eng := open()
			defer eng.Close()
			l, err := New(context.Background(), eng, c, deals[0][rank], member{h, rank})
			if err == nil {
				err = l.Init(1)
			}
			if err != nil {
				errs[rank] = err
				return
			}
			for step, counts := range deals {
				if errs[rank] = l.Replan(context.Background(), counts[rank]); errs[rank] != nil {
					return
				}
				first := 0
				for _, n := range counts[:rank] {
					first += n
				}
				b := shardsOf(c, global(c, step), first, first+counts[rank])
				if _, err := l.Grad(context.Background(), b, nil); err != nil {
					errs[rank] = err
					return
				}
				for i := range counts[rank] {
					gradients[first+i] = download(l.ShardGradient(i))
				}
				h.gather(rank, nil)
				upload(l.Gradient(), reduce(gradients))
				h.gather(rank, nil)
				if _, err := l.Update(int64(step)); err != nil {
					errs[rank] = err
					return
				}
				l.UpdateTarget(c.Schedule.OneMinusTau(int64(step)))
				l.Commit()
			}
			ends[rank].take(l)
		})
	}
	wg.Wait()
	for rank, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return ends, nil
}

// TestReplanKeepsBits: however the shards are dealt out anew between steps, all ranks end with the bits of one learner
// that holds all shards throughout.
func TestReplanKeepsBits(t *testing.T) {
	devices := map[string]func() engine.Engine{
		"reference": reference32,
		"cpu":       func() engine.Engine { return onCPU(2) },
	}
	for _, local := range []bool{false, true} {
		c := with(func(c *Config) { c.LocalBatchNorm = local })
		for name, open := range devices {
			t.Run(fmt.Sprintf("%s local=%v", name, local), func(t *testing.T) {
				// Rank 0 goes from each number of shards to each other.
				deals := [][]int{{1, 3}, {2, 2}, {3, 1}, {1, 3}, {3, 1}, {2, 2}, {1, 3}}
				want, err := redealt(c, slices.Repeat([][]int{{c.Shards}}, len(deals)), open)
				if err != nil {
					t.Fatal(err)
				}
				got, err := redealt(c, deals, open)
				if err != nil {
					t.Fatal(err)
				}
				for rank, s := range got {
					if diff := cmp.Diff(want[0], s); diff != "" {
						t.Errorf("rank %d (-one learner +redealt):\n%.500s", rank, diff)
					}
				}
			})
		}
	}
}

// holder is a device that says what it holds.
type holder interface {
	device.Device
	device.Scoper
}

// stepOf runs a step of a learner whose other shards hold what its own do.
func stepOf(t testing.TB, l *Learner) {
	t.Helper()
	b := shardsOf(l.cfg, global(l.cfg, 0), 0, l.cut.Local)
	if l.cfg.Classes == 0 {
		b.Labels = nil
	}
	if _, err := l.Grad(context.Background(), b, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Update(0); err != nil {
		t.Fatal(err)
	}
	l.UpdateTarget(0.01)
	l.Commit()
}

// ledger is peer memory that counts.
type ledger struct{ out, most int } // vectors handed out and not given back

func (p *ledger) Floats(n int) ([]float32, error) {
	p.out++
	p.most = max(p.most, p.out)
	return make([]float32, n+64)[:n], nil
}

func (p *ledger) Free([]float32) { p.out-- }

// TestReplanKeepsMemory: after any sequence of numbers of shards, with a step in each, a device holds no more than it
// does for a learner of the largest number, and of the memory that peers reach two targets and a gradient per shard.
// What is used once more lies where it was, so a sequence run twice takes nothing more.
func TestReplanKeepsMemory(t *testing.T) {
	c := with(func(c *Config) { c.BaseWidth, c.ImageSize, c.ProjectorHidden, c.Batch = 16, 16, 512, 16 })
	peers := &ledger{}
	onDevice := func(options cpu.Options) func() holder {
		return func() holder {
			d, err := cpu.New(options)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	for name, open := range map[string]func() holder{
		"cpu":              onDevice(cpu.Options{Threads: 2}),
		"cpu, one thread":  onDevice(cpu.Options{Threads: 1}),
		"cpu, with peers":  onDevice(cpu.Options{Threads: 2}),
		"cpu, no Winograd": onDevice(cpu.Options{Threads: 2, Direct: true}),
		"reference":        func() holder { return reference.New(32).(holder) },
		"reference64":      func() holder { return reference.New(64).(holder) },
	} {
		t.Run(name, func(t *testing.T) {
			var memory engine.PeerMemory
			if name == "cpu, with peers" {
				memory = peers
			}
			most := heldBy(t, open(), memory, c, []int{4})[0]
			for _, locals := range [][]int{{2, 3, 4, 3, 2}, {1, 4, 1}, {4, 3}} {
				twice := slices.Concat(locals, locals)
				*peers = ledger{}
				held := heldBy(t, open(), memory, c, twice)
				if slices.Max(held) > most {
					t.Errorf("shards %v: the device held %v bytes, a learner of 4 shards takes %d", twice, held, most)
				}
				if first, again := held[len(locals)-1], held[len(twice)-1]; again > first {
					t.Errorf("shards %v: %d bytes after one round, %d after two", locals, first, again)
				}
				if name == "cpu, with peers" && (peers.most != 2+slices.Max(locals) || peers.out != 0) {
					t.Errorf("shards %v: %d vectors of peers at once, %d in the end; want %d, 0", locals, peers.most, peers.out,
						2+slices.Max(locals))
				}
			}
		})
	}
}

// heldBy is how many bytes the device holds after a step with each number of local shards. The device is closed.
func heldBy(t *testing.T, dev holder, memory engine.PeerMemory, c Config, locals []int) (held []int) {
	t.Helper()
	eng := ops.New(dev, memory)
	l := newLearnerOf(t, eng, c, locals[0], &counter{})
	for _, local := range locals {
		if err := l.Replan(context.Background(), local); err != nil {
			t.Fatal(err)
		}
		stepOf(t, l)
		held = append(held, dev.Allocated())
	}
	if err := eng.Close(); err != nil {
		t.Fatal(err)
	}
	return held
}

// TestReplanRefuses: a number of shards that cannot be is an error that leaves the learner as it is.
func TestReplanRefuses(t *testing.T) {
	c := tiny()
	alone, joined := newLearner(t, reference32(), c), newLearnerOf(t, reference32(), c, c.Shards, &counter{})
	for _, x := range []struct {
		l     *Learner
		local int
		want  string
	}{
		{joined, 0, "0 local shards of 4"}, {joined, 5, "5 local shards of 4"}, {joined, -1, "-1 local shards of 4"},
		{alone, 3, "nothing to exchange sums with"},
	} {
		if err := x.l.Replan(context.Background(), x.local); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("replan for %d shards: error %v, want one with %q", x.local, err, x.want)
		}
		stepOf(t, x.l)
	}
	if err := joined.Replan(context.Background(), 2); err != nil || joined.cut.Local != 2 {
		t.Errorf("replan for 2 shards: %v", err)
	}
}

// scant is a device whose scopes have only so much memory.
type scant struct {
	device.Device
	left *int
}

func (s scant) Scope() device.Device { return scant{s.Device.(device.Scoper).Scope(), s.left} }

func (s scant) Allocated() int { return s.Device.(device.Scoper).Allocated() }

func (s scant) Alloc(n int) (device.Buffer, error) {
	if *s.left -= n; *s.left < 0 {
		return device.Buffer{}, errFull
	}
	return s.Device.Alloc(n)
}

// TestReplanOutOfMemory: what a failed plan took is given back.
func TestReplanOutOfMemory(t *testing.T) {
	room := 1 << 30
	dev := scant{reference.New(32), &room}
	l := newLearnerOf(t, ops.New(dev, nil), tiny(), 1, &counter{})
	before := dev.Allocated()
	for left := 0; ; left += 5000 {
		room = left
		err := l.Replan(context.Background(), 3)
		if err == nil {
			break
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("with %d elements: error %v, want one that wraps %q", left, err, errFull)
		}
		if held := dev.Allocated(); held > before {
			t.Fatalf("with %d elements: %d bytes held after the error, %d before", left, held, before)
		}
	}
}

// TestReplanKeepsTheHook: phases are reported as before, in the current state and after it.
func TestReplanKeepsTheHook(t *testing.T) {
	c := tiny()
	l := newLearnerOf(t, reference32(), c, 2, &counter{})
	phases := map[string]int{}
	l.SetPhaseHook(func(phase string) { phases[phase]++ })
	if err := l.Replan(context.Background(), 3); err != nil {
		t.Fatal(err)
	}
	stepOf(t, l)
	if phases["forward"] == 0 || phases["backward"] == 0 || phases["sync"] == 0 || phases["update"] == 0 {
		t.Errorf("phases %v, want forward, backward, sync and update", phases)
	}
}

// TestReplanDropsWhatLeadBegan: the pass that runs ahead belongs to the buffers that are gone.
func TestReplanDropsWhatLeadBegan(t *testing.T) {
	c := tiny()
	run := func(lead bool) (s snapshot) {
		l := newLearnerOf(t, reference32(), c, 2, &counter{})
		stepOf(t, l)
		b := shardsOf(c, global(c, 0), 0, 2)
		if lead {
			if err := l.Lead(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Replan(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		stepOf(t, l)
		s.take(l)
		return s
	}
	if diff := cmp.Diff(run(false), run(true)); diff != "" {
		t.Errorf("(-without +with a pass ahead):\n%.500s", diff)
	}
}
