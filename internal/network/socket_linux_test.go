package network

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSocketOptions reads back what the kernel was asked for: the limit of silence, and no pacing on loopback, at
// either end.
func TestSocketOptions(t *testing.T) {
	l, err := System{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := System{}.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if err := LimitSilence(near, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	socket(t, near, func(fd int) {
		if got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 3000 || err != nil {
			t.Errorf("limit of silence: got %d ms, %v, want 3000", got, err)
		}
	})
	for name, c := range map[string]net.Conn{"dialled": near, "accepted": far} {
		socket(t, c, func(fd int) {
			if got, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION); got != "reno" || err != nil {
				t.Errorf("%s: congestion control is %q, %v, want reno", name, got, err)
			}
		})
	}
}

func socket(t *testing.T, c net.Conn, look func(fd int)) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { look(int(fd)) }); err != nil {
		t.Fatal(err)
	}
}
