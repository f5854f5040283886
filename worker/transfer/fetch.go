package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"byol/internal/network"
	"byol/internal/pause"
	"byol/internal/vector"
)

// rest is the pause before all peers are asked again.
const rest = 100 * time.Millisecond

// Peer is a worker that may hold the state.
type Peer struct {
	Name    string // for people
	Address string // host:port of its data plane
}

// Want says which state is wanted, and how long to try.
type Want struct {
	RunID   string
	Step    int64
	Digests Digests
	// Silence is how long a peer may give nothing before the next is asked, and how long all of them may before Fetch
	// gives up. How long the whole takes is not limited.
	Silence time.Duration
	// OnProgress, where set, is told how many bytes of how many are there. It must not block.
	OnProgress func(done, of int64)
}

// Report says what peers did, in the order in which they were first asked.
type Report []Answer

// Answer is what one peer did.
type Answer struct {
	Peer  Peer
	Bytes int64 // of the state that came from it and were right
	Tries int
	Err   error // the last error, nil where there was none
}

func (r Report) String() string {
	var out []string
	for _, a := range r {
		text := fmt.Sprintf("%s (%s)", a.Peer.Name, a.Peer.Address)
		if a.Bytes > 0 {
			text += fmt.Sprintf(" gave %d bytes", a.Bytes)
		}
		if a.Err != nil {
			text += ": " + a.Err.Error()
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// Error is that nobody gave the state.
type Error struct {
	Step     int64
	Done, Of int64 // bytes
	Waited   time.Duration
	Report   Report
	Err      error // why it ended: ErrNobody, or the context's cause
}

// ErrNobody says that no peer gave anything for as long as Want.Silence.
var ErrNobody = errors.New("transfer: no peer gives the state")

func (e *Error) Error() string {
	who := e.Report.String()
	if who == "" {
		who = "there is no other worker"
	}
	return fmt.Sprintf("fetch the state of step %d: %v after %v, %d of %d bytes: %s",
		e.Step, e.Err, e.Waited.Round(time.Millisecond), e.Done, e.Of, who)
}

// Unwrap returns why it ended.
func (e *Error) Unwrap() error { return e.Err }

// heldError is the answer of a peer that holds another step.
type heldError struct{ held, want int64 }

func (e heldError) Error() string {
	if e.held < 0 {
		return "it holds no state"
	}
	return fmt.Sprintf("it holds step %d, not %d", e.held, e.want)
}

// errDamaged is the reason to leave a peer that sent what is not right.
var errDamaged = errors.New("damaged on the way")

// Fetch fills the vectors of into, whose lengths are those of the run's model, with the state that is wanted.
func Fetch(ctx context.Context, n network.Network, peers []Peer, want Want, into State) (Report, error) {
	f := fetcher{network: n, want: want, into: into.list(), start: time.Now()}
	for _, x := range f.into {
		f.of += 4 * int64(len(x))
	}
	for _, p := range peers {
		f.report = append(f.report, Answer{Peer: p})
	}
	err := f.run(ctx)
	if err != nil {
		err = &Error{Step: want.Step, Done: f.done, Of: f.of, Waited: time.Since(f.start), Report: f.report, Err: err}
	}
	return f.report, err
}

// fetcher is one Fetch.
type fetcher struct {
	network network.Network
	want    Want
	into    [vectors][]float32
	start   time.Time
	report  Report

	index         [vectors][]uint64 // digests of blocks, which are those of the state
	indexed       bool
	vector, block int   // what is missing begins here
	done, of      int64 // bytes
}

// run asks the peers in turn.
func (f *fetcher) run(ctx context.Context) error {
	last := time.Now()
	for {
		for i := range f.report {
			a, before := &f.report[i], f.done
			a.Tries++
			a.Err = f.ask(ctx, a.Peer)
			if a.Bytes += f.done - before; f.done > before {
				last = time.Now()
			}
			switch {
			case a.Err == nil:
				return nil
			case ctx.Err() != nil:
				return context.Cause(ctx)
			}
		}
		if len(f.report) == 0 || time.Since(last) >= f.want.Silence {
			return ErrNobody
		}
		if !pause.For(ctx, rest) {
			return context.Cause(ctx)
		}
	}
}

// ask takes from one peer what it gives. It returns nil once nothing is missing.
func (f *fetcher) ask(ctx context.Context, p Peer) error {
	limited, cancel := context.WithTimeout(ctx, f.want.Silence)
	conn, err := f.network.Dial(limited, p.Address)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close()
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer detach()
	f.patient(conn)
	q := request{blocks: !f.indexed, step: f.want.Step, vector: f.vector, block: f.block, run: f.want.RunID}
	if err := q.send(conn); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	a, err := receiveAnswer(conn)
	if err != nil {
		return err
	}
	switch a.verdict {
	case otherRun:
		return errors.New("it belongs to another run")
	case otherStep:
		return heldError{a.held, f.want.Step}
	case busy:
		return errors.New("it serves others")
	}
	for v, x := range f.into {
		if a.lengths[v] != len(x) {
			return fmt.Errorf("its %s has %d elements, want %d", names[v], a.lengths[v], len(x))
		}
	}
	if err := f.takeIndex(conn); err != nil {
		return err
	}
	return f.takePieces(conn)
}

// patient has conn wait for the next bytes as long as a peer may be silent.
func (f *fetcher) patient(conn net.Conn) { _ = conn.SetDeadline(time.Now().Add(f.want.Silence)) }

// takeIndex reads the digests of all blocks, unless they are there.
func (f *fetcher) takeIndex(conn net.Conn) error {
	if f.indexed {
		return nil
	}
	var index [vectors][]uint64
	for v, want := range f.want.Digests.list() {
		n := vector.Blocks(len(f.into[v]))
		b := make([]byte, 8*n)
		if err := f.take(conn, head{kind: kindBlocks, vector: v, bytes: len(b)}, b); err != nil {
			return err
		}
		for ; len(b) > 0; b = b[8:] {
			index[v] = append(index[v], binary.LittleEndian.Uint64(b))
		}
		if got := vector.Fold(index[v]); got != want {
			return fmt.Errorf("its %s has digest %016x, want %016x: it has another state, or the digests were %w",
				names[v], got, want, errDamaged)
		}
	}
	f.index, f.indexed = index, true
	return nil
}

// takePieces reads what is missing.
func (f *fetcher) takePieces(conn net.Conn) error {
	var digests []uint64
	for f.vector < vectors {
		x := piece(f.into[f.vector], f.block)
		if len(x) == 0 {
			f.vector, f.block = f.vector+1, 0
			continue
		}
		b := vector.Bytes(x)
		h := head{kind: kindPiece, vector: f.vector, block: int64(f.block), bytes: len(b)}
		if err := f.take(conn, h, b); err != nil {
			return err
		}
		digests = vector.AppendBlocks(digests[:0], x)
		if !slices.Equal(digests, f.index[f.vector][f.block:f.block+len(digests)]) {
			return fmt.Errorf("the %s from block %d on was %w", names[f.vector], f.block, errDamaged)
		}
		f.block += len(digests)
		f.done += int64(len(b))
		if f.want.OnProgress != nil {
			f.want.OnProgress(f.done, f.of)
		}
	}
	return nil
}

// take reads one head, which must be want, and what follows it into b.
func (f *fetcher) take(conn net.Conn, want head, b []byte) error {
	var raw [headBytes]byte
	f.patient(conn)
	if _, err := io.ReadFull(conn, raw[:]); err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	got, err := decodeHead(raw[:])
	switch {
	case err != nil:
		return err
	case got.kind == kindGone:
		return heldError{got.block, f.want.Step}
	case got != want:
		return fmt.Errorf("head %+v, want %+v", got, want)
	}
	for len(b) > 0 {
		f.patient(conn)
		n, err := conn.Read(b[:min(len(b), strokeBytes)])
		if b = b[n:]; err != nil && len(b) > 0 {
			return fmt.Errorf("read %s: %w", names[want.vector], err)
		}
	}
	return nil
}
