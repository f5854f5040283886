package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"byol/internal/vector"
	pb "byol/proto"
)

// benchWorker has its θ' ready at once, so that a step takes what the coordinator and the sockets take.
type benchWorker struct {
	index, n int
	bytes    []byte // of its span of θ'
	begin    int64
	digests  *pb.Digests
}

func (w *benchWorker) slices(stream pb.WorkerPlane_AttachClient, p *pb.Plan) error {
	for at := 0; at < len(w.bytes); at += 1 << 20 {
		s := &pb.Slice{Generation: p.Generation, Step: p.CommittedStep, Offset: w.begin + int64(at/4),
			Data: w.bytes[at:min(len(w.bytes), at+1<<20)]}
		if err := stream.Send(&pb.FromWorker{Message: &pb.FromWorker_Slice{Slice: s}}); err != nil {
			return err
		}
	}
	return nil
}

func (w *benchWorker) run(ctx context.Context, address string, parameters int64) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := pb.NewWorkerPlaneClient(conn).Attach(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	join := &pb.Join{Index: int32(w.index), DataAddress: "x:1"}
	if err := stream.Send(&pb.FromWorker{Message: &pb.FromWorker_Join{Join: join}}); err != nil {
		return err
	}
	ready := false
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		p := m.GetPlan()
		switch {
		case p == nil || p.State == pb.RunState_RUN_STATE_WAITING_FOR_WORKERS:
			continue
		case p.State == pb.RunState_RUN_STATE_STOPPED:
			return stream.CloseSend()
		case p.State != pb.RunState_RUN_STATE_RUNNING:
			continue
		case !ready:
			ready = true
			r := &pb.Ready{Generation: p.Generation, Digests: w.digests, ManifestHash: "m", Parameters: parameters}
			err = stream.Send(&pb.FromWorker{Message: &pb.FromWorker_Ready{Ready: r}})
		default:
			r := &pb.StepResult{Generation: p.Generation, Step: p.CommittedStep, Digests: &pb.Digests{
				Online: w.digests.Online, Target: p.GetCommitted().GetTarget(), Slice: w.digests.Slice},
				Shards: []*pb.ShardResult{{Shard: int32(w.index), Images: 2, LossSum: 1}}}
			err = stream.Send(&pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: r}})
		}
		if err := w.slices(stream, p); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
}

// BenchmarkStep commits steps of a network as large as ResNet-50 with its heads: all slices in, average, commit to
// the log, all slices out.
func BenchmarkStep(b *testing.B) {
	const parameters, n = 35 << 20, 4
	x := make([]float32, parameters)
	for i := range x {
		x[i] = float32(i%977) * 0.001
	}
	whole := vector.Digest(x)
	var workers []*benchWorker
	for r := range n {
		part := vector.PartOfBlocks(parameters, r, n)
		w := &benchWorker{index: r, n: n, begin: int64(part.Off), bytes: vector.Bytes(part.Of(x)),
			digests: &pb.Digests{Target: whole, Online: whole, Slice: vector.Digest(part.Of(x))}}
		workers = append(workers, w)
	}
	steps := make(chan int64, 1<<16)
	cfg := config()
	cfg.TotalSteps, cfg.SaveEverySteps, cfg.EvalData = 1<<40, 0, ""
	c, err := New(b.Context(), Options{Config: cfg, Workers: n, RunDir: b.TempDir(), Launcher: LauncherNone,
		FailureTimeout: time.Minute, OnProgress: func(s *pb.Status) { steps <- s.Progress.Step }})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(b.Context()) }()
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			if err := w.run(b.Context(), c.Addr(), parameters); err != nil && !errors.Is(err, io.EOF) {
				fmt.Println("worker:", err)
			}
		})
	}
	b.SetBytes(8 * parameters)
	reach := func(step int64) {
		for s := range steps {
			if s >= step {
				return
			}
		}
	}
	reach(1)
	b.ResetTimer()
	reach(int64(1 + b.N))
	b.StopTimer()
	c.Abort()
	<-done
	wg.Wait()
}
