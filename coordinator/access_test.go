package coordinator

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"byol/internal/network"
	"byol/internal/network/secure"
	pb "byol/proto"
)

// family signs certificates for a run under test.
type family struct {
	t *testing.T
	a *secure.Authority
}

func newFamily(t *testing.T) family {
	t.Helper()
	a, err := secure.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return family{t, a}
}

// network is the one that the holder of a role and name uses.
func (f family) network(role secure.Role, name string) *secure.Network {
	f.t.Helper()
	who := secure.Identity{Run: secure.DefaultRun, Role: role, Name: name}
	source, err := secure.NewIssued(f.a, who, time.Hour, time.Now)
	if err != nil {
		f.t.Fatal(err)
	}
	return &secure.Network{Inner: network.System{}, Source: source, Accept: secure.Roles,
		Expect: []secure.Role{secure.Coordinator}}
}

// connect has the holder talk to a coordinator.
func (f family) connect(w *world, role secure.Role, name string) *grpc.ClientConn {
	f.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(f.network(role, name).Dial))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

// beginSecure is begin on a network with certificates.
func beginSecure(t *testing.T, workers int) (*world, family) {
	t.Helper()
	f := newFamily(t)
	opts := options(t, workers)
	opts.Network = f.network(secure.Coordinator, "c")
	return begin(t, opts), f
}

// ask calls a method with an empty message, and returns the code of what came of it: OK where it was let in.
func ask(ctx context.Context, conn *grpc.ClientConn, method string, stream bool) codes.Code {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if !stream {
		return status.Code(conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{}, grpc.WaitForReady(true)))
	}
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method,
		grpc.WaitForReady(true))
	if err == nil {
		_ = s.SendMsg(&emptypb.Empty{}) // where it is refused meanwhile, what is received says why
		_ = s.CloseSend()
		err = s.RecvMsg(&emptypb.Empty{})
	}
	return status.Code(err)
}

// TestWhoMayCallWhat walks all methods that the server has, tries each in each role, and compares with a table of its
// own. A method that is in neither table is found, too.
func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	w, f := beginSecure(t, 1)
	want := map[string]string{ // worker, coordinator, operator, observer
		"GetStatus": "-coo", "WatchStatus": "-coo", "ListEvents": "-coo", "ListCheckpoints": "-coo", "ListMembers": "-coo",
		"Pause": "-co-", "Resume": "-co-", "Checkpoint": "-co-", "Stop": "-co-", "AddMember": "-co-", "RemoveMember": "-co-",
		"Drain": "-co-", "TransferLeader": "-co-",
		"Attach": "w---", "Init": "wc--", "Check": "wcoo", "Watch": "wcoo", "List": "wcoo", "ServerReflectionInfo": "-coo",
	}
	conns := map[secure.Role]*grpc.ClientConn{}
	for _, r := range secure.Roles {
		conns[r] = f.connect(w, r, "x")
	}
	tried, listed := 0, 0
	for service, info := range w.c.server.GetServiceInfo() {
		for _, m := range info.Methods {
			full := "/" + service + "/" + m.Name
			roles, ok := want[m.Name]
			if _, has := access[full]; !has || !ok {
				t.Errorf("%s has no line in the table of roles", full)
				continue
			}
			listed++
			if m.Name == "Stop" || m.Name == "AddMember" {
				continue // below, as the first ends the run and the second takes its time
			}
			for i, r := range secure.Roles {
				code := ask(w.ctx, conns[r], full, m.IsClientStream || m.IsServerStream)
				if in := code != codes.PermissionDenied; in != (roles[i] != '-') {
					t.Errorf("%s calls %s: %v", r, full, code)
				}
				tried++
			}
		}
	}
	if listed != len(access) {
		t.Errorf("the server has %d methods, the table %d", listed, len(access))
	}
	for _, r := range []secure.Role{secure.Worker, secure.Observer} {
		c := pb.NewCoordinatorClient(conns[r])
		_, stop := c.Stop(w.ctx, &pb.StopRequest{})
		_, add := c.AddMember(w.ctx, &pb.AddMemberRequest{})
		if status.Code(stop) != codes.PermissionDenied || status.Code(add) != codes.PermissionDenied {
			t.Errorf("%s: Stop gives %v, AddMember %v", r, stop, add)
		}
	}
	t.Logf("%d methods, %d calls", listed, tried)
	if _, err := pb.NewCoordinatorClient(conns[secure.Operator]).Stop(w.ctx, &pb.StopRequest{}); err != nil {
		t.Errorf("an operator's Stop: %v", err)
	}
	if err := w.end(); err != nil {
		t.Error(err)
	}
}

