package control

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/memory"
	"byol/internal/vector"
	pb "byol/proto"
)

func result(step int64) *pb.FromWorker {
	return &pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: &pb.StepResult{Generation: 1, Step: step}}}
}

func committed(step int64) func(*pb.Plan) bool {
	return func(p *pb.Plan) bool { return p.CommittedStep > step }
}

// TestAliveBeforeWelcome: a coordinator may say that it lives before it has decided who joins, at first and when a
// worker comes back.
func TestAliveBeforeWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		defer f.stop()
		f.says = 3
		r, first := attached(t, n, f, "a:7000")
		first.plan(1, 1, 5)
		first.over <- errLost
		second := <-f.arrivals
		if second.join.Incarnation != first.join.Incarnation {
			t.Errorf("attached as %q, then as %q", first.join.Incarnation, second.join.Incarnation)
		}
		second.plan(2, 2, 5)
		if _, err := r.Await(t.Context(), func(p *pb.Plan) bool { return p.Generation == 2 }); err != nil {
			t.Errorf("the line ended: %v", err)
		}
		second.over <- nil
		r.Close(&pb.Leave{})
	})
}

// TestStreamIsReplaced loses the stream in the middle of a step's commit. The worker waits on, without noticing: what
// it said is said again on the next stream, its half span comes again from the start, and the commit is there.
func TestStreamIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		defer f.stop()
		r, first := attached(t, n, f, "a:7000")
		first.plan(1, 1, 5)
		theta, xi := []float32{1, 2, 3, 4}, make([]float32, 4)
		r.Expect(1, 5, 8, xi)
		withdraw := r.Say(Statement{Messages: append(Slices(1, 5, 8, theta), result(5)), Settled: committed(5)})
		if got, want := first.words(), []string{"slice 8+4 of step 5", "result of step 5"}; !slices.Equal(got, want) {
			t.Fatalf("said %q, want %q", got, want)
		}
		first.slice(1, 5, 8, vector.Bytes([]float32{9, 9}))
		synctest.Wait()
		first.over <- errLost

		second := <-f.arrivals
		if second.join.Incarnation != first.join.Incarnation || first.join.Incarnation == "" {
			t.Errorf("attached as %q, then as %q", first.join.Incarnation, second.join.Incarnation)
		}
		if second.join.WorkerId != "worker-7" || second.join.DataAddress != "worker:1" || second.join.Index != 3 {
			t.Errorf("came back as %v", second.join)
		}
		if second.join.SeenVersion != 1 || second.join.SeenGeneration != 1 || first.join.SeenVersion != 0 {
			t.Errorf("came as %v, came back as %v, want the numbers of the plan that it has", first.join, second.join)
		}
		if got := second.words(); got != nil {
			t.Errorf("said %q before the plan told what is wanted", got)
		}
		second.plan(2, 1, 5)
		if got, want := second.words(), []string{"slice 8+4 of step 5", "result of step 5"}; !slices.Equal(got, want) {
			t.Errorf("said again %q, want %q", got, want)
		}
		second.slice(1, 5, 8, vector.Bytes([]float32{10, 11}))
		second.slice(1, 5, 10, vector.Bytes([]float32{12, 13}))
		second.plan(3, 1, 6)
		plan, err := r.Committed(t.Context(), 5)
		if err != nil || plan.Version != 3 || !slices.Equal(xi, []float32{10, 11, 12, 13}) {
			t.Errorf("committed by %v with %v, %v", plan, xi, err)
		}
		r.Forget()
		withdraw()
		r.Close(&pb.Leave{Reason: "done"})
		if got := second.words(); !slices.Equal(got, []string{"leave: done"}) {
			t.Errorf("left with %q", got)
		}
		if r.logged("lost the coordinator") != 1 || r.logged("attached again") != 1 {
			t.Errorf("logged %v", r.logs.All())
		}
	})
}

