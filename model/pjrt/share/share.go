// Package share decides which compiled programs a machine takes from others, which it compiles, and whose it waits for,
// so that each is compiled once in a cluster and all machines run the same ones. It is pure: who is asked, and when,
// is told to a Table, and what time it is.
//
// A program is known by a Key: everything that decides what is compiled. What was compiled is known by its Seal: two
// machines may compile one program differently, where a compiler chooses by timing.
//
// Whose turn it is. For each program the machines have an order that depends on their names and on the program alone
// (rank), so every machine sees the same one and each is first for about as many. Whoever is first of those that answer
// compiles; the others wait. A machine only waits for those before it in the order, so no two wait for each other.
//
// When it fails: a machine that is silent, gives what is damaged, or makes no progress is no longer counted on, and the
// next in the order compiles. That costs time and nothing else.
package share

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"
)

// Key names a program.
type Key [sha256.Size / 2]byte

// Seal is the SHA-256 of what was compiled.
type Seal [sha256.Size]byte

// SealOf is the seal of compiled code.
func SealOf(code []byte) Seal { return sha256.Sum256(code) }

// Platform is the digest of what a program was compiled by and for: plugin, its version, kind of device, options.
type Platform [sha256.Size]byte

// State is how a machine stands to a program.
type State uint8

// The states, each better than those before.
const (
	None    State = iota // it has none, and wants none now
	Working              // it compiles it, or waits for another one that does
	Stored               // it has it
	Runs                 // it has it, and runs it
	last    = Runs
)

// Known reports whether a state is one of these.
func (s State) Known() bool { return s <= last }

// Has reports whether the program can be had.
func (s State) Has() bool { return s >= Stored }

// Entry is how a machine stands to one program. Seal is zero unless it has it.
type Entry struct {
	State State
	Seal  Seal
}

// Shelf is what a machine gives to others. Any goroutine may call it.
type Shelf interface {
	Platform() Platform
	// Look is how this machine stands to programs.
	Look([]Key) []Entry
	// Code is what was compiled, nil where that is not there.
	Code(Key, Seal) []byte
}

// Exchange reaches the other machines of a cluster. Any goroutine may call it.
type Exchange interface {
	// Offer has others given what is on the shelf, in place of the one before; nil: nothing.
	Offer(Shelf)
	// Hosts are the names of this machine and of the others, as all know them.
	Hosts() (self string, others []string)
	// Look asks a machine how it stands to programs.
	Look(ctx context.Context, host string, p Platform, keys []Key) ([]Entry, error)
	// Fetch asks a machine for what it compiled. Its seal is right.
	Fetch(ctx context.Context, host string, p Platform, k Key, s Seal) ([]byte, error)
}

// Faults of machines that are not asked again.
var (
	ErrOther   = errors.New("it has another plugin, kind of device or options")
	ErrDamaged = errors.New("what it gave was damaged")
)

// Limits say how long others are counted on.
type Limits struct {
	Silence  time.Duration // for a machine that does not answer
	Patience time.Duration // for one that compiles and finishes nothing
	Whole    time.Duration // for any, from its first answer on
}

// mostStrikes is how often one machine may fail to give what it says it has.
const mostStrikes = 3

// Table is what is known of all machines while programs are gathered. It belongs to one goroutine at a time.
type Table struct {
	self   string
	limits Limits
	hosts  []*host
}

// host is another machine.
type host struct {
	name     string
	known    map[Key]Entry
	begun    time.Time // when it was first asked
	heard    time.Time // when it last answered; zero: never
	first    time.Time // when it first did
	progress time.Time // when it was last seen to have one more program
	strikes  int
	dropped  bool
}

// NewTable is a table of machines that nobody has asked yet.
func NewTable(self string, others []string, l Limits, now time.Time) *Table {
	t := &Table{self: self, limits: l}
	for _, name := range others {
		t.hosts = append(t.hosts, &host{name: name, known: map[Key]Entry{}, begun: now})
	}
	return t
}

