package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// connect is a relay before an echo, and a connection through it.
func connect(t *testing.T) (*Relay, net.Conn) {
	t.Helper()
	r := before(t, nil)
	return r, dial(t, r)
}

// before is a relay before an echo.
func before(t *testing.T, who func([]byte) string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	r, err := Listen(t.Context(), l.Addr().String(), who)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		_ = l.Close()
		<-ended
	})
	return r
}

func dial(t *testing.T, r *Relay) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// echo sends and wants it back, in time.
func echo(t *testing.T, c net.Conn, sent []byte, limit time.Duration) ([]byte, error) {
	t.Helper()
	if _, err := c.Write(sent); err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Now().Add(limit))
	got := make([]byte, len(sent))
	_, err := io.ReadFull(c, got)
	return got, err
}

func TestWhole(t *testing.T) {
	_, c := connect(t)
	want := bytes.Repeat([]byte("0123456789"), 30_000)
	go func() { _, _ = c.Write(want) }()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("what came back is not what was sent: %v", err)
	}
}

// TestCut: nothing comes through, and nothing is lost.
func TestCut(t *testing.T) {
	r, c := connect(t)
	if _, err := echo(t, c, []byte("before"), time.Minute); err != nil {
		t.Fatal(err)
	}
	r.Cut()
	r.Cut()
	if _, err := echo(t, c, []byte("during"), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("over a cut: %v, want nothing", err)
	}
	late, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	r.Mend()
	r.Mend()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, 6)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "during" {
		t.Errorf("after it was mended %q came, %v", got, err)
	}
	if got, err := echo(t, late, []byte("late"), time.Minute); err != nil || string(got) != "late" {
		t.Errorf("a connection made meanwhile: %q, %v", got, err)
	}
}

// TestCutFrom cuts off one of those that dialled, by what it said first; what it begins meanwhile is held as well.
func TestCutFrom(t *testing.T) {
	r := before(t, func(first []byte) string { return string(first[:1]) })
	a, b := dial(t, r), dial(t, r)
	for _, said := range []struct {
		by   net.Conn
		text string
	}{{a, "a says"}, {b, "b says"}} {
		if got, err := echo(t, said.by, []byte(said.text), time.Minute); err != nil || string(got) != said.text {
			t.Fatalf("%q came back as %q, %v", said.text, got, err)
		}
	}
	r.CutFrom("a")
	late := dial(t, r)
	if got, err := echo(t, b, []byte("spared"), time.Minute); err != nil || string(got) != "spared" {
		t.Errorf("one that is not cut off: %q, %v", got, err)
	}
	for name, c := range map[string]net.Conn{"its connection": a, "its new one": late} {
		if _, err := echo(t, c, []byte("a held"), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s over a cut: %v, want nothing", name, err)
		}
	}
	r.Mend()
	for name, c := range map[string]net.Conn{"its connection": a, "its new one": late} {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		got := make([]byte, 6)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "a held" {
			t.Errorf("%s after it was mended: %q, %v", name, got, err)
		}
	}
}

// TestCorrupt flips one bit, once, of a message of some length.
func TestCorrupt(t *testing.T) {
	r, c := connect(t)
	r.Corrupt()
	if got, err := echo(t, c, []byte("ping"), time.Minute); err != nil || string(got) != "ping" {
		t.Errorf("a short one: %q, %v", got, err)
	}
	bits := 0
	for range 2 {
		got, err := echo(t, c, make([]byte, 1000), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range got {
			for ; b != 0; b &= b - 1 {
				bits++
			}
		}
	}
	if bits != 1 {
		t.Errorf("%d bits were flipped, want 1", bits)
	}
}

// TestClose ends everything, also over a cut.
func TestClose(t *testing.T) {
	r, c := connect(t)
	r.Cut()
	_, _ = c.Write([]byte("held"))
	r.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Close: %v, want an end", err)
	}
	if c, err := net.Dial("tcp", r.Addr()); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
}

// TestNobodyThere: what it leads to is gone, and so is the connection.
func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().String()
	_ = l.Close()
	r, err := Listen(t.Context(), to, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want an end", err)
	}
}
