package main

import (
	"context"
	"crypto/rand"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"byol/internal/network"
	"byol/internal/network/secure"
	pb "byol/proto"
)

// kind is one thing that strangers do until ctx ends.
type kind struct {
	name string
	does func(ctx context.Context, a *attack)
}

// silent and its like are tried with and without certificates.
var (
	silent = kind{"connections that say nothing", hold}
	slow   = kind{"a byte now and then", drip}
	random = kind{"random bytes", babble}
)

// guarded are tried where the run has certificates.
var guarded = []kind{silent, slow, random, {"certificates of another authority", handshakes}}

// kinds are tried where it has none.
var kinds = []kind{
	silent,
	slow,
	random,
	{"250 messages without an end", unfinished},
	{"40 joins with names of 1.9 MB", joins},
	{"slices and results of nobody", impostor},
}

// attack is one kind at work.
type attack struct {
	*scene
	at    string
	all   sync.WaitGroup
	tries atomic.Int64
	let   atomic.Int64 // who should not have been
	pace  <-chan time.Time
}

// next waits for the next stranger's turn, and counts him.
func (a *attack) next(ctx context.Context) {
	a.tries.Add(1)
	if a.pace == nil {
		return
	}
	select {
	case <-a.pace:
	case <-ctx.Done():
	}
}

// elsewhere is the host's network as it is used from another address of the loopback, where there is one.
type elsewhere struct{ network.System }

// Dial implements network.Network.
func (elsewhere) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{}
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}
	}
	return d.DialContext(ctx, "tcp", address)
}

// dial connects without a word; nil when that does not work.
func (a *attack) dial(ctx context.Context) net.Conn {
	a.next(ctx)
	c, err := elsewhere{}.Dial(ctx, a.at)
	if err != nil {
		return nil
	}
	return c
}

// again calls f, at most each pause, and closes what it gave at the end, or when there are more than most.
func (a *attack) again(ctx context.Context, pause time.Duration, most int, f func() net.Conn) {
	var held []net.Conn
	for ctx.Err() == nil {
		if c := f(); c != nil {
			held = append(held, c)
		}
		if len(held) > most {
			_ = held[0].Close()
			held = held[1:]
		}
		time.Sleep(pause)
	}
	for _, c := range held {
		_ = c.Close()
	}
}

func hold(ctx context.Context, a *attack) {
	a.again(ctx, 200*time.Microsecond, a.connections, func() net.Conn { return a.dial(ctx) })
}

// preface is how HTTP/2 begins.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func drip(ctx context.Context, a *attack) {
	for range 100 {
		a.all.Go(func() {
			a.again(ctx, 10*time.Millisecond, 0, func() net.Conn {
				c := a.dial(ctx)
				for i := 0; c != nil && i < len(preface) && ctx.Err() == nil; i++ {
					if _, err := c.Write([]byte{preface[i]}); err != nil {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				return c
			})
		})
	}
}

func babble(ctx context.Context, a *attack) {
	a.again(ctx, time.Millisecond, 0, func() net.Conn {
		c := a.dial(ctx)
		if c != nil {
			text := make([]byte, 4096)
			_, _ = rand.Read(text)
			_, _ = c.Write(text)
		}
		return c
	})
}

// stranger is the network of somebody whose certificate is of an authority that is not the run's, and who takes
// everybody that has one of the run's.
func stranger(word string) (*secure.Network, error) {
	family, err := secure.AuthorityOfToken(word, time.Now())
	if err != nil {
		return nil, err
	}
	other, err := secure.NewAuthority("another", time.Now())
	if err != nil {
		return nil, err
	}
	who := secure.Identity{Run: secure.DefaultRun, Role: secure.Worker, Name: secure.AnyName}
	source, err := secure.NewIssued(other, who, time.Hour, time.Now)
	if err != nil {
		return nil, err
	}
	return &secure.Network{Inner: elsewhere{}, Source: &secure.Trusting{Source: source, Authority: family},
		Expect: secure.Roles}, nil
}

// handshakes has four strangers come again and again with certificates of an authority that is not the run's.
func handshakes(ctx context.Context, a *attack) {
	for range 4 {
		a.all.Go(func() {
			a.again(ctx, time.Millisecond, 0, func() net.Conn {
				a.next(ctx)
				c, err := a.stranger.Dial(ctx, a.at)
				if err == nil {
					a.let.Add(1)
				}
				return c
			})
		})
	}
}

// cut is a connection whose end is never sent: of what is written it lets so much through.
type cut struct {
	net.Conn
	left atomic.Int64
}

func (c *cut) Write(p []byte) (int, error) {
	if n := c.left.Add(-int64(len(p))); n < 0 {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// client is a gRPC client whose connections send at most so many bytes.
func (a *attack) client(most int64) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+a.at, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			c, err := elsewhere{}.Dial(ctx, a.at)
			if err != nil {
				return nil, err
			}
			half := &cut{Conn: c}
			half.left.Store(most)
			return half, nil
		}))
}

// unfinished opens 250 calls over ten connections, each with a message whose last bytes never come.
func unfinished(ctx context.Context, a *attack) {
	const bytes = 1900 << 10
	for range 10 {
		conn, err := a.client(25*bytes - 50<<10)
		if err != nil {
			continue
		}
		for range 25 {
			a.all.Go(func() {
				a.tries.Add(1)
				stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, pb.Coordinator_Pause_FullMethodName)
				if err == nil {
					_ = stream.SendMsg(&pb.PauseRequest{RequestId: strings.Repeat("x", bytes)})
					<-ctx.Done()
				}
			})
		}
		defer conn.Close()
	}
	<-ctx.Done()
}

// attaches says one thing on a stream of a worker's, again and again, from several clients.
func attaches(ctx context.Context, a *attack, clients int, pause time.Duration, m *pb.FromWorker) {
	for range clients {
		a.all.Go(func() {
			conn, err := a.client(1 << 62)
			if err != nil {
				return
			}
			defer conn.Close()
			for ctx.Err() == nil {
				a.tries.Add(1)
				stream, err := pb.NewWorkerPlaneClient(conn).Attach(ctx)
				for err == nil {
					if err = stream.Send(m); err == nil {
						_, err = stream.Recv()
					}
				}
				time.Sleep(pause)
			}
		})
	}
}

func joins(ctx context.Context, a *attack) {
	name := strings.Repeat("x", 1900<<10)
	attaches(ctx, a, 40, time.Second, &pb.FromWorker{Message: &pb.FromWorker_Join{Join: &pb.Join{WorkerId: name,
		DataAddress: "127.0.0.1:1", Build: "none"}}})
}

func impostor(ctx context.Context, a *attack) {
	for _, m := range []*pb.FromWorker{
		{Message: &pb.FromWorker_Join{Join: &pb.Join{WorkerId: "worker-0", DataAddress: "127.0.0.1:1", Build: "none"}}},
		{Message: &pb.FromWorker_Slice{Slice: &pb.Slice{Generation: 1, Step: 3, Data: make([]byte, 1<<20)}}},
		{Message: &pb.FromWorker_StepResult{StepResult: &pb.StepResult{Generation: 1, Step: 3}}},
	} {
		attaches(ctx, a, 4, 20*time.Millisecond, m)
	}
}
