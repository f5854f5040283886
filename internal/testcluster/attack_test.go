package testcluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"byol/coordinator"
	"byol/internal/network"
	"byol/internal/network/secure"
	pb "byol/proto"
	"byol/worker"
)

// parties make the networks of a run's parties, with certificates of one authority.
type parties struct {
	t *testing.T
	a *secure.Authority
}

func newParties(t *testing.T) parties {
	t.Helper()
	a, err := secure.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return parties{t, a}
}

// network is the one that who uses to dial and be dialled by those roles.
func (p parties) network(role secure.Role, name string, accept, expect []secure.Role) *secure.Network {
	p.t.Helper()
	source, err := secure.NewIssued(p.a, secure.Identity{Run: secure.DefaultRun, Role: role, Name: name}, time.Hour,
		time.Now)
	if err != nil {
		p.t.Fatal(err)
	}
	return &secure.Network{Inner: network.System{}, Source: source, Accept: accept, Expect: expect}
}

var (
	onlyWorkers      = []secure.Role{secure.Worker}
	onlyCoordinators = []secure.Role{secure.Coordinator}
)

// protect gives a cluster certificates, and has its workers sum over sockets, so that all of it is encrypted.
func (p parties) protect(o *Options) {
	o.Coordinator = func(c *coordinator.Options) {
		c.Network = p.network(secure.Coordinator, "c", secure.Roles, onlyCoordinators)
	}
	o.Worker = func(rank int, w *worker.Options) {
		name := fmt.Sprintf("worker-%d", rank)
		w.Network = p.network(secure.Worker, name, nil, onlyCoordinators)
		w.PeerNetwork = p.network(secure.Worker, name, onlyWorkers, onlyWorkers)
		w.NoSharedMemory = true
	}
}

// TestSameBitsEncrypted: encryption changes no bit, and a state is fetched over it.
func TestSameBitsEncrypted(t *testing.T) {
	plain := run(t, Options{Config: Tiny(4), Workers: 2})
	o := Options{Config: Tiny(4), Workers: 3, RunDir: t.TempDir()}
	newParties(t).protect(&o)
	if got := run(t, o); got.Newest.StateSHA256 != plain.Newest.StateSHA256 || plain.Newest.Step != 4 {
		t.Errorf("encrypted %s, plain %s", got.Newest.StateSHA256, plain.Newest.StateSHA256)
	}
}

// attackVariable has TestAttack do it with as many connections as it says, and print what that cost.
const attackVariable = "BYOL_ATTACK"

// TestAttack has strangers do what they can to the ports of a run: connections that say nothing, that say a byte now
// and then, that say anything; certificates of another authority; and, worse, a worker's certificate of the right one
// in the wrong hands. The run ends with the bits of one that nobody attacked.
func TestAttack(t *testing.T) {
	many, steps := 60, int64(20)
	if n, err := strconv.Atoi(os.Getenv(attackVariable)); err == nil {
		many, steps = n, 100
	}
	quiet := Options{Config: Tiny(steps), Workers: 3, RunDir: t.TempDir()}
	newParties(t).protect(&quiet)
	began := time.Now()
	want := run(t, quiet)
	calm := time.Since(began)

	p := newParties(t)
	o := Options{Config: Tiny(steps), Workers: 3, RunDir: t.TempDir()}
	p.protect(&o)
	a := &attack{t: t, parties: p, many: many}
	a.ctx, a.end = context.WithCancel(t.Context())
	of := o.Worker
	o.Worker = func(rank int, w *worker.Options) {
		a.at = w.Coordinator
		of(rank, w)
	}
	var begin sync.Once
	o.OnProgress = func(s *pb.Status, _ func()) {
		if s.Progress.GetStep() >= 2 && len(s.Workers) == 3 {
			begin.Do(func() { a.begin(s) })
		}
	}
	began = time.Now()
	got := run(t, o)
	took := time.Since(began)
	a.end()
	a.all.Wait()
	if got.Newest.StateSHA256 != want.Newest.StateSHA256 || got.Newest.Step != steps {
		t.Errorf("attacked: step %d, %s; left alone: %s", got.Newest.Step, got.Newest.StateSHA256, want.Newest.StateSHA256)
	}
	if a.let.Load() > 0 {
		t.Errorf("%d strangers were let in", a.let.Load())
	}
	for what, n := range map[string]*atomic.Int64{"silent": &a.silent, "slow": &a.slow, "random": &a.random,
		"strange": &a.strange, "impostors": &a.impostors} {
		if n.Load() == 0 {
			t.Errorf("nobody %s came: nothing is tested", what)
		}
	}
	t.Logf("| silent | slow | random | strangers' certificates | impostors | left alone | attacked |")
	t.Logf("| %d | %d | %d | %d | %d | %.2f ms a step | %.2f ms a step |", a.silent.Load(), a.slow.Load(),
		a.random.Load(), a.strange.Load(), a.impostors.Load(), ms(calm, steps), ms(took, steps))
}

func ms(d time.Duration, steps int64) float64 { return d.Seconds() * 1000 / float64(steps) }

