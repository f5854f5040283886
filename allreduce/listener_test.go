package allreduce

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"byol/internal/network"
)

// counted is a network that counts what is asked of it, and whose listeners fail as often as sick says.
type counted struct {
	network.System
	listens, dials atomic.Int32
	sick           atomic.Int32
}

func (c *counted) Listen(ctx context.Context, address string) (net.Listener, error) {
	c.listens.Add(1)
	ln, err := c.System.Listen(ctx, address)
	return &sickly{ln, &c.sick}, err
}

func (c *counted) Dial(ctx context.Context, address string) (net.Conn, error) {
	c.dials.Add(1)
	return c.System.Dial(ctx, address)
}

// sickly is a listener whose Accept fails while left is above 0.
type sickly struct {
	net.Listener
	left *atomic.Int32
}

func (s *sickly) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err == nil && s.left.Add(-1) >= 0 {
		_ = conn.Close()
		return nil, syscall.EMFILE
	}
	return conn, err
}

func TestGroupsUseTheNetworkTheyAreGiven(t *testing.T) {
	var n counted
	var ls []*Listener
	var peers []Peer
	for r := range 3 {
		l, err := Listen(context.Background(), &n, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ls = append(ls, l)
		peers = append(peers, Peer{Address: l.Addr(), ShardBegin: r, ShardEnd: r + 1})
	}
	errs := onAll(3, func(r int) error {
		g, err := Form(context.Background(), config(r, ls, peers))
		if err != nil {
			return err
		}
		return g.Close()
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if listens, dials := n.listens.Load(), n.dials.Load(); listens != 3 || dials != 3+3 { // a ring, and each pair
		t.Errorf("%d listens and %d dials, want 3 and 6", listens, dials)
	}
}

func TestListenSaysWhatItCannot(t *testing.T) {
	_, err := Listen(context.Background(), network.System{}, "256.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "listen for peers") || !strings.Contains(err.Error(), "256.0.0.1") {
		t.Errorf("got %v, want an error that names the address", err)
	}
}

func TestAFailingAcceptEndsTheFormButNotTheListener(t *testing.T) {
	var n counted
	n.sick.Store(1)
	ls, peers := twoListeners(t)
	sick, err := Listen(context.Background(), &n, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sick.Close()
	_ = ls[0].Close()
	ls[0], peers[0].Address = sick, sick.Addr()
	ended := make(chan error, 1)
	go func() {
		cfg := config(0, ls, peers)
		cfg.Generation-- // a form that failed is followed by another generation
		_, err := Form(context.Background(), cfg)
		ended <- err
	}()
	conn, err := net.Dial("tcp", sick.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var pe *PeerError
	err = <-ended
	if !errors.As(err, &pe) || !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "accept") {
		t.Errorf("got %v, want a *PeerError that says accept failed", err)
	}
	formPair(t, ls, peers, 0)
}

func TestClosingAListenerEndsItsForm(t *testing.T) {
	ls, peers := twoListeners(t)
	ended := make(chan error, 1)
	go func() {
		_, err := Form(context.Background(), config(0, ls, peers))
		ended <- err
	}()
	conn, err := net.Dial("tcp", ls[0].Addr()) // once its end is read, the form accepts
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: somewhere.else\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn)
	if err := ls[0].Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
	if err := ls[0].Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

func TestConnectionsWaitBetweenForms(t *testing.T) {
	ls, _ := twoListeners(t)
	var waiting []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", ls[0].Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		waiting = append(waiting, conn)
	}
	for _, conn := range waiting {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		var b [1]byte
		if _, err := conn.Read(b[:]); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("before any form: got %v, want a connection that waits", err)
		}
	}
	if err := ls[0].Close(); err != nil {
		t.Fatal(err)
	}
	for i, conn := range waiting {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		var b [1]byte
		var timeout net.Error
		if _, err := conn.Read(b[:]); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("connection %d after the listener was closed: got %v, want its end", i, err)
		}
	}
}
