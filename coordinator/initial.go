package coordinator

import (
	"errors"
	"io"
	"os"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "byol/proto"
)

// pieceBytes is what an encoder is sent in.
const pieceBytes = 1 << 20

// Init sends the encoder that the run starts from to a worker that asks for it by its digest. Every coordinator of the
// run does, whoever leads: the worker verifies what it gets.
func (p plane) Init(r *pb.InitRequest, stream pb.WorkerPlane_InitServer) error {
	o := p.c.opts
	if o.InitFile == "" || r.GetSha256() != o.Config.InitSha256 {
		return status.Errorf(codes.NotFound, "this coordinator has no encoder %.12s", r.GetSha256())
	}
	f, err := os.Open(o.InitFile)
	if err != nil {
		return status.Errorf(codes.Unavailable, "the encoder that the run starts from cannot be read: %v", err)
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
