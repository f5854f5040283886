package secure

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
	"byol/internal/network/networktest"
)

// authority makes one that is good from a time on.
func authority(t *testing.T, name string, from time.Time) *Authority {
	t.Helper()
	a, err := NewAuthority(name, from)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// material is a certificate of a for who, good from a time on for life.
func material(t *testing.T, a *Authority, who Identity, from time.Time, life time.Duration) *Material {
	t.Helper()
	b, err := a.Issue(who, from, life)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func id(role Role, name string) Identity { return Identity{Run: DefaultRun, Role: role, Name: name} }

// place is a coordinator that listens, and a worker that dials, over two networks.
func place(t *testing.T, listener, dialler network.Network, address string) networktest.Place {
	a := authority(t, "test", time.Now())
	return networktest.Place{
		Listener: &Network{Inner: listener, Source: material(t, a, id(Coordinator, "c"), time.Now(), time.Hour),
			Accept: []Role{Worker}, Expect: []Role{Coordinator}},
		Dialer: &Network{Inner: dialler, Source: material(t, a, id(Worker, "w"), time.Now(), time.Hour),
			Expect: []Role{Coordinator}},
		Address: address}
}

func TestExamOverSockets(t *testing.T) {
	networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) {
		exam(t, place(t, network.System{}, network.System{}, "127.0.0.1:0"))
	})
}

func TestExamInABubble(t *testing.T) {
	networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) {
		synctest.Test(t, func(t *testing.T) {
			n := memory.New()
			exam(t, place(t, n.Host("a"), n.Host("b"), "a:0"))
		})
	})
}

// meeting is what came of a worker that dialled a coordinator.
type meeting struct {
	dialled, refused error
	far              Identity // whom the listener saw
}

// meet has from dial to.
func meet(t *testing.T, to, from *Network) meeting {
	t.Helper()
	var m meeting
	told := make(chan error, 1)
	to.Refused = func(_ net.Addr, why error) { told <- why }
	l, err := to.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		if c, err := l.Accept(); err == nil {
			m.far = c.(*Conn).Peer()
			_ = c.Close()
		}
	})
	near, err := from.Dial(t.Context(), l.Addr().String())
	m.dialled = err
	if err == nil {
		_, _ = io.Copy(io.Discard, near)
		_ = near.Close()
	} else {
		select {
		case m.refused = <-told:
		case <-time.After(100 * time.Millisecond): // it was the dialler's refusal, after the listener's part
		}
	}
	_ = l.Close()
	accepting.Wait()
	return m
}

// TestWhoMayCome: both ends find out who the other is, and say why not.
func TestWhoMayCome(t *testing.T) {
	now := time.Now()
	a, b := authority(t, "a", now), authority(t, "b", now)
	c := material(t, a, id(Coordinator, "c"), now, time.Hour)
	w := material(t, a, id(Worker, "w-1"), now, time.Hour)
	otherRun := Identity{Run: "other", Role: Worker, Name: "w"}
	for _, k := range []struct {
		name     string
		to, from Source
		want     string // in what the dialler is told
	}{
		{"a worker", c, w, ""},
		{"an operator where none may come", c, material(t, a, id(Operator, "o"), now, time.Hour),
			"the certificate is of operator/o, and only workers may come here"},
		{"a worker that plays coordinator", material(t, a, id(Worker, "w-2"), now, time.Hour), w,
			"the certificate is of worker/w-2, and only coordinators may come here"},
		{"another run", c, material(t, a, otherRun, now, time.Hour), "for run default, and this is of run other"},
		{"a stranger", c, material(t, b, id(Worker, "w"), now, time.Hour), "an authority that is not trusted here"},
		{"a stranger that trusts us", c, &Trusting{Source: material(t, b, id(Worker, "w"), now, time.Hour), Authority: a},
			"an authority that is not trusted here"},
		{"a coordinator of strangers", material(t, b, id(Coordinator, "c"), now, time.Hour), w,
			"an authority that is not trusted here"},
		{"an old certificate", c, material(t, a, id(Worker, "w"), now.Add(-time.Hour), time.Minute), "expired at "},
		{"an old coordinator", material(t, a, id(Coordinator, "c"), now.Add(-time.Hour), time.Minute), w, "expired at "},
		{"one of tomorrow", c, material(t, a, id(Worker, "w"), now.Add(24*time.Hour), 48*time.Hour), "not good before"},
	} {
		to := &Network{Inner: network.System{}, Source: k.to, Accept: []Role{Worker}}
		from := &Network{Inner: network.System{}, Source: k.from, Expect: []Role{Coordinator}}
		m := meet(t, to, from)
		if k.want == "" {
			if m.dialled != nil || m.far != id(Worker, "w-1") {
				t.Errorf("%s: dialled %v, seen as %v", k.name, m.dialled, m.far)
			}
			continue
		}
		if m.dialled == nil || !strings.Contains(m.dialled.Error(), k.want) || m.far != (Identity{}) {
			t.Errorf("%s: got %v, seen as %v, want %q", k.name, m.dialled, m.far, k.want)
		}
		if m.refused == nil || !strings.Contains(m.refused.Error(), k.want) &&
			!strings.Contains(m.refused.Error(), "does not accept this one's certificate") {
			t.Errorf("%s: the listener was told %v, want %q", k.name, m.refused, k.want)
		}
	}
}

