package coordinator

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "byol/proto"
)

// door is a listener at which those come who are sent to it.
type door struct{ come chan net.Conn }

func (d door) Accept() (net.Conn, error) {
	c, ok := <-d.come
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (door) Close() error   { return nil }
func (door) Addr() net.Addr { return nil }

// hungUp reports whether the other end of c is closed.
func hungUp(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return true
	}
	_, err := c.Read(make([]byte, 1))
	return err == io.EOF
}

// TestDoorway: of two places for the silent and four in all, each who comes takes the place of the oldest that has said
// nothing, and none of one that has spoken; who leaves makes room.
func TestDoorway(t *testing.T) {
	outer := door{make(chan net.Conn, 1)}
	d := &doorway{Listener: outer, mostSilent: 2, most: 4}
	come := func() (client, server net.Conn) {
		client, other := net.Pipe()
		outer.come <- other
		if d.open >= d.most && d.silent.Len() < d.mostSilent {
			close(outer.come) // so that Accept returns once it has sent this one away
		}
		server, _ = d.Accept()
		return client, server
	}
	speak := func(client, server net.Conn) {
		go client.Write([]byte{1})
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := come()
	b, atB := come()
	speak(b, atB)
	c, atC := come()
	d1, atD := come() // a, c and this one are silent: a goes
	if !hungUp(t, a) || hungUp(t, b) || hungUp(t, c) || hungUp(t, d1) || d.open != 3 || d.silent.Len() != 2 {
		t.Fatalf("a third silent one: open %d, silent %d", d.open, d.silent.Len())
	}
	speak(c, atC)
	e, atE := come()
	speak(d1, atD)
	speak(e, atE) // four have spoken
	f, atF := come()
	if !hungUp(t, f) || atF != nil || d.open != 4 {
		t.Errorf("a fifth is let in: %v, open %d", atF, d.open)
	}
	for _, server := range []net.Conn{atB, atC, atD, atE, atB} {
		_ = server.Close()
	}
	if d.open != 0 || d.silent.Len() != 0 {
		t.Errorf("all have gone: open %d, silent %d", d.open, d.silent.Len())
	}
}

// TestOpenCalls has somebody keep as many calls open as he likes, over several connections: those above the bound are
// refused, workers attach all the same, and when he hangs up there is room again.
func TestOpenCalls(t *testing.T) {
	t.Parallel()
	w := begin(t, options(t, 2))
	c := w.client()
	w.until(c, "a coordinator that serves", func(*pb.Status) bool { return true })
	ctx, hangUp := context.WithCancel(w.ctx)
	defer hangUp()
	var open, refused int
	for range 2 {
		conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range mostStreams - 4 {
			stream, err := pb.NewCoordinatorClient(conn).WatchStatus(ctx, &pb.WatchStatusRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			switch {
			case err == nil:
				open++
			case status.Code(err) == codes.ResourceExhausted && strings.Contains(err.Error(), "too many calls"):
				refused++
			default:
				t.Fatal(err)
			}
		}
	}
	if open > mostCalls || open < mostCalls-4 || refused == 0 {
		t.Errorf("%d calls are open and %d refused; the bound is %d", open, refused, mostCalls)
	}
	join := &pb.Join{Index: 0, DataAddress: "127.0.0.1:1", Host: "here", Build: "wrong"}
	if reason, _ := w.attach(join).refused(); !strings.Contains(reason, "build") {
		t.Errorf("a worker is answered %q", reason)
	}
	hangUp()
	for { // the news of it takes a moment
		_, err := c.GetStatus(w.ctx, &pb.GetStatusRequest{})
		if err == nil {
			break
		}
		if status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("after he has hung up: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	w.c.Abort()
	<-w.done
}

// TestMoreThanWasAsked has somebody go on talking in a call that takes one message: he is cut off before much of it is
// kept.
func TestMoreThanWasAsked(t *testing.T) {
	t.Parallel()
	w := begin(t, options(t, 2))
	w.until(w.client(), "a coordinator that serves", func(*pb.Status) bool { return true })
	conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.NewStream(w.ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		pb.Coordinator_WatchStatus_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&pb.WatchStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	more, sent := &pb.PauseRequest{RequestId: strings.Repeat("x", 1<<20)}, 0
	for stream.SendMsg(more) == nil && sent < 1024 {
		sent++
	}
	var last pb.Status
	for err == nil {
		err = stream.RecvMsg(&last)
	}
	if status.Code(err) != codes.Internal || sent > windowBytes>>20 {
		t.Errorf("%d MiB were taken that nobody reads, and then: %v", sent, err)
	}
	w.c.Abort()
	<-w.done
}
