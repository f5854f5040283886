package signals

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestMain has SIGHUP do what it does to a program that was not started under nohup.
func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

// TestHear plays signals at times, and what each asks for.
func TestHear(t *testing.T) {
	t.Parallel()
	type heard struct {
		sig  os.Signal
		at   time.Duration
		want answer
	}
	term, interrupt, hangup, pipe := syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE
	for _, c := range []struct {
		name string
		all  []heard
	}{
		{"once", []heard{{term, 0, orderly}}},
		{"a group and each process of it", []heard{{term, 0, orderly}, {term, 5 * time.Millisecond, nothing},
			{term, 999 * time.Millisecond, nothing}}},
		{"twice", []heard{{interrupt, 0, orderly}, {interrupt, time.Second, atOnce}}},
		{"an impatient person", []heard{{interrupt, 0, orderly}, {interrupt, 300 * time.Millisecond, nothing},
			{interrupt, 1200 * time.Millisecond, atOnce}}},
		{"a terminal that closes after Ctrl-C", []heard{{interrupt, 0, orderly}, {hangup, 5 * time.Second, nothing},
			{Unread, 6 * time.Second, nothing}, {term, 7 * time.Second, atOnce}}},
		{"a session that ends", []heard{{hangup, 0, orderly}, {term, 10 * time.Millisecond, nothing}}},
		{"a reader that is gone", []heard{{pipe, 0, nothing}, {Unread, time.Minute, orderly},
			{pipe, 2 * time.Minute, nothing}, {term, 3 * time.Minute, atOnce}}},
	} {
		var a asked
		began := time.Unix(1000, 0)
		for i, h := range c.all {
			if got := a.hear(h.sig, began.Add(h.at)); got != h.want {
				t.Errorf("%s: signal %d (%v): %v, want %v", c.name, i, h.sig, got, h.want)
			}
		}
	}
}

// TestListen has two requests, a moment apart, ask for the end once and then for the end at once.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		l := newListener() // without the system's signals, which fake time knows nothing of
		go l.listen(func(sig os.Signal) { got = append(got, "stop "+sig.String()) },
			func(sig os.Signal) { got = append(got, "now "+sig.String()) })
		for _, pause := range []time.Duration{0, time.Millisecond, time.Second} {
			time.Sleep(pause)
			l.Raise(syscall.SIGTERM)
			synctest.Wait()
		}
		for range 20 {
			l.Raise(syscall.SIGTERM) // nobody listens any more
		}
		l.Close()
		l.Close()
		if len(got) != 2 || got[0] != "stop terminated" || got[1] != "now terminated" {
			t.Errorf("got %q", got)
		}
	})
}

// TestReal sends this process signals: one of those that end programs, and writes to a pipe that nobody reads.
func TestReal(t *testing.T) {
	got := make(chan os.Signal, 8)
	l := Listen(func(sig os.Signal) { got <- sig }, func(sig os.Signal) { got <- sig })
	defer l.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a write to a pipe that nobody reads: %v", err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if sig := <-got; sig != syscall.SIGHUP {
		t.Errorf("got %v", sig)
	}
}

// TestNohup: a program that is to survive the end of its terminal does so.
func TestNohup(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	got := make(chan os.Signal, 8)
	l := Listen(func(sig os.Signal) { got <- sig }, nil)
	defer l.Close()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	l.Raise(syscall.SIGTERM)
	if sig := <-got; sig != syscall.SIGTERM {
		t.Errorf("got %v", sig)
	}
}
