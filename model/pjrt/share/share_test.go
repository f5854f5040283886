package share

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var limits = Limits{Silence: 10 * time.Second, Patience: time.Minute, Whole: 10 * time.Minute}

var start = time.Unix(1000, 0)

// order is the machines in the order for a program.
func order(k Key, names ...string) []string {
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int {
		if rank(k, a) < rank(k, b) {
			return -1
		}
		return 1
	})
	return names
}

// TestDecide: what each state of the others leads to. a, b and c are in this order for the program.
func TestDecide(t *testing.T) {
	k := Key{1}
	names := order(k, "x", "y", "z")
	a, b, c := names[0], names[1], names[2]
	one, two := Seal{1}, Seal{2}
	stored, runs, other, working := Entry{Stored, one}, Entry{Runs, one}, Entry{Stored, two}, Entry{State: Working}
	for _, test := range []struct {
		name string
		self string
		own  Entry
		said map[string]Entry // who is not in it has not answered
		at   time.Duration
		want Step
	}{
		{"nobody has answered", a, Entry{}, nil, 0, Step{What: Wait, Host: b}},
		{"one has not answered, and may run another one", b, stored, map[string]Entry{a: {}}, 0, Step{What: Wait, Host: c}},
		{"those that do not answer are silent", c, Entry{}, nil, 11 * time.Second, Step{What: Compile}},
		{"its turn", a, Entry{}, map[string]Entry{b: working, c: working}, 0, Step{What: Compile}},
		{"the turn of one before it", b, Entry{}, map[string]Entry{a: working, c: working}, 0, Step{What: Wait, Host: a}},
		{"the first wants none", b, Entry{}, map[string]Entry{a: {}, c: working}, 0, Step{What: Compile}},
		{"the one before it finishes nothing", b, Entry{}, map[string]Entry{a: working, c: {}}, 61 * time.Second,
			Step{What: Compile}},
		{"one behind it has it", a, Entry{}, map[string]Entry{b: {}, c: stored}, 0, Step{Take, c, one}},
		{"two have it", c, Entry{}, map[string]Entry{a: stored, b: other}, 0, Step{Take, a, one}},
		{"it has it, alone", b, stored, map[string]Entry{a: working, c: {}}, 0, Step{What: Use, Seal: one}},
		{"it and one behind it have others", a, stored, map[string]Entry{b: other, c: {}}, 0, Step{What: Use, Seal: one}},
		{"it and one before it have others", b, stored, map[string]Entry{a: other, c: {}}, 0, Step{Take, a, two}},
		{"it and one before it have the same", b, stored, map[string]Entry{a: stored, c: {}}, 0,
			Step{What: Use, Seal: one}},
		{"one behind it runs another one", a, other, map[string]Entry{b: other, c: runs}, 0, Step{Take, c, one}},
		{"one behind it runs the same", a, stored, map[string]Entry{b: other, c: runs}, 0, Step{What: Use, Seal: one}},
	} {
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == test.self })
		table := NewTable(test.self, others, limits, start)
		for name, e := range test.said {
			table.Heard(name, []Key{k}, []Entry{e}, start)
		}
		if test.at > limits.Silence { // they answer to the end, and finish nothing
			for name, e := range test.said {
				table.Heard(name, []Key{k}, []Entry{e}, start.Add(test.at))
			}
		}
		if got := table.Decide(k, test.own, start.Add(test.at)); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestGivenUp: a machine is asked no more once it is dropped, silent, or has failed a few times to give what it has.
func TestGivenUp(t *testing.T) {
	k := Key{1}
	table := NewTable("a", []string{"b", "c"}, limits, start)
	has := []Entry{{Stored, Seal{1}}}
	for _, name := range []string{"b", "c"} {
		table.Heard(name, []Key{k}, has, start)
	}
	if !table.Drop("c") || table.Drop("c") {
		t.Error("a machine is dropped once")
	}
	for i := range mostStrikes {
		if got := table.Decide(k, Entry{}, start); got.What != Take || got.Host != "b" || !table.Asks("b", start) {
			t.Errorf("after %d failures: %+v", i, got)
		}
		table.Failed("b")
	}
	if got := table.Decide(k, Entry{}, start); got.What != Compile || table.Asks("b", start) {
		t.Errorf("after %d failures: %+v", mostStrikes, got)
	}
}

// TestWhole: progress keeps a machine counted on, but not for ever.
func TestWhole(t *testing.T) {
	var keys []Key
	for i := range 100 {
		if k := (Key{byte(i)}); order(k, "a", "b")[0] == "a" {
			keys = append(keys, k)
		}
	}
	table := NewTable("b", []string{"a"}, limits, start)
	entries := make([]Entry, len(keys))
	for i := range entries {
		entries[i].State = Working
	}
	at := start
	for i := range keys[1:] {
		table.Heard("a", keys, entries, at)
		want := Wait
		if at.Sub(start) >= limits.Whole {
			want = Compile
		}
		if got := table.Decide(keys[len(keys)-1], Entry{}, at); got.What != want {
			t.Fatalf("after %v: %+v", at.Sub(start), got)
		}
		entries[i] = Entry{Stored, Seal{1}}
		at = at.Add(50 * time.Second)
	}
	if at.Sub(start) < limits.Whole {
		t.Fatal("the test is too short")
	}
}

