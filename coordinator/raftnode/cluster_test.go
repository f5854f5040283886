package raftnode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"

	"byol/coordinator/run"
	"byol/internal/fault"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
)

// cluster is several nodes over one network in memory, in a synctest bubble, with their files on the disk.
type cluster struct {
	t     *testing.T
	hosts *memory.Network
	lines *faulty.Network
	dirs  map[string]string
	peers map[string]string
	nodes map[string]*Node
}

// newCluster makes directories, outside of the bubble, for all names.
func newCluster(t *testing.T, names ...string) *cluster {
	c := &cluster{t: t, dirs: map[string]string{}, nodes: map[string]*Node{}, peers: map[string]string{}}
	for _, name := range names {
		c.dirs[name], c.peers[name] = t.TempDir(), name+":1"
	}
	return c
}

// inside runs f in a bubble, and closes what is left of the nodes.
func (c *cluster) inside(f func(t *testing.T)) {
	c.t.Helper()
	outer := c.t
	synctest.Test(c.t, func(t *testing.T) {
		c.t, c.hosts, c.lines = t, memory.New(), faulty.New(nil)
		defer func() {
			for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
				c.stop(name)
			}
			c.lines.Close()
			c.t = outer
		}()
		f(t)
	})
}

func (c *cluster) options(name string) Options {
	return Options{Dir: c.dirs[name], Run: "r", ID: name, ElectionTimeout: time.Second, Listen: name + ":1",
		Network: c.lines.Host(name, c.hosts.Host(name)), Address: name + ":7070", Peers: c.peers, Log: zap.NewNop()}
}

func (c *cluster) start(names ...string) {
	c.t.Helper()
	for _, name := range names {
		n, err := Open(c.t.Context(), c.options(name))
		if err != nil {
			c.t.Fatalf("open %s: %v", name, err)
		}
		c.nodes[name] = n
	}
}

func (c *cluster) stop(name string) {
	c.t.Helper()
	if err := c.nodes[name].Close(); err != nil {
		c.t.Errorf("close %s: %v", name, err)
	}
	delete(c.nodes, name)
}

// leader waits for one among the nodes but those named, and for its log to be applied.
func (c *cluster) leader(but ...string) *Node {
	c.t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
			n := c.nodes[name]
			if term, _ := n.Leadership(); term > 0 && !slices.Contains(but, name) && n.Barrier() == nil {
				return n
			}
		}
	}
	c.t.Fatal("nobody leads after 30 s")
	return nil
}

func (c *cluster) faults(text string) {
	c.t.Helper()
	p, err := fault.Parse(text)
	if err != nil {
		c.t.Fatal(err)
	}
	c.lines.Begin(p)
}

// agree waits until all nodes have the same state.
func (c *cluster) agree(want run.State) {
	c.t.Helper()
	var diff string
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		diff = ""
		for name, n := range c.nodes {
			got, _ := n.View()
			if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
				diff = name + ": -want +got:\n" + d
			}
		}
		if diff == "" {
			return
		}
	}
	c.t.Fatal(diff)
}

// steps is a run that commits steps, and the state that it should have.
type steps struct {
	t    *testing.T
	want run.State
}

func beginSteps(t *testing.T, n *Node) *steps {
	t.Helper()
	s := &steps{t: t}
	for _, c := range []run.Command{
		run.Create{Settings: run.Settings{RunID: "r", Workers: 1, Shards: 1, TotalSteps: 1 << 20, EndStep: 1 << 20}},
		run.Pause{Request: "first"},
	} {
		if err := n.Propose(t.Context(), c); fmt.Sprint(err) != fmt.Sprint(s.want.Apply(c)) {
			t.Fatalf("%T: %v", c, err)
		}
	}
	return s
}

// next proposes the i-th of a row of requests, of which each changes the state.
func (s *steps) next(n *Node, i int) error {
	s.t.Helper()
	var c run.Command = run.RequestSave{Request: fmt.Sprint("request-", i)}
	err := n.Propose(s.t.Context(), c)
	if err != nil && (errors.Is(err, ErrNotDone) || errors.Is(err, ErrUnknown)) {
		return err
	}
	if want := s.want.Apply(c); fmt.Sprint(err) != fmt.Sprint(want) {
		s.t.Fatalf("request %d: %v, want %v", i, err, want)
	}
	return nil
}

