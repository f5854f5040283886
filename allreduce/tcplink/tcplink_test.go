package tcplink

import (
	"errors"
	"net"
	"testing"

	"byol/allreduce/link"
	"byol/allreduce/linktest"
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

func TestLink(t *testing.T) {
	linktest.Run(t, func(t *testing.T, opts link.Options) (link.Link, link.Link) {
		a, b := pair(t)
		return New(a, opts), New(b, opts)
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
		{"another magic", other, link.ErrFrame},
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
