package worker

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// TestBrokenWorkers starts two workers for which something is wrong, and looks at what the one that noticed first
// returns; the other may hear of it from the coordinator before it notices itself.
func TestBrokenWorkers(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), checkpoint.Name(3))
	if err := os.WriteFile(damaged, []byte("no checkpoint at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func(c *conductor)
		code   int
		want   []string // in the failure
	}{
		{"no data", func(c *conductor) { c.cfg.Data = "/nowhere/train" }, failure.Data, []string{"/nowhere/train"}},
		{"no device", func(c *conductor) { c.cfg.Device = "abacus" }, failure.Usage, []string{"abacus"}},
		{"no augmentation", func(c *conductor) { c.cfg.Augment = "magic" }, failure.Usage, []string{"magic"}},
		{"shards in another order", func(c *conductor) { c.cfg.Sums = "" }, failure.Usage,
			[]string{"cannot take part", "from left to right"}},
		{"no network", func(c *conductor) { c.cfg.Arch = "vgg" }, failure.Usage, []string{"vgg"}},
		{"no checkpoint", func(c *conductor) {
			c.restore = &pb.Restore{Kind: pb.Restore_KIND_CHECKPOINT, Path: "/nowhere/x.safetensors", Step: 3}
		}, failure.Training, []string{"/nowhere/x.safetensors"}},
		{"damaged checkpoint", func(c *conductor) {
			c.restore = &pb.Restore{Kind: pb.Restore_KIND_CHECKPOINT, Path: damaged, Step: 3}
		}, failure.Training, []string{damaged, "does not verify"}},
		{"nothing to restore from", func(c *conductor) {
			c.restore = &pb.Restore{Kind: pb.Restore_KIND_FRESH, Step: 3}
		}, failure.Training, []string{"step 3"}},
		{"coordinator hangs up", func(c *conductor) {
			c.hangUp = func(step int64) bool { return step == 1 }
		}, failure.Temporary, []string{"coordinator is gone", "hung up"}},
		{"run fails elsewhere", func(c *conductor) {
			c.hook = func(rank int, m *pb.ToWorker) *pb.ToWorker {
				if p := m.GetPlan(); p != nil && p.CommittedStep == 1 {
					p.State, p.Reason = pb.RunState_RUN_STATE_FAILED, "worker 7 caught fire"
				}
				return m
			}
		}, failure.Training, []string{"worker 7 caught fire"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			run := &conductor{t: t, workers: 2, until: 3, cfg: tiny(t)}
			c.change(run)
			start := time.Now()
			errs := run.conduct(nil)
			noticed := errs[1]
			if f := (*failure.Failure)(nil); errors.As(errs[0], &f) && f.Code == c.code {
				noticed = errs[0]
			}
			f := wantFailure(t, noticed, c.code)
			for _, w := range c.want {
				if !strings.Contains(f.Error(), w) {
					t.Errorf("got %q, want %q in it", f.Error(), w)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	cases := []struct {
		address string
		code    int
		want    string
	}{
		{closed, failure.Unreachable, "refused"},
		{"nonsense", failure.Usage, "HOST:PORT"},
	}
	for _, c := range cases {
		err := Run(context.Background(), Options{Coordinator: c.address, JoinTimeout: 300 * time.Millisecond})
		if f := wantFailure(t, err, c.code); !strings.Contains(f.Error(), c.want) {
			t.Errorf("%s: got %q, want %q in it", c.address, f.Error(), c.want)
		}
	}
}

// TestNotACoordinator connects to something that takes connections and says nothing.
func TestNotACoordinator(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Run(context.Background(), Options{Coordinator: l.Addr().String(), JoinTimeout: 300 * time.Millisecond})
	wantFailure(t, err, failure.Unreachable)
}

// refuser turns every worker away.
type refuser struct {
	pb.UnimplementedWorkerPlaneServer
}

func (refuser) Attach(s grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]) error {
	if _, err := s.Recv(); err != nil {
		return err
	}
	r := &pb.Refused{Reason: "index 3 is taken", Hint: "another --index"}
	return s.Send(&pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: r}})
}

func TestRefused(t *testing.T) {
	for _, known := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		want, code := "unknown service", failure.Unreachable
		if known {
			pb.RegisterWorkerPlaneServer(server, refuser{})
			want, code = "index 3 is taken", failure.Usage
		}
		go func() { _ = server.Serve(l) }()
		err = Run(context.Background(), Options{Coordinator: l.Addr().String(), JoinTimeout: 5 * time.Second})
		if f := wantFailure(t, err, code); !strings.Contains(f.Error(), want) {
			t.Errorf("got %q, want %q in it", f.Error(), want)
		}
		server.Stop()
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Run(context.Background(), Options{Coordinator: l.Addr().String(), Listen: l.Addr().String()})
	if f := wantFailure(t, err, failure.Usage); !strings.Contains(f.Error(), l.Addr().String()) {
		t.Errorf("got %q, want the address in it", f.Error())
	}
}
