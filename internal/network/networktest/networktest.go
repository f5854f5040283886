// Package networktest is the exam of a network.Network: what everything above relies on, over any implementation.
//
// The cases need no real time, so that they pass inside a testing/synctest bubble and outside, and start few
// goroutines, which each case waits for.
//
// When it fails: a case stops with what it did, got and wanted; one that hangs is ended by the test's own timeout.
package networktest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"byol/internal/network"
)

// Place is where the exam takes place: one host listens, another dials.
type Place struct {
	Listener, Dialer network.Network
	// Address is what Listener listens on, with port 0, so that Dialer reaches the address that it got.
	Address string
}

// Case is one question of the exam.
type Case struct {
	Name string
	Run  func(t *testing.T, p Place)
}

// Cases are all questions.
var Cases = []Case{
	{"bytes arrive in order, both ways at once", bothWays},
	{"addresses are host:port and the same from both ends", addresses},
	{"connections are apart", apart},
	{"a port has one listener, and is free when that is closed", onePort},
	{"nobody listens", refused},
	{"dialling and listening need a context that lives", contexts},
	{"addresses that are none", badAddresses},
	{"what is sent before Accept waits", backlog},
	{"closing a listener ends Accept", closeListener},
	{"closing a listener ends connections nobody accepted", closeBacklog},
	{"what was written before Close is read, then EOF", closeAfterWrite},
	{"closing ends our own calls", closeOwnCalls},
	{"writing to who has closed fails", writeToClosed},
	{"deadlines that are over fail at once", pastDeadlines},
	{"a deadline ends a waiting Read, and the connection lives on", readDeadline},
	{"a deadline ends a waiting Write, which says how much went", writeDeadline},
	{"SetDeadline wakes who waits already", wakeByDeadline},
	{"nothing to read or write", nothing},
}

// Run poses all cases; around makes a Place and hands it to the exam, in a bubble if it likes.
func Run(t *testing.T, around func(t *testing.T, exam func(t *testing.T, p Place))) {
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) { around(t, c.Run) })
	}
}

// patience bounds what must not take any time; a bubble's clock makes it exact.
const patience = 10 * time.Second

// pair connects the two hosts; near dialled.
func pair(t *testing.T, p Place) (near, far net.Conn) {
	t.Helper()
	l := listen(t, p)
	defer l.Close()
	near = dial(t, p, l.Addr().String())
	far, err := l.Accept()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return near, far
}