// TestThreeNodes elects, proposes 500 commands while leaders are cut off and come back, and finds each command once
// in every log; then all are started again.
func TestThreeNodes(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c")
		n := c.leader()
		s := beginSteps(t, n)
		unknown := 0
		for i := range 500 {
			if i%100 == 50 {
				old := n.o.ID
				c.faults(fmt.Sprintf("cut %s<->*", old))
				began := time.Now()
				if err := s.next(n, i); !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNotDone) {
					t.Fatalf("a leader that is cut off committed %d: %v", i, err)
				}
				unknown++
				time.Sleep(10 * time.Millisecond)
				if term, _ := n.Leadership(); term != 0 {
					t.Errorf("it leads %d still", term)
				}
				n = c.leader(old)
				if took := time.Since(began); took > 8*time.Second {
					t.Errorf("the next leader took %v", took)
				}
				c.faults(fmt.Sprintf("heal %s<->*", old))
			}
			for s.next(n, i) != nil {
				n = c.leader()
			}
		}
		if unknown != 5 {
			t.Errorf("%d proposals to leaders that were cut off", unknown)
		}
		c.agree(s.want)
		for _, name := range []string{"a", "b", "c"} {
			c.stop(name)
		}
		c.start("c", "a", "b")
		n = c.leader()
		c.agree(s.want)
		if err := s.next(n, 1000); err != nil {
			t.Error(err)
		}
		c.agree(s.want)
		if id, at := n.Leader(); id != n.o.ID || at != id+":7070" {
			t.Errorf("the leader is %s at %s", id, at)
		}
		for name, other := range c.nodes {
			if id, at := other.Leader(); id != n.o.ID || at != id+":7070" {
				t.Errorf("%s says that the leader is %s at %s, want %s", name, id, at, n.o.ID)
			}
		}
	})
}

// TestNewMember lets a fourth node in under load, after the log has been cut behind a snapshot, and takes the leader
// out.
func TestNewMember(t *testing.T) {
	c := newCluster(t, "a", "b", "c", "d")
	delete(c.peers, "d")
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c", "d")
		n := c.leader()
		s := beginSteps(t, n)
		if why := c.nodes["d"].Info().Waits; !strings.Contains(why, "coordinator member add d d:1") {
			t.Errorf("d says %q", why)
		}
		for i := range 50 {
			if err := s.next(n, i); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		if last, err := n.files.store.LastIndex(); err != nil || n.files.store.DeleteRange(1, last-1) != nil {
			t.Fatal("the log was not cut", err)
		}
		var adding sync.WaitGroup
		var err error
		adding.Go(func() { err = n.AddMember(t.Context(), "d", "d:1") })
		for i := range 200 {
			if err := s.next(n, 50+i); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second / 10)
		}
		adding.Wait()
		if err != nil {
			t.Fatal(err)
		}
		c.agree(s.want)
		members := n.Members()
		if i := slices.IndexFunc(members, func(m Member) bool { return m.ID == "d" }); len(members) != 4 || i < 0 ||
			members[i] != (Member{ID: "d", RaftAddress: "d:1", Address: "d:7070", Voter: true}) {
			t.Errorf("members %+v", members)
		}
		old := n.o.ID
		if err := n.RemoveMember(old); !errors.Is(err, ErrNotDone) {
			t.Fatalf("remove the leader: %v", err)
		}
		n = c.leader(old)
		if err := n.RemoveMember(old); err != nil {
			t.Fatal(err)
		}
		c.stop(old)
		for _, wrong := range []error{n.RemoveMember("nobody"), n.AddMember(t.Context(), "e", "nowhere:1"),
			n.AddMember(t.Context(), "e", "d:1"), n.AddMember(t.Context(), n.o.ID, "x:1")} {
			if !errors.Is(wrong, ErrMember) {
				t.Errorf("%v, want a refusal", wrong)
			}
		}
		if err := s.next(n, 1000); err != nil {
			t.Error(err)
		}
		c.agree(s.want)
	})
}

