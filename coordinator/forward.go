package coordinator

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"byol/coordinator/lead"
	"byol/coordinator/raftnode"
	pb "byol/proto"
)

// forwarded marks a call that another coordinator passed on: it is not passed on again.
const forwarded = "byol-forwarded"

// NoLeader and LeaderChanging are what operators hear while what they ask for can be passed on to nobody.
const (
	NoLeader       = "no coordinator leads at present"
	LeaderChanging = "who leads is changing: ask again"
)

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
		return nil, false, grpcstatus.Error(codes.Unavailable, NoLeader)
	case len(came.Get(forwarded)) > 0 || id == c.opts.NodeID:
		return nil, false, grpcstatus.Error(codes.Unavailable, LeaderChanging)
	}
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(c.opts.Network.Dial))
	if err != nil {
		return nil, false, grpcstatus.Errorf(codes.Unavailable, "pass on to coordinator %s at %s: %v", id, at, err)
	}
	defer conn.Close()
	passed := metadata.AppendToOutgoingContext(ctx, forwarded, "1", onBehalf, callerName(ctx))
	answer, err = call(pb.NewCoordinatorClient(conn), passed, request)
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
	d := wish{kind: "member-added", text: fmt.Sprintf("coordinator %s at %s takes part", lead.Plain(r.NodeId, maxShown),
		lead.Plain(r.RaftAddress, maxShown))}
	return s.change(ctx, d, s.c.node.AddMember(ctx, r.NodeId, r.RaftAddress))
}

// RemoveMember implements the service.
func (s service) RemoveMember(ctx context.Context, r *pb.RemoveMemberRequest) (*pb.ListMembersResponse, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.RemoveMember); !here {
		return answer, err
	}
	d := wish{kind: "member-removed",
		text: fmt.Sprintf("coordinator %s takes part no more", lead.Plain(r.NodeId, maxShown))}
	return s.change(ctx, d, s.c.node.RemoveMember(r.NodeId))
}

// TransferLeader implements the service. It answers when somebody else leads, or after a while as things are then.
func (s service) TransferLeader(ctx context.Context, r *pb.TransferLeaderRequest) (*pb.ListMembersResponse, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.TransferLeader); !here {
		return answer, err
	}
	to := "another coordinator"
	if r.NodeId != "" {
		to = "coordinator " + lead.Plain(r.NodeId, maxShown)
	}
	d := wish{kind: "leader-transferred", text: fmt.Sprintf("coordinator %s hands over to %s", s.c.opts.NodeID, to)}
	if err := s.c.node.Transfer(r.NodeId); err != nil {
		return s.change(ctx, d, err)
	}
	patience := time.NewTimer(handOver)
	defer patience.Stop()
	look := time.NewTicker(s.c.period())
	defer look.Stop()
	for {
		if id, _ := s.c.node.Leader(); id != "" && id != s.c.opts.NodeID {
			return s.change(ctx, d, nil)
		}
		select {
		case <-look.C:
		case <-patience.C:
			return s.change(ctx, d, fmt.Errorf("%w: nobody else leads after %v: ask again", raftnode.ErrNotDone, handOver))
		case <-ctx.Done():
			return s.change(ctx, d, ctx.Err())
		}
	}
}

// handOver bounds the time in which another coordinator must lead.
const handOver = 5 * time.Second

// change is what came of a change of members.
func (s service) change(ctx context.Context, d wish, err error) (*pb.ListMembersResponse, error) {
	if err != nil {
		d.err = rpcError(err)
	}
	if s.c.audit(ctx, d); d.err != nil {
		return nil, d.err
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
