package tcplink

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/linktest"
	"byol/internal/network"
	"byol/internal/network/memory"
	"byol/internal/network/secure"
)

// pair connects two sockets over loopback.
func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

func TestLink(t *testing.T) {
	linktest.Run(t, func(t *testing.T, opts link.Options) (link.Link, link.Link) {
		a, b := pair(t)
		return New(a, opts), New(b, opts)
	})
}

// TestLinkWithoutSockets takes the same exam over connections in memory, where nothing is written in one call.
func TestLinkWithoutSockets(t *testing.T) {
	linktest.Run(t, func(_ *testing.T, opts link.Options) (link.Link, link.Link) {
		a, b := memory.Pipe(address("a:1"), address("b:1"))
		return New(a, opts), New(b, opts)
	})
}

// TestLinkEncrypted takes it over TLS, where an end that is damaged is an error, too.
func TestLinkEncrypted(t *testing.T) {
	a, err := secure.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	who := secure.Identity{Run: secure.DefaultRun, Role: secure.Worker, Name: secure.AnyName}
	source, err := secure.NewIssued(a, who, secure.LeafLife, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	n := &secure.Network{Inner: network.System{}, Source: source, Accept: secure.Roles, Expect: secure.Roles}
	linktest.Run(t, func(t *testing.T, opts link.Options) (link.Link, link.Link) {
		l, err := n.Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		near, err := n.Dial(t.Context(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return New(near, opts), New(far, opts)
	})
}

func TestBadBytes(t *testing.T) {
	whole := make([]byte, link.HeaderBytes)
	link.Header{Kind: link.Reduce, Length: 100}.Encode(whole)
	other := append([]byte{0xFF}, whole[1:]...)
	for _, c := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"nothing", nil, link.ErrEnded},
		{"half a header", whole[:10], link.ErrTruncated},
		{"header without payload", whole, link.ErrTruncated},
		{"half a payload", append(append([]byte{}, whole...), make([]byte, 50)...), link.ErrTruncated},
		{"another check", other, link.ErrFrame},
		{"text", []byte("GET / HTTP/1.1\r\nHost: somewhere.else\r\n\r\n"), link.ErrFrame},
	} {
		a, b := pair(t)
		l := New(b, link.Options{})
		if _, err := a.Write(c.bytes); err != nil {
			t.Fatal(err)
		}
		_ = a.Close()
		h, err := l.RecvHeader()
		if err == nil {
			err = l.RecvPayload(make([]byte, h.Length))
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
		_ = l.Close()
	}
}

// TestErrorsOfConnectionsAreExplained by what they mean for a link, with the connection's own error behind.
func TestErrorsOfConnectionsAreExplained(t *testing.T) {
	deadline := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err    error
		inside bool
		closed bool
		want   error
	}{
		{io.EOF, false, false, link.ErrEnded},
		{io.EOF, true, false, link.ErrTruncated},
		{io.ErrUnexpectedEOF, true, false, link.ErrTruncated},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, false, false, link.ErrEnded},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true, false, link.ErrTruncated},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, false, false, link.ErrEnded},
		{io.ErrClosedPipe, false, false, link.ErrEnded},
		{deadline, false, false, link.ErrTimeout},
		{deadline, true, false, link.ErrTimeout},
		{deadline, false, true, link.ErrClosed},
		{io.EOF, true, true, link.ErrClosed},
		{syscall.ETIMEDOUT, false, false, syscall.ETIMEDOUT},
	} {
		l := New(nil, link.Options{})
		l.closed.Store(c.closed)
		got := l.explain("receive", c.err, c.inside)
		if !errors.Is(got, c.want) {
			t.Errorf("%v, inside %v, closed %v: got %v, want %v", c.err, c.inside, c.closed, got, c.want)
		}
		if (errors.Is(got, link.ErrEnded) || errors.Is(got, link.ErrTruncated)) && !errors.Is(got, c.err) {
			t.Errorf("%v: %v hides it", c.err, got)
		}
	}
}

// bubble runs f with a link in fake time, and the connection at its other end.
func bubble(t *testing.T, opts link.Options, f func(l *Link, far net.Conn)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		near, far := memory.Pipe(address("a:1"), address("b:1"))
		l := New(near, opts)
		f(l, far)
		_ = l.Close()
		_ = far.Close()
	})
}