func listen(t *testing.T, p Place) net.Listener {
	t.Helper()
	l, err := p.Listener.Listen(t.Context(), p.Address)
	if err != nil {
		t.Fatalf("listen on %s: %v", p.Address, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dial(t *testing.T, p Place, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := p.Dialer.Dial(ctx, address)
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func bothWays(t *testing.T, p Place) {
	near, far := pair(t, p)
	random := rand.NewChaCha8([32]byte{1})
	var all sync.WaitGroup
	defer all.Wait()
	for _, way := range []struct {
		name     string
		from, to net.Conn
	}{{"there", near, far}, {"back", far, near}} {
		sent := make([]byte, 1<<20)
		_, _ = random.Read(sent)
		all.Go(func() {
			for part := sent; len(part) > 0; {
				n := min(len(part), 70_001)
				if got, err := way.from.Write(part[:n]); got != n || err != nil {
					t.Errorf("%s: write: got %d, %v, want %d", way.name, got, err, n)
					return
				}
				part = part[n:]
			}
		})
		all.Go(func() {
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%s: the %d bytes read are not those written, error %v", way.name, len(sent), err)
			}
		})
	}
}

func addresses(t *testing.T, p Place) {
	l := listen(t, p)
	want, _, _ := net.SplitHostPort(p.Address)
	host, port, err := net.SplitHostPort(l.Addr().String())
	if n, _ := strconv.Atoi(port); err != nil || host != want || n <= 0 {
		t.Errorf("a listener on %s has address %v, want the host and a port", p.Address, l.Addr())
	}
	near := dial(t, p, l.Addr().String())
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if near.RemoteAddr().String() != l.Addr().String() || far.LocalAddr().String() != l.Addr().String() {
		t.Errorf("dialled %v: got remote %v and, accepted, local %v", l.Addr(), near.RemoteAddr(), far.LocalAddr())
	}
	if near.LocalAddr().String() != far.RemoteAddr().String() {
		t.Errorf("who dials is %v, who accepts sees %v", near.LocalAddr(), far.RemoteAddr())
	}
	if network.Host(near.LocalAddr()) == "" {
		t.Errorf("local address %v is not host:port", near.LocalAddr())
	}
	if other := dial(t, p, l.Addr().String()); other.LocalAddr().String() == near.LocalAddr().String() {
		t.Errorf("two connections from %v", other.LocalAddr())
	}
}

func apart(t *testing.T, p Place) {
	const n = 5
	var near, far [n]net.Conn
	for i := range n {
		near[i], far[i] = pair(t, p)
	}
	for i := range n {
		if _, err := near[i].Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	_ = near[0].Close()
	for i := n - 1; i >= 0; i-- {
		got := make([]byte, 1)
		if _, err := io.ReadFull(far[i], got); err != nil || got[0] != byte(i) {
			t.Errorf("connection %d: got %d, %v", i, got[0], err)
		}
	}
}

func onePort(t *testing.T, p Place) {
	l := listen(t, p)
	taken := l.Addr().String()
	if other, err := p.Listener.Listen(t.Context(), taken); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener on %s: got %v, %v, want EADDRINUSE", taken, other, err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second close: got %v, want net.ErrClosed", err)
	}
	again, err := p.Listener.Listen(t.Context(), taken)
	if err != nil {
		t.Fatalf("listen on %s when it is free: %v", taken, err)
	}
	_ = again.Close()
}

func refused(t *testing.T, p Place) {
	l := listen(t, p)
	address := l.Addr().String()
	_ = l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := p.Dialer.Dial(ctx, address)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, %v, want ECONNREFUSED", c, err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || op.Addr == nil || op.Addr.String() != address {
		t.Errorf("got %v, want a net.OpError that names %s", err, address)
	}
}

func contexts(t *testing.T, p Place) {
	l := listen(t, p)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	if c, err := p.Dialer.Dial(ended, l.Addr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with a cancelled context: got %v, %v", c, err)
	}
	if c, err := p.Dialer.Dial(late, l.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial with a context that is over: got %v, %v", c, err)
	}
	brief, cancel := context.WithCancel(t.Context())
	c, err := p.Dialer.Dial(brief, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Errorf("write after the dialling's context has ended: %v", err)
	}
}

func badAddresses(t *testing.T, p Place) {
	host, _, _ := net.SplitHostPort(p.Address)
	for _, address := range []string{"", host, host + ":", host + ":65536", host + ":-1", host + ":1:2"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if c, err := p.Dialer.Dial(ctx, address); err == nil {
			t.Errorf("dial %q: got a connection to %v", address, c.RemoteAddr())
		}
		cancel()
	}
	for _, address := range []string{host, host + ":65536", host + ":1:2"} {
		if l, err := p.Listener.Listen(t.Context(), address); err == nil {
			t.Errorf("listen on %q: got %v", address, l.Addr())
			_ = l.Close()
		}
	}
}

func backlog(t *testing.T, p Place) {
	l := listen(t, p)
	want := []string{"first", "other"}
	for _, text := range want {
		if _, err := dial(t, p, l.Addr().String()).Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string // in any order: they were on their way at once
	for range want {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, len(want[0]))
		if _, err := io.ReadFull(c, text); err != nil {
			t.Error(err)
		}
		got = append(got, string(text))
		_ = c.Close()
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func closeListener(t *testing.T, p Place) {
	l := listen(t, p)
	near := dial(t, p, l.Addr().String())
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a waiting Accept: got %v, %v, want net.ErrClosed", c, err)
		}
	})
	_ = l.Close()
	waiting.Wait()
	if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: got %v, %v, want net.ErrClosed", c, err)
	}
	if _, err := near.Write([]byte("x")); err != nil {
		t.Errorf("a connection made before: %v", err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Errorf("a connection made before: %v", err)
	}
}

func closeBacklog(t *testing.T, p Place) {
	l := listen(t, p)
	near := dial(t, p, l.Addr().String())
	_ = l.Close()
	_ = near.SetReadDeadline(time.Now().Add(patience))
	if n, err := near.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %d bytes, %v, want the end of the connection", n, err)
	}
}

func closeAfterWrite(t *testing.T, p Place) {
	near, far := pair(t, p)
	if _, err := near.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(far); err != nil || string(got) != "the end" {
		t.Errorf("got %q, %v, want what was written and no error", got, err)
	}
	if n, err := far.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("once more: got %d, %v, want io.EOF", n, err)
	}
}

