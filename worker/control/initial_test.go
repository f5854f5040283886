package control

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/internal/network/memory"
	pb "byol/proto"
)

// Init implements pb.WorkerPlaneServer: what the test says, a tenth at a time.
func (f *fake) Init(r *pb.InitRequest, stream pb.WorkerPlane_InitServer) error {
	if f.initial == nil {
		return status.Error(codes.NotFound, "no encoder "+r.Sha256)
	}
	for n := max(len(f.initial)/10, 1); len(f.initial) > 0; f.initial = f.initial[min(n, len(f.initial)):] {
		if err := stream.Send(&pb.InitPiece{Data: f.initial[:min(n, len(f.initial))]}); err != nil {
			return err
		}
	}
	return nil
}

// TestInitial: the encoder comes whole; and one that is not there is asked for until the time for coordinators is
// over.
func TestInitial(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abc"), 10_000)
	for name, given := range map[string][]byte{"there": want, "not there": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memory.New()
				f := serve(t, n, "c")
				f.initial = given
				r, a := attached(t, n, f, "c:7000")
				began := time.Now()
				got, err := r.Initial(t.Context(), "ab12")
				switch {
				case given != nil && (err != nil || !bytes.Equal(got, want)):
					t.Errorf("%d bytes, %v", len(got), err)
				case given == nil && (err == nil || !strings.Contains(err.Error(), "no encoder ab12")):
					t.Errorf("got %v", err)
				case given == nil && time.Since(began) < r.Timeouts().Coordinators/2:
					t.Errorf("it gave up after %v", time.Since(began))
				}
				a.final()
				r.Close(&pb.Leave{})
				f.stop()
			})
		})
	}
}