func (t *Table) find(name string) *host {
	i := slices.IndexFunc(t.hosts, func(h *host) bool { return h.name == name })
	return t.hosts[i]
}

// Heard takes a machine's answer.
func (t *Table) Heard(name string, keys []Key, entries []Entry, now time.Time) {
	h := t.find(name)
	if h.heard.IsZero() {
		h.first, h.progress = now, now
	}
	h.heard = now
	for i, k := range keys {
		if entries[i].State.Has() && !h.known[k].State.Has() {
			h.progress = now
		}
		h.known[k] = entries[i]
	}
}

// Failed says that a machine did not give a program that it has. It may be asked again, a few times.
func (t *Table) Failed(name string) {
	h := t.find(name)
	h.strikes++
	h.dropped = h.dropped || h.strikes >= mostStrikes
}

// Drop gives a machine up. It reports whether it was counted on before.
func (t *Table) Drop(name string) bool {
	h := t.find(name)
	before := !h.dropped
	h.dropped = true
	return before
}

// Asks reports whether a machine is worth asking.
func (t *Table) Asks(name string, now time.Time) bool { return t.counts(t.find(name), now) }

// counts reports whether a machine is counted on.
func (t *Table) counts(h *host, now time.Time) bool {
	since := h.heard
	if since.IsZero() {
		since = h.begun
	}
	return !h.dropped && now.Sub(since) < t.limits.Silence
}

// compiles reports whether a machine that counts is expected to give a program that it has not got yet.
func (t *Table) compiles(h *host, k Key, now time.Time) bool {
	return h.known[k].State == Working && now.Sub(h.progress) < t.limits.Patience && now.Sub(h.first) < t.limits.Whole
}

// What is to be done about a program.
type What int

// Ways to get a program.
const (
	Wait    What = iota // another machine has it soon
	Use                 // this machine has it
	Take                // another machine has it
	Compile             // nobody has it, and it is this machine's turn
)

// Step is what is to be done, and in Take, where and which.
type Step struct {
	What What
	Host string
	Seal Seal
}

// Decide says what to do about a program, of which this machine has own: Stored, or None. Nothing is decided before
// every machine that counts has answered: one of them may run the program.
func (t *Table) Decide(k Key, own Entry, now time.Time) Step {
	var counted []*host
	for _, h := range t.hosts {
		if !t.counts(h, now) {
			continue
		}
		if h.heard.IsZero() {
			return Step{What: Wait, Host: h.name}
		}
		counted = append(counted, h)
	}
	turn := rank(k, t.self)
	before := func(h *host) bool { return rank(k, h.name) < turn }
	slices.SortFunc(counted, func(a, b *host) int {
		return cmp.Or(cmp.Compare(rank(k, a.name), rank(k, b.name)), cmp.Compare(a.name, b.name))
	})
	for _, h := range counted {
		if e := h.known[k]; e.State == Runs {
			return getting(h, e, own)
		}
	}
	for _, h := range counted {
		if e := h.known[k]; e.State == Stored && (before(h) || !own.State.Has()) {
			return getting(h, e, own)
		}
	}
	if own.State.Has() {
		return Step{What: Use, Seal: own.Seal}
	}
	for _, h := range counted {
		if before(h) && t.compiles(h, k, now) {
			return Step{What: Wait, Host: h.name}
		}
	}
	return Step{What: Compile}
}

// getting is how to have what h has.
func getting(h *host, e, own Entry) Step {
	if own.State.Has() && own.Seal == e.Seal {
		return Step{What: Use, Seal: own.Seal}
	}
	return Step{What: Take, Host: h.name, Seal: e.Seal}
}

// rank is a machine's place in the order for a program.
func rank(k Key, name string) string {
	sum := sha256.Sum256(append(bytes.Clone(k[:]), name...))
	return string(sum[:])
}

// Mine reports whether it is this machine's turn before all others, whoever answers.
func (t *Table) Mine(k Key) bool {
	return !slices.ContainsFunc(t.hosts, func(h *host) bool { return rank(k, h.name) < rank(k, t.self) })
}
