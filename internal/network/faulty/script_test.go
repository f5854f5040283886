package faulty

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/memory"
)

// TestFlip damages one bit of the byte that is meant, whichever connection it goes over, and nothing else.
func TestFlip(t *testing.T) {
	for _, c := range []struct {
		faults string
		at     []int // of the bytes of two connections one after the other
		bit    byte
	}{
		{"flip b->a", []int{0}, 0},
		{"flip b->a after=7 bit=7", []int{7}, 7},
		{"flip b->a after=150 bit=3", []int{150}, 3},
		{"flip b<->a after=20 bit=1; flip *->a after=30 bit=1", []int{20, 30}, 1},
		{"flip b->a after=7; heal a<->b", nil, 0},
		{"flip b->a after=200", nil, 0},
		{"flip a->b after=7", nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, a, b := pair(t, "")
			n.Begin(plan(t, c.faults))
			var got []byte
			for range 2 {
				from, to := connected(t, b, a)
				if _, err := from.Write(make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
				part := make([]byte, 100)
				if _, err := io.ReadFull(to, part); err != nil {
					t.Fatal(err)
				}
				got = append(got, part...)
			}
			want := make([]byte, len(got))
			for _, i := range c.at {
				want[i] = 1 << c.bit
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%q: zeros arrived as %v", c.faults, got)
			}
		})
	}
}

// TestBreak: both ends of every connection over the line learn of it, waiting or not; other lines and later
// connections are whole.
func TestBreak(t *testing.T) {
	for _, faults := range []string{"break a->b", "break b->a", "break a<->b", "break *->a"} {
		synctest.Test(t, func(t *testing.T) {
			n, a, b := pair(t, "")
			near, far := connected(t, b, a)
			other, _ := connected(t, b, b)
			time.AfterFunc(time.Minute, func() { n.Begin(plan(t, faults)) })
			for _, c := range []net.Conn{near, far} {
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%q: read: got %v, want ECONNRESET", faults, err)
				}
				if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%q: write: got %v, want ECONNRESET", faults, err)
				}
			}
			if _, err := other.Write([]byte("x")); err != nil {
				t.Errorf("%q: b to itself: %v", faults, err)
			}
			if first, last := send2(t, b, a); first != 0 || last != 0 {
				t.Errorf("%q: a new connection took %v and %v", faults, first, last)
			}
		})
	}
}

// send2 is send over a new connection.
func send2(t *testing.T, from, to network.Network) (first, last time.Duration) {
	t.Helper()
	near, far := connected(t, from, to)
	return send(t, near, far)
}

// TestLimitSilence: what is held up by a cut ends the connection of a dialler that has set a limit; a shorter cut, and
// silence because nobody has anything to say, do not.
func TestLimitSilence(t *testing.T) {
	for _, c := range []struct {
		faults string
		limit  time.Duration
		idle   time.Duration
		want   time.Duration // of the end, after the write
	}{
		{"cut b->a", 5 * sec, 0, 5 * sec},
		{"cut b->a", 5 * sec, time.Hour, 5 * sec},
		{"cut b->a for=5s", 6 * sec, 0, never},
		{"cut b->a for=5s", 5*sec - 1, 0, 5*sec - 1},
		{"cut a->b", 5 * sec, 0, 5 * sec},
		{"cut a->b for=4s", 5 * sec, 0, never},
		{"delay b->a by=1m", 5 * sec, 0, never},
		{"cut b->a", 0, 0, never},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, a, b := pair(t, "")
			near, far := connected(t, b, a)
			if c.limit > 0 {
				if err := network.LimitSilence(near, c.limit); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(c.idle)
			n.Begin(plan(t, c.faults))
			start := time.Now()
			if _, err := near.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			_ = near.SetReadDeadline(start.Add(2 * time.Hour))
			_ = far.SetReadDeadline(start.Add(2 * time.Hour))
			_, err := near.Read(make([]byte, 1))
			if c.want == never {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%q, limit %v: got %v, want the connection to live", c.faults, c.limit, err)
				}
				return
			}
			if took := time.Since(start); took != c.want || !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("%q, limit %v: got %v after %v, want ETIMEDOUT after %v", c.faults, c.limit, err, took, c.want)
			}
			n.Begin(plan(t, "heal *->*")) // the other end learns of it only now
			if _, err := io.ReadAll(far); !errors.Is(err, syscall.ECONNRESET) || time.Since(start) != c.want {
				t.Errorf("%q, limit %v: the other end got %v after %v, want ECONNRESET", c.faults, c.limit, err,
					time.Since(start))
			}
		})
	}
}

// TestDial dials over lines that are cut or slow: a connection takes a way there and a way back.
func TestDial(t *testing.T) {
	for _, c := range []struct {
		faults string
		want   time.Duration
	}{
		{"", 0},
		{"delay b->a by=3s; delay a->b by=4s", 7 * sec},
		{"limit a<->b rate=1", 0},
		{"cut b->a for=9s", 9 * sec},
		{"cut a->b for=9s", 9 * sec},
		{"cut a->b", never},
		{"cut b->a", never},
		{"cut a->*; heal a->b", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, a, b := pair(t, c.faults)
			l, err := a.Listen(t.Context(), ":7")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			near, err := b.Dial(ctx, "a:7")
			took := time.Since(start)
			switch {
			case c.want == never && (!errors.Is(err, context.DeadlineExceeded) || took != time.Minute):
				t.Errorf("%q: got %v after %v, want the end of the context", c.faults, err, took)
			case c.want != never && (err != nil || took != c.want):
				t.Errorf("%q: got %v after %v, want a connection after %v", c.faults, err, took, c.want)
			}
			if err == nil {
				_ = near.Close()
			}
		})
	}
}

