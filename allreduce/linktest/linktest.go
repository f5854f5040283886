// Package linktest is the exam every implementation of link.Link passes.
//
// It owns the links it makes and closes them. When it fails, it says what it sent, what it got and what it wanted.
package linktest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"byol/allreduce/link"
)

// prompt is how soon a call must return once its link is closed.
const prompt = 500 * time.Millisecond

// Make returns the two ends of a fresh link.
type Make func(t *testing.T, opts link.Options) (a, b link.Link)

// Run examines the links that ends makes.
func Run(t *testing.T, ends Make) {
	for _, c := range []struct {
		name string
		exam func(t *testing.T, ends Make)
	}{
		{"frames arrive in order and whole", inOrder},
		{"payloads are not kept", notKept},
		{"concurrent sends do not mix", concurrent},
		{"both directions at once", duplex},
		{"close wakes the receiver", closeWakesReceiver},
		{"close wakes the sender", closeWakesSender},
		{"the peer reads what was sent before the end", drained},
		{"receive has a deadline", receiveDeadline},
		{"send has a deadline", sendDeadline},
		{"close with a last word", lastWord},
		{"close with a last word while a send is stuck", lastWordStuck},
	} {
		t.Run(c.name, func(t *testing.T) { c.exam(t, ends) })
	}
}

// head is a header for p, different in all fields for different i.
func head(i int, p []byte) link.Header {
	return link.Header{
		Kind: link.Kind(i%8 + 1), Generation: uint32(i + 1), Step: uint64(i+2) << 33,
		Bucket: uint32(i + 3), Chunk: uint32(i + 4), Length: uint32(len(p)), Sum: link.Checksum(p),
	}
}

func body(i, n int) []byte {
	p := make([]byte, n)
	for k := range p {
		p[k] = byte(i*31 + k*7 + k>>8)
	}
	return p
}

// receive takes one frame, its payload in pieces.
func receive(l link.Link, pieces int) (link.Header, []byte, error) {
	h, err := l.RecvHeader()
	if err != nil {
		return h, nil, err
	}
	p := make([]byte, h.Length)
	for k := range pieces {
		lo, hi := len(p)*k/pieces, len(p)*(k+1)/pieces
		if err := l.RecvPayload(p[lo:hi]); err != nil {
			return h, nil, err
		}
	}
	if got := link.Checksum(p); got != h.Sum {
		return h, p, fmt.Errorf("frame %v: payload has checksum %#x", h, got)
	}
	return h, p, nil
}

func inOrder(t *testing.T, ends Make) {
	var sender sync.WaitGroup
	defer sender.Wait() // once both ends are closed
	a, b := ends(t, link.Options{})
	defer a.Close()
	defer b.Close()
	sizes := []int{0, 1, 31, 32, 33, 4096, 100_000, 0, 1 << 20}
	sender.Go(func() {
		for i, n := range sizes {
			p := body(i, n)
			if err := a.Send(head(i, p), p); err != nil {
				t.Errorf("send frame %d: %v", i, err)
			}
		}
	})
	for i, n := range sizes {
		h, p, err := receive(b, i%3+1)
		want := body(i, n)
		if err != nil || h != head(i, want) || !bytes.Equal(p, want) {
			t.Fatalf("frame %d: got %v with %d bytes, error %v; want %v with %d", i, h, len(p), err, head(i, want), n)
		}
	}
}

func notKept(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{})
	defer a.Close()
	defer b.Close()
	p := body(1, 5000)
	h := head(1, p)
	if err := a.Send(h, p); err != nil {
		t.Fatal(err)
	}
	clear(p)
	if got, _, err := receive(b, 1); err != nil {
		t.Errorf("frame %v changed with the sender's memory: %v", got, err)
	}
}

func concurrent(t *testing.T, ends Make) {
	var all sync.WaitGroup
	defer all.Wait() // once both ends are closed
	a, b := ends(t, link.Options{})
	defer a.Close()
	defer b.Close()
	const senders, each = 4, 50
	for s := range senders {
		all.Go(func() {
			for i := range each {
				p := body(s, 100*s+i)
				h := head(s, p)
				h.Chunk = uint32(i)
				if err := a.Send(h, p); err != nil {
					t.Errorf("sender %d frame %d: %v", s, i, err)
				}
			}
		})
	}
	next := [senders]uint32{}
	for range senders * each {
		h, _, err := receive(b, 2)
		if err != nil {
			t.Fatal(err)
		}
		s := h.Generation - 1
		if s >= senders || h.Chunk != next[s] {
			t.Fatalf("got %v, want a frame of senders 0 to %d in their order %v", h, senders-1, next)
		}
		next[s]++
	}
}

