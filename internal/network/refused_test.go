package network

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestListenHint: another port helps where a port is taken, and not where all are, or the address is another machine's.
func TestListenHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		err     syscall.Errno
		want    string
	}{
		{"10.0.0.1:7070", syscall.EADDRINUSE, "another port"},
		{"127.0.0.1:0", syscall.EADDRINUSE, "no port is free"},
		{"10.9.9.9:7070", syscall.EADDRNOTAVAIL, "an address that this machine has"},
		{":80", syscall.EACCES, "above 1023"},
		{"nonsense", syscall.EINVAL, "another port"},
	} {
		err := &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", c.err)}
		if got := ListenHint(c.address, err); !strings.Contains(got, c.want) {
			t.Errorf("%s, %v: %q, want %q", c.address, c.err, got, c.want)
		}
	}
	l, err := net.Listen("tcp", "192.0.2.1:0") // of documents, and so of no machine
	if err == nil {
		l.Close()
		t.Skip("192.0.2.1 is an address of this machine")
	}
	if got := ListenHint("192.0.2.1:0", err); !strings.Contains(got, "an address that this machine has") {
		t.Errorf("%v: %q", err, got)
	}
}
