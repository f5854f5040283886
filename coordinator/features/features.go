// Package features has the features of images computed by workers that come and go: an evaluation is a job of
// features. A Job serves the workers of one evaluation: it sends them the encoder, deals out tasks, and gives what they
// compute to whoever asked, in the order in which it was asked for. What an image's features are depends on the image
// alone, so the result has the same bits for any number of workers, and whichever of them are lost. A Store keeps
// features in a file, so that an evaluation that was stopped goes on where it was.
//
// Ownership. Start starts the server's goroutine and local workers; Close ends all and waits. The methods of a Job are
// called by one goroutine, which is also the one that calls back: progress and results. Exits of local workers are told
// on goroutines of launch. A Store belongs to one goroutine.
//
// When it fails: a worker that is lost costs time alone, and is told by Options.Say. Features that are not finite, and
// local workers of whom none is left and none is started again, end the job with a *failure.Failure; so do workers that
// are lost again and again over the same task. After that only Close is of use. What a Store has kept stays good.
package features

import (
	"context"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"byol/coordinator/launch"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/vector"
	pb "byol/proto"
)

// Set is a set of images.
type Set struct {
	Name     string // for people
	Manifest string
}

// Options say what is computed, and by whom.
type Options struct {
	// Config decides the network, how images are looked at, and the device; its data is the first set, its eval_data, if
	// any, the second.
	Config *pb.RunConfig
	// Encoder is a safetensors file with torchvision's names.
	Encoder []byte
	SHA256  string // of Encoder
	// BatchSize is how many images a worker encodes at once.
	BatchSize int
	Sets      []Set
	// Build is this binary's version and commit; workers of others are refused, unless Relaxed.
	Build string
	// Relaxed takes workers whose bits may differ.
	Relaxed bool

	Network network.Network // nil: the system's
	Listen  string
	// Call is what workers of other machines call an address of this one; nil: as it is reached here.
	Call func(address string) string
	// Keys makes what a worker that is started here shows; nil: nothing.
	Keys func(index int) ([]byte, error)
	// Workers are started here by WorkerBinary; 0: others start them.
	Workers      int
	WorkerBinary string
	Logs         string
	Threads      int // of each worker; 0: a share of the machine
	MaxRestarts  int

	// Say is told what people want to know: who came and went. It may be called from any goroutine.
	Say func(line string)
	// Progress is told how far a pass is, about four times a second.
	Progress func(Progress)
}

// Progress is how far a pass is.
type Progress struct {
	Doing       string
	Done, Total int64
	Workers     int
	Note        string // beside it: what changes as it goes on
}

// Sizes of messages: a part of something large, and the largest that a worker may send.
const (
	partBytes    = 1 << 20
	messageBytes = 32 << 20
	windowBytes  = 16 << 20
)

const (
	// silence is how long a connection may answer nothing, after which its worker is lost.
	silence = 15 * time.Second
	// tick is how often progress is told.
	tick = 250 * time.Millisecond
	// grace is how long workers get to end by themselves.
	grace = 3 * time.Second
	// attempts is how many workers may be lost while they have the same task.
	attempts = 5
)

// Job is one evaluation's workers.
type Job struct {
	o        Options
	listener net.Listener
	server   *grpc.Server
	serving  sync.WaitGroup
	workers  *launch.Workers // nil: others start them

	mu      sync.Mutex    // guards everything below
	changed chan struct{} // closed and made anew at each change
	members map[int]*member
	next    int // name of the next member
	finger  string
	dim     int
	pass    *pass           // nil: nothing is asked for
	base    int64           // id of the first task of the next pass
	left    int             // local workers that are there or come back
	tasks   map[int32]int64 // that local workers have finished, by index
	last    *failure.Failure
	err     error // ends the job
	over    bool
}