func duplex(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{})
	defer a.Close()
	defer b.Close()
	const frames, n = 20, 1 << 20
	p := body(3, n)
	var all sync.WaitGroup
	for _, l := range []link.Link{a, b} {
		all.Go(func() {
			for i := range frames {
				if err := l.Send(head(i, p), p); err != nil {
					t.Errorf("send frame %d: %v", i, err)
				}
			}
		})
		all.Go(func() {
			for i := range frames {
				if h, _, err := receive(l, 4); err != nil || h != head(i, p) {
					t.Errorf("frame %d: got %v, error %v", i, h, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// returns waits for f, which was started before the link was closed.
func returns(t *testing.T, what string, done <-chan error, want error) {
	t.Helper()
	timer := time.NewTimer(prompt)
	defer timer.Stop()
	select {
	case err := <-done:
		if !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", what, err, want)
		}
	case <-timer.C:
		t.Errorf("%s: still waiting %v later", what, prompt)
	}
}

func closeWakesReceiver(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{})
	here, there := make(chan error, 1), make(chan error, 1)
	go func() { _, err := a.RecvHeader(); here <- err }()
	go func() { _, err := b.RecvHeader(); there <- err }()
	time.Sleep(10 * time.Millisecond)
	_ = a.Close()
	returns(t, "receive on the end that was closed", here, link.ErrClosed)
	returns(t, "receive on the other end", there, link.ErrEnded)
	if err := a.Send(link.Header{}, nil); err == nil {
		t.Error("send on a closed link: no error")
	}
	if err := a.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	_ = b.Close()
}

// fill sends until the link takes no more, and returns the error of the send that was stuck.
func fill(l link.Link) <-chan error {
	done := make(chan error, 1)
	go func() {
		p := make([]byte, 1<<20)
		for {
			if err := l.Send(head(1, p), p); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	return done
}

func closeWakesSender(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{})
	defer b.Close()
	stuck := fill(a)
	_ = a.Close()
	returns(t, "send on the end that was closed", stuck, link.ErrClosed)
}

func drained(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{})
	defer b.Close()
	for i := range 3 {
		p := body(i, 1000)
		if err := a.Send(head(i, p), p); err != nil {
			t.Fatal(err)
		}
	}
	_ = a.Close()
	for i := range 3 {
		if _, _, err := receive(b, 1); err != nil {
			t.Fatalf("frame %d, sent before the close: %v", i, err)
		}
	}
	if _, _, err := receive(b, 1); !errors.Is(err, link.ErrEnded) {
		t.Errorf("after the last frame: got error %v, want %v", err, link.ErrEnded)
	}
}

func receiveDeadline(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{RecvTimeout: 30 * time.Millisecond})
	defer a.Close()
	defer b.Close()
	if _, err := b.RecvHeader(); !errors.Is(err, link.ErrTimeout) {
		t.Errorf("receive from a silent peer: got error %v, want %v", err, link.ErrTimeout)
	}
}

func sendDeadline(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{SendTimeout: 50 * time.Millisecond})
	defer a.Close()
	defer b.Close()
	returns(t, "send to a peer that does not read", fill(a), link.ErrTimeout)
}

func lastWord(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{})
	defer b.Close()
	p := []byte("because")
	if err := a.CloseWith(head(5, p), p); err != nil {
		t.Errorf("close with a last word: %v", err)
	}
	if h, got, err := receive(b, 1); err != nil || h != head(5, p) || !bytes.Equal(got, p) {
		t.Errorf("last word: got %v %q, error %v; want %v %q", h, got, err, head(5, p), p)
	}
	if _, err := b.RecvHeader(); !errors.Is(err, link.ErrEnded) {
		t.Errorf("after the last word: got error %v, want %v", err, link.ErrEnded)
	}
}

func lastWordStuck(t *testing.T, ends Make) {
	a, b := ends(t, link.Options{SendTimeout: time.Hour})
	defer b.Close()
	stuck := fill(a)
	start := time.Now()
	_ = a.CloseWith(head(5, nil), nil)
	if took := time.Since(start); took > prompt {
		t.Errorf("close with a last word took %v beside a stuck send, want at most %v", took, link.Grace)
	}
	select {
	case <-stuck:
	case <-time.NewTimer(prompt).C:
		t.Errorf("the stuck send still waits %v after the close", prompt)
	}
}
