package allreduce

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"byol/internal/network"
)

// twoListeners are the listeners of a group of two, and its peers.
func twoListeners(t *testing.T) ([]*Listener, []Peer) {
	t.Helper()
	before := runtime.NumGoroutine()
	var ls []*Listener
	var peers []Peer
	for r := range 2 {
		l, err := Listen(context.Background(), network.System{}, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ls = append(ls, l)
		peers = append(peers, Peer{Address: l.Addr(), ShardBegin: r, ShardEnd: r + 1})
	}
	t.Cleanup(func() {
		for _, l := range ls {
			_ = l.Close()
		}
		noLeak(t, before)
	})
	return ls, peers
}

func config(r int, ls []*Listener, peers []Peer) GroupConfig {
	return GroupConfig{RunID: "r", Generation: 5, Rank: r, Peers: peers, Listener: ls[r], Timeout: 5 * time.Second}
}

func TestFormNamesMissingRanks(t *testing.T) {
	ls, peers := twoListeners(t)
	silent := append(peers, Peer{Address: "127.0.0.1:1", ShardBegin: 2, ShardEnd: 3})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := Form(ctx, config(0, ls, silent))
	var pe *PeerError
	if !errors.As(err, &pe) || pe.Rank != 1 || pe.Op != "form" || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a *PeerError of form about rank 1, deadline exceeded", err)
	}
	for _, want := range []string{"rank 1 at " + peers[1].Address, "rank 0 waits for rank 2 at 127.0.0.1:1",
		`generation 5 of run "r"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to contain %q", err, want)
		}
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v, want about 200ms", took)
	}
}

func TestFormRefusesStrangers(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*GroupConfig)
		want  string
		stale bool
	}{
		{"another run", func(c *GroupConfig) { c.RunID = "other" }, "it belongs to another run", false},
		{"a generation of the past", func(c *GroupConfig) { c.Generation = 4 },
			"generation 4, it is in a later generation: 5", true},
		{"other members", func(c *GroupConfig) {
			c.Peers = []Peer{{Address: c.Peers[0].Address, ShardEnd: 2}, {ShardBegin: 2, ShardEnd: 3}}
		}, "its plan has other members", false},
		{"another wire", inBF16, "or another wire", false},
	} {
		ls, peers := twoListeners(t)
		ctx, cancel := context.WithTimeout(context.Background(), 600*time.Millisecond)
		errs := onAll(2, func(r int) error {
			cfg := config(r, ls, peers)
			if r == 1 {
				c.edit(&cfg)
			}
			g, err := Form(ctx, cfg)
			if err == nil {
				_ = g.Close()
			}
			return err
		})
		cancel()
		if errs[0] == nil || errs[1] == nil || !strings.Contains(errs[1].Error(), c.want) {
			t.Errorf("%s: got %v and %v, want two errors, the second with %q", c.name, errs[0], errs[1], c.want)
		}
		if got := errors.Is(errs[1], ErrStale); got != c.stale {
			t.Errorf("%s: error is stale: %v, want %v", c.name, got, c.stale)
		}
	}
}

func TestFormDespiteSilentAndNoisyStrangers(t *testing.T) {
	ls, peers := twoListeners(t)
	for _, bytes := range []string{"", "GET / HTTP/1.1\r\n\r\n and then a lot more than a hello has", "BYOL"} {
		conn, err := net.Dial("tcp", ls[0].Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
	}
	formPair(t, ls, peers, 0)
}

// formPair forms a group of two, rank 1 delay later, sums once and closes it.
func formPair(t *testing.T, ls []*Listener, peers []Peer, delay time.Duration) {
	t.Helper()
	errs := onAll(2, func(r int) error {
		time.Sleep(time.Duration(r) * delay)
		g, err := Form(context.Background(), config(r, ls, peers))
		if err != nil {
			return err
		}
		defer g.Close()
		return g.Total(context.Background(), Key{}, []float64{1}, make([]float64, 1))
	})
	for r, err := range errs {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

func TestFormWaitsForALatecomerOfTheGeneration(t *testing.T) {
	ls, peers := twoListeners(t)
	formPair(t, ls, peers, 100*time.Millisecond)
	formPair(t, ls, peers, 0) // and the listeners serve the next group
}

func TestFormSurvivesARankStillInTheGenerationBefore(t *testing.T) {
	ls, peers := twoListeners(t)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() { // rank 0 waits in generation 4 for a rank 1 that has moved on
		cfg := config(0, ls, peers)
		cfg.Generation = 4
		_, err := Form(ctx, cfg)
		gone <- err
	}()
	errs := onAll(2, func(r int) error {
		if r == 0 {
			time.Sleep(100 * time.Millisecond)
			cancel()
			<-gone
		}
		g, err := Form(context.Background(), config(r, ls, peers))
		if err == nil {
			defer g.Close()
			err = g.Total(context.Background(), Key{}, []float64{1}, make([]float64, 1))
		}
		return err
	})
	for r, err := range errs {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

func TestFormExplainsBadPlans(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  GroupConfig
		want string
	}{
		{"no peers", GroupConfig{}, "rank 0 of 0 peers"},
		{"rank", GroupConfig{Rank: 2, Peers: make([]Peer, 2)}, "rank 2 of 2 peers"},
		{"no shards", GroupConfig{Peers: []Peer{{ShardEnd: 1}, {ShardBegin: 1, ShardEnd: 1}}},
			"at least as many shards as ranks"},
		{"gap", GroupConfig{Peers: []Peer{{ShardEnd: 1}, {ShardBegin: 2, ShardEnd: 3}}}, "rank 1 owns shards [2, 3)"},
		{"no listener", GroupConfig{Peers: []Peer{{ShardEnd: 1}, {ShardBegin: 1, ShardEnd: 2}}}, "needs a listener"},
		{"run id", GroupConfig{RunID: strings.Repeat("x", 300), Peers: []Peer{{ShardEnd: 1}}}, "run id of 300 bytes"},
	} {
		_, err := Form(context.Background(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTimeoutDoesNotReplaceTheReason(t *testing.T) {
	refused := fmt.Errorf("%w: it belongs to another run", errRefused)
	expired, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	_, dial := (&net.Dialer{}).DialContext(expired, "tcp", "127.0.0.1:1")
	if dial == nil {
		t.Fatal("a dial after the deadline succeeded")
	}
	for _, late := range []error{dial, fmt.Errorf("read answer: %w", os.ErrDeadlineExceeded), context.DeadlineExceeded} {
		f := former{reasons: map[int]error{}}
		f.note(3, late)
		if f.reasons[3] != late {
			t.Errorf("first reason %v: got %v", late, f.reasons[3])
		}
		f.note(3, refused)
		f.note(3, late)
		if f.reasons[3] != refused {
			t.Errorf("%v after %v: got %v, want the refusal", late, refused, f.reasons[3])
		}
	}
}