// Start listens and starts local workers. Close must be called unless there is an error.
func Start(ctx context.Context, o Options) (*Job, error) {
	if o.Network == nil {
		o.Network = network.System{}
	}
	if o.Call == nil {
		o.Call = network.Dialable
	}
	listener, err := o.Network.Listen(ctx, o.Listen)
	if err != nil {
		return nil, failure.Of(err, failure.Failure{What: "cannot listen on " + o.Listen,
			Try: network.ListenHint(o.Listen, err), Code: failure.Usage})
	}
	j := &Job{o: o, listener: listener, changed: make(chan struct{}), members: map[int]*member{}, base: 1, left: o.Workers,
		tasks: map[int32]int64{}}
	j.server = grpc.NewServer(grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(messageBytes),
		grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(windowBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: silence, Timeout: silence}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	pb.RegisterFeaturePlaneServer(j.server, plane{j: j})
	j.serving.Go(func() {
		_ = j.server.Serve(listener) // it ends when the server is stopped; a broken listener shows as missing workers
	})
	if o.Workers == 0 {
		return j, nil
	}
	j.workers, err = launch.Start(launch.Options{Binary: o.WorkerBinary, Args: []string{"encode"},
		Processes: launch.Share(o.Workers, o.Workers), Coordinator: network.Dialable(j.Addr()),
		Threads: o.Threads, Logs: o.Logs, MaxRestarts: o.MaxRestarts,
		Exited: j.exited, Steps: j.worked, Keys: o.Keys})
	if err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// Addr is where workers join.
func (j *Job) Addr() string { return j.listener.Addr().String() }

// Close tells the workers that all is done, and ends what Start started.
func (j *Job) Close() {
	j.locked(func() { j.over = true })
	if j.workers != nil {
		j.workers.Wait(grace)
		j.workers.Stop(grace)
	}
	stop := time.AfterFunc(grace, j.server.Stop)
	j.server.GracefulStop()
	stop.Stop()
	j.serving.Wait()
}

// locked changes what the mutex guards, and wakes whoever waits for a change.
func (j *Job) locked(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
	close(j.changed)
	j.changed = make(chan struct{})
}

// worked is how many tasks the local worker of an index has finished.
func (j *Job) worked(index int) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.tasks[int32(index)]
}

// exited notes that a local worker's process has ended.
func (j *Job) exited(x launch.Exit) {
	name := fmt.Sprintf("worker-%d", x.Index)
	j.locked(func() {
		if j.over {
			return
		}
		if x.Next.Restart {
			j.o.Say(fmt.Sprintf("%s %s; restarting it in %v (%d of %d)", name, x.How(), x.Next.After, x.Next.Number,
				x.Next.Limit))
			return
		}
		j.o.Say(fmt.Sprintf("%s %s; its part goes to others", name, x.How()))
		if j.left--; j.left > 0 || j.err != nil {
			return
		}
		end := &failure.Failure{What: "no worker is left", Why: name + " " + x.How(), Try: "its log is " + x.Log,
			Code: failure.TooFew}
		if j.last != nil {
			end = j.last
		}
		j.err = end
	})
}

// Ready waits for the first worker, and says what features it computes: how many, and by which kernels and decoder.
func (j *Job) Ready(ctx context.Context) (dim int, fingerprint string, err error) {
	doing := "starting workers"
	if j.o.Workers == 0 {
		doing = "waiting for workers: worker encode --coordinator " + j.o.Call(j.Addr())
	}
	err = j.until(ctx, func() (bool, error) { return j.finger != "", nil },
		func() Progress { return Progress{Doing: doing} })
	return j.dim, j.finger, err
}

// until waits for something that the mutex guards; is and progress are called with it held.
func (j *Job) until(ctx context.Context, is func() (bool, error), progress func() Progress) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		j.mu.Lock()
		yes, err := is()
		if !yes && err == nil {
			err = j.err
		}
		changed, p := j.changed, progress()
		p.Workers = j.ready()
		j.mu.Unlock()
		if yes || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ticker.C:
			j.o.Progress(p)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ready is how many workers compute. The mutex is held.
func (j *Job) ready() int {
	n := 0
	for _, m := range j.members {
		if m.ready {
			n++
		}
	}
	return n
}

// Request asks for features.
type Request struct {
	Doing string // in words
	Set   int
	// Random is a random crop and flip that follow from Seed, the epoch and the image; otherwise it is the centre.
	Random bool
	Seed   uint64
	Tasks  int
	// Task is the images of task i, and the epoch for which they are cropped. It is a function of i alone.
	Task func(i int) (images []int64, epoch int64)
	// Done and Total are images for the progress: of all, and of what was there before.
	Done, Total int64
}

// Block is the features of a task's images.
type Block struct {
	Images     []int64
	Data       []float32 // a row each; zeros where an image cannot be decoded
	Unreadable []Unreadable
}

// Unreadable is an image that could not be decoded.
type Unreadable struct {
	At         int // in Images
	Name, Text string
}

// Features has the workers compute, and gives the blocks to got, in order. What got returns as an error ends it.
func (j *Job) Features(ctx context.Context, r Request, got func(Block) error) error {
	p := &pass{kind: "features", dealer: dealer{total: r.Tasks, window: aheadOf(j.o.Workers)}, lost: map[int]int{},
		blocks: map[int]*pb.FeatureBlock{}, partly: map[int]int64{}}
	p.task = func(i int, id int64, send func(*pb.ToEncoder) error) error {
		images, epoch := r.Task(i)
		return send(&pb.ToEncoder{Message: &pb.ToEncoder_Features{Features: &pb.FeatureTask{Id: id, Set: int32(r.Set),
			Images: images, Random: r.Random, Seed: r.Seed, Epoch: epoch}}})
	}
	p.check = func(i int, b *pb.FeatureBlock) error { return j.checkBlock(r, i, b) }
	j.begin(p)
	defer j.end()
	j.o.Progress(Progress{Doing: r.Doing, Done: r.Done, Total: r.Total, Workers: 1})
	done := r.Done
	for i := range r.Tasks {
		var b *pb.FeatureBlock
		err := j.until(ctx, func() (bool, error) { b = p.blocks[i]; return b != nil, nil }, func() Progress {
			now := done
			for _, n := range p.partly {
				now += n
			}
			for _, b := range p.blocks {
				now += int64(len(b.Data)) / int64(4*j.dim)
			}
			return Progress{Doing: r.Doing, Done: min(now, r.Total), Total: r.Total}
		})
		if err != nil {
			return err
		}
		j.locked(func() {
			delete(p.blocks, i)
			p.dealer.release(i + 1)
		})
		images, _ := r.Task(i)
		block := Block{Images: images, Data: vector.Floats(b.Data)}
		for _, u := range b.Unreadable {
			block.Unreadable = append(block.Unreadable, Unreadable{At: int(u.At), Name: u.Name, Text: u.Error})
		}
		if err := got(block); err != nil {
			return err
		}
		done += int64(len(images))
	}
	return nil
}

// aheadOf is how many tasks may be computed before the oldest is: enough for all workers, and for more that join.
func aheadOf(workers int) int { return 16 + 4*depth*workers }

// checkBlock refuses what no worker of ours computes.
func (j *Job) checkBlock(r Request, i int, b *pb.FeatureBlock) error {
	images, _ := r.Task(i)
	if len(b.Data) != 4*j.dim*len(images) {
		return fmt.Errorf("%d bytes for %d images of %d features", len(b.Data), len(images), j.dim)
	}
	for _, u := range b.Unreadable {
		if u.At < 0 || int(u.At) >= len(images) {
			return fmt.Errorf("image %d of %d is unreadable", u.At, len(images))
		}
	}
	for at, v := range vector.Floats(b.Data) {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return &failure.Failure{What: "the encoder's features are not finite",
				Why:  fmt.Sprintf("feature %d of image %d is %v", at%j.dim, images[at/j.dim], v),
				Try:  "another checkpoint: this network's weights or running statistics are beyond what float32 holds",
				Code: failure.Training}
		}
	}
	return nil
}
