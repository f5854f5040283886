package memory

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

	"byol/internal/network/networktest"
)

func twoHosts() networktest.Place {
	n := New()
	return networktest.Place{Listener: n.Host("a"), Dialer: n.Host("b"), Address: "a:0"}
}

func TestExam(t *testing.T) {
	networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) { exam(t, twoHosts()) })
}

func TestExamInABubble(t *testing.T) {
	networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) {
		synctest.Test(t, func(t *testing.T) { exam(t, twoHosts()) })
	})
}

func TestExamOnLoopback(t *testing.T) {
	networktest.Run(t, func(t *testing.T, exam func(*testing.T, networktest.Place)) {
		h := New().Host("a")
		exam(t, networktest.Place{Listener: h, Dialer: h, Address: "127.0.0.1:0"})
	})
}

// TestReach tries every kind of listener from its own host and from another.
func TestReach(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		listen, dial string
		from         string
		local        string // "" where nobody answers
	}{
		{"a:7", "a:7", "b", "b:40000"},
		{"a:7", "a:7", "a", "a:40000"},
		{"a:7", "127.0.0.1:7", "a", ""},
		{"a:7", "b:7", "b", ""},
		{"a:7", "a:8", "b", ""},
		{"127.0.0.1:7", "127.0.0.1:7", "a", "127.0.0.1:40000"},
		{"127.0.0.1:7", "localhost:7", "a", "localhost:40000"},
		{"127.0.0.1:7", "127.0.0.1:7", "b", ""},
		{"127.0.0.1:7", "a:7", "b", ""},
		{"127.0.0.1:7", "a:7", "a", ""},
		{":7", "a:7", "b", "b:40000"},
		{":7", "127.0.0.1:7", "a", "127.0.0.1:40000"},
		{"0.0.0.0:7", "[::1]:7", "a", "[::1]:40000"},
		{"[::]:7", ":7", "a", "127.0.0.1:40000"},
		{":7", "127.0.0.1:7", "b", ""},
	} {
		n := New()
		l, err := n.Host("a").Listen(ctx, c.listen)
		if err != nil {
			t.Errorf("a listens on %s: %v", c.listen, err)
			continue
		}
		conn, err := n.Host(c.from).Dial(ctx, c.dial)
		switch {
		case c.local == "" && !errors.Is(err, syscall.ECONNREFUSED):
			t.Errorf("a listens on %s, %s dials %s: got %v, want a refusal", c.listen, c.from, c.dial, err)
		case c.local != "" && err != nil:
			t.Errorf("a listens on %s, %s dials %s: %v", c.listen, c.from, c.dial, err)
		case c.local != "" && conn.LocalAddr().String() != c.local:
			t.Errorf("a listens on %s, %s dials %s: it comes from %v, want %s", c.listen, c.from, c.dial,
				conn.LocalAddr(), c.local)
		}
		_ = l.Close()
	}
}

func TestListenRefuses(t *testing.T) {
	n := New()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx     context.Context
		address string
		want    error
	}{
		{t.Context(), "b:7", syscall.EADDRNOTAVAIL},
		{t.Context(), "a:0", nil},
		{t.Context(), "a:40000", syscall.EADDRINUSE},
		{t.Context(), "127.0.0.1:40000", syscall.EADDRINUSE},
		{ended, "a:0", context.Canceled},
	} {
		if _, err := n.Host("a").Listen(c.ctx, c.address); !errors.Is(err, c.want) {
			t.Errorf("host a listens on %s: got %v, want %v", c.address, err, c.want)
		}
	}
}

