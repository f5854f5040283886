package coordinator

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "byol/proto"
)

// TestInit: who asks for the encoder by its digest gets the file whole, and nobody gets another.
func TestInit(t *testing.T) {
	opts := options(t, 1)
	content := bytes.Repeat([]byte{1, 2, 3, 5, 7}, pieceBytes/2)
	file := filepath.Join(t.TempDir(), "init.safetensors")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	opts.InitFile, opts.Config.InitSha256 = file, "ab12"
	w := begin(t, opts)
	f := &fake{address: w.c.Addr()}
	conn, _, err := f.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fetch := func(sha256 string) (got []byte, err error) {
		s, err := pb.NewWorkerPlaneClient(conn).Init(t.Context(), &pb.InitRequest{Sha256: sha256})
		for err == nil {
			var p *pb.InitPiece
			if p, err = s.Recv(); err == nil {
				got = append(got, p.Data...)
			}
		}
		return got, err
	}
	if got, err := fetch("ab12"); !errors.Is(err, io.EOF) || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
	if got, err := fetch("cd34"); status.Code(err) != codes.NotFound || len(got) > 0 {
		t.Errorf("another digest: %d bytes, %v", len(got), err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch("ab12"); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), "the encoder ab12 that the run starts from is missing: coordinator coordinator-0 has "+
			"no copy of it (open ") {
		t.Errorf("a file that is gone: %v", err)
	}
}
