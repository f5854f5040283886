package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/pause"
	pb "byol/proto"
)

// Sizes of the connection to the coordinator, which carries a span of the network each way and step.
const (
	flowBytes   = 16 << 20 // may be under way
	bufferBytes = 256 << 10
)

// Addresses takes apart a list of coordinators: host:port, several with commas between them.
func Addresses(list string) ([]string, error) {
	var out []string
	for address := range strings.SplitSeq(list, ",") {
		address = network.HostPort(strings.TrimSpace(address))
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, &failure.Failure{What: fmt.Sprintf("coordinator address %q is not HOST:PORT", address),
				Why: err.Error(), Try: "--coordinator HOST:PORT, as `coordinator status` prints it", Code: failure.Usage}
		}
		out = append(out, address)
	}
	return out, nil
}

// Reach waits until one of the coordinators' addresses takes connections, and returns our own host as seen from
// there.
func Reach(ctx context.Context, n network.Network, coordinators []string, timeout time.Duration) (string, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error // what an address says, not that our time is over
	for {
		for _, address := range coordinators {
			try, done := context.WithTimeout(limited, timeout/time.Duration(len(coordinators)))
			conn, err := n.Dial(try, address)
			done()
			if err == nil {
				defer conn.Close()
				return network.Host(conn.LocalAddr()), nil
			}
			if last == nil || limited.Err() == nil {
				last = err
			}
		}
		if !pause.For(limited, retryPause) {
			break
		}
	}
	if ctx.Err() != nil {
		return "", stopped(last)
	}
	return "", Unreachable(coordinators, timeout, last)
}

func stopped(why error) error {
	return &failure.Failure{What: "stopped before the coordinator answered", Why: why.Error(), Code: failure.Temporary,
		Try: "start it again"}
}

// Unreachable says that none of the coordinators answered in all the time that a worker waited, and what it heard last.
func Unreachable(coordinators []string, waited time.Duration, err error) error {
	f := &failure.Failure{
		What: fmt.Sprintf("no coordinator answers at %s after %v", strings.Join(coordinators, ", "), waited),
		Why:  err.Error(),
		Try:  "check that the coordinator runs and that --coordinator names its HOST:PORT (it prints it at the start)",
		Code: failure.Unreachable}
	switch {
	case strings.Contains(f.Why, "server preface") || strings.Contains(f.Why, "broken pipe") ||
		strings.Contains(f.Why, "reset by peer"): // something takes connections, and ends them at once
		f.Try = "it may want TLS: --token-file with the word that it has, or --tls-dir with a worker's certificate"
	case strings.Contains(f.Why, "dial tls"):
		f.Try = "the same --token-file as the coordinator's, or a certificate of its authority (coordinator certs issue)"
	}
	return f
}