// TestTransfer has another one lead, by name and without: nothing that is committed is lost, and what cannot be is
// refused.
func TestTransfer(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c")
		n := c.leader()
		s := beginSteps(t, n)
		for _, wrong := range []error{n.Transfer(n.o.ID), n.Transfer("nobody")} {
			if !errors.Is(wrong, ErrLeads) {
				t.Errorf("%v, want a refusal", wrong)
			}
		}
		for i := range 4 {
			if err := s.next(n, i); err != nil {
				t.Fatal(err)
			}
			to, old := "", n.o.ID
			if i%2 == 0 {
				to = map[string]string{"a": "c", "b": "a", "c": "b"}[old]
			}
			if err := n.Transfer(to); err != nil {
				t.Fatalf("%s hands over to %q: %v", old, to, err)
			}
			n = c.leader(old)
			if to != "" && n.o.ID != to {
				t.Errorf("%s leads, want %s", n.o.ID, to)
			}
			if err := c.nodes[old].Transfer(""); !errors.Is(err, ErrNotDone) {
				t.Errorf("one that does not lead hands over: %v", err)
			}
		}
		c.agree(s.want)
	})
}

// TestProposedWhileHandingOver proposes to a leader that is handing over to one that nobody reaches: it waits until the
// leader knows that it goes on leading, and is no failure of the log.
func TestProposedWhileHandingOver(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c")
		n := c.leader()
		s := beginSteps(t, n)
		to := map[string]string{"a": "c", "b": "a", "c": "b"}[n.o.ID]
		c.faults(fmt.Sprintf("cut %s<->*", to))
		if err := s.next(n, 0); err != nil { // which that one lacks
			t.Fatal(err)
		}
		handed := make(chan error)
		go func() { handed <- n.Transfer(to) }()
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		if err := s.next(n, 1); err != nil || time.Since(begun) < 10*time.Millisecond {
			t.Errorf("proposed while it hands over: %v, after %v", err, time.Since(begun))
		}
		if err := <-handed; !errors.Is(err, ErrLeads) {
			t.Errorf("it has handed over to who is cut off: %v", err)
		}
		c.faults(fmt.Sprintf("heal %s<->*", to))
		c.agree(s.want)
	})
}

// TestNobodyToHandOverTo: one that is alone goes on leading.
func TestNobodyToHandOverTo(t *testing.T) {
	c := newCluster(t, "a")
	c.inside(func(*testing.T) {
		c.start("a")
		n := c.leader()
		if err := n.Transfer(""); !errors.Is(err, ErrLeads) {
			t.Errorf("%v, want a refusal", err)
		}
		if term, _ := n.Leadership(); term == 0 {
			t.Error("it leads no more")
		}
	})
}

// TestALostLogHasNoVote takes a voter's directory away. It is not let in under its old name until it was removed, so
// that it cannot vote twice in one term.
func TestALostLogHasNoVote(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	fresh := t.TempDir()
	c.inside(func(t *testing.T) {
		c.start("a", "b", "c")
		n := c.leader()
		s := beginSteps(t, n)
		lost := "a"
		if n.o.ID == "a" {
			lost = "b"
		}
		c.stop(lost)
		c.dirs[lost] = fresh
		c.start(lost)
		for i := range 50 {
			if err := s.next(n, i); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second / 10)
		}
		if got, _ := c.nodes[lost].View(); got.Phase != "" {
			t.Error("it was let in without a word")
		}
		if why := c.nodes[lost].Info().Waits; !strings.Contains(why, "does not know this one") {
			t.Errorf("it says %q", why)
		}
		if err := n.AddMember(t.Context(), lost, lost+":1"); !errors.Is(err, ErrMember) {
			t.Errorf("added again: %v", err)
		}
		if err := n.RemoveMember(lost); err != nil {
			t.Fatal(err)
		}
		if err := n.AddMember(t.Context(), lost, lost+":1"); err != nil {
			t.Fatal(err)
		}
		c.agree(s.want)
	})
}