// TestStatementsStand follows statements over streams: which are said when.
func TestStatementsStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		defer f.stop()
		r, at := attached(t, n, f, "a:7000")
		again := func(version, generation, step int64) {
			at.over <- errLost
			at = <-f.arrivals
			at.plan(version, generation, step)
		}
		want := func(when string, words ...string) {
			t.Helper()
			if got := at.words(); !slices.Equal(got, words) {
				t.Errorf("%s: said %q, want %q", when, got, words)
			}
		}
		at.plan(1, 1, 0)
		r.Say(Statement{Messages: []*pb.FromWorker{result(0)}, Settled: committed(0)})
		keep := r.Say(Statement{Messages: []*pb.FromWorker{result(1)}, Settled: func(*pb.Plan) bool { return false }})
		r.Tell(&pb.FromWorker{Message: &pb.FromWorker_ImageUnreadable{ImageUnreadable: &pb.ImageUnreadable{Name: "x"}}})
		want("at first", "result of step 0", "result of step 1", "unreadable x")
		again(2, 1, 0)
		want("on a second stream", "result of step 0", "result of step 1")
		at.plan(3, 1, 0)
		want("by another plan of the stream")
		again(4, 1, 1)
		want("when the plan shows that step 0 is committed", "result of step 1")
		again(3, 1, 0)
		want("after an old plan", "result of step 1")
		keep()
		again(5, 1, 1)
		want("after it was withdrawn")
		r.Close(&pb.Leave{})
	})
}

// TestSaidWhileAway makes a statement while there is no stream: it is said when there is one. What is told is lost.
func TestSaidWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		r, _ := attached(t, n, f, "a:7000")
		f.stop()
		synctest.Wait()
		r.Tell(&pb.FromWorker{Message: &pb.FromWorker_ImageUnreadable{ImageUnreadable: &pb.ImageUnreadable{Name: "x"}}})
		r.Say(Statement{Messages: []*pb.FromWorker{result(3)}, Settled: committed(3)})
		time.Sleep(2 * time.Second)
		f = serve(t, n, "a")
		defer f.stop()
		at := <-f.arrivals
		at.plan(1, 1, 3)
		if got := at.words(); !slices.Equal(got, []string{"result of step 3"}) {
			t.Errorf("said %q", got)
		}
		r.Close(&pb.Leave{})
	})
}

// TestNextCoordinator lets the coordinator die that a worker is attached to: it goes to the next of the list.
func TestNextCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		b := serve(t, n, "b")
		r, _ := attached(t, n, b, "a:7000", "b:7000", "c:7000") // nobody is at a
		c := serve(t, n, "c")
		defer c.stop()
		b.stop()
		at := <-c.arrivals
		at.plan(1, 4, 2)
		if p, err := r.Await(t.Context(), func(p *pb.Plan) bool { return p.Generation == 4 }); err != nil {
			t.Errorf("got %v, %v", p, err)
		}
		r.Close(&pb.Leave{})
	})
}

// TestCoordinatorStandsStill has a coordinator say nothing any more while its connections stand, as SIGSTOP does. The
// worker goes to the others, and asks the silent one last, whoever says that it leads.
func TestCoordinatorStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		a, b := serve(t, n, "a"), serve(t, n, "b")
		var standing atomic.Bool
		stands, asked := make(chan struct{}), 0
		a.answer = func(*pb.Join) (*pb.ToWorker, error) {
			if standing.Load() {
				<-stands
			}
			return welcome("worker-7"), nil
		}
		b.answer = func(*pb.Join) (*pb.ToWorker, error) {
			if asked++; asked < 3 {
				return &pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: &pb.Refused{Temporary: true, Leader: "a:7000"}}}, nil
			}
			return welcome("worker-7"), nil
		}
		r, at := attached(t, n, a, "a:7000", "b:7000")
		alive := &pb.ToWorker{Message: &pb.ToWorker_Alive{Alive: &pb.Alive{}}}
		for range 20 {
			_ = at.stream.Send(alive)
			time.Sleep(800 * time.Millisecond)
		}
		standing.Store(true)
		start := time.Now()
		<-b.arrivals
		if took := time.Since(start); took > 4*time.Second { // the failure timeout
			t.Errorf("came to the other coordinator after %v", took)
		}
		close(stands)
		a.stop()
		b.stop()
		r.Close(&pb.Leave{})
	})
}

// TestOnlyCoordinatorStandsStill has the only coordinator be silent for a minute: the worker stays with it.
func TestOnlyCoordinatorStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		a := serve(t, n, "a")
		defer a.stop()
		r, at := attached(t, n, a, "a:7000")
		_ = at.stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Alive{Alive: &pb.Alive{}}})
		time.Sleep(time.Minute)
		select {
		case <-at.gone:
			t.Error("the worker left")
		default:
		}
		r.Close(&pb.Leave{})
	})
}