// refusal is a coordinator's word that it does not want this worker: for good, or for now.
type refusal struct {
	reason, hint string
	temporary    bool
	leader       string // who it says to ask instead, "" for nobody
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

// first opens the stream on which the worker joins. Errors are failures.
func (l *Line) first(ctx context.Context) (*stream, error) {
	limited, cancel := context.WithTimeout(ctx, l.o.JoinTimeout)
	defer cancel()
	var last error
	for {
		s, err := l.attach(limited, l.o.JoinTimeout/time.Duration(len(l.o.Coordinators)))
		var no *refusal
		var f *failure.Failure
		switch {
		case err == nil:
			return s, nil
		case errors.As(err, &f):
			return nil, f
		case errors.As(err, &no) && !no.temporary:
			return nil, &failure.Failure{What: "the coordinator refused this worker", Why: no.reason, Try: no.hint,
				Code: failure.Usage}
		case last == nil || limited.Err() == nil:
			last = err
		}
		if pause.For(limited, retryPause) {
			continue
		}
		switch {
		case ctx.Err() != nil:
			return nil, stopped(context.Cause(ctx))
		case errors.As(last, &no):
			return nil, &failure.Failure{What: fmt.Sprintf("the coordinator did not take this worker for %v", l.o.JoinTimeout),
				Why: no.reason, Try: no.hint, Code: failure.Temporary}
		}
		return nil, Unreachable(l.o.Coordinators, l.o.JoinTimeout, last)
	}
}

// again attaches after a stream was lost. Where no coordinator takes the worker back in time, it tells the inbox why
// and returns nil.
func (l *Line) again(lost error) *stream {
	limited, cancel := context.WithTimeout(l.wanted, l.times.Coordinators)
	defer cancel()
	defer context.AfterFunc(l.hurry, func() {
		if pause.For(limited, l.times.Failure) {
			cancel()
		}
	})()
	var refused error
	for {
		s, err := l.attach(limited, l.times.Failure)
		var no *refusal
		switch {
		case err == nil:
			return s
		case final(err):
			l.inbox.end(fmt.Errorf("%w; then it did not take this worker back: %w", lost, err))
			return nil
		case errors.As(err, &no):
			if no.leader == "" && (refused == nil || refused.Error() != no.reason) {
				l.o.Log.Warn("not taken back for now", zap.String("why", no.reason), zap.String("try", no.hint))
			}
			refused = no
		}
		if pause.For(limited, retryPause) {
			continue
		}
		if refused != nil {
			lost = fmt.Errorf("%w; then nobody took this worker back: %w", lost, refused)
		}
		l.inbox.end(lost)
		return nil
	}
}

// attach asks each coordinator once, beginning with the one that is said to lead or was attached to last, and returns
// the first stream on which one welcomes the worker. One that says nothing gets so much time.
func (l *Line) attach(ctx context.Context, each time.Duration) (*stream, error) {
	var last error
	asked := map[string]bool{}
	queue := l.round(ctx)
	defer func() {
		l.others = len(asked) > 1 || slices.ContainsFunc(queue, func(a string) bool { return !asked[a] })
	}()
	for len(queue) > 0 {
		address := queue[0]
		if queue = queue[1:]; asked[address] {
			continue
		}
		asked[address] = true
		patience := each
		if address == l.silent {
			patience = min(each, l.times.Heartbeat)
		}
		limited, cancel := context.WithTimeout(ctx, patience)
		s, err := l.dial(limited, address)
		cancel()
		if err == nil {
			l.leader, l.last, l.silent = "", address, ""
			return s, nil
		}
		if final(err) {
			return nil, err
		}
		if address == l.leader {
			l.leader = ""
		}
		var no *refusal
		if errors.As(err, &no) && no.leader != "" && no.leader != l.silent { // that is asked last, whoever names it
			l.leader = no.leader
			queue = append([]string{no.leader}, queue...)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
	}
	return nil, last
}

// round are the coordinators in the order in which they are asked; a name is all that it stands for at the time.
func (l *Line) round(ctx context.Context) []string {
	var all []string
	for _, address := range []string{l.leader, l.last} {
		if address != "" {
			all = append(all, address)
		}
	}
	for _, address := range l.o.Coordinators {
		all = append(all, network.Resolve(ctx, l.o.Network, address)...)
	}
	if l.silent != "" {
		all = slices.DeleteFunc(all, func(a string) bool { return a == l.silent })
		all = append(all, l.silent)
	}
	return all
}

// final reports whether a coordinator has decided: there is no point in asking again.
func final(err error) bool {
	var no *refusal
	var f *failure.Failure
	return errors.As(err, &no) && !no.temporary || errors.As(err, &f)
}

// dial opens a stream to one coordinator and joins. ctx bounds the trying, not the stream's life.
func (l *Line) dial(ctx context.Context, address string) (*stream, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(flowBytes), grpc.WithInitialConnWindowSize(flowBytes),
		grpc.WithReadBufferSize(bufferBytes), grpc.WithWriteBufferSize(bufferBytes),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := l.o.Network.Dial(ctx, address)
			if err != nil {
				return nil, err
			}
			return c, network.LimitSilence(c, l.times.Line)
		}))
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	live, cancel := context.WithCancel(l.alive)
	s := &stream{conn: conn, at: address, cancel: cancel, planned: make(chan struct{})}
	giveUp := context.AfterFunc(ctx, cancel)
	err = l.join(live, s)
	if !giveUp() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// join presents the worker on a new stream and takes the coordinator's answer.
func (l *Line) join(ctx context.Context, s *stream) error {
	var err error
	if s.BidiStreamingClient, err = pb.NewWorkerPlaneClient(s.conn).Attach(ctx); err != nil {
		return l.heard(s, err)
	}
	l.o.Join.HeldStep = -1
	l.o.Join.SeenVersion, l.o.Join.SeenGeneration = l.inbox.seen()
	if l.o.Held != nil {
		l.o.Join.HeldStep = l.o.Held()
	}
	if err := s.Send(&pb.FromWorker{Message: &pb.FromWorker_Join{Join: l.o.Join}}); err != nil {
		if _, cause := s.Recv(); cause != nil {
			err = cause
		}
		return l.heard(s, err)
	}
	answer, err := s.Recv()
	for err == nil && answer.GetAlive() != nil { // it says so before it has decided
		answer, err = s.Recv()
	}
	if err != nil {
		return l.heard(s, err)
	}
	switch m := answer.Message.(type) {
	case *pb.ToWorker_Welcome:
		if m.Welcome.GetConfig() == nil {
			return &failure.Failure{What: "the coordinator sent no configuration", Try: "use binaries of one build",
				Code: failure.Usage}
		}
		if l.welcome == nil {
			l.welcome = m.Welcome
		}
		return nil
	case *pb.ToWorker_Refused:
		r := m.Refused
		return &refusal{reason: Text(r.Reason), hint: Text(r.Hint), temporary: r.Temporary, leader: Text(r.Leader)}
	}
	return &failure.Failure{What: "the coordinator answered out of order", Why: fmt.Sprintf("%T", answer.Message),
		Try: "use binaries of one build", Code: failure.Usage}
}

// heard is what a gRPC error means for a worker that asks to join. What answers, and not that it is unavailable for
// now, is not a coordinator, or one of another kind.
func (l *Line) heard(s *stream, err error) error {
	why := plain(err)
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return why
	}
	if l.welcome != nil {
		return why // it has been a coordinator, and may be again
	}
	return &failure.Failure{What: "the coordinator at " + s.at + " did not let this worker join", Why: why.Error(),
		Try: "look at the coordinator's log; check that --coordinator names its port", Code: failure.Unreachable}
}

// plain is a gRPC error without the wrapping.
func plain(err error) error { return errors.New(Text(status.Convert(err).Message())) }
