package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"byol/allreduce"
	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
	"byol/internal/vector"
)

const silence = 5 * time.Second

// sizes of the vectors: of several pieces, with short last blocks.
var sizes = [vectors]int{700_123, 700_123, 2_050, 700_123}

// stateOf is a state that no other step has.
func stateOf(step int64) State {
	rng := rand.New(rand.NewPCG(uint64(step), 7))
	var l [vectors][]float32
	for v := range l {
		l[v] = make([]float32, sizes[v])
		for i := range l[v] {
			l[v][i] = rng.Float32()
		}
	}
	return State{l[0], l[1], l[2], l[3]}
}

func empty() State {
	return State{make([]float32, sizes[0]), make([]float32, sizes[1]), make([]float32, sizes[2]),
		make([]float32, sizes[3])}
}

func digestsOf(s State) Digests {
	return Digests{vector.Digest(s.Online), vector.Digest(s.Momentum), vector.Digest(s.Statistics),
		vector.Digest(s.Target)}
}

func equal(a, b State) bool {
	x, y := a.list(), b.list()
	for v := range x {
		if !slices.Equal(x[v], y[v]) {
			return false
		}
	}
	return true
}

// hosts are workers that may be asked, each on a host of its own, and one, called new, that asks.
type hosts struct {
	lines     *faulty.Network
	network   network.Network
	servers   []*Server
	listeners []*allreduce.Listener
	peers     []Peer
}

// inBubble runs f with n workers named a, b, c, …, which offer nothing yet.
func inBubble(t *testing.T, n int, f func(t *testing.T, h *hosts)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inner, lines := memory.New(), faulty.New(nil)
		h := &hosts{lines: lines, network: lines.Host("new", inner.Host("new"))}
		for i := range n {
			name := string(rune('a' + i))
			l, err := allreduce.Listen(t.Context(), lines.Host(name, inner.Host(name)), name+":0")
			if err != nil {
				t.Fatal(err)
			}
			s := NewServer("run", silence)
			l.Handle(Magic, s.Serve)
			h.servers, h.listeners = append(h.servers, s), append(h.listeners, l)
			h.peers = append(h.peers, Peer{Name: name, Address: l.Addr()})
		}
		f(t, h)
		for _, l := range h.listeners {
			_ = l.Close()
		}
		lines.Close()
	})
}

func (h *hosts) happen(t *testing.T, text string) {
	t.Helper()
	p, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	h.lines.Begin(p)
}

func (h *hosts) fetch(ctx context.Context, want State, edit func(*Want)) (State, Report, error) {
	w := Want{RunID: "run", Step: 3, Digests: digestsOf(want), Silence: silence}
	if edit != nil {
		edit(&w)
	}
	into := empty()
	report, err := Fetch(ctx, h.network, h.peers, w, into)
	return into, report, err
}

// said is what a peer answered.
func said(r Report, name string) string {
	for _, a := range r {
		if a.Peer.Name == name && a.Err != nil {
			return a.Err.Error()
		}
	}
	return ""
}

func TestTheOneThatHasItGivesIt(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, h *hosts) {
		want := stateOf(3)
		h.servers[1].Offer(4, stateOf(4))
		h.servers[2].Offer(3, want)
		var progress []int64
		got, report, err := h.fetch(t.Context(), want, func(w *Want) {
			w.OnProgress = func(done, of int64) {
				if progress = append(progress, done); of != 4*(3*700_123+2_050) {
					t.Errorf("progress of %d bytes", of)
				}
			}
		})
		if err != nil || !equal(got, want) {
			t.Fatalf("got %v, equal %v", err, equal(got, want))
		}
		if said(report, "a") != "it holds no state" || said(report, "b") != "it holds step 4, not 3" ||
			said(report, "c") != "" || report[2].Bytes != 4*(3*700_123+2_050) {
			t.Errorf("got report %v", report)
		}
		if !slices.IsSorted(progress) || len(progress) != 3*3+1 || progress[len(progress)-1] != report[2].Bytes {
			t.Errorf("progress %v", progress)
		}
	})
}

// mishap is something that goes wrong on the way.
type mishap struct {
	name   string
	faults string
	do     func(t *testing.T, h *hosts) // before
	at     map[int64]func(h *hosts)     // when so many bytes are there
	want   map[string]string            // what peers answered, in part
	gave   map[string]int64             // bytes of each
	least  time.Duration
	most   time.Duration
}