// TestEndOfTheLine ends streams in every way that is the line's end, and looks at how long that takes.
func TestEndOfTheLine(t *testing.T) {
	cases := []struct {
		name  string
		then  func(f *fake, a *attachment)
		want  string
		after time.Duration
	}{
		{"the run has ended, and it hangs up", func(_ *fake, a *attachment) {
			a.final()
			a.over <- nil
		}, "closed the connection", 0},
		{"it dies and stays dead", func(f *fake, _ *attachment) { f.stop() }, "", 48 * time.Second},
		{"it does not take the worker back", func(f *fake, a *attachment) {
			f.answer = refusing(&pb.Refused{Reason: "the run has failed"})
			a.over <- errLost
		}, "lost on purpose; then it did not take this worker back: the run has failed", 0},
		{"it always says that it does not lead", func(f *fake, a *attachment) {
			f.answer = func(*pb.Join) (*pb.ToWorker, error) { return nil, status.Error(codes.Unavailable, "not the leader") }
			a.over <- errLost
		}, "lost on purpose", 48 * time.Second},
		{"it does not take the worker back for now, and never does", func(f *fake, a *attachment) {
			f.answer = refusing(&pb.Refused{Reason: "left out for now", Temporary: true})
			a.over <- errLost
		}, "lost on purpose; then nobody took this worker back: left out for now", 48 * time.Second},
		{"it is another program now", func(f *fake, a *attachment) {
			f.answer = func(*pb.Join) (*pb.ToWorker, error) { return &pb.ToWorker{}, nil }
			a.over <- errLost
		}, "answered out of order", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memory.New()
				f := serve(t, n, "a")
				defer f.stop()
				r, at := attached(t, n, f, "a:7000")
				guarded, release := r.Guard(t.Context(), 1)
				defer release()
				start := time.Now()
				c.then(f, at)
				_, err := r.Await(t.Context(), func(*pb.Plan) bool { return false })
				if took := time.Since(start); took < c.after || took > c.after+2*time.Second {
					t.Errorf("it ended after %v, want %v", took, c.after)
				}
				if cause := context.Cause(guarded); !errors.Is(err, ErrEnded) || cause != ErrEnded && cause != ErrReplanned {
					t.Errorf("waiting ended with %v, work with %v", err, cause)
				}
				if got := r.Err().Error(); !strings.Contains(got, c.want) {
					t.Errorf("the line ended because %q, want %q in it", got, c.want)
				}
				if told := r.logged("not taken back for now"); told > 1 || told == 1 != strings.Contains(c.want, "for now") {
					t.Errorf("its log says %d times why it is not taken back", told)
				}
				late, done := r.Guard(t.Context(), AnyGeneration)
				if !errors.Is(context.Cause(late), ErrEnded) {
					t.Errorf("work that begins afterwards: %v", context.Cause(late))
				}
				done()
				start = time.Now()
				r.Close(&pb.Leave{})
				if took := time.Since(start); took > 0 {
					t.Errorf("closing took another %v", took)
				}
			})
		})
	}
}

// TestClose closes lines whose other end does not behave.
func TestClose(t *testing.T) {
	t.Run("nobody hangs up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := memory.New()
			f := serve(t, n, "a")
			defer f.stop()
			f.deaf = true
			r, at := attached(t, n, f, "a:7000")
			start := time.Now()
			r.Close(&pb.Leave{Reason: "enough"})
			r.Close(&pb.Leave{Reason: "twice"})
			if took := time.Since(start); took != 4*time.Second {
				t.Errorf("it took %v, want the patience of 4 s", took)
			}
			if got := at.words(); !slices.Equal(got, []string{"leave: enough"}) {
				t.Errorf("said %q", got)
			}
		})
	})
	t.Run("while it attaches again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := memory.New()
			f := serve(t, n, "a")
			r, _ := attached(t, n, f, "a:7000")
			f.stop()
			time.Sleep(time.Second)
			start := time.Now()
			r.Close(&pb.Leave{})
			if took := time.Since(start); took > 0 {
				t.Errorf("it took %v", took)
			}
			if _, err := r.Await(t.Context(), func(*pb.Plan) bool { return false }); !errors.Is(err, ErrEnded) {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
}

// TestHeartbeats counts them: one at once and five in each failure timeout, on every stream.
func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		defer f.stop()
		r, at := attached(t, n, f, "a:7000")
		for range 2 {
			time.Sleep(3500 * time.Millisecond)
			synctest.Wait()
			if got := len(at.beats); got != 5 {
				t.Errorf("%d heartbeats in 3.5 s, want 5", got)
			}
			if b := <-at.beats; b.Phase != "testing" {
				t.Errorf("heartbeat %v", b)
			}
			at.over <- errLost
			at = <-f.arrivals
		}
		r.Close(&pb.Leave{})
	})
}

