package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"byol/allreduce"
	"byol/internal/network"
	pb "byol/proto"
)

type attachStream = grpc.BidiStreamingClient[pb.FromWorker, pb.ToWorker]

// reach waits until the coordinator's address takes connections, and returns our own address as seen from there.
func reach(ctx context.Context, address string, timeout time.Duration) (net.IP, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, &Failure{What: fmt.Sprintf("coordinator address %q is not HOST:PORT", address), Why: err.Error(),
			Try: "--coordinator HOST:PORT, as `coordinator status` prints it", Code: ExitUsage}
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	var dialer net.Dialer
	var last error // what the address says, not that our time is over
	for {
		conn, err := dialer.DialContext(limited, "tcp", address)
		if err == nil {
			defer conn.Close()
			return conn.LocalAddr().(*net.TCPAddr).IP, nil
		}
		if last == nil || limited.Err() == nil {
			last = err
		}
		select {
		case <-pause.C:
			continue
		case <-limited.Done():
		}
		if ctx.Err() != nil {
			return nil, &Failure{What: "stopped before the coordinator answered", Why: last.Error(), Code: ExitTemporary}
		}
		return nil, unreachable(address, timeout, last)
	}
}

func unreachable(address string, waited time.Duration, err error) error {
	return &Failure{
		What: fmt.Sprintf("no coordinator answers at %s after %v", address, waited), Why: err.Error(),
		Try:  "check that the coordinator runs and that --coordinator names its HOST:PORT (it prints it at the start)",
		Code: ExitUnreachable}
}

// listen opens the port on which peers reach this worker, and the address to tell them.
func listen(ctx context.Context, want string, local net.IP) (*allreduce.Listener, string, error) {
	if want == "" {
		want = ":0"
		if local.IsLoopback() {
			want = net.JoinHostPort(local.String(), "0")
		}
	}
	l, err := allreduce.Listen(ctx, network.System{}, want)
	if err != nil {
		return nil, "", &Failure{What: "cannot listen on " + want, Why: err.Error(),
			Try: "--listen with another port, or leave it out for a free one", Code: ExitUsage}
	}
	host, port, err := net.SplitHostPort(l.Addr())
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = local.String()
	}
	return l, net.JoinHostPort(host, port), nil
}

// connection is the stream to the coordinator, after Welcome.
type connection struct {
	conn    *grpc.ClientConn
	stream  attachStream
	cancel  context.CancelFunc
	welcome *pb.Welcome
}

// Sizes of the connection to the coordinator, which carries a span of the network each way and step.
const (
	windowBytes = 16 << 20
	bufferBytes = 256 << 10
)

// attach opens the stream and joins. The stream outlives ctx, so that a worker that is asked to stop can say so.
func attach(ctx context.Context, opts Options, address string) (*connection, error) {
	conn, err := grpc.NewClient("passthrough:///"+opts.Coordinator,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes),
		grpc.WithReadBufferSize(bufferBytes), grpc.WithWriteBufferSize(bufferBytes),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			d := net.Dialer{Control: limitSilence}
			return d.DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &connection{conn: conn, cancel: cancel}
	giveUp := context.AfterFunc(ctx, cancel)
	deadline := time.AfterFunc(opts.JoinTimeout, cancel)
	err = c.join(streamCtx, opts, address)
	inTime := deadline.Stop()
	giveUp()
	if err == nil {
		return c, nil
	}
	c.close()
	var f *Failure
	if errors.As(err, &f) {
		return nil, err
	}
	why := errors.New(status.Convert(err).Message())
	if !inTime {
		return nil, unreachable(opts.Coordinator, opts.JoinTimeout, why)
	}
	return nil, &Failure{What: "the coordinator at " + opts.Coordinator + " did not let this worker join",
		Why: why.Error(), Try: "look at the coordinator's log; check that --coordinator names its port",
		Code: ExitUnreachable}
}

func (c *connection) join(ctx context.Context, opts Options, address string) error {
	stream, err := pb.NewWorkerPlaneClient(c.conn).Attach(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	join := &pb.Join{WorkerId: opts.ID, Index: int32(opts.Index), DataAddress: address, Host: host,
		Pid: int32(os.Getpid()), Build: opts.Build, Incarnation: rand.Text()}
	if err := stream.Send(&pb.FromWorker{Message: &pb.FromWorker_Join{Join: join}}); err != nil {
		if _, cause := stream.Recv(); cause != nil {
			err = cause
		}
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	switch m := answer.Message.(type) {
	case *pb.ToWorker_Welcome:
		if m.Welcome.GetConfig() == nil {
			return &Failure{What: "the coordinator sent no configuration", Try: "use binaries of one build", Code: ExitUsage}
		}
		c.stream, c.welcome = stream, m.Welcome
		return nil
	case *pb.ToWorker_Refused:
		return &Failure{What: "the coordinator refused this worker", Why: m.Refused.Reason, Try: m.Refused.Hint,
			Code: ExitUsage}
	}
	return &Failure{What: "the coordinator answered out of order", Why: fmt.Sprintf("%T", answer.Message),
		Try: "use binaries of one build", Code: ExitUsage}
}

// finish lets what was sent arrive: it says that nothing more comes and waits for the coordinator to hang up.
func (c *connection) finish(in *inbox, limit time.Duration) {
	if err := c.stream.CloseSend(); err == nil {
		in.waitEnd(limit)
	}
	c.cancel()
}

func (c *connection) close() {
	c.cancel()
	_ = c.conn.Close()
}