// mishaps are of a state of all bytes.
func mishaps(all int64) []mishap {
	return []mishap{
		{name: "a peer dies in mid-transfer", at: map[int64]func(h *hosts){
			3 << 20: func(h *hosts) {
				h.lines.Begin(fault.Plan{{Action: "break", Step: -1, Line: fault.Line{From: "new", To: "a", Both: true}}})
			},
		}, want: map[string]string{"a": "connection reset"}, most: time.Second},
		{name: "the line dies in mid-transfer", faults: "cut a->new after=3000000",
			want: map[string]string{"a": "timeout"}, least: silence, most: silence + time.Second},
		{name: "the line is dead from the start, one way", faults: "cut new->a", want: map[string]string{"a": "deadline"},
			gave: map[string]int64{"a": 0, "b": all}, least: silence, most: silence + time.Second},
		{name: "nobody listens any more", do: func(_ *testing.T, h *hosts) { _ = h.listeners[0].Close() },
			want: map[string]string{"a": "connection refused"}, gave: map[string]int64{"b": all}, most: time.Second},
		{name: "a bit of a piece is flipped", faults: "flip a->new after=4000000 bit=3",
			want: map[string]string{"a": "damaged on the way"}, most: time.Second},
		{name: "a bit of a digest is flipped", faults: "flip a->new after=2000 bit=3",
			want: map[string]string{"a": "damaged on the way"}, gave: map[string]int64{"a": 0, "b": all}, most: time.Second},
		{name: "a bit of the answer is flipped", faults: "flip a->new after=2 bit=3",
			want: map[string]string{"a": "not this protocol"}, gave: map[string]int64{"b": all}, most: time.Second},
		{name: "a bit of the request is flipped", faults: "flip new->a after=33 bit=3",
			want: map[string]string{"a": "another run"}, gave: map[string]int64{"b": all}, most: time.Second},
		{name: "another state of the same step", do: func(_ *testing.T, h *hosts) { h.servers[0].Offer(3, stateOf(9)) },
			want: map[string]string{"a": "another state"}, gave: map[string]int64{"a": 0, "b": all}, most: time.Second},
		{name: "another model", do: func(_ *testing.T, h *hosts) { h.servers[0].Offer(3, State{Online: make([]float32, 5)}) },
			want: map[string]string{"a": "online network has 5 elements, want 700123"}, most: time.Second},
		{name: "a slow peer is no dead one", faults: "limit a->new rate=500000", gave: map[string]int64{"a": all, "b": 0},
			least: 15 * time.Second, most: 25 * time.Second},
		{name: "the state is gone in mid-transfer", at: map[int64]func(h *hosts){
			3 << 20: func(h *hosts) { h.servers[0].Offer(4, stateOf(4)) },
		}, want: map[string]string{"a": "it holds step 4, not 3"}, most: time.Second},
	}
}

// TestFailures lets something go wrong on the way, and says who must have given how much.
func TestFailures(t *testing.T) {
	all := int64(4 * (3*700_123 + 2_050))
	for _, c := range mishaps(all) {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, h *hosts) {
				want := stateOf(3)
				h.servers[0].Offer(3, want)
				h.servers[1].Offer(3, want)
				h.happen(t, c.faults)
				if c.do != nil {
					c.do(t, h)
				}
				start := time.Now()
				got, report, err := h.fetch(t.Context(), want, func(w *Want) {
					w.OnProgress = func(done, _ int64) {
						for at, f := range c.at {
							if done >= at {
								delete(c.at, at)
								f(h)
							}
						}
					}
				})
				if err != nil || !equal(got, want) {
					t.Fatalf("got %v, equal %v; %v", err, equal(got, want), report)
				}
				if took := time.Since(start); took < c.least || took > c.most {
					t.Errorf("took %v, want %v to %v: %v", took, c.least, c.most, report)
				}
				for name, text := range c.want {
					if got := said(report, name); !strings.Contains(got, text) {
						t.Errorf("%s said %q, want %q", name, got, text)
					}
				}
				for _, a := range report {
					if n, told := c.gave[a.Peer.Name]; told && n != a.Bytes {
						t.Errorf("%s gave %d bytes, want %d", a.Peer.Name, a.Bytes, n)
					}
				}
				if sum := report[0].Bytes + report[1].Bytes; sum != all {
					t.Errorf("%d bytes in all, want %d: what was there was fetched again", sum, all)
				}
			})
		})
	}
}