// TestNoTLSThere: neither end speaks plainly to one that does.
func TestNoTLSThere(t *testing.T) {
	a := authority(t, "a", time.Now())
	plain, err := network.System{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		c, err := plain.Accept()
		if err == nil {
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	n := &Network{Inner: network.System{}, Source: material(t, a, id(Coordinator, "c"), time.Now(), time.Hour),
		Accept: Roles, Expect: Roles}
	if _, err := n.Dial(t.Context(), plain.Addr().String()); err == nil || !strings.Contains(err.Error(), "--insecure") {
		t.Errorf("dialling who does not speak TLS: %v", err)
	}
	told := make(chan error, 1)
	n.Refused = func(_ net.Addr, why error) { told <- why }
	l, err := n.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := network.System{}.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if why := <-told; !strings.Contains(why.Error(), "does not speak TLS") {
		t.Errorf("who came without TLS: %v", why)
	}
}

// TestTheSilent: connections that say nothing, more than there is room for, keep out nobody, and end.
func TestTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		p := place(t, m.Host("a"), m.Host("b"), "a:0")
		l, err := p.Listener.Listen(t.Context(), p.Address)
		if err != nil {
			t.Fatal(err)
		}
		var silent []net.Conn
		for range 3 * mostHandshakes {
			c, err := m.Host("b").Dial(t.Context(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, c)
		}
		synctest.Wait()
		if got := handshakes(l); got != mostHandshakes {
			t.Errorf("%d handshakes go on, want %d", got, mostHandshakes)
		}
		near, err := p.Dialer.Dial(t.Context(), l.Addr().String())
		if err != nil {
			t.Fatalf("an honest one: %v", err)
		}
		if far, err := l.Accept(); err != nil || far.(*Conn).Peer() != id(Worker, "w") {
			t.Errorf("accepted %v", err)
		}
		_ = near.Close()
		time.Sleep(handshakeLimit + time.Second)
		if got := handshakes(l); got != 0 {
			t.Errorf("%d handshakes go on after %v", got, handshakeLimit)
		}
		for _, c := range silent {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("a silent connection lives on")
			}
		}
		_ = l.Close()
	})
}

// handshakes is how many go on.
func handshakes(l net.Listener) int {
	own := l.(*listener)
	own.mu.Lock()
	defer own.mu.Unlock()
	return own.pending.Len()
}

// TestSlowDialler: who takes a byte each second is ended, and Dial gives up on a listener that does so.
func TestSlowDialler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		mute, err := m.Host("a").Listen(t.Context(), "a:0")
		if err != nil {
			t.Fatal(err)
		}
		defer mute.Close()
		p := place(t, m.Host("a"), m.Host("b"), "a:0")
		start := time.Now()
		_, err = p.Dialer.Dial(t.Context(), mute.Addr().String())
		if err == nil || time.Since(start) != handshakeLimit || !strings.Contains(err.Error(), "did not answer in time") {
			t.Errorf("a mute listener: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = p.Dialer.Dial(ctx, mute.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a dialler with less time: %v", err)
		}
	})
}