// TestOpen joins coordinators that answer in all ways.
func TestOpen(t *testing.T) {
	say := func(m *pb.ToWorker, err error) func(*pb.Join) (*pb.ToWorker, error) {
		return func(*pb.Join) (*pb.ToWorker, error) { return m, err }
	}
	cases := []struct {
		name   string
		answer func(*pb.Join) (*pb.ToWorker, error)
		code   failure.Code
		want   string
		after  time.Duration
	}{
		{"welcome", nil, 0, "", 0},
		{"refused", say(&pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: &pb.Refused{
			Reason: "index 3 is taken", Hint: "another"}}}, nil), failure.Usage, "index 3 is taken", 0},
		{"no configuration", say(&pb.ToWorker{Message: &pb.ToWorker_Welcome{Welcome: &pb.Welcome{}}}, nil), failure.Usage,
			"no configuration", 0},
		{"a plan first", say(&pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: &pb.Plan{}}}, nil), failure.Usage,
			"out of order", 0},
		{"another service", say(nil, status.Error(codes.Unimplemented, "unknown service")), failure.Unreachable,
			"unknown service", 0},
		{"refused for now", refusing(&pb.Refused{Reason: "worker-3 is still here", Hint: "wait", Temporary: true}),
			failure.Temporary, "worker-3 is still here", 10 * time.Second},
		{"not yet", say(nil, status.Error(codes.Unavailable, "no leader yet")), failure.Unreachable, "no leader yet",
			10 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memory.New()
				f := serve(t, n, "a")
				defer f.stop()
				f.answer = c.answer
				start := time.Now()
				l, err := Open(t.Context(), options(n, "a:7000"))
				if took := time.Since(start); took < c.after || took > c.after+time.Second {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				if c.code == 0 {
					if err != nil || l.Welcome().RunId != "r" || l.Timeouts().Failure != 4*time.Second {
						t.Fatalf("got %v, %v", l, err)
					}
					l.Close(&pb.Leave{})
					return
				}
				var no *failure.Failure
				if !errors.As(err, &no) || no.Code != c.code || !strings.Contains(no.Error(), c.want) || no.Try == "" {
					t.Errorf("got %+v, want code %d and %q", err, c.code, c.want)
				}
			})
		})
	}
}

// TestLeaderIsAsked joins by a coordinator that does not lead and knows who does, which no list names; when that one
// dies the worker finds the next by itself. What it holds is said each time.
func TestLeaderIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		a, b := serve(t, n, "a"), serve(t, n, "b")
		defer a.stop()
		refused, leads := refusing(&pb.Refused{Reason: "a does not lead", Temporary: true, Leader: "b:7000"}), atomic.Bool{}
		a.answer = func(j *pb.Join) (*pb.ToWorker, error) {
			if leads.Load() {
				return welcome("worker-7"), nil
			}
			return refused(j)
		}
		o, held := options(n, "a:7000"), atomic.Int64{}
		held.Store(-1)
		o.Held = held.Load
		start := time.Now()
		l, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		at := <-b.arrivals
		if at.join.HeldStep != -1 || time.Since(start) > 0 {
			t.Errorf("joined with step %d after %v", at.join.HeldStep, time.Since(start))
		}
		held.Store(5)
		withdraw := l.Say(Statement{Messages: []*pb.FromWorker{result(5)}, Settled: committed(5)})
		defer withdraw()
		b.stop()
		time.Sleep(20 * time.Second) // as long as an election takes, and more
		leads.Store(true)
		at = <-a.arrivals
		at.plan(7, 2, 5)
		if got := at.words(); at.join.HeldStep != 5 || !slices.Equal(got, []string{"result of step 5"}) {
			t.Errorf("came to the new leader with step %d, saying %q", at.join.HeldStep, got)
		}
		l.Close(&pb.Leave{})
	})
}

