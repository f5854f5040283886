package coordinator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"byol/internal/failure"
	pb "byol/proto"
)

// world is a run under test: a coordinator and fake workers in this process.
type world struct {
	t       *testing.T
	opts    Options
	c       *Coordinator
	cancel  context.CancelFunc
	ctx     context.Context
	done    chan error
	workers sync.WaitGroup
	mu      sync.Mutex // guards what follows
	ends    map[int]error
	plans   map[int]*pb.Plan
}

func config() *pb.RunConfig {
	return &pb.RunConfig{RunId: "test", Seed: 3, Arch: "fake", BatchSize: 8, Shards: 4, TotalSteps: 20, WarmupSteps: 2,
		BaseLr: 0.2, BaseTau: 0.9, Samples: 40, Data: "synthetic:40", EvalData: "eval", EvalEverySteps: 10,
		SaveEverySteps: 5, ManifestHash: "m", Determinism: "strict", Epochs: 4}
}

// options are those of a run of n workers that keeps its files in a new directory.
func options(t *testing.T, n int) Options {
	return Options{Config: config(), Workers: n, RunDir: t.TempDir(), Launcher: LauncherNone,
		JoinTimeout: 20 * time.Second, FailureTimeout: 5 * time.Second, Grace: time.Second, Build: "b1",
		Checkpoints: newDisk()}
}

// begin starts a coordinator without workers, which ends with the test.
func begin(t *testing.T, opts Options) *world {
	t.Helper()
	c, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, opts: opts, c: c, done: make(chan error, 1), ends: map[int]error{}, plans: map[int]*pb.Plan{}}
	limit := 30 * time.Second
	if opts.Network != nil {
		limit = 24 * time.Hour // the test has a clock of its own
	}
	w.ctx, w.cancel = context.WithTimeout(t.Context(), limit)
	runCtx, stop := context.WithCancel(w.ctx)
	cancelAll := w.cancel
	w.cancel = stop
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		w.done <- c.Run(runCtx)
	}()
	t.Cleanup(func() {
		stop()
		c.Abort()
		<-finished
		cancelAll()
		w.workers.Wait()
	})
	return w
}

// leaked returns the stacks of goroutines that did not end, "" if there are no more than before.
func leaked(before int) string {
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	return fmt.Sprintf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}

// worker starts a fake with the index, which does d.
func (w *world) worker(index int, d deed) *fake {
	f := &fake{address: w.c.Addr(), network: w.opts.Network, disk: w.opts.Checkpoints.(*disk), deed: d,
		complain: w.t.Errorf,
		join: &pb.Join{Index: int32(index), DataAddress: fmt.Sprintf("127.0.0.1:%d", 9000+index), Host: "here", Pid: 1,
			Build: "b1", Incarnation: fmt.Sprint(time.Now().UnixNano(), index)}}
	w.start(index, f)
	return f
}

func (w *world) start(key int, f *fake) {
	w.workers.Go(func() {
		p, err := f.run(w.ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ends[key], w.plans[key] = err, p
	})
}

// full starts a coordinator and all its workers; bad is the one that does d.
func full(t *testing.T, opts Options, bad int, d deed) *world {
	t.Helper()
	w := begin(t, opts)
	for i := range opts.Workers {
		mine := deed{step: -1}
		if i == bad {
			mine = d
		}
		w.worker(i, mine)
	}
	return w
}

// end waits for the run and its workers.
func (w *world) end() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-w.ctx.Done():
		buf := make([]byte, 1<<18)
		w.t.Fatalf("the run did not end:\n%s", buf[:runtime.Stack(buf, true)])
	}
	return nil
}

// failed waits for the run and returns its failure, whose code must be as given and whose text must have all words.
func (w *world) failed(code int, words ...string) *failure.Failure {
	w.t.Helper()
	err := w.end()
	var f *failure.Failure
	if !errors.As(err, &f) {
		w.t.Fatalf("the run ended with %v, want a failure with code %d", err, code)
	}
	text := f.What + "\n" + f.Why + "\n" + f.Try
	if f.Code != code || f.What == "" || f.Try == "" {
		w.t.Errorf("failure with code %d, want %d:\n%s", f.Code, code, text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("failure does not say %q:\n%s", word, text)
		}
	}
	return f
}

// client returns a client of the operators' service.
func (w *world) client() pb.CoordinatorClient {
	conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return pb.NewCoordinatorClient(conn)
}

// until polls status until ok.
func (w *world) until(c pb.CoordinatorClient, what string, ok func(*pb.Status) bool) *pb.Status {
	w.t.Helper()
	for {
		s, err := c.GetStatus(w.ctx, &pb.GetStatusRequest{}, grpc.WaitForReady(true))
		if err != nil {
			w.t.Fatalf("wait for %s: %v", what, err)
		}
		if ok(s) {
			return s
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
