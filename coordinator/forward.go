package coordinator

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	pb "byol/proto"
)

// forwarded marks a call that another coordinator passed on: it is not passed on again.
const forwarded = "byol-forwarded"

// forward passes a call on to the coordinator that leads. here says that this is the one.
func forward[Q, A any](ctx context.Context, c *Coordinator, request Q,
	call func(pb.CoordinatorClient, context.Context, Q, ...grpc.CallOption) (*A, error)) (
	answer *A, here bool, err error) {
	if term, _ := c.node.Leadership(); term > 0 {
		return nil, true, nil
	}
	id, at := c.node.Leader()
	came, _ := metadata.FromIncomingContext(ctx)
	switch {
	case at == "":
		return nil, false, grpcstatus.Error(codes.Unavailable, "no coordinator leads at present")
	case len(came.Get(forwarded)) > 0 || id == c.opts.NodeID:
		return nil, false, grpcstatus.Error(codes.Unavailable, "who leads is changing: ask again")
	}
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(c.opts.Network.Dial))
	if err != nil {
		return nil, false, grpcstatus.Errorf(codes.Unavailable, "pass on to coordinator %s at %s: %v", id, at, err)
	}
	defer conn.Close()
	answer, err = call(pb.NewCoordinatorClient(conn), metadata.AppendToOutgoingContext(ctx, forwarded, "1"), request)
	return answer, false, err
}

// ListMembers implements the service. Who leads knows best where the others answer.
func (s service) ListMembers(ctx context.Context, r *pb.ListMembersRequest) (*pb.ListMembersResponse, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.ListMembers); !here && err == nil {
		return answer, nil
	}
	return s.members(), nil
}

// AddMember implements the service.
func (s service) AddMember(ctx context.Context, r *pb.AddMemberRequest) (*pb.ListMembersResponse, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.AddMember); !here {
		return answer, err
	}
	if err := s.c.node.AddMember(ctx, r.NodeId, r.RaftAddress); err != nil {
		return nil, rpcError(err)
	}
	return s.members(), nil
}

// RemoveMember implements the service.
func (s service) RemoveMember(ctx context.Context, r *pb.RemoveMemberRequest) (*pb.ListMembersResponse, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.RemoveMember); !here {
		return answer, err
	}
	if err := s.c.node.RemoveMember(r.NodeId); err != nil {
		return nil, rpcError(err)
	}
	return s.members(), nil
}

func (s service) members() *pb.ListMembersResponse {
	answer := &pb.ListMembersResponse{}
	for _, m := range s.c.node.Members() {
		answer.Members = append(answer.Members, &pb.CoordinatorMember{NodeId: m.ID, RaftAddress: m.RaftAddress,
			Address: m.Address, Voter: m.Voter, Leader: m.Leader})
	}
	return answer
}
