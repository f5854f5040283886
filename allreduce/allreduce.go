// Package allreduce sums and shares vectors over a fixed group of ranks.
//
// Bits. Every sum is that of a binary tree over virtual shards (vector.Tree). The result depends on V and on the data,
// never on the number of ranks, on who has which shards, on chunks or on timing; all ranks get the same bits (payloads
// of NaNs excepted). The same holds where elements are rounded to bfloat16 (Wire). A rank adds its own shards up to
// the nodes that they make up, and nodes are what travels (order.go).
//
// Ways. How ranks reach each other is one value, chosen when the group forms (way.go): by a network, by memory that
// the ranks of one host share, or by vectors that lie in the Memory of each. Each way has a list of sums and of
// shares, and the first that can takes a vector; all give the same bits.
//
// By a network, each chunk of a long vector has one rank that adds it: the others send it their nodes of it, or their
// shards where each is rounded, and it sends the sum to all. So a sum takes two hops, however many ranks there are.
// Short vectors go from everybody to everybody in one. Totals, of float64, do the same in small groups; in large ones
// blocks of ranks exchange nodes, in log₂ of their number of rounds. The order of frames is data (schedule.go). What
// is short, how long chunks are and which way totals go follow from a measurement when the group forms (Tuning); it
// never shows in a sum.
//
// Words. A board is where each rank puts a message that all read, a window a row of cells that chunks go through (both
// of package shm); a schedule is the order of frames of one operation, a plan the coordinator's, of which a group is
// one generation; a span is a part of a vector.
//
// Ownership. A Group owns its connections and goroutines: one that listens to each peer, and one that sends
// while a long operation runs. Close ends them all before it returns. A Listener and a Memory outlive groups and
// belong to the caller. AllReduce and Share take turns; Total runs beside them.
//
// Waiting. How long a peer computes is not limited; how long it may be silent, or out of reach, is (pulse.go). A
// process that was killed ends its connections, and all ranks know at once; a line that is cut, or a process that is
// stopped, takes GroupConfig.Timeout.
//
// Damage. A frame's checksum is taken when it is sent, once for all it goes to. So what is changed on a line or in a
// socket's buffers is found by the rank that receives it, which names the sender. What is not found here: a
// gradient that was wrong before it was summed, and an addition that a processor got wrong, which spoils the sum for
// all ranks alike. Only computing a second time finds those, and costs what it repeats.
//
// When it fails: a group is for one membership and is single-use. The first error, of whatever kind (a peer lost, a
// deadline, a stale or corrupt frame, the caller's context), breaks it for good: all peers are told whose fault
// it was, all connections are closed, and every waiting and later call on every rank returns a *PeerError. The
// contents of output vectors are then undefined. Close the group and form one of the next generation.
package allreduce

