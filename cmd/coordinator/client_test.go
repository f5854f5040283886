package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
	pb "byol/proto"
)

// answering is a coordinator that knows its run's name and no more.
type answering struct {
	pb.UnimplementedCoordinatorServer
}

func (answering) GetStatus(context.Context, *pb.GetStatusRequest) (*pb.Status, error) {
	return &pb.Status{RunId: "r"}, nil
}

// TestCallsOverFaultyLines asks a coordinator on another host for its status: what a line does to a command's answer,
// and how long it takes.
func TestCallsOverFaultyLines(t *testing.T) {
	for _, c := range []struct {
		faults string
		server string
		code   int
		took   time.Duration
	}{
		{"", "run:7400", 0, 0},
		{"delay *->run by=100ms", "run:7400", 0, 200 * time.Millisecond},
		{"", "run:7401", failure.Unreachable, 0},
		{"", "elsewhere:7400", failure.Unreachable, 0},
		{"cut laptop->run", "run:7400", failure.Unreachable, callTimeout},
		{"cut run->laptop", "run:7400", failure.Unreachable, callTimeout},
		{"cut run<->laptop for=9s", "run:7400", 0, 9 * time.Second},
		{"cut run->laptop after=1", "run:7400", failure.Unreachable, callTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			faults, err := fault.Parse(c.faults)
			if err != nil {
				t.Fatal(err)
			}
			lines, below := faulty.New(faults), memory.New()
			l, err := lines.Host("run", below.Host("run")).Listen(t.Context(), ":7400")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer()
			pb.RegisterCoordinatorServer(server, answering{})
			ended := make(chan error)
			go func() { ended <- server.Serve(l) }()
			defer func() {
				server.Stop()
				<-ended
				lines.Close()
			}()
			e := endpoint{server: c.server, output: "table", through: lines.Host("laptop", below.Host("laptop"))}
			var out bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetOut(&out)
			cmd.SetContext(t.Context())
			start := time.Now()
			err = e.call(cmd, callTimeout, func(ctx context.Context, client pb.CoordinatorClient) error {
				st, err := client.GetStatus(ctx, &pb.GetStatusRequest{})
				out.WriteString(st.GetRunId())
				return err
			})
			took, code := time.Since(start), 0
			if f := (*failure.Failure)(nil); errors.As(err, &f) {
				code = f.Code
				if !strings.Contains(f.What, c.server) {
					t.Errorf("%q: %q does not name %s", c.faults, f.What, c.server)
				}
			}
			if code != c.code || took != c.took || code == 0 && out.String() != "r" {
				t.Errorf("%q: got %v and %q after %v, want exit code %d after %v", c.faults, err, &out, took, c.code, c.took)
			}
		})
	}
}
