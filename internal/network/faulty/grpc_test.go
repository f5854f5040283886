package faulty

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"byol/internal/network"
)

// counting counts the connections that a listener accepts.
type counting struct {
	net.Listener
	accepted atomic.Int64
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// serve runs a gRPC server on host a, and returns a client on host b. Both end with the test, inside its bubble.
func serve(t *testing.T, a, b network.Network) (*counting, healthpb.HealthClient) {
	t.Helper()
	l, err := a.Listen(t.Context(), "a:7")
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Listener: l}
	server := grpc.NewServer(grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	state := health.NewServer()
	healthpb.RegisterHealthServer(server, state)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(counted)
	}()
	conn, err := grpc.NewClient("passthrough:///a:7", grpc.WithContextDialer(b.Dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithIdleTimeout(0),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * sec, Timeout: 3 * sec}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		state.Shutdown()
		server.Stop()
		<-ended
	})
	return counted, healthpb.NewHealthClient(conn)
}

// TestCallsInFakeTime makes calls over lines with faults, each of them with a minute's patience.
func TestCallsInFakeTime(t *testing.T) {
	for _, c := range []struct {
		name        string
		faults      string // begin when the connection has been used once
		idle        time.Duration
		code        codes.Code
		least, most time.Duration
		connections int64
	}{
		{"five idle hours", "", 5 * time.Hour, codes.OK, 0, 0, 1},
		{"a slow line", "delay b->a by=2s; delay a->b by=3s", 0, codes.OK, 5 * sec, 5 * sec, 1},
		{"a cut that heals before anybody notices", "cut a<->b for=9s", 0, codes.OK, 9 * sec, 9 * sec, 1},
		{"a cut on the way back that heals", "cut a->b for=9s", 0, codes.OK, 9 * sec, 9 * sec, 1},
		{"a cut for good is noticed by keepalive", "cut a<->b", 0, codes.Unavailable, 3 * sec, 14 * sec, 1},
		{"so is a cut of one way", "cut a->b", 0, codes.Unavailable, 3 * sec, 14 * sec, 1},
		{"an idle connection that broke is made anew", "break a->b", time.Hour, codes.OK, 0, 0, 2},
		{"a call that is under way breaks with its connection", "delay a->b by=5s; break a->b step=1", 0,
			codes.Unavailable, sec, sec, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, a, b := pair(t, "")
				l, client := serve(t, a, b)
				if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
					t.Fatal(err)
				}
				n.Begin(plan(t, c.faults))
				time.Sleep(c.idle)
				stop := time.AfterFunc(sec, func() { n.Reach(1) })
				defer stop.Stop()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
				if took := time.Since(start); status.Code(err) != c.code || took < c.least || took > c.most {
					t.Errorf("got %v after %v, want %v after %v to %v", err, took, c.code, c.least, c.most)
				}
				if got := l.accepted.Load(); got != c.connections {
					t.Errorf("%d connections were made, want %d", got, c.connections)
				}
			})
		})
	}
}

// TestStreamsInFakeTime holds a stream for a day, with a message now and then, until its line is cut.
func TestStreamsInFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t, "delay *->* by=50ms")
		_, client := serve(t, a, b)
		stream, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := stream.Recv(); err != nil || m.Status != healthpb.HealthCheckResponse_SERVING {
			t.Fatalf("got %v, %v, want SERVING", m, err)
		}
		time.AfterFunc(24*time.Hour, func() { n.Begin(plan(t, "cut a<->b")) })
		start := time.Now()
		_, err = stream.Recv()
		took := time.Since(start) - 24*time.Hour
		if status.Code(err) != codes.Unavailable || took < 3*sec || took > 14*sec {
			t.Errorf("got %v, %v after the cut, want keepalive to end it within 10 s and 3 s", err, took)
		}
	})
}
