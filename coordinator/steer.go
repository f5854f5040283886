package coordinator

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	grpcstatus "google.golang.org/grpc/status"

	"byol/coordinator/admin"
	"byol/coordinator/raftnode"
	pb "byol/proto"
)

// show puts a status on the board, with what is known of the log.
func (c *Coordinator) show(s *pb.Status, info raftnode.Info, restoring bool) {
	if c.opts.Board == nil {
		return
	}
	term, _ := c.node.Leadership()
	c.opts.Board.Agree(admin.Raft{LeaderID: info.LeaderID, Leads: term > 0, Term: info.Term, Commit: info.CommitIndex,
		Applied: info.Applied, Peers: len(c.node.Members())})
	c.opts.Board.Show(s, restoring)
}

// errNotYet answers operators before there is a log.
var errNotYet = errors.New("the coordinator has just begun: try again")

// Steer does for whoever is at the admin port what an operator's call does: by the same rights, with the same line in
// the audit log.
func (c *Coordinator) Steer(ctx context.Context, by admin.Caller, what, worker string) error {
	if !c.answers.Load() {
		return errNotYet
	}
	from := &peer.Peer{Addr: by.From}
	if by.Known {
		from.AuthInfo = identified{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, by.Who}
	}
	ctx = peer.NewContext(ctx, from)
	s := service{c: c}
	call, ok := map[string]struct {
		method string
		do     func() (*pb.RunOperation, error)
	}{
		"pause": {pb.Coordinator_Pause_FullMethodName, func() (*pb.RunOperation, error) {
			return s.Pause(ctx, &pb.PauseRequest{})
		}},
		"resume": {pb.Coordinator_Resume_FullMethodName, func() (*pb.RunOperation, error) {
			return s.Resume(ctx, &pb.ResumeRequest{})
		}},
		"checkpoint": {pb.Coordinator_Checkpoint_FullMethodName, func() (*pb.RunOperation, error) {
			return s.Checkpoint(ctx, &pb.CheckpointRequest{})
		}},
		"drain": {pb.Coordinator_Drain_FullMethodName, func() (*pb.RunOperation, error) {
			return s.Drain(ctx, &pb.DrainRequest{WorkerId: worker})
		}},
		"stop": {pb.Coordinator_Stop_FullMethodName, func() (*pb.RunOperation, error) {
			return s.Stop(ctx, &pb.StopRequest{})
		}},
	}[what]
	if !ok {
		return fmt.Errorf("%q is nothing to ask for", what)
	}
	if err := allowed(ctx, call.method); err != nil {
		return errors.New(grpcstatus.Convert(err).Message())
	}
	if _, err := call.do(); err != nil {
		return errors.New(grpcstatus.Convert(err).Message())
	}
	return nil
}