// TestReach: a fault with a step begins when it comes, or when a later one does, and only once.
func TestReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t, "delay b->a by=1s step=3; delay b->a by=2s step=5; heal b->a step=9; cut c->d step=1")
		for _, c := range []struct {
			step int64
			want time.Duration
		}{{0, 0}, {2, 0}, {3, sec}, {4, sec}, {7, 2 * sec}, {3, 2 * sec}, {10, 0}, {3, 0}} {
			n.Reach(c.step)
			if _, last := send2(t, b, a); last != c.want {
				t.Errorf("step %d: bytes take %v, want %v", c.step, last, c.want)
			}
		}
	})
}

// TestClose: it ends what waits for a line, and everything after it fails.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t, "cut b->a step=1 for=1h; delay a->b by=1h step=1")
		near, far := connected(t, b, a)
		l, err := a.Listen(t.Context(), ":7")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n.Reach(1)
		if _, err := near.Write([]byte("never comes")); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Minute, n.Close)
		if c, err := b.Dial(t.Context(), "a:7"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial over a cut: got %v, %v, want net.ErrClosed", c, err)
		}
		for name, c := range map[string]net.Conn{"dialled": near, "accepted": far} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: got %v, want ECONNRESET", name, err)
			}
		}
		if c, err := b.Dial(t.Context(), "a:7"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial after Close: got %v, %v, want net.ErrClosed", c, err)
		}
		n.Begin(plan(t, "cut a<->b for=1h")) // leaves no timer behind
		n.Close()
	})
}

// TestSharedLimit: a limit is of the line, not of each connection over it.
func TestSharedLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t, "limit b->a rate=1000")
		start := time.Now()
		var readers sync.WaitGroup
		for range 3 {
			near, far := connected(t, b, a)
			if _, err := near.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			readers.Go(func() {
				if _, err := io.ReadFull(far, make([]byte, 1000)); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if took := time.Since(start); took != 2990*ms {
			t.Errorf("3 kB over three connections at 1 kB a second took %v, want 2.99 s", took)
		}
	})
}

// TestSockets breaks, damages and cuts connections of the host's own network, where all hosts have one address.
func TestSockets(t *testing.T) {
	n := New(plan(t, "flip b->a after=3 bit=2"))
	defer n.Close()
	a, b := n.Host("a", network.System{}), n.Host("b", network.System{})
	l, err := a.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := b.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	got := make([]byte, 5)
	if _, err := near.Write(got); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, []byte{0, 0, 0, 4, 0}) {
		t.Errorf("five zeros arrived as %v, %v, want bit 2 of the fourth flipped", got, err)
	}
	n.Begin(plan(t, "break b->a"))
	for name, c := range map[string]net.Conn{"dialled": near, "accepted": far} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %v, want ECONNRESET", name, err)
		}
	}
	n.Begin(plan(t, "cut b->a"))
	ctx, cancel := context.WithTimeout(t.Context(), 5*ms)
	defer cancel()
	if c, err := b.Dial(ctx, l.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial over a cut: got %v, %v, want the end of the context", c, err)
	}
	if _, err := a.Dial(t.Context(), l.Addr().String()); err != nil {
		t.Errorf("a dials itself while b is cut off: %v", err)
	}
}

// TestNothingIsLost has random faults come and go while two connections are written and read at random: whatever
// happens, what arrives is what was sent, in order, and once all is healed, all of it.
func TestNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // without Deadline, which is real time
			n, below := New(nil), memory.New()
			defer n.Close()
			near, far := connected(t, n.Host("b", below.Host("b")), n.Host("a", below.Host("a")))
			var sent, got []byte
			rt.Repeat(map[string]func(*rapid.T){
				"fault": func(rt *rapid.T) {
					text := rapid.SampledFrom([]string{"cut b->a", "cut a<->b for=2s", "heal a<->b", "delay b->a by=300ms",
						"limit *->a rate=5000", "limit b->a rate=90 for=3s", "cut b->a after=37 for=1s", "cut b->a after=5",
					}).Draw(rt, "fault")
					p, err := fault.Parse(text)
					if err != nil {
						rt.Fatal(err)
					}
					n.Begin(p)
				},
				"write": func(rt *rapid.T) {
					part := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "bytes")
					_ = near.SetWriteDeadline(time.Now().Add(ms))
					k, _ := near.Write(part)
					sent = append(sent, part[:k]...)
				},
				"read": func(rt *rapid.T) {
					_ = far.SetReadDeadline(time.Now().Add(100 * ms))
					part := make([]byte, 5000)
					k, _ := far.Read(part)
					got = append(got, part[:k]...)
					if !bytes.HasPrefix(sent, got) {
						rt.Fatalf("what arrived is not what was sent")
					}
				},
				"wait": func(rt *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "ms")) * ms) },
			})
			n.Begin(fault.Plan{{Action: "heal", Line: fault.Line{From: "*", To: "*"}, Step: -1}})
			_, _ = near.Close(), far.SetReadDeadline(time.Now().Add(time.Hour))
			rest, err := io.ReadAll(far)
			if got = append(got, rest...); err != nil || !bytes.Equal(got, sent) {
				rt.Fatalf("%d bytes were sent, %d arrived: %v", len(sent), len(got), err)
			}
		})
	})
}
