package faulty

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/memory"
	"byol/internal/network/networktest"
)

// plan parses text.
func plan(t *testing.T, text string) fault.Plan {
	t.Helper()
	p, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pair is hosts a and b, over memory.
func pair(t *testing.T, text string) (n *Network, a, b network.Network) {
	t.Helper()
	n, below := New(plan(t, text)), memory.New()
	t.Cleanup(n.Close)
	return n, n.Host("a", below.Host("a")), n.Host("b", below.Host("b"))
}

// TestExam: with no faults, or with faults that only take time, it is a network like any other.
func TestExam(t *testing.T) {
	for _, faults := range []string{"", "delay a<->b by=30ms", "limit a<->b rate=1000000",
		"limit b->a rate=50000000; delay a->b by=4s", "cut a->b after=100 for=5s"} {
		t.Run(faults, func(t *testing.T) {
			networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) {
				synctest.Test(t, func(t *testing.T) {
					_, a, b := pair(t, faults)
					exam(t, networktest.Place{Listener: a, Dialer: b, Address: "a:0"})
				})
			})
		})
	}
}

func TestExamOverSockets(t *testing.T) {
	networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) {
		n := New(nil)
		t.Cleanup(n.Close)
		exam(t, networktest.Place{Listener: n.Host("a", network.System{}), Dialer: n.Host("b", network.System{}),
			Address: "127.0.0.1:0"})
	})
}

// connected is a connection that one host dials to the other.
func connected(t *testing.T, from, to network.Network) (near, far net.Conn) {
	t.Helper()
	l, err := to.Listen(t.Context(), to.(host).name+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = from.Dial(t.Context(), l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

const (
	ms    = time.Millisecond
	sec   = time.Second
	never = time.Duration(-1)
)

// TestLines sends 3,000 bytes from b to a, over connections that either of them has dialled, with faults that begin
// once they are connected: when do the first and the last byte arrive?
func TestLines(t *testing.T) {
	for _, c := range []struct {
		faults      string
		first, last time.Duration
	}{
		{"", 0, 0},
		{"delay b->a by=20ms", 20 * ms, 20 * ms},
		{"delay a->b by=20ms", 0, 0},
		{"delay b<->a by=20ms; delay b->a by=7s", 7 * sec, 7 * sec},
		{"delay a<->b by=20ms", 20 * ms, 20 * ms},
		{"delay *->a by=1s", sec, sec},
		{"delay a<->* by=1s for=400ms", 400 * ms, 400 * ms},
		{"delay a<->b by=1s; heal a->b", sec, sec},
		{"delay a<->b by=1s; heal b->a", 0, 0},
		{"limit b->a rate=1000", 0, 2990 * ms},
		{"limit b->a rate=1000; delay b->a by=1s", sec, 3990 * ms},
		{"limit *->* rate=1000 for=2s", 0, 2 * sec},
		{"limit b->a rate=10", 0, 299_900 * ms},
		{"cut b->a", never, never},
		{"cut a->b", 0, 0},
		{"cut b->a for=9s", 9 * sec, 9 * sec},
		{"cut b->a for=9s; heal b->a", 0, 0},
		{"cut b->a for=9s; delay b->a by=10s for=5s; limit b->a rate=100000 for=1m", 9 * sec, 9*sec + 20*ms},
		{"cut b->a after=1000 for=9s", 0, 9 * sec},
		{"cut b->a after=2999", 0, never},
		{"cut b->a after=3000", 0, 0},
		{"cut b->a after=10 for=1s; cut b->a after=20 for=2s; limit b->a rate=1000", 0, 5970 * ms},
		{"cut c->a; cut b->c; delay b->c by=1s", 0, 0},
		{"kill rank=0 step=0; flip theta step=0", 0, 0},
		{"cut b->a step=1", 0, 0},
	} {
		for _, dialled := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				n, a, b := pair(t, "")
				from, to := connected(t, b, a)
				if !dialled {
					to, from = connected(t, a, b)
				}
				n.Begin(plan(t, c.faults))
				first, last := send(t, from, to)
				if first != c.first || last != c.last {
					t.Errorf("%q, b dialled: %v: the first and the last byte came after %v and %v, want %v and %v", c.faults,
						dialled, first, last, c.first, c.last)
				}
			})
		}
	}
}

// send sends 3,000 bytes and tells after what time the first and the last of them arrive.
func send(t *testing.T, from, to net.Conn) (first, last time.Duration) {
	t.Helper()
	start := time.Now()
	sent := make([]byte, 3000)
	for i := range sent {
		sent[i] = byte(i % 251)
	}
	if _, err := from.Write(sent); err != nil {
		t.Fatal(err)
	}
	first, last = never, never
	_ = to.SetReadDeadline(start.Add(time.Hour))
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(to, got[:1]); err == nil {
		first = time.Since(start)
	}
	if _, err := io.ReadFull(to, got[1:]); err == nil {
		last = time.Since(start)
		if !bytes.Equal(got, sent) {
			t.Error("other bytes came than were sent")
		}
	}
	return first, last
}