// TestNobodyIsKnownWithoutCertificates: on a plain network the table keeps nobody out.
func TestNobodyIsKnownWithoutCertificates(t *testing.T) {
	for method := range access {
		if err := allowed(t.Context(), method); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestStrangersStayOutside: without a certificate of this authority there is no connection, and the run is untouched.
func TestStrangersStayOutside(t *testing.T) {
	t.Parallel()
	w, _ := beginSecure(t, 1)
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	for name, conn := range map[string]*grpc.ClientConn{
		"another authority's": newFamily(t).connect(w, secure.Operator, "o"), "plain": plainConn(t, w)} {
		_, err := pb.NewCoordinatorClient(conn).GetStatus(ctx, &pb.GetStatusRequest{})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func plainConn(t *testing.T, w *world) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestWorkersAreWhoTheyAre: a worker's certificate names it, or is for any name.
func TestWorkersAreWhoTheyAre(t *testing.T) {
	t.Parallel()
	w, f := beginSecure(t, 4)
	for i, c := range []struct{ certificate, claims, want string }{
		{"w-1", "w-2", "the certificate is worker w-1's, and it calls itself w-2"},
		{"w-1", "", "w-1"}, {"w-2", "w-2", "w-2"}, {secure.AnyName, "w-3", "w-3"}, {secure.AnyName, "", "worker-0"},
		{"w-1", "w-1\x1b[31m", `calls itself w-1\x1b[31m`},
	} {
		stream, err := pb.NewWorkerPlaneClient(f.connect(w, secure.Worker, c.certificate)).Attach(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		join := &pb.Join{WorkerId: c.claims, Index: -1, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1",
			Incarnation: string(rune('a' + i))}
		if err := stream.Send(&pb.FromWorker{Message: &pb.FromWorker_Join{Join: join}}); err != nil {
			t.Fatal(err)
		}
		m, err := stream.Recv()
		for err == nil && m.GetAlive() != nil {
			m, err = stream.Recv()
		}
		got := m.GetWelcome().GetWorkerId()
		if r := m.GetRefused(); r != nil {
			got = r.Reason
		}
		if err != nil || !strings.HasSuffix(got, c.want) {
			t.Errorf("certificate %q, name %q: got %q, %v, want %q", c.certificate, c.claims, got, err, c.want)
		}
	}
	w.c.Abort()
	_ = w.end()
}

// TestAudit: who asked for what is an event, once for each request, and who was refused is in the log.
func TestAudit(t *testing.T) {
	t.Parallel()
	w, f := beginSecure(t, 1)
	ann := pb.NewCoordinatorClient(f.connect(w, secure.Operator, "ann"))
	other := metadata.AppendToOutgoingContext(w.ctx, onBehalf, "operator/eve")
	for range 2 {
		if _, err := ann.Pause(other, &pb.PauseRequest{RequestId: "p1"}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	passed := metadata.AppendToOutgoingContext(w.ctx, onBehalf, "operator/bob at 10.0.0.1:5", forwarded, "1")
	beside := pb.NewCoordinatorClient(f.connect(w, secure.Coordinator, "c-2"))
	if _, err := beside.Resume(passed, &pb.ResumeRequest{RequestId: "r1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.RemoveMember(w.ctx, &pb.RemoveMemberRequest{NodeId: "nobody\x1b[2J"}); err == nil {
		t.Error("a member that there is not was removed")
	}
	if _, err := ann.Stop(w.ctx, &pb.StopRequest{RequestId: "s1", Now: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	events := read(t, filepath.Join(w.opts.RunDir, "events.jsonl"))
	for _, want := range []string{`"type":"paused"`, `asked by operator/ann at 127.0.0.1:`, `(request p1, log entry `,
		`"type":"resumed"`, `asked by operator/bob at 10.0.0.1:5 (request r1`, `"type":"stop-asked"`} {
		if strings.Count(events, want) == 0 {
			t.Errorf("the events lack %s:\n%s", want, events)
		}
	}
	if n := strings.Count(events, `"type":"paused"`); n != 1 || strings.Contains(events, "eve") ||
		strings.Contains(events, "member-removed") {
		t.Errorf("paused %d times, want once; who was refused, or called himself another, is no event:\n%s", n, events)
	}
}

// TestProtectionIsShown: a warning is in every status and in the log.
func TestProtectionIsShown(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	opts.Protection = func() *pb.Protection { return &pb.Protection{By: "insecure", Warning: "INSECURE: all may"} }
	w := begin(t, opts)
	s := w.until(w.client(), "a status", func(s *pb.Status) bool { return s.Protection != nil })
	if s.Protection.By != "insecure" || !slices.Contains(s.Warnings, "INSECURE: all may") {
		t.Errorf("got %v", s)
	}
	w.c.Abort()
	_ = w.end()
}
