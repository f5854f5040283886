package programs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byol/allreduce"
	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
	"byol/internal/network/secure"
	"byol/model/pjrt/share"
)

const silence = 5 * time.Second

var (
	platform = share.Platform{7}
	code     = bytes.Repeat([]byte("program "), 20_000)
	here     = share.Key{1}
	absent   = share.Key{2}
)

// shelf is a share.Shelf that has one program.
type shelf struct{ code []byte }

func (shelf) Platform() share.Platform { return platform }

func (s shelf) Look(keys []share.Key) []share.Entry {
	entries := make([]share.Entry, len(keys))
	for i, k := range keys {
		if k == here {
			entries[i] = share.Entry{State: share.Stored, Seal: share.SealOf(code)}
		} else {
			entries[i].State = share.Working
		}
	}
	return entries
}

func (s shelf) Code(k share.Key, seal share.Seal) []byte {
	if k != here || seal != share.SealOf(code) {
		return nil
	}
	return s.code
}

// hosts are two machines, of which one, a, is asked by the other, new.
type hosts struct {
	lines    *faulty.Network
	a, asks  *Exchange
	listener *allreduce.Listener
}

func inBubble(t *testing.T, f func(t *testing.T, h *hosts)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inner, lines := memory.New(), faulty.New(nil)
		n := lines.Host("a", inner.Host("a"))
		l, err := allreduce.Listen(t.Context(), n, "a:0")
		if err != nil {
			t.Fatal(err)
		}
		h := &hosts{lines: lines, a: New(n, "run", silence), listener: l,
			asks: New(lines.Host("new", inner.Host("new")), "run", silence)}
		l.Handle(Magic, h.a.Serve)
		h.a.Offer(shelf{code})
		h.asks.Among("new", []Peer{{"new", "new:1"}, {"a", l.Addr()}, {"", "nameless:1"}})
		f(t, h)
		_ = l.Close()
		lines.Close()
	})
}

// TestExchange: states and programs arrive as they were sent, and of those of the same machine nobody is asked.
func TestExchange(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hosts) {
		if self, others := h.asks.Hosts(); self != "new" || !slices.Equal(others, []string{"a"}) {
			t.Errorf("%s asks %v", self, others)
		}
		entries, err := h.asks.Look(t.Context(), "a", platform, []share.Key{absent, here})
		want := []share.Entry{{State: share.Working}, {State: share.Stored, Seal: share.SealOf(code)}}
		if err != nil || !slices.Equal(entries, want) {
			t.Errorf("got %v, %v", entries, err)
		}
		got, err := h.asks.Fetch(t.Context(), "a", platform, here, share.SealOf(code))
		if err != nil || !bytes.Equal(got, code) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
}