// TestDamage: a bit that flips on the way ends the connection, and nothing wrong is ever read.
func TestDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan, err := fault.Parse("flip b->a after=5000 bit=3")
		if err != nil {
			t.Fatal(err)
		}
		f, m := faulty.New(plan), memory.New()
		defer f.Close()
		p := place(t, f.Host("a", m.Host("a")), f.Host("b", m.Host("b")), "a:0")
		l, err := p.Listener.Listen(t.Context(), p.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		near, err := p.Dialer.Dial(t.Context(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		var writing sync.WaitGroup
		writing.Go(func() {
			for err := error(nil); err == nil; {
				_, err = near.Write(make([]byte, 1000))
			}
		})
		got, err := io.ReadAll(far)
		if err == nil || strings.Trim(string(got), "\x00") != "" {
			t.Errorf("read %d bytes, some of them wrong, and %v", len(got), err)
		}
		_ = far.Close()
		writing.Wait()
	})
}

// store writes a bundle's files.
func store(t *testing.T, f Files, b Bundle) {
	t.Helper()
	for name, text := range map[string][]byte{f.CA: b.CA, f.Cert: b.Cert, f.Key: b.Key} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReload: new files count for new connections, old connections live on, and files that do not belong together
// leave what was. An authority is replaced by way of a bundle of both.
func TestReload(t *testing.T) {
	now := time.Now()
	first, second := authority(t, "first", now), authority(t, "second", now)
	f := FilesIn(t.TempDir())
	b1, err := first.Issue(id(Coordinator, "one"), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	store(t, f, b1)
	r, err := NewReloading(f)
	if err != nil {
		t.Fatal(err)
	}
	to := &Network{Inner: network.System{}, Source: r, Accept: []Role{Worker}}
	dialler := func(a *Authority) *Network {
		return &Network{Inner: network.System{}, Expect: []Role{Coordinator},
			Source: &Trusting{Source: material(t, a, id(Worker, "w"), now, time.Hour), Authority: first}}
	}
	l, err := to.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connect := func(a *Authority) (near, far net.Conn) {
		near, err := dialler(a).Dial(t.Context(), l.Addr().String())
		if err != nil {
			return nil, nil
		}
		if far, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { near.Close(); far.Close() })
		return near, far
	}
	near, far := connect(first)
	if n, _ := connect(second); near == nil || n != nil {
		t.Fatal("before: the first authority's must be let in, the second's not")
	}
	store(t, f, Bundle{CA: append(first.CertPEM(), second.CertPEM()...), Cert: b1.Cert, Key: b1.Key})
	if n, _ := connect(second); n == nil {
		t.Error("with both authorities the second's is not let in")
	}
	if n, _ := connect(first); n == nil {
		t.Error("with both authorities the first's is not let in")
	}
	if err := os.WriteFile(f.Key, []byte("half a ke"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, _ := connect(first); n == nil || r.Bad() == nil {
		t.Errorf("with half a key: connected %v, complaint %v", n != nil, r.Bad())
	}
	b2, err := first.Issue(id(Coordinator, "two"), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	store(t, f, b2)
	if n, _ := connect(first); n == nil || n.(*Conn).Peer().Name != "two" || r.Bad() != nil {
		t.Errorf("after it was renewed: %v, complaint %v", n, r.Bad())
	}
	if n, _ := connect(second); n != nil {
		t.Error("the second's is let in after its authority went")
	}
	if _, err := near.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Errorf("a connection from before: %v", err)
	}
}

// TestIssuedRenews: a source that signs for itself has a good certificate at any time.
func TestIssuedRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := AuthorityOfToken("a word that nobody guesses", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewIssued(a, id(Worker, AnyName), LeafLife, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[time.Time]bool{}
		for range 200 {
			m, err := s.Current()
			if err != nil || time.Until(m.Expires) < LeafLife/2 {
				t.Fatalf("%v: good until %v, %v", time.Now(), m.Expires, err)
			}
			ends[m.Expires] = true
			time.Sleep(24 * time.Hour)
		}
		if len(ends) < 10 || len(ends) > 20 {
			t.Errorf("%d certificates in 200 days", len(ends))
		}
	})
}

// TestToken: who has the same word trusts each other, who has another one does not.
func TestToken(t *testing.T) {
	source := func(token string, who Identity) Source {
		a, err := AuthorityOfToken(token, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewIssued(a, who, LeafLife, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	to := &Network{Inner: network.System{}, Source: source("correct horse battery staple", id(Coordinator, "c")),
		Accept: []Role{Worker}}
	for token, want := range map[string]bool{"correct horse battery staple": true, "correct horse battery stable": false} {
		from := &Network{Inner: network.System{}, Source: source(token, id(Worker, AnyName)), Expect: []Role{Coordinator}}
		if m := meet(t, to, from); (m.dialled == nil) != want {
			t.Errorf("%q: %v", token, m.dialled)
		}
	}
	if _, err := AuthorityOfToken("short", time.Now()); err == nil {
		t.Error("a token of 5 letters is accepted")
	}
}

func TestIdentity(t *testing.T) {
	for _, text := range []string{"spiffe://byol/default/worker/worker-0", "spiffe://byol/run_1.x/operator/Ann"} {
		if i, err := ParseIdentity(text); err != nil || i.String() != text {
			t.Errorf("%s: %v, %v", text, i, err)
		}
	}
	for _, text := range []string{"", "spiffe://byol/default/worker", "spiffe://byol/default/worker/a/b",
		"spiffe://else/default/worker/a", "https://byol/default/worker/a", "spiffe://byol/default/king/a",
		"spiffe://byol//worker/a", "spiffe://byol/default/worker/", "spiffe://byol/default/worker/a%20b",
		"spiffe://byol/default/worker/..", "spiffe://byol/default/worker/" + strings.Repeat("x", 129),
		"spiffe://byol/default/worker/a\x1b[31m"} {
		if i, err := ParseIdentity(text); err == nil {
			t.Errorf("%.80q is taken for %v", text, i)
		}
	}
	if a := id(Worker, AnyName); !a.Calls("worker-7") || id(Worker, "w").Calls("v") || !id(Worker, "w").Calls("w") {
		t.Error("who may call itself what")
	}
}

// TestBundle: one text holds what three files do, and half of one is refused.
func TestBundle(t *testing.T) {
	a := authority(t, "a", time.Now())
	b, err := a.Issue(id(Worker, "w"), time.Now(), time.Hour, "host", "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseBundle(b.Text())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(got)
	if err != nil || m.Identity != id(Worker, "w") || strings.Join(m.Hosts, " ") != "host 10.0.0.1" {
		t.Errorf("got %+v, %v", m, err)
	}
	for n := range len(b.Text()) {
		if n%97 != 0 {
			continue
		}
		if got, err := ParseBundle(b.Text()[:n]); err == nil {
			if _, err := Parse(got); err == nil {
				t.Errorf("%d of %d bytes are enough", n, len(b.Text()))
			}
		}
	}
	key, err := a.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAuthority(a.CertPEM(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Issue(Identity{Run: "r", Role: "king", Name: "x"}, time.Now(), time.Hour); err == nil {
		t.Error("a certificate for a role that there is not")
	}
	if _, err := ParseAuthority(b.Cert, b.Key); err == nil {
		t.Error("a worker's certificate is taken for an authority's")
	}
	if _, err := NewReloading(FilesIn(filepath.Join(t.TempDir(), "none"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no files: %v", err)
	}
}

func FuzzParseBundle(f *testing.F) {
	a, err := NewAuthority("a", time.Unix(1e9, 0))
	if err != nil {
		f.Fatal(err)
	}
	b, err := a.Issue(id(Worker, "w"), time.Unix(1e9, 0), time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Text())
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ParseBundle(text)
		if err != nil {
			return
		}
		if m, err := Parse(b); err == nil && m.Identity.Check() != nil {
			t.Errorf("material of %v", m.Identity)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte("\x05words"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if why, err := readAnswer(strings.NewReader(string(text))); err == nil && len(why) > 3*maxAnswer {
			t.Errorf("%d bytes of reason", len(why))
		}
	})
}