// TestPorts: ports come in order for each host, pass over those in use, and begin again after the last.
func TestPorts(t *testing.T) {
	n := New()
	a := n.Host("a")
	listen := func(address, want string) {
		t.Helper()
		l, err := a.Listen(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Addr().String(); got != want {
			t.Errorf("listening on %s: got %s, want %s", address, got, want)
		}
	}
	listen(":0", "[::]:40000")
	listen("a:40002", "a:40002")
	listen("a:0", "a:40001")
	listen("a:0", "a:40003")
	n.used["a"] = 1<<16 - firstPort - 1
	listen("a:0", "a:65535")
	listen("a:0", "a:40004")
}

// TestBreak: both ends learn the reason at once, waiting or not, and what was under way is lost.
func TestBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := Pipe(address("a:1"), address("b:2"))
		if _, err := near.Write([]byte("lost")); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("a waiting Read: got %v, want ETIMEDOUT", err)
			}
		})
		synctest.Wait()
		far.BreakWith(syscall.ETIMEDOUT)
		waiting.Wait()
		far.Break() // too late to change the reason
		if n, err := far.Read(make([]byte, 9)); n != 0 || !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Read: got %d, %v, want ETIMEDOUT and no bytes", n, err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Write: got %v, want ETIMEDOUT", err)
		}
		if err := near.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// TestWritersTakeTurns: two writers wait for the same reader for an hour, which their waiting does not hold up, and
// the bytes of one Write stay together.
func TestWritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := Pipe(address("a:1"), address("b:2"))
		var writers sync.WaitGroup
		for _, letter := range "xyz" {
			writers.Go(func() {
				if _, err := near.Write(bytes.Repeat([]byte(string(letter)), 3*window)); err != nil {
					t.Errorf("write: %v", err)
				}
			})
		}
		start := time.Now()
		time.Sleep(time.Hour)
		if waited := time.Since(start); waited != time.Hour {
			t.Errorf("an hour took %v", waited)
		}
		for range 3 {
			got := make([]byte, 3*window)
			if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
				t.Errorf("the bytes of a Write are mixed with another's, error %v", err)
			}
		}
		writers.Wait()
	})
}

// TestDeadlinesAreExact: in fake time a deadline passes at its time and not before, and a later one takes its place.
func TestDeadlinesAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := Pipe(address("a:1"), address("b:2"))
		start := time.Now()
		_ = near.SetReadDeadline(start.Add(time.Minute))
		time.AfterFunc(59*time.Second, func() { _ = near.SetReadDeadline(start.Add(time.Hour)) })
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("got %v after %v, want a timeout after an hour", err, time.Since(start))
		}
		_ = near.SetReadDeadline(time.Now().Add(time.Minute))
		_ = near.Close() // or else the timer would be left in the bubble
	})
}

// TestPipeIsAQueue drives one direction with random writes, reads and closes, and compares it with a slice of bytes.
func TestPipeIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		near, far := Pipe(address("a:1"), address("b:2"))
		past := time.Unix(1, 0)
		var model []byte
		next, closed := byte(0), false
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				p := make([]byte, rapid.IntRange(0, window/2).Draw(t, "bytes"))
				for i := range p {
					p[i], next = next, next+1
				}
				_ = near.SetWriteDeadline(time.Time{})
				if room := window - len(model); len(p) > room {
					// A Write that must wait ends by its deadline, once it has filled the room.
					time.AfterFunc(0, func() { _ = near.SetWriteDeadline(past) })
				}
				n, err := near.Write(p)
				if closed && !errors.Is(err, net.ErrClosed) {
					t.Fatalf("write after close: %d, %v", n, err)
				}
				if !closed && n < min(len(p), window-len(model)) && err == nil {
					t.Fatalf("%d of %d bytes written into room for %d, no error", n, len(p), window-len(model))
				}
				model = append(model, p[:n]...)
				next -= byte(len(p) - n)
				if len(model) > window {
					t.Fatalf("%d bytes are under way, at most %d may be", len(model), window)
				}
			},
			"read": func(t *rapid.T) {
				p := make([]byte, rapid.IntRange(1, window).Draw(t, "bytes"))
				if len(model) == 0 && !closed {
					t.Skip("it would wait")
				}
				n, err := far.Read(p)
				if len(model) == 0 && (n != 0 || err != io.EOF) {
					t.Fatalf("read at the end: %d, %v", n, err)
				}
				if len(model) > 0 && (n != min(len(p), len(model)) || err != nil || !bytes.Equal(p[:n], model[:n])) {
					t.Fatalf("read %d bytes of %d under way: got %d, %v, or other bytes", len(p), len(model), n, err)
				}
				model = model[n:]
			},
			"close": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "dice") == 0 {
					closed = true
					_ = near.Close()
				}
			},
		})
	})
}
