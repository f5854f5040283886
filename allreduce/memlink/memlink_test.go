package memlink

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/linktest"
)

func TestLink(t *testing.T) {
	linktest.Run(t, func(_ *testing.T, opts link.Options) (a, b link.Link) { return Pair(opts) })
}

// frameOf is a frame with a payload, and its head.
func frameOf(text string) (link.Header, []byte) {
	p := []byte(text)
	return link.Header{Kind: link.Node, Length: uint32(len(p)), Sum: link.Checksum(p)}, p
}

func TestPayloadsComeInAnyPieces(t *testing.T) {
	a, b := Pair(link.Options{})
	h, p := frameOf("one after another")
	if err := a.Send(h, p); err != nil {
		t.Fatal(err)
	}
	copy(p, "XXXXXXXXXXXXXXXXX") // the sender's memory is its own again
	if got, err := b.RecvHeader(); err != nil || got != h {
		t.Fatalf("got %v, error %v", got, err)
	}
	var got []byte
	for n := 0; len(got) < int(h.Length); n++ {
		piece := make([]byte, min(n, int(h.Length)-len(got)))
		if err := b.RecvPayload(piece); err != nil {
			t.Fatal(err)
		}
		got = append(got, piece...)
	}
	if string(got) != "one after another" {
		t.Errorf("got %q", got)
	}
	if err := b.RecvPayload(make([]byte, 1)); !errors.Is(err, link.ErrTruncated) {
		t.Errorf("a byte beyond the payload: got %v, want %v", err, link.ErrTruncated)
	}
}

// TestAFrameShorterThanItsHeadIsTruncated, and the next one is whole all the same.
func TestAFrameShorterThanItsHeadIsTruncated(t *testing.T) {
	a, b := Pair(link.Options{})
	h, p := frameOf("all of it")
	if err := errors.Join(a.Send(h, p[:3]), a.Send(h, p)); err != nil {
		t.Fatal(err)
	}
	_, _ = b.RecvHeader()
	if err := b.RecvPayload(make([]byte, h.Length)); !errors.Is(err, link.ErrTruncated) {
		t.Errorf("got %v, want %v", err, link.ErrTruncated)
	}
	got := make([]byte, h.Length)
	if _, err := b.RecvHeader(); err != nil || b.RecvPayload(got) != nil || !bytes.Equal(got, p) {
		t.Errorf("the next frame: got %q, error %v", got, err)
	}
}

func TestSendWaitsForRoomAsLongAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pair(link.Options{SendTimeout: time.Minute})
		h, p := frameOf("x")
		for i := range depth {
			if err := a.Send(h, p); err != nil {
				t.Fatalf("frame %d of %d that have room: %v", i, depth, err)
			}
		}
		start := time.Now()
		if err := a.Send(h, p); !errors.Is(err, link.ErrTimeout) || time.Since(start) != time.Minute {
			t.Errorf("without room: got %v after %v, want %v after a minute", err, time.Since(start), link.ErrTimeout)
		}
		time.AfterFunc(30*time.Second, func() { _, _ = b.RecvHeader() })
		start = time.Now()
		if err := a.Send(h, p); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("room after half a minute: got %v after %v", err, time.Since(start))
		}
	})
}

func TestReceiveWaitsAsLongAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := Pair(link.Options{RecvTimeout: time.Hour})
		start := time.Now()
		if _, err := b.RecvHeader(); !errors.Is(err, link.ErrTimeout) || time.Since(start) != time.Hour {
			t.Errorf("got %v after %v, want %v after an hour", err, time.Since(start), link.ErrTimeout)
		}
		a, b := Pair(link.Options{})
		time.AfterFunc(1000*time.Hour, func() { _ = a.Close() })
		start = time.Now()
		if _, err := b.RecvHeader(); !errors.Is(err, link.ErrEnded) || time.Since(start) != 1000*time.Hour {
			t.Errorf("no limit: got %v after %v, want %v when the peer ends", err, time.Since(start), link.ErrEnded)
		}
	})
}

// TestEachEndHasItsOwnError: who closed a link is told so, the other that it has ended.
func TestEachEndHasItsOwnError(t *testing.T) {
	h, p := frameOf("late")
	a, b := Pair(link.Options{})
	_ = a.Close()
	if err := a.Send(h, p); !errors.Is(err, link.ErrClosed) {
		t.Errorf("send on the end that was closed: got %v, want %v", err, link.ErrClosed)
	}
	if _, err := a.RecvHeader(); !errors.Is(err, link.ErrClosed) {
		t.Errorf("receive on the end that was closed: got %v, want %v", err, link.ErrClosed)
	}
	if err := b.Send(h, p); !errors.Is(err, link.ErrEnded) {
		t.Errorf("send to a closed end: got %v, want %v", err, link.ErrEnded)
	}
	if err := b.CloseWith(h, p); !errors.Is(err, link.ErrEnded) {
		t.Errorf("a last word to a closed end: got %v, want %v", err, link.ErrEnded)
	}
	if err := b.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	synctest.Test(t, func(t *testing.T) { // both ends wait, and one closes
		a, b := Pair(link.Options{})
		errs := make(chan error, 2)
		go func() { _, err := a.RecvHeader(); errs <- err }()
		synctest.Wait()
		_ = a.Close()
		if err := <-errs; !errors.Is(err, link.ErrClosed) {
			t.Errorf("a receive that waited: got %v, want %v", err, link.ErrClosed)
		}
		go func() {
			for range depth + 1 {
				if err := b.Send(h, p); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		if err := <-errs; !errors.Is(err, link.ErrEnded) {
			t.Errorf("sends to a closed end: got %v, want %v", err, link.ErrEnded)
		}
	})
}

func TestALastWordTakesNoLongerThanGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := Pair(link.Options{SendTimeout: time.Hour})
		h, p := frameOf("x")
		for range depth {
			_ = a.Send(h, p)
		}
		start := time.Now()
		if err := a.CloseWith(h, p); !errors.Is(err, link.ErrTimeout) || time.Since(start) != link.Grace {
			t.Errorf("got %v after %v, want %v after %v", err, time.Since(start), link.ErrTimeout, link.Grace)
		}
	})
}