// TestTheTimeoutIsOfProgress: each piece that arrives begins it anew, and a peer that stops in the middle meets it.
func TestTheTimeoutIsOfProgress(t *testing.T) {
	bubble(t, link.Options{RecvTimeout: 10 * time.Second}, func(l *Link, far net.Conn) {
		head := make([]byte, link.HeaderBytes)
		link.Header{Kind: link.Reduce, Length: 3}.Encode(head)
		go func() {
			time.Sleep(9 * time.Second)
			_, _ = far.Write(head)
			for i := range 2 {
				time.Sleep(9 * time.Second)
				_, _ = far.Write([]byte{byte(i)})
			}
		}()
		start := time.Now()
		if h, err := l.RecvHeader(); err != nil || h.Length != 3 {
			t.Errorf("got %v, error %v", h, err)
		}
		for i := range 2 {
			if err := l.RecvPayload(make([]byte, 1)); err != nil {
				t.Errorf("byte %d: %v", i, err)
			}
		}
		if err := l.RecvPayload(make([]byte, 1)); !errors.Is(err, link.ErrTimeout) {
			t.Errorf("a byte that never comes: got %v, want %v", err, link.ErrTimeout)
		}
		if took := time.Since(start); took != 37*time.Second {
			t.Errorf("took %v, want 27s of pieces and 10s of silence", took)
		}
	})
}

func TestNothingFollowsATornFrame(t *testing.T) {
	bubble(t, link.Options{SendTimeout: time.Second}, func(l *Link, _ net.Conn) {
		payload := make([]byte, 1<<20) // more than the way holds
		h := link.Header{Kind: link.Reduce, Length: uint32(len(payload))}
		if err := l.Send(h, payload); !errors.Is(err, link.ErrTimeout) {
			t.Errorf("nobody reads: got %v, want %v", err, link.ErrTimeout)
		}
		start := time.Now()
		if err := l.Send(link.Header{Kind: link.Bye}, nil); !errors.Is(err, link.ErrTimeout) || time.Since(start) != 0 {
			t.Errorf("after it: got %v after %v, want %v at once", err, time.Since(start), link.ErrTimeout)
		}
		if err := l.CloseWith(link.Header{Kind: link.Bye}, nil); !errors.Is(err, link.ErrTimeout) {
			t.Errorf("a last word after it: got %v, want %v", err, link.ErrTimeout)
		}
		if err := l.Send(link.Header{Kind: link.Bye}, nil); !errors.Is(err, link.ErrClosed) {
			t.Errorf("once this side has closed: got %v, want %v", err, link.ErrClosed)
		}
	})
}

// TestALastWordCutsAStuckSendShort, whose own limit is an hour.
func TestALastWordCutsAStuckSendShort(t *testing.T) {
	bubble(t, link.Options{SendTimeout: time.Hour}, func(l *Link, _ net.Conn) {
		stuck := make(chan error, 1)
		go func() {
			payload := make([]byte, 1<<20)
			stuck <- l.Send(link.Header{Kind: link.Reduce, Length: uint32(len(payload))}, payload)
		}()
		synctest.Wait()
		start := time.Now()
		if err := l.CloseWith(link.Header{Kind: link.Abort}, nil); err == nil {
			t.Error("the last word went out behind half a frame")
		}
		if took := time.Since(start); took > 2*link.Grace {
			t.Errorf("took %v, want at most %v", took, 2*link.Grace)
		}
		if err := <-stuck; err == nil {
			t.Error("the stuck send succeeded")
		}
	})
}

func TestALastWordArrives(t *testing.T) {
	bubble(t, link.Options{}, func(l *Link, far net.Conn) {
		other := New(far, link.Options{})
		for i := range 3 {
			p := fmt.Appendf(nil, "frame %d", i)
			if err := l.Send(link.Header{Kind: link.Share, Chunk: uint32(i), Length: uint32(len(p))}, p); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.CloseWith(link.Header{Kind: link.Bye}, nil); err != nil {
			t.Errorf("a last word: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("a second close: %v", err)
		}
		for i := range 3 {
			h, err := other.RecvHeader()
			p := make([]byte, h.Length)
			if err == nil {
				err = other.RecvPayload(p)
			}
			if err != nil || h.Chunk != uint32(i) || string(p) != fmt.Sprintf("frame %d", i) {
				t.Errorf("frame %d: got %v with %q, error %v", i, h, p, err)
			}
		}
		if h, err := other.RecvHeader(); err != nil || h.Kind != link.Bye {
			t.Errorf("got %v, error %v; want the last word", h, err)
		}
		if _, err := other.RecvHeader(); !errors.Is(err, link.ErrEnded) {
			t.Errorf("after the last word: got %v, want %v", err, link.ErrEnded)
		}
	})
}

func TestConnectionsAreTunedWherePossible(t *testing.T) {
	a, b := pair(t)
	defer b.Close()
	l := New(a, link.Options{})
	raw, err := a.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if on, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY); err != nil || on == 0 {
			t.Errorf("small frames wait for others: TCP_NODELAY is %d, error %v", on, err)
		}
	})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Send(link.Header{}, nil); !errors.Is(err, link.ErrClosed) {
		t.Errorf("send on a closed link: got %v, want %v", err, link.ErrClosed)
	}
}
