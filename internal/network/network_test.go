package network

import (
	"net"
	"runtime"
	"testing"
	"time"
)

func TestDialable(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"127.0.0.1:80", "127.0.0.1:80"},
		{"10.1.2.3:80", "10.1.2.3:80"},
		{"host:80", "host:80"},
		{":80", "127.0.0.1:80"},
		{"0.0.0.0:80", "127.0.0.1:80"},
		{"[::]:80", "[::1]:80"},
		{"[::1]:80", "[::1]:80"},
		{"[fe80::1]:80", "[fe80::1]:80"},
		{"no port", "no port"},
		{"", ""},
	} {
		if got := Dialable(c.address); got != c.want {
			t.Errorf("Dialable(%q): got %q, want %q", c.address, got, c.want)
		}
	}
}

// TestDialableReaches listens on all interfaces of each family and dials what Dialable makes of the address.
func TestDialableReaches(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "127.0.0.1:0"} {
		l, err := System{}.Listen(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := System{}.Dial(t.Context(), Dialable(l.Addr().String()))
		if err != nil {
			t.Errorf("listening on %s: dial %s: %v", address, Dialable(l.Addr().String()), err)
		} else {
			_ = c.Close()
		}
		_ = l.Close()
	}
}

func TestHost(t *testing.T) {
	for _, c := range []struct {
		address net.Addr
		want    string
	}{
		{&net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 80}, "10.1.2.3"},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "::1"},
		{&net.UnixAddr{Name: "/tmp/socket", Net: "unix"}, ""},
	} {
		if got := Host(c.address); got != c.want {
			t.Errorf("Host(%v): got %q, want %q", c.address, got, c.want)
		}
	}
}

// pipe is a connection without a socket.
type pipe struct{ net.Conn }

func TestLimitSilence(t *testing.T) {
	l, err := System{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := System{}.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := LimitSilence(c, 3*time.Second); err != nil {
		t.Errorf("on a socket: %v", err)
	}
	_ = c.Close()
	if err := LimitSilence(c, time.Second); err == nil && runtime.GOOS == "linux" {
		t.Error("on a closed socket: got no error")
	}
	if err := LimitSilence(pipe{}, time.Second); err != nil {
		t.Errorf("without a socket: got %v, want nothing done", err)
	}
}