func TestNobodyGivesIt(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		do   func(t *testing.T, h *hosts)
		want string
		took time.Duration
	}{
		{"there is nobody", 0, func(*testing.T, *hosts) {}, "there is no other worker", 0},
		{"they hold other steps", 2, func(_ *testing.T, h *hosts) { h.servers[0].Offer(2, stateOf(2)) },
			"a (a:40000): it holds step 2, not 3; b (b:40000): it holds no state", silence},
		{"they are of another run", 1, func(_ *testing.T, h *hosts) {
			s := NewServer("other", silence)
			s.Offer(3, stateOf(3))
			h.listeners[0].Handle(Magic, s.Serve)
		}, "another run", silence},
		{"the only one is cut off", 1, func(t *testing.T, h *hosts) { h.happen(t, "cut a<->new") }, "a (a:40000)", silence},
		{"it serves no states", 1, func(_ *testing.T, h *hosts) { h.listeners[0].Handle(Magic, nil) }, "read answer",
			silence},
	} {
		inBubble(t, c.n, func(t *testing.T, h *hosts) {
			c.do(t, h)
			start := time.Now()
			_, _, err := h.fetch(t.Context(), stateOf(3), nil)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrNobody) || e.Step != 3 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %v with %q", c.name, err, ErrNobody, c.want)
			}
			if took := time.Since(start); took < c.took || took > c.took+time.Second {
				t.Errorf("%s: took %v, want %v", c.name, took, c.took)
			}
		})
	}
}

// TestAStateThatComesInTimeIsFetched: a peer rolls forward to the step while the other waits for it.
func TestAStateThatComesInTimeIsFetched(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, h *hosts) {
		want := stateOf(3)
		h.servers[0].Offer(2, stateOf(2))
		time.AfterFunc(4*time.Second, func() { h.servers[0].Offer(3, want) })
		got, report, err := h.fetch(t.Context(), want, nil)
		if err != nil || !equal(got, want) {
			t.Fatalf("got %v; %v", err, report)
		}
	})
}

func TestACallerThatGivesUpEndsTheFetch(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, h *hosts) {
		want := stateOf(3)
		h.servers[0].Offer(3, want)
		h.happen(t, "cut a->new after=3000000")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("replanned"))
		defer cancel()
		start := time.Now()
		_, _, err := h.fetch(ctx, want, nil)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "replanned") || e.Done == 0 || e.Done == e.Of {
			t.Errorf("got %v, want the caller's reason and what was there", err)
		}
		if took := time.Since(start); took > 1100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// TestAServerThatTrainsOnIsConsistent: one worker goes from step to step in the memory that it offers, as training
// does, and several others fetch whatever step it is at. Each of them has one step's state in the end, or is told that
// it is gone; and the trainer never waits for a slow one.
func TestAServerThatTrainsOnIsConsistent(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, h *hosts) {
		const steps = 12
		states := make([]State, steps+1)
		digests := make([]Digests, steps+1)
		for i := range states {
			states[i] = stateOf(int64(i))
			digests[i] = digestsOf(states[i])
		}
		h.happen(t, "limit a->new rate=20000000")
		var wg sync.WaitGroup
		current, next := empty(), empty() // of which one is committed, and the other computed
		wg.Go(func() {
			for i := range steps {
				x, y := next.list(), states[i].list()
				for v := range x {
					copy(x[v], y[v])
				}
				current, next = next, current
				begin := time.Now()
				h.servers[0].Offer(int64(i), current) // and from now on next is written to
				if took := time.Since(begin); took > 0 {
					t.Errorf("the trainer waited for %v", took)
				}
				time.Sleep(time.Duration(300+i%3*400) * time.Millisecond)
			}
			h.servers[0].Withdraw()
		})
		var fetched, gone int
		for step := range int64(steps) {
			got, _, err := h.fetch(t.Context(), states[step], func(w *Want) { w.Step, w.Silence = step, 600*time.Millisecond })
			switch {
			case err == nil && equal(got, states[step]):
				fetched++
			case err != nil && strings.Contains(err.Error(), "it holds step"):
				gone++
			default:
				t.Errorf("step %d: got %v, equal %v", step, err, equal(got, states[step]))
			}
		}
		wg.Wait()
		if fetched == 0 || gone == 0 {
			t.Errorf("%d fetched and %d gone: want some of both", fetched, gone)
		}
	})
}

// TestNotTooManyAtATime: a server has bounds, and who is told that it serves others gets its turn.
func TestNotTooManyAtATime(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, h *hosts) {
		want := stateOf(3)
		h.servers[0].Offer(3, want)
		h.happen(t, "limit a->new rate=20000000")
		var wg sync.WaitGroup
		var mu sync.Mutex
		told := 0
		for range 3 * mostFetches {
			wg.Go(func() {
				got, report, err := h.fetch(t.Context(), want, nil)
				if err != nil || !equal(got, want) {
					t.Errorf("got %v; %v", err, report)
				}
				mu.Lock()
				defer mu.Unlock()
				if report[0].Tries > 1 {
					told++
				}
			})
		}
		wg.Wait()
		if told == 0 {
			t.Error("nobody was told to come back")
		}
	})
}