func closeOwnCalls(t *testing.T, p Place) {
	near, _ := pair(t, p)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a waiting Read: got %v, want net.ErrClosed", err)
		}
	})
	waiting.Go(func() {
		for {
			_, err := near.Write(make([]byte, 1<<20))
			if err == nil {
				continue // the other end does not read: at some time it must wait
			}
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("a waiting Write: got %v, want net.ErrClosed", err)
			}
			return
		}
	})
	_ = near.Close()
	waiting.Wait()
	for name, call := range map[string]func() error{
		"Read":             func() error { _, err := near.Read(make([]byte, 1)); return err },
		"Write":            func() error { _, err := near.Write([]byte("x")); return err },
		"Close":            near.Close,
		"SetDeadline":      func() error { return near.SetDeadline(time.Now()) },
		"SetReadDeadline":  func() error { return near.SetReadDeadline(time.Time{}) },
		"SetWriteDeadline": func() error { return near.SetWriteDeadline(time.Time{}) },
	} {
		if err := call(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: got %v, want net.ErrClosed", name, err)
		}
	}
}

func writeToClosed(t *testing.T, p Place) {
	near, far := pair(t, p)
	_ = far.Close()
	_ = near.SetDeadline(time.Now().Add(patience))
	var err error
	for err == nil { // the first may still leave: nobody has said yet that it is in vain
		_, err = near.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want EPIPE or ECONNRESET", err)
	}
}

func timedOut(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &ne) && ne.Timeout()
}

func pastDeadlines(t *testing.T, p Place) {
	near, far := pair(t, p)
	if _, err := far.Write([]byte("there is something to read")); err != nil {
		t.Fatal(err)
	}
	_ = near.SetDeadline(time.Unix(1, 0))
	if n, err := near.Read(make([]byte, 1)); n != 0 || !timedOut(err) {
		t.Errorf("Read: got %d, %v, want a timeout", n, err)
	}
	if n, err := near.Write([]byte("x")); n != 0 || !timedOut(err) {
		t.Errorf("Write: got %d, %v, want a timeout", n, err)
	}
	_ = near.SetDeadline(time.Time{})
	if n, err := near.Read(make([]byte, 5)); n == 0 || err != nil {
		t.Errorf("Read without a deadline: got %d, %v", n, err)
	}
}

func readDeadline(t *testing.T, p Place) {
	near, far := pair(t, p)
	const wait = 20 * time.Millisecond
	start := time.Now()
	_ = near.SetReadDeadline(start.Add(wait))
	if n, err := near.Read(make([]byte, 1)); n != 0 || !timedOut(err) {
		t.Errorf("got %d, %v, want a timeout", n, err)
	}
	if waited := time.Since(start); waited < wait {
		t.Errorf("it waited %v, want %v", waited, wait)
	}
	_ = near.SetReadDeadline(time.Now().Add(patience))
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("with a later deadline: got %d, %v", n, err)
	}
}

func writeDeadline(t *testing.T, p Place) {
	near, far := pair(t, p)
	_ = near.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	sent, err := 0, error(nil)
	for err == nil {
		var n int
		n, err = near.Write(make([]byte, 1<<20))
		sent += n
	}
	if !timedOut(err) {
		t.Fatalf("got %v, want a timeout", err)
	}
	_ = near.Close()
	got, err := io.Copy(io.Discard, far)
	torn := errors.Is(err, io.ErrUnexpectedEOF) && got >= int64(sent)
	if !torn && (err != nil || got != int64(sent)) {
		t.Errorf("%d bytes were said to be sent, %d came: %v", sent, got, err)
	}
}

func wakeByDeadline(t *testing.T, p Place) {
	near, _ := pair(t, p)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := near.Read(make([]byte, 1)); !timedOut(err) {
			t.Errorf("a waiting Read: got %v, want a timeout", err)
		}
	})
	waiting.Go(func() {
		var err error
		for err == nil {
			_, err = near.Write(make([]byte, 1<<20))
		}
		if !timedOut(err) {
			t.Errorf("a waiting Write: got %v, want a timeout", err)
		}
	})
	time.Sleep(time.Millisecond)
	_ = near.SetDeadline(time.Now())
	waiting.Wait()
}

func nothing(t *testing.T, p Place) {
	near, far := pair(t, p)
	if n, err := near.Write(nil); n != 0 || err != nil {
		t.Errorf("write nothing: got %d, %v", n, err)
	}
	if n, err := far.Read(nil); n != 0 || err != nil {
		t.Errorf("read nothing: got %d, %v", n, err)
	}
}