// TestStrangersAreRefused has nodes of another run, of one name, and with other founders.
func TestStrangersAreRefused(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.inside(func(t *testing.T) {
		c.start("a")
		for _, k := range []struct {
			name  string
			other func(*Options)
			says  string
		}{
			{"another run", func(o *Options) { o.Run = "s" }, "this is a coordinator of run r, not of s"},
			{"one name", func(o *Options) { o.ID, o.Peers = "a", map[string]string{"a": "b:1", "b": "a:1"} },
				"this is coordinator a, and you call yourself so, too"},
			{"other founders", func(o *Options) { o.Peers = map[string]string{"b": "b:1", "a": "a:1"} },
				"begins with a=a:1,b=b:1,c=c:1"},
			{"a name in place of another", func(o *Options) { o.Peers = map[string]string{"b": "b:1", "c": "a:1"} },
				"this is coordinator a, not c"},
		} {
			o := c.options("b")
			k.other(&o)
			n, err := Open(t.Context(), o)
			var who *IdentityError
			if errors.As(err, &who) { // its directory is that of b since the first
				o.Dir = c.dirs["c"]
				n, err = Open(t.Context(), o)
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if why := n.Info().Waits; !strings.Contains(why, k.says) {
				t.Errorf("%s: it says %q, want %q", k.name, why, k.says)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestAloneAndGrown begins as the only voter without others, goes on with an address, and becomes one of three.
func TestAloneAndGrown(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.peers = nil
	c.inside(func(t *testing.T) {
		o := c.options("a")
		o.Listen, o.Network, o.ElectionTimeout = "", nil, 50*time.Millisecond
		n, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		c.nodes["a"] = n
		began := time.Now()
		s := beginSteps(t, c.leader())
		if took := time.Since(began); took > time.Second {
			t.Errorf("a node that is alone took %v to lead", took)
		}
		c.stop("a")
		c.start("a")
		c.peers = map[string]string{"a": "a:1"}
		c.start("b", "c")
		n = c.leader()
		for _, name := range []string{"b", "c"} {
			if err := n.AddMember(t.Context(), name, name+":1"); err != nil {
				t.Fatal(err)
			}
		}
		c.agree(s.want)
		c.stop("a")
		n = c.leader()
		if err := s.next(n, 1); err != nil {
			t.Error(err)
		}
		c.start("a")
		c.agree(s.want)
		if m := n.Members(); len(m) != 3 || m[0].RaftAddress != "a:1" {
			t.Errorf("members %+v", m)
		}
		c.stop("a")
		o = c.options("a")
		o.Listen = ""
		if _, err := Open(context.Background(), o); !errors.Is(err, ErrMember) {
			t.Errorf("one of three opened without an address: %v", err)
		}
		c.start("a")
	})
}

// TestNewMemberIsSilent adds a node that nobody reaches, and one that falls silent while it takes over the log: both
// are refused soon, and by what they wait for.
func TestNewMemberIsSilent(t *testing.T) {
	c := newCluster(t, "a", "b")
	delete(c.peers, "b")
	c.inside(func(t *testing.T) {
		c.start("a", "b")
		n := c.leader()
		c.faults("cut a<->b")
		began := time.Now()
		err := n.AddMember(t.Context(), "b", "b:1")
		if took := time.Since(began); !errors.Is(err, ErrMember) ||
			!strings.Contains(err.Error(), "ask b at b:1") || took > knock {
			t.Errorf("nobody answers: %v after %v", err, took)
		}
		c.faults("heal a<->b")
		time.AfterFunc(5*time.Second, func() { c.faults("cut a<->b") })
		began = time.Now()
		err = n.AddMember(t.Context(), "b", "b:1")
		if took := time.Since(began); !errors.Is(err, ErrMember) ||
			!strings.Contains(err.Error(), "b has no vote yet: ") || !strings.Contains(err.Error(), "does not answer at b:1") ||
			took > 5*time.Second+mute+rpcTimeout+nearPause {
			t.Errorf("it falls silent: %v after %v", err, took)
		}
		c.faults("heal a<->b")
		time.Sleep(10 * time.Second)
		limited, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		err = n.AddMember(limited, "b", "b:1")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "kept up for 10s") {
			t.Errorf("too little time: %v", err)
		}
		if err := n.AddMember(t.Context(), "b", "b:1"); err != nil {
			t.Errorf("at last: %v", err)
		}
	})
}