// TestStrangers connect and say nothing, or something else, or ask and do not read: none of them is kept for longer
// than the silence that is allowed, and others are served.
func TestStrangers(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, h *hosts) {
		want := stateOf(3)
		h.servers[0].Offer(3, want)
		ask := func(q request) []byte {
			var b bytes.Buffer
			_ = q.send(&b)
			return b.Bytes()
		}
		old := ask(request{step: 3, run: "run"})
		binary.LittleEndian.PutUint16(old[4:], version+1)
		beyond := ask(request{step: 3, run: "run", vector: vectors})
		for _, words := range [][]byte{nil, []byte("GET / HTTP/1.1\r\n\r\n"), ask(request{})[:4],
			ask(request{run: "run"})[:20],
			ask(request{step: 3, run: "run", blocks: true}), ask(request{step: -1, run: "run"}), old, beyond,
			ask(request{step: 3, run: "run", vector: 3, block: 1 << 40}), ask(request{step: 3, run: "run", block: 1 << 41})} {
			c, err := h.network.Dial(t.Context(), h.peers[0].Address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(words); err != nil {
				t.Fatal(err)
			}
		}
		got, report, err := h.fetch(t.Context(), want, nil)
		if err != nil || !equal(got, want) {
			t.Errorf("got %v; %v", err, report)
		}
		time.Sleep(2*silence + time.Second)
		if n := len(h.servers[0].fetches); n != 0 {
			t.Errorf("%d are still served", n)
		}
	})
}

func TestRequestsArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := request{blocks: rapid.Bool().Draw(t, "blocks"), step: rapid.Int64().Draw(t, "step"),
			vector: rapid.IntRange(0, vectors-1).Draw(t, "vector"), block: rapid.IntRange(0, 1<<40).Draw(t, "block"),
			run: rapid.StringN(0, -1, maxRunID).Draw(t, "run")}
		var b bytes.Buffer
		if err := q.send(&b); err != nil {
			t.Fatal(err)
		}
		whole := b.Bytes()
		if got, err := receiveRequest(bytes.NewReader(whole[4:])); err != nil || got != q {
			t.Fatalf("got %+v, %v; want %+v", got, err, q)
		}
		short := rapid.IntRange(4, len(whole)-1).Draw(t, "bytes that arrive")
		if got, err := receiveRequest(bytes.NewReader(whole[4:short])); err == nil {
			t.Fatalf("%d of %d bytes: got %+v", short, len(whole), got)
		}
	})
}

// TestAnythingMayAnswer: whatever bytes a peer sends, Fetch ends, and keeps to the memory of the state.
func TestAnythingMayAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "begins well") {
			var b bytes.Buffer
			_ = answer{verdict: granted, held: 3, lengths: [vectors]int{5, 5, 5, 5}}.send(&b)
			words = append(b.Bytes(), words...)
		}
		f := fetcher{want: Want{RunID: "run", Step: 3, Silence: time.Second}, network: canned(words),
			into: [vectors][]float32{make([]float32, 5), make([]float32, 5), make([]float32, 5), make([]float32, 5)}}
		if err := f.ask(context.Background(), Peer{}); err == nil {
			t.Fatalf("%x gave a state", words)
		}
	})
}

// canned is a network at whose other end somebody says the same to everybody.
type canned []byte

func (c canned) Listen(context.Context, string) (net.Listener, error) { return nil, net.ErrClosed }

func (c canned) Dial(context.Context, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		_, _ = there.Write(c)
	}()
	return here, nil
}

func BenchmarkFetch(b *testing.B) {
	l, err := allreduce.Listen(b.Context(), network.System{}, "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	s := NewServer("run", silence)
	l.Handle(Magic, s.Serve)
	n := 8 << 20
	state := State{make([]float32, n), make([]float32, n), make([]float32, 4096), make([]float32, n)}
	s.Offer(3, state)
	w := Want{RunID: "run", Step: 3, Digests: digestsOf(state), Silence: silence}
	into := State{make([]float32, n), make([]float32, n), make([]float32, 4096), make([]float32, n)}
	b.SetBytes(int64(3*n+4096) * 4)
	for b.Loop() {
		if _, err := Fetch(b.Context(), network.System{}, []Peer{{"a", l.Addr()}}, w, into); err != nil {
			b.Fatal(err)
		}
	}
}
