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
)

// redealt runs as many steps as there are deals, with deals[i] shards on each rank in step i, and returns what every
// rank ends with.
func redealt(c Config, deals [][]int, open func() device.Device) ([]snapshot, error) {
	ranks := len(deals[0])
	h, gradients := newHub(ranks), make([][]float32, c.Shards)
	ends, errs := make([]snapshot, ranks), make([]error, ranks)
	var wg sync.WaitGroup
	for rank := range ranks {
		wg.Go(func() {
			dev := open()
			defer dev.Close()
			l, err := New(dev, c, deals[0][rank], member{h, rank})
			if err != nil {
				errs[rank] = err
				return
			}
			l.Init(1)
			for step, counts := range deals {
				if errs[rank] = l.Replan(counts[rank]); errs[rank] != nil {
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
					gradients[first+i] = download(dev, l.ShardGradient(i))
				}
				h.gather(rank, nil)
				dev.Upload(l.Gradient(), reduce(gradients))
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
	devices := map[string]func() device.Device{
		"reference": reference32,
		"cpu": func() device.Device {
			d, err := cpu.New(cpu.Options{Threads: 2})
			if err != nil {
				panic(err)
			}
			return d
		},
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
	if l.classifier == nil {
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
	onCPU := func(options cpu.Options, m device.PeerAllocator) func() holder {
		return func() holder {
			d, err := cpu.New(options)
			if err != nil {
				t.Fatal(err)
			}
			if m != nil {
				d.UsePeerMemory(m)
			}
			return d
		}
	}
	for name, open := range map[string]func() holder{
		"cpu":              onCPU(cpu.Options{Threads: 2}, nil),
		"cpu, one thread":  onCPU(cpu.Options{Threads: 1}, nil),
		"cpu, with peers":  onCPU(cpu.Options{Threads: 2}, peers),
		"cpu, no Winograd": onCPU(cpu.Options{Threads: 2, Direct: true}, nil),
		"reference":        func() holder { return reference.New(32).(holder) },
		"reference64":      func() holder { return reference.New(64).(holder) },
	} {
		t.Run(name, func(t *testing.T) {
			most := heldBy(t, open(), c, []int{4})[0]
			for _, locals := range [][]int{{2, 3, 4, 3, 2}, {1, 4, 1}, {4, 3}} {
				twice := slices.Concat(locals, locals)
				*peers = ledger{}
				held := heldBy(t, open(), c, twice)
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
func heldBy(t *testing.T, dev holder, c Config, locals []int) (held []int) {
	t.Helper()
	l, err := New(dev, c, locals[0], &counter{})
	if err != nil {
		t.Fatal(err)
	}
	l.Init(1)
	for _, local := range locals {
		if err := l.Replan(local); err != nil {
			t.Fatal(err)
		}
		stepOf(t, l)
		held = append(held, dev.Allocated())
	}
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	return held
}

// TestReplanRefuses: a number of shards that cannot be is an error that leaves the learner as it is.
func TestReplanRefuses(t *testing.T) {
	c := tiny()
	alone, joined := newLearner(t, reference32(), c), newLearner(t, reference32(), c)
	joined.sync = &counter{}
	for _, x := range []struct {
		l     *Learner
		local int
		want  string
	}{
		{joined, 0, "0 local shards of 4"}, {joined, 5, "5 local shards of 4"}, {joined, -1, "-1 local shards of 4"},
		{alone, 3, "nothing to exchange sums with"},
	} {
		if err := x.l.Replan(x.local); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("replan for %d shards: error %v, want one with %q", x.local, err, x.want)
		}
		stepOf(t, x.l)
	}
	if err := joined.Replan(2); err != nil || joined.cut.Local != 2 {
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
	dev := scant{reference32(), &room}
	l, err := New(dev, tiny(), 1, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	before := dev.Allocated()
	for left := 0; ; left += 5000 {
		room = left
		err := l.Replan(3)
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
	l, err := New(reference32(), c, 2, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	l.Init(1)
	phases := map[string]int{}
	l.SetPhaseHook(func(phase string) { phases[phase]++ })
	if err := l.Replan(3); err != nil {
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
		l, err := New(reference32(), c, 2, &counter{})
		if err != nil {
			t.Fatal(err)
		}
		l.Init(1)
		stepOf(t, l)
		b := shardsOf(c, global(c, 0), 0, 2)
		if lead {
			if err := l.Lead(context.Background(), b, after(1<<30)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Replan(1); err != nil {
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