// TestRefusals: whoever cannot give what is asked for says why, and whether it is worth asking again.
func TestRefusals(t *testing.T) {
	fetch := func(x *Exchange, host string, p share.Platform, k share.Key) error {
		ctx, cancel := context.WithCancel(context.Background()) // the test's own is of another bubble
		defer cancel()
		_, err := x.Fetch(ctx, host, p, k, share.SealOf(code))
		return err
	}
	for _, c := range []struct {
		name, want string
		is         error
		ask        func(h *hosts) error
	}{
		{"another platform", "it has another plugin, kind of device or options", share.ErrOther,
			func(h *hosts) error { return fetch(h.asks, "a", share.Platform{8}, here) }},
		{"no engine with programs", "it has another plugin", share.ErrOther, func(h *hosts) error {
			h.a.Offer(nil)
			return fetch(h.asks, "a", platform, here)
		}},
		{"another run", "it belongs to another run", nil, func(h *hosts) error {
			h.asks.run = "other"
			return fetch(h.asks, "a", platform, here)
		}},
		{"a program that is gone", "it has it no more", nil,
			func(h *hosts) error { return fetch(h.asks, "a", platform, absent) }},
		{"damage on its disk", "bytes that are not those it named", share.ErrDamaged, func(h *hosts) error {
			h.a.Offer(shelf{code[1:]})
			return fetch(h.asks, "a", platform, here)
		}},
		{"a machine that nobody knows", "it is no machine of this run", nil,
			func(h *hosts) error { return fetch(h.asks, "b", platform, here) }},
		{"too many at once", "it serves others", nil, func(h *hosts) error {
			for range mostServed {
				h.a.served <- struct{}{}
			}
			return fetch(h.asks, "a", platform, here)
		}},
		{"more keys than there are", "at most 4096 are asked for", nil, func(h *hosts) error {
			_, err := h.asks.Look(context.Background(), "a", platform, make([]share.Key, mostKeys+1))
			return err
		}},
	} {
		inBubble(t, func(t *testing.T, h *hosts) {
			err := c.ask(h)
			for _, fatal := range []error{share.ErrOther, share.ErrDamaged} {
				if errors.Is(err, fatal) != (c.is == fatal) {
					t.Errorf("%s: %v is of the wrong kind", c.name, err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
		})
	}
}

// TestFaults: what befalls a line ends in an error, within the silence that is allowed or the whole.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		plan string
		most time.Duration
	}{
		{"cut a<->new", 2 * silence},
		{"cut a->new after=10000", 2 * silence},
		{"flip a->new after=10000 bit=3", silence},
	} {
		inBubble(t, func(t *testing.T, h *hosts) {
			p, err := fault.Parse(c.plan)
			if err != nil {
				t.Fatal(err)
			}
			h.lines.Begin(p)
			began := time.Now()
			got, err := h.asks.Fetch(t.Context(), "a", platform, here, share.SealOf(code))
			if err == nil || got != nil || time.Since(began) > c.most {
				t.Errorf("%s: %d bytes, %v, after %v", c.plan, len(got), err, time.Since(began))
			}
		})
	}
}

// TestHostile: whatever the other end says, the answer is an error that gives it up, or comes to an end.
func TestHostile(t *testing.T) {
	head := func(v verdict, size uint64) []byte {
		b := make([]byte, answerBytes)
		binary.LittleEndian.PutUint32(b, Magic)
		b[4] = byte(v)
		binary.LittleEndian.PutUint64(b[8:], size)
		return b
	}
	for _, c := range []struct {
		name    string
		says    []byte
		drip    bool // and then a byte each second, for ever
		damaged bool
	}{
		{"nonsense", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false, true},
		{"an unknown verdict", head(99, 0), false, true},
		{"more than memory has", head(granted, 1<<62), false, true},
		{"more than is taken", head(granted, mostCode+1), false, true},
		{"less than it says", append(head(granted, 1000), 1, 2, 3), false, false},
		{"something else", append(head(granted, 3), 1, 2, 3), false, true},
		{"a drip", head(granted, mostCode), true, false},
		{"nothing", nil, false, false},
	} {
		inBubble(t, func(t *testing.T, h *hosts) {
			h.listener.Handle(Magic, func(ctx context.Context, conn net.Conn) {
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				_, _ = conn.Write(c.says)
				for c.drip && ctx.Err() == nil {
					if _, err := conn.Write([]byte{0}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
			began := time.Now()
			_, err := h.asks.Fetch(t.Context(), "a", platform, here, share.SealOf(code))
			if err == nil || errors.Is(err, share.ErrDamaged) != c.damaged || time.Since(began) > whole+silence {
				t.Errorf("%s: %v after %v", c.name, err, time.Since(began))
			}
		})
	}
	inBubble(t, func(t *testing.T, h *hosts) {
		h.listener.Handle(Magic, func(_ context.Context, conn net.Conn) {
			_, _ = io.CopyN(io.Discard, conn, int64(requestBytes-4+len("run")+keyBytes))
			_, _ = conn.Write(append(head(granted, uint64(entryBytes)), append([]byte{200}, make([]byte, sealBytes)...)...))
		})
		if _, err := h.asks.Look(t.Context(), "a", platform, []share.Key{here}); !errors.Is(err, share.ErrDamaged) {
			t.Errorf("a state that there is not: %v", err)
		}
	})
}

// TestSilentPeer: who connects and asks for nothing is given up.
func TestSilentPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hosts) {
		near, far := net.Pipe()
		began, ended := time.Now(), make(chan struct{})
		go func() {
			h.a.Serve(t.Context(), far)
			_ = far.Close()
			close(ended)
		}()
		<-ended
		if time.Since(began) != silence {
			t.Errorf("it was served for %v", time.Since(began))
		}
		_ = near.Close()
	})
}

// TestSecure: by certificates programs travel as by any network, and a stranger gets nothing.
func TestSecure(t *testing.T) {
	now := time.Now()
	authority := func(word string) *secure.Authority {
		a, err := secure.AuthorityOfToken(word, now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	peer := func(a *secure.Authority) network.Network {
		b, err := a.Issue(secure.Identity{Run: secure.DefaultRun, Role: secure.Worker, Name: secure.AnyName}, now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		source, err := secure.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		roles := []secure.Role{secure.Worker}
		return &secure.Network{Inner: network.System{}, Source: source, Accept: roles, Expect: roles}
	}
	ours, strange := authority("a word that nobody guesses"), authority("another word that nobody guesses")
	l, err := allreduce.Listen(t.Context(), peer(ours), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := New(peer(ours), "run", silence)
	a.Offer(shelf{code})
	l.Handle(Magic, a.Serve)
	for _, by := range []*secure.Authority{ours, strange} {
		x := New(peer(by), "run", silence)
		x.Among("new", []Peer{{"a", l.Addr()}})
		got, err := x.Fetch(t.Context(), "a", platform, here, share.SealOf(code))
		if (err == nil) != (by == ours) || bytes.Equal(got, code) != (by == ours) {
			t.Errorf("ours %v: %d bytes, %v", by == ours, len(got), err)
		}
	}
}

// FuzzRequest: a request that is read is one that could be sent.
func FuzzRequest(f *testing.F) {
	keys := []share.Key{here, absent}
	f.Add(request{what: look, run: "run", platform: platform, keys: keys}.encode()[4:])
	f.Add(request{what: fetch, run: "run", platform: platform, keys: keys[:1], seal: share.SealOf(code)}.encode()[4:])
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := receiveRequest(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := receiveRequest(bytes.NewReader(q.encode()[4:]))
		if err != nil || again.what != q.what || again.run != q.run || again.platform != q.platform ||
			!slices.Equal(again.keys, q.keys) || again.seal != q.seal {
			t.Errorf("sent %+v, read %+v, %v", q, again, err)
		}
	})
}