// TestOneNameForAll has a name that stands for three hosts, of which the last one leads.
func TestOneNameForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f, follower := serve(t, n, "10.0.0.3"), serve(t, n, "10.0.0.2")
		defer f.stop()
		defer follower.stop()
		follower.answer = refusing(&pb.Refused{Reason: "not here", Temporary: true})
		o := options(n, "coordinators:7000")
		o.Network = named{o.Network, map[string][]string{"coordinators": {"10.0.0.1", "10.0.0.2", "10.0.0.3"}}}
		l, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		<-f.arrivals
		l.Close(&pb.Leave{})
	})
}

// named is a network that knows names.
type named struct {
	network.Network
	hosts map[string][]string
}

func (n named) LookupHost(_ context.Context, host string) ([]string, error) {
	return n.hosts[host], nil
}

// TestStacksAreAskedFor: they come at once, and are those of all goroutines.
func TestStacksAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		f := serve(t, n, "a")
		defer f.stop()
		r, at := attached(t, n, f, "a:7000")
		if err := at.stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Dump{Dump: &pb.Dump{}}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		text := string((<-at.heard).GetStacks().GetText())
		if !strings.Contains(text, "control.(*Line).receive") || len(text) > 64<<10 {
			t.Errorf("got %d bytes: %.200s", len(text), text)
		}
		r.Close(&pb.Leave{})
	})
}

// TestOpenIsStopped ends the caller's context while nobody answers.
func TestOpenIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("signal: terminated")) })
		_, err := Open(ctx, options(memory.New(), "a:7000"))
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Temporary || !strings.Contains(f.Why, "terminated") {
			t.Errorf("got %+v", err)
		}
	})
}

// TestMuteCoordinator has one address that takes connections and says nothing: with a second address the worker joins
// there, alone it is not waited for longer than the limit.
func TestMuteCoordinator(t *testing.T) {
	for _, second := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := memory.New()
			mute, err := n.Host("mute").Listen(t.Context(), ":7000")
			if err != nil {
				t.Fatal(err)
			}
			defer mute.Close()
			if !second {
				_, err := Open(t.Context(), options(n, "mute:7000"))
				var f *failure.Failure
				if !errors.As(err, &f) || f.Code != failure.Unreachable {
					t.Errorf("alone: %v", err)
				}
				return
			}
			f := serve(t, n, "a")
			defer f.stop()
			r, _ := attached(t, n, f, "mute:7000", "a:7000")
			r.Close(&pb.Leave{})
		})
	}
}

func TestReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		start := time.Now()
		_, err := Reach(t.Context(), n.Host("worker"), []string{"a:7000", "b:7000"}, 3*time.Second)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Unreachable || !strings.Contains(f.Error(), "refused") ||
			!strings.Contains(f.What, "a:7000, b:7000") || time.Since(start) != 3*time.Second {
			t.Errorf("nobody: %v after %v", err, time.Since(start))
		}
		time.AfterFunc(time.Second, func() {
			l, err := n.Host("b").Listen(t.Context(), ":7000")
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { l.Close() })
		})
		host, err := Reach(t.Context(), n.Host("worker"), []string{"a:7000", "b:7000"}, 3*time.Second)
		if err != nil || host != "worker" {
			t.Errorf("got %q, %v", host, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = Reach(ctx, n.Host("worker"), []string{"c:7000"}, 3*time.Second)
		if !errors.As(err, &f) || f.Code != failure.Temporary {
			t.Errorf("stopped: %v", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	for list, want := range map[string][]string{
		"a:1": {"a:1"}, "a:1, b:2": {"a:1", "b:2"}, "[::1]:7,c:0": {"[::1]:7", "c:0"}, "nonsense": nil, "": nil, "a:1,": nil,
	} {
		got, err := Addresses(list)
		var f *failure.Failure
		if !slices.Equal(got, want) || (want == nil) != (errors.As(err, &f) && f.Code == failure.Usage) {
			t.Errorf("%q: got %q, %v", list, got, err)
		}
	}
}