// machine is one of a simulated cluster.
type machine struct {
	name  string
	table *Table
	has   map[Key]Entry
	hung  bool // it compiles for ever
	dead  bool // it answers nothing
	cheat bool // what it gives is damaged
}

func (m *machine) entry(k Key) Entry {
	if e, ok := m.has[k]; ok {
		return e
	}
	return Entry{State: Working}
}

// step has a machine do one thing about each program, as the engine does, and counts what it compiles.
func (m *machine) step(all map[string]*machine, keys []Key, now time.Time, compiled map[Key]int, room int) {
	for name, other := range all {
		if name != m.name && !other.dead && m.table.Asks(name, now) {
			var entries []Entry
			for _, k := range keys {
				entries = append(entries, other.entry(k))
			}
			m.table.Heard(name, keys, entries, now)
		}
	}
	for _, k := range keys {
		own := m.has[k]
		if own.State == Runs {
			continue
		}
		switch step := m.table.Decide(k, own, now); step.What {
		case Use:
			m.has[k] = Entry{Runs, own.Seal}
		case Take:
			if all[step.Host].cheat {
				m.table.Drop(step.Host)
				continue
			}
			m.has[k] = Entry{Runs, step.Seal}
		case Compile:
			if room > 0 {
				room--
				compiled[k]++
				m.has[k] = Entry{Runs, Seal{byte(compiled[k]), m.name[0]}}
			}
		case Wait:
		}
	}
}

// TestCluster: whoever hangs, dies or cheats, every healthy machine ends with every program. Where all are healthy and
// see each other, each program is compiled once and all machines run the same one, whatever they had before.
func TestCluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, keys := map[string]*machine{}, []Key(nil)
		for i := range rapid.IntRange(1, 12).Draw(t, "programs") {
			keys = append(keys, Key{byte(i), byte(rapid.IntRange(0, 255).Draw(t, "key"))})
		}
		var names []string
		for i := range rapid.IntRange(1, 6).Draw(t, "machines") {
			names = append(names, fmt.Sprintf("%c-host", 'a'+i))
		}
		healthy, had := true, map[Key]bool{}
		for i, name := range names {
			others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
			m := &machine{name: name, table: NewTable(name, others, limits, start), has: map[Key]Entry{}}
			switch rapid.IntRange(0, 8).Draw(t, "health") {
			case 0:
				m.hung = true
			case 1:
				m.dead = true
			case 2:
				m.cheat = true
			}
			healthy = healthy && !m.hung && !m.dead && !m.cheat
			for _, k := range keys {
				if rapid.IntRange(0, 5).Draw(t, "had") == 0 {
					m.has[k], had[k] = Entry{Stored, Seal{99, byte(i)}}, true
				}
			}
			all[name] = m
		}
		compiled := map[Key]int{}
		now := start
		for range 400 {
			for _, i := range rapid.Permutation(names).Draw(t, "turns") {
				if m := all[i]; !m.hung && !m.dead {
					m.step(all, keys, now, compiled, 2)
				}
			}
			now = now.Add(time.Second)
			if done(all, keys) {
				break
			}
		}
		if !done(all, keys) {
			t.Fatalf("after %v something is missing", now.Sub(start))
		}
		if !healthy {
			return
		}
		for _, k := range keys {
			if n := compiled[k]; n > 1 || n == 0 != had[k] {
				t.Errorf("a program was compiled %d times, had before: %v", n, had[k])
			}
			for _, name := range names {
				if got, want := all[name].has[k], all[names[0]].has[k]; got != want {
					t.Errorf("%s has %v, %s has %v", name, got, names[0], want)
				}
			}
		}
	})
}

func done(all map[string]*machine, keys []Key) bool {
	for _, m := range all {
		for _, k := range keys {
			if !m.hung && !m.dead && m.has[k].State != Runs {
				return false
			}
		}
	}
	return true
}

// TestTurns: every machine is first for about as many programs, and one is for each.
func TestTurns(t *testing.T) {
	names := []string{"node-0", "node-1", "node-2", "node-3"}
	turns := map[string]int{}
	for i := range 400 {
		k, first := Key{byte(i), byte(i >> 8)}, 0
		for j, name := range names {
			others := slices.Concat(names[:j], names[j+1:])
			if NewTable(name, others, limits, start).Mine(k) {
				turns[name]++
				first++
			}
		}
		if first != 1 {
			t.Fatalf("%d machines are first", first)
		}
	}
	for _, name := range names {
		if turns[name] < 60 || turns[name] > 140 {
			t.Errorf("turns %v", turns)
		}
	}
}
