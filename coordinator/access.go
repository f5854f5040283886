package coordinator

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	grpcstatus "google.golang.org/grpc/status"

	"byol/coordinator/lead"
	"byol/internal/network/secure"
	pb "byol/proto"
)

// Who may call what. A coordinator passes on what an operator asked another one for.
var (
	looking  = []secure.Role{secure.Observer, secure.Operator, secure.Coordinator}
	steering = []secure.Role{secure.Operator, secure.Coordinator}
	working  = []secure.Role{secure.Worker}
	fetching = []secure.Role{secure.Worker, secure.Coordinator} // one passes on what it lacks itself
	access   = map[string][]secure.Role{
		pb.Coordinator_GetStatus_FullMethodName:       looking,
		pb.Coordinator_WatchStatus_FullMethodName:     looking,
		pb.Coordinator_ListEvents_FullMethodName:      looking,
		pb.Coordinator_ListCheckpoints_FullMethodName: looking,
		pb.Coordinator_ListMembers_FullMethodName:     looking,
		pb.Coordinator_Pause_FullMethodName:           steering,
		pb.Coordinator_Resume_FullMethodName:          steering,
		pb.Coordinator_Checkpoint_FullMethodName:      steering,
		pb.Coordinator_Stop_FullMethodName:            steering,
		pb.Coordinator_Drain_FullMethodName:           steering,
		pb.Coordinator_AddMember_FullMethodName:       steering,
		pb.Coordinator_RemoveMember_FullMethodName:    steering,
		pb.Coordinator_TransferLeader_FullMethodName:  steering,
		pb.WorkerPlane_Attach_FullMethodName:          working,
		pb.WorkerPlane_Init_FullMethodName:            fetching,
		healthpb.Health_Check_FullMethodName:          secure.Roles,
		healthpb.Health_Watch_FullMethodName:          secure.Roles,
		healthpb.Health_List_FullMethodName:           secure.Roles,

		reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName:      looking,
		reflectionv1alpha.ServerReflection_ServerReflectionInfo_FullMethodName: looking,
	}
)

// allowed is nil where whoever calls may call method: by its role, or where nobody is known, on a network without
// certificates, everybody. What is not in the table nobody may.
func allowed(ctx context.Context, method string) error {
	who, known := caller(ctx)
	if !known || slices.Contains(access[method], who.Role) {
		return nil
	}
	may := "nobody"
	if roles := access[method]; len(roles) > 0 {
		may = fmt.Sprint(roles)
	}
	return grpcstatus.Errorf(codes.PermissionDenied, "%s may not call %s: %s may", who.Short(),
		method[strings.LastIndex(method, "/")+1:], may)
}

// caller is who calls, known where the network has certificates.
func caller(ctx context.Context) (who secure.Identity, known bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return secure.Identity{}, false
	}
	i, known := p.AuthInfo.(identified)
	return i.who, known
}

// onBehalf names the operator for whom a coordinator passes a call on.
const onBehalf = "byol-on-behalf"

// callerName is who calls, for people: who a coordinator says it is, where one passed the call on.
func callerName(ctx context.Context) string {
	who, known := caller(ctx)
	came, _ := metadata.FromIncomingContext(ctx)
	if first := came.Get(onBehalf); len(first) > 0 && (!known || who.Role == secure.Coordinator) {
		return lead.Plain(first[0], maxShown)
	}
	from := "somewhere"
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr.String()
	}
	if known {
		return who.Short() + " at " + from
	}
	return "somebody at " + from
}

// guardCall and guardStream keep out whom the table does not let in.
func guardCall(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := allowed(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func guardStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := allowed(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(server, stream)
}

// identified is what gRPC knows of a connection whose network knows who is at the other end.
type identified struct {
	credentials.CommonAuthInfo
	who secure.Identity
}

// AuthType implements credentials.AuthInfo.
func (identified) AuthType() string { return "byol" }

// lifted are credentials of a server whose network has done what there is to do: they tell who has come.
type lifted struct{}

// ServerHandshake implements credentials.TransportCredentials.
func (lifted) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	known, ok := c.(*secure.Conn)
	if !ok {
		return c, nil, nil
	}
	return c, identified{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, known.Peer()}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (lifted) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, nil, nil
}

// Info implements credentials.TransportCredentials.
func (lifted) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "byol"}
}

// Clone implements credentials.TransportCredentials.
func (l lifted) Clone() credentials.TransportCredentials { return l }

// OverrideServerName implements credentials.TransportCredentials.
func (lifted) OverrideServerName(string) error { return nil }