// attack is what strangers do, until it ends. The counts are of connections.
type attack struct {
	t                                        *testing.T
	parties                                  parties
	many                                     int
	at                                       string // the coordinator's address
	ctx                                      context.Context
	end                                      context.CancelFunc
	all                                      sync.WaitGroup
	silent, slow, random, strange, impostors atomic.Int64
	let                                      atomic.Int64 // who should not have been
}

// begin goes for all ports: the coordinator's, and those of the workers that a status names.
func (a *attack) begin(s *pb.Status) {
	var ring []string
	for _, w := range s.Workers {
		ring = append(ring, w.Address)
	}
	for _, at := range append(slices.Clone(ring), a.at) {
		a.all.Go(func() { a.hold(at) })
		a.all.Go(func() { a.drip(at) })
		a.all.Go(func() { a.babble(at) })
		a.all.Go(func() { a.stranger(at) })
	}
	a.all.Go(func() { a.callsHimself(a.at, "worker-0") })
	for _, at := range ring {
		a.all.Go(func() { a.greets(at) })
	}
}

// again calls f at most each pause until the attack ends.
func (a *attack) again(pause time.Duration, f func()) {
	for a.ctx.Err() == nil {
		f()
		select {
		case <-a.ctx.Done():
		case <-time.After(pause):
		}
	}
}

// dial connects without a word.
func (a *attack) dial(at string, count *atomic.Int64) net.Conn {
	c, err := network.System{}.Dial(a.ctx, at)
	if err != nil {
		return nil
	}
	count.Add(1)
	return c
}

// hold keeps as many connections open that say nothing, and opens new ones for those that are closed.
func (a *attack) hold(at string) {
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	a.again(time.Millisecond, func() {
		if len(held) >= a.many {
			_ = held[0].Close()
			held = held[1:]
		}
		if c := a.dial(at, &a.silent); c != nil {
			held = append(held, c)
		}
	})
}

// drip says a byte of something that looks like a handshake, now and then.
func (a *attack) drip(at string) {
	a.again(10*time.Millisecond, func() {
		c := a.dial(at, &a.slow)
		if c == nil {
			return
		}
		defer c.Close()
		for _, b := range []byte{22, 3, 1, 2, 0, 1} {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// babble says anything.
func (a *attack) babble(at string) {
	a.again(5*time.Millisecond, func() {
		if c := a.dial(at, &a.random); c != nil {
			text := make([]byte, 4096)
			_, _ = rand.Read(text)
			_, _ = c.Write(text)
			_ = c.Close()
		}
	})
}

// stranger has certificates of his own.
func (a *attack) stranger(at string) {
	n := newParties(a.t).network(secure.Worker, "worker-0", nil, secure.Roles)
	n.Source = &secure.Trusting{Source: n.Source, Authority: a.parties.a} // he takes everybody
	a.again(20*time.Millisecond, func() {
		a.strange.Add(1)
		if c, err := n.Dial(a.ctx, at); err == nil {
			a.let.Add(1)
			_ = c.Close()
		}
	})
}

// callsHimself is a worker of the run's authority that takes another's name, speaks before he has joined, and tries to
// end the run.
func (a *attack) callsHimself(at, name string) {
	n := a.parties.network(secure.Worker, "worker-9", nil, onlyCoordinators)
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(n.Dial))
	if err != nil {
		a.t.Error(err)
		return
	}
	defer conn.Close()
	words := []*pb.FromWorker{
		{Message: &pb.FromWorker_Join{Join: &pb.Join{WorkerId: name, Index: 0, DataAddress: "127.0.0.1:1", Build: "test"}}},
		{Message: &pb.FromWorker_Slice{Slice: &pb.Slice{Generation: 1, Step: 3, Data: make([]byte, 1<<20)}}},
		{Message: &pb.FromWorker_StepResult{StepResult: &pb.StepResult{Generation: 1, Step: 3}}},
	}
	a.again(10*time.Millisecond, func() {
		if _, err := pb.NewCoordinatorClient(conn).Stop(a.ctx, &pb.StopRequest{Now: true}); err == nil {
			a.let.Add(1)
		}
		for _, m := range words {
			a.impostors.Add(1)
			stream, err := pb.NewWorkerPlaneClient(conn).Attach(a.ctx)
			if err != nil || stream.Send(m) != nil {
				continue
			}
			for err == nil {
				var answer *pb.ToWorker
				if answer, err = stream.Recv(); answer.GetWelcome() != nil {
					a.let.Add(1)
				}
			}
		}
	})
}

// greets is such a worker at the ring's door, who knows what to say but not whom he should be.
func (a *attack) greets(at string) {
	n := a.parties.network(secure.Worker, "worker-9", nil, onlyWorkers)
	hello := append([]byte("BYOL\x04\x00\x02\x04"), make([]byte, 32)...)
	hello[8], hello[24], hello[28], hello[32] = 1, 0, 1, 3 // generation 1, rank 0 to 1 of 3
	hello = append(hello, "tiny"...)
	a.again(10*time.Millisecond, func() {
		a.impostors.Add(1)
		c, err := n.Dial(a.ctx, at)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
		answer := make([]byte, 16)
		if _, err = c.Write(hello); err == nil {
			_, err = io.ReadFull(c, answer)
		}
		if err == nil && answer[4] == 1 {
			a.let.Add(1)
		}
	})
}