import (
	"context"
	"fmt"
	"sync"
	"time"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// Key names one operation. All ranks use the same keys in the same order; a frame with another key breaks the group.
type Key struct {
	Step   uint64
	Bucket uint32
}

func (k Key) String() string { return fmt.Sprintf("step %d bucket %d", k.Step, k.Bucket) }

// Peer is one rank of a group.
type Peer struct {
	Address              string // host:port of its Listener
	ShardBegin, ShardEnd int    // the virtual shards it owns
	Host                 string // equal for ranks that may share memory; "" is a host of its own
	Name                 string // for messages; "" is its rank
}

// GroupConfig is the membership of a group, as the plan of its generation says.
type GroupConfig struct {
	// RunID and Generation must be equal on all peers; others are refused.
	RunID      string
	Generation uint64
	// Rank is this process's place in Peers.
	Rank int
	// Peers own consecutive ranges of shards in rank order, beginning with shard 0, none of them empty.
	Peers []Peer
	// Listener is where the other ranks connect to, and whose network this rank dials. A group of one needs none.
	Listener *Listener
	// Timeout is how long a peer may be unreachable, or silent, when all are alive and say so several times in it. How
	// long a peer computes is not limited. 0 is DefaultTimeout.
	Timeout time.Duration
	// OnWait, if set, is told about twice a second whom this rank waits for, once that takes longer than half a
	// second. It must not block, nor close the group.
	OnWait func(Waiting)
	// Traffic, if set, counts what goes over links.
	Traffic *Traffic
	// NoSharedMemory keeps ranks of one host on TCP.
	NoSharedMemory bool
	// Wire is how AllReduce rounds; it must be equal on all peers, others are refused.
	Wire Wire
	// Memory, if all ranks of one host have one, spares copies of the vectors that lie in it. No other group may use it
	// before this one is closed. A group that broke leaves it with the same contents, outputs aside.
	Memory *Memory
}

// DefaultTimeout is the Timeout of a configuration that names none.
const DefaultTimeout = time.Minute

// Group is one rank's end of a group whose members never change.
type Group struct {
	cfg    GroupConfig
	shards int // V

	mesh []*peer // by rank; nil at our own
	next link.Link
	prev link.Link

	bulk      gate      // held by AllReduce and Share
	small     gate      // held by Total
	order     order     // does not change
	way       way       // does not change once formed
	tuning    Tuning    // does not change once formed
	schedules schedules // guarded by bulk
	bufs      scratch   // guarded by bulk
	totals    totals    // guarded by small

	shared *shared // where all ranks are on one host and can share memory
	unmap  sync.Once

	orderly bool // it was closed whole; written before shutDone is closed

	done     chan struct{} // closed when the group is broken or closed
	shutDone chan struct{} // closed when its links are
	mu       sync.Mutex    // guards cause, and shared until the group is formed
	cause    blame
	waits    [waitSlots]waitSlot
	ring     ringCount
	wg       sync.WaitGroup
}

// Rank is this process's rank.
func (g *Group) Rank() int { return g.cfg.Rank }

// Size is the number of ranks.
func (g *Group) Size() int { return len(g.cfg.Peers) }

// Transport says in words how the ranks are connected, and why not in a faster way.
func (g *Group) Transport() string { return g.way.name }

// Shards is V, the number of virtual shards.
func (g *Group) Shards() int { return g.shards }

// Wire is how AllReduce rounds.
func (g *Group) Wire() Wire { return g.cfg.Wire }

// AllReduce sums the V shards of all ranks into out, on every rank, with the roundings of GroupConfig.Wire. shards are
// this rank's, in order, each as long as out; out may be shards[0] but must not overlap another. All ranks call it in
// one order.
func (g *Group) AllReduce(ctx context.Context, key Key, shards [][]float32, out []float32) error {
	op, err := g.begin(ctx, opAllReduce, key)
	if err != nil {
		return err
	}
	defer op.end()
	if err := checkShards(shards, out, g.own()); err != nil {
		return op.misuse(err)
	}
	return g.way.sum(op, shards, out)
}

// Total sums the float64 vectors of all shards into sum, on every rank: local holds this rank's, one after another,
// each as long as sum, and is overwritten. It may run beside AllReduce and Share.
func (g *Group) Total(ctx context.Context, key Key, local, sum []float64) error {
	op, err := g.begin(ctx, opTotal, key)
	if err != nil {
		return err
	}
	defer op.end()
	if len(local) != len(sum)*g.own() {
		return op.misuse(fmt.Errorf("total lengths: sum has %d values, local %d: want %d shards", len(sum), len(local),
			g.own()))
	}
	if most := 8 * len(sum) * g.order.nodes.most(); most > maxMessage {
		return op.misuse(fmt.Errorf("total of %d values: %d bytes of a rank, at most %d; use AllReduce for long vectors",
			len(sum), most, maxMessage))
	}
	if len(sum) == 0 {
		return nil
	}
	return g.way.total(op, local, sum)
}

// Share completes buf on all ranks: rank r holds spans[r] of it before, everybody holds all spans afterwards.
// Spans must lie inside buf and must not overlap. It takes turns with AllReduce.
func (g *Group) Share(ctx context.Context, key Key, buf []float32, spans []vector.Span) error {
	op, err := g.begin(ctx, opShare, key)
	if err != nil {
		return err
	}
	defer op.end()
	if err := checkSpans(spans, len(buf), g.Size()); err != nil {
		return op.misuse(err)
	}
	return g.way.share(op, buf, spans)
}

// owned is the number of shards of rank r.
func (g *Group) owned(r int) int { return g.cfg.Peers[r].ShardEnd - g.cfg.Peers[r].ShardBegin }

// own is the number of shards of this rank.
func (g *Group) own() int { return g.owned(g.Rank()) }

// first is the first shard of rank r; first(Size()) is V.
func (g *Group) first(r int) int {
	if r == g.Size() {
		return g.shards
	}
	return g.cfg.Peers[r].ShardBegin
}

func checkShards(shards [][]float32, out []float32, own int) error {
	if len(shards) != own {
		return fmt.Errorf("all-reduce: %d shards given, this rank owns %d", len(shards), own)
	}
	for i, s := range shards {
		if len(s) != len(out) {
			return fmt.Errorf("all-reduce: shard %d of this rank has %d elements, out has %d", i, len(s), len(out))
		}
		if i > 0 && len(s) > 0 && &s[0] == &out[0] {
			return fmt.Errorf("all-reduce: out is shard %d of this rank; it may only be the first", i)
		}
	}
	return nil
}

func checkSpans(spans []vector.Span, length, size int) error {
	if len(spans) != size {
		return fmt.Errorf("share: %d spans for %d ranks", len(spans), size)
	}
	for r, s := range spans {
		if s.Off < 0 || s.Len < 0 || s.Off > length-s.Len {
			return fmt.Errorf("share: span %d is [%d, %d+%d) of %d elements", r, s.Off, s.Off, s.Len, length)
		}
	}
	return nil
}
