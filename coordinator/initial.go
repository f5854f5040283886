package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"byol/internal/network"
	pb "byol/proto"
)

// pieceBytes is what an encoder is sent in.
const pieceBytes = 1 << 20

// Init sends the encoder that the run starts from to a worker that asks for it by its digest. Every coordinator of the
// run does, whoever leads: of its own copy, or, where that is gone, of another coordinator's. The worker verifies what
// it gets.
func (p plane) Init(r *pb.InitRequest, stream pb.WorkerPlane_InitServer) error {
	o := p.c.opts
	if o.Config.InitSha256 == "" || r.GetSha256() != o.Config.InitSha256 {
		return status.Errorf(codes.NotFound, "this coordinator's run has no encoder %.12s", r.GetSha256())
	}
	f, err := os.Open(o.InitFile)
	if err != nil {
		why := fmt.Sprintf("coordinator %s has no copy of it (%v)", o.NodeID, err)
		if came, _ := metadata.FromIncomingContext(stream.Context()); len(came.Get(forwarded)) > 0 {
			return status.Error(codes.Unavailable, why)
		}
		return p.c.passInit(r, stream, why)
	}
	defer f.Close()
	for buffer := make([]byte, pieceBytes); ; {
		n, err := io.ReadFull(f, buffer)
		if n > 0 {
			if err := stream.Send(&pb.InitPiece{Data: buffer[:n]}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return status.Errorf(codes.Unavailable, "the encoder that the run starts from cannot be read: %v", err)
		}
	}
}

// passInit sends what another coordinator has of the encoder. why is what this one lacks, to which what the others say
// is added where none has it.
func (c *Coordinator) passInit(r *pb.InitRequest, stream pb.WorkerPlane_InitServer, why string) error {
	missing := []string{why}
	for _, m := range c.node.Members() {
		if m.ID == c.opts.NodeID {
			continue
		}
		sent, err := c.passInitOf(m.Address, r, stream)
		if sent || err == nil { // part of one copy cannot be followed by another's
			return err
		}
		missing = append(missing, fmt.Sprintf("coordinator %s: %s", m.ID, status.Convert(err).Message()))
	}
	return status.Errorf(codes.Unavailable, "the encoder %.12s that the run starts from is missing: %s; begin a "+
		"coordinator again with --init and its file", r.GetSha256(), strings.Join(missing, "; "))
}

// passInitOf sends the pieces that the coordinator at an address gives, and says whether any was sent.
func (c *Coordinator) passInitOf(at string, r *pb.InitRequest, stream pb.WorkerPlane_InitServer) (sent bool,
	err error) {
	if at == "" {
		return false, status.Error(codes.Unavailable, "where it answers is not known")
	}
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(c.opts.Network.Dial))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(stream.Context(), forwarded, "1"))
	defer cancel()
	silence := network.TimeoutsOf(c.opts.FailureTimeout).Line
	mute := time.AfterFunc(silence, cancel)
	defer mute.Stop()
	pieces, err := pb.NewWorkerPlaneClient(conn).Init(ctx, r)
	for err == nil {
		var piece *pb.InitPiece
		if piece, err = pieces.Recv(); err == nil {
			mute.Reset(silence)
			sent = true
			err = stream.Send(piece)
		}
	}
	if errors.Is(err, io.EOF) {
		return sent, nil
	}
	return sent, err
}
