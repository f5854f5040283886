package coordinator

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/coordinator/raftnode"
	"byol/coordinator/run"
	"byol/internal/failure"
	"byol/internal/network/memory"
	pb "byol/proto"
)

// paper is a ledger in memory, whose leader the test appoints.
type paper struct {
	mu      sync.Mutex // guards what follows
	state   run.State
	changed chan struct{}
	term    uint64
	terms   uint64 // so far
	turned  chan struct{}
	heard   time.Time     // when another leader was
	barred  int           // barriers that were passed
	broken  error         // of the next proposals
	stuck   chan struct{} // the next proposals wait for it; nil: for nothing
}

func newPaper() *paper { return &paper{changed: make(chan struct{}), turned: make(chan struct{})} }

func (p *paper) Propose(_ context.Context, c run.Command) error {
	p.mu.Lock()
	if stuck := p.stuck; stuck != nil {
		p.mu.Unlock()
		<-stuck
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	if p.term == 0 {
		return raftnode.ErrNotDone
	}
	if p.broken != nil {
		return p.broken
	}
	next := p.state.Clone()
	err := next.Apply(c)
	p.state = next
	close(p.changed)
	p.changed = make(chan struct{})
	return err
}

func (p *paper) View() (run.State, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.changed
}

func (p *paper) Leadership() (uint64, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.term, p.turned
}

func (p *paper) Barrier() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.barred++
	return nil
}

func (p *paper) Info() raftnode.Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return raftnode.Info{LeaderID: "paper", Heard: p.heard}
}

func (p *paper) Failed() (<-chan struct{}, error) { return nil, nil }

func (p *paper) Ended() bool { return false }
func (p *paper) Told() bool  { return true }

func (p *paper) Leader() (id, address string) { return "paper", "" }

func (p *paper) Members() []raftnode.Member { return nil }

func (p *paper) AddMember(context.Context, string, string) error { return raftnode.ErrMember }

func (p *paper) RemoveMember(string) error { return raftnode.ErrMember }
func (p *paper) Transfer(string) error     { return raftnode.ErrLeads }

func (p *paper) members() int {
	s, _ := p.View()
	return len(s.Members)
}

// elect begins a term; depose ends it.
func (p *paper) elect() {
	p.terms++
	p.turn(p.terms)
}
func (p *paper) depose() { p.turn(0) }

func (p *paper) turn(term uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.term = term
	close(p.turned)
	p.turned = make(chan struct{})
}

// onPaper starts a coordinator whose ledger is p, in fake time.
func onPaper(t *testing.T, opts Options, p *paper) *world {
	t.Helper()
	opts.Network = memory.New().Host("127.0.0.1")
	c, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := settingsOf(&c.opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.state.Apply(run.Create{Settings: settings}); err != nil {
		t.Fatal(err)
	}
	c.node, c.life, c.begun, c.scribe = p, t.Context(), true, newScribe()
	if err := c.openReport(0); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, opts: opts, c: c, ctx: t.Context(), done: make(chan error, 1), ends: map[int]error{},
		plans: map[int]*pb.Plan{}}
	finished := make(chan struct{})
	var asked context.Context
	asked, w.cancel = context.WithCancel(t.Context())
	go func() {
		defer close(finished)
		w.done <- c.serve(asked)
	}()
	t.Cleanup(func() {
		c.Abort()
		<-finished
		_ = c.listener.Close()
		c.scribe.finish()
		_ = c.report.Load().Close()
		w.workers.Wait()
	})
	return w
}

// TestTerms deposes a coordinator while it waits for workers: those that had joined are hung up on and lose their
// places, and the run goes its way in the next term with those that come back.
func TestTerms(t *testing.T) {
	opts := options(t, 2)
	synctest.Test(t, func(t *testing.T) {
		p := newPaper()
		w := onPaper(t, opts, p)
		w.worker(0, deed{step: -1})
		synctest.Wait()
		if p.members() != 0 {
			t.Error("a worker has joined without a leader")
		}
		p.elect()
		time.Sleep(time.Second)
		if n := p.members(); n != 1 {
			t.Errorf("%d members in the first term, want 1", n)
		}
		p.depose()
		time.Sleep(time.Second)
		w.mu.Lock()
		if err := w.ends[0]; status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), "leads no more") {
			t.Errorf("the worker's stream ended with %v", err)
		}
		w.mu.Unlock()
		p.elect()
		time.Sleep(2 * opts.FailureTimeout)
		if n := p.members(); n != 0 {
			t.Errorf("%d members in the second term, want 0", n)
		}
		for i := range 2 {
			w.worker(i, deed{step: -1})
		}
		if err := w.end(); err != nil {
			t.Errorf("the run ended with %v", err)
		}
		if p.barred != 2 {
			t.Errorf("%d barriers were passed, want one for each term", p.barred)
		}
	})
}

// TestTermBeginsAmongSteps deposes a coordinator in a step. The next term does not know what workers hold: it forms the
// group again, takes the target network from it, and the run ends as if nothing had been.
func TestTermBeginsAmongSteps(t *testing.T) {
	want := undisturbed(t, 1)
	opts := options(t, 2)
	synctest.Test(t, func(t *testing.T) {
		p := newPaper()
		p.elect()
		w := onPaper(t, opts, p)
		w.worker(0, deed{step: 5, delay: time.Minute, stay: true})
		w.worker(1, deed{step: -1, stay: true})
		time.Sleep(30 * time.Second)
		before, _ := p.View()
		p.depose()
		p.elect()
		if err := w.end(); err != nil {
			t.Errorf("the run ended with %v", err)
		}
		if after, _ := p.View(); before.Step != 5 || after.Generation <= before.Generation || after.Step != 20 {
			t.Errorf("from step %d of generation %d to step %d of generation %d", before.Step, before.Generation, after.Step,
				after.Generation)
		}
	})
	if got := digests(t, opts.RunDir); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestLedgerBreaks has the log refuse to take anything while this coordinator leads: that ends the run.
func TestLedgerBreaks(t *testing.T) {
	opts := options(t, 1)
	synctest.Test(t, func(t *testing.T) {
		p := newPaper()
		p.elect()
		w := onPaper(t, opts, p)
		p.mu.Lock()
		p.broken = errors.Join(raftnode.ErrUnknown, errors.New("the disk is gone"))
		p.mu.Unlock()
		w.worker(0, deed{step: -1})
		w.failed(failure.Internal, "the coordinator broke", "write the raft log", "the disk is gone")
	})
}

// TestNobodyLeads ends a coordinator that waits to be elected: by a signal, and at once.
func TestNobodyLeads(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*world)
		code int
	}{
		{"signal", func(w *world) { w.cancel() }, failure.Temporary},
		{"abort", func(w *world) { w.c.Abort() }, failure.Interrupted},
	} {
		opts := options(t, 1)
		synctest.Test(t, func(t *testing.T) {
			w := onPaper(t, opts, newPaper())
			w.worker(0, deed{step: -1})
			time.Sleep(time.Minute)
			c.end(w)
			w.failed(c.code)
		})
	}
}
