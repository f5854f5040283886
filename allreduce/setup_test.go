package allreduce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/memlink"
	"byol/allreduce/shm"
)

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"yes", ""}, {"no: it is switched off", "it is switched off"}, {"no: ", ""}, {"maybe", `"maybe" is no answer`},
		{"", `"" is no answer`}, {"no", `"no" is no answer`},
	} {
		err := answerError(c.text)
		if (err == nil) != (c.text == agreed) || err != nil && err.Error() != c.want {
			t.Errorf("answer %q: got %v, want %q", c.text, err, c.want)
		}
	}
	if got := answerError(refuse(errors.New("why"))); got == nil || got.Error() != "why" {
		t.Errorf("a refusal is read as %v", got)
	}
	for _, c := range []struct {
		texts []string
		want  string
	}{
		{nil, ""}, {[]string{"yes", "yes"}, ""}, {[]string{"yes", "no: a", "no: b"}, "rank 1: a"}, {[]string{"an offer"}, ""},
	} {
		if got := firstRefusal(c.texts); got != c.want {
			t.Errorf("%q: got %q, want %q", c.texts, got, c.want)
		}
	}
}

// scripted is a peer of a group of two that says what a test tells it to.
type scripted struct{ link.Link }

// say sends a text of setting up.
func (s scripted) say(text string) error {
	p := []byte(text)
	return s.Send(link.Header{Kind: link.Setup, Generation: 7, Length: uint32(len(p)), Sum: link.Checksum(p)}, p)
}

// withScript is rank of a group of two on one host, and the other rank's mesh link.
func withScript(t *testing.T, rank int, edit func(*GroupConfig)) (*Group, scripted) {
	t.Helper()
	cfg := GroupConfig{Generation: 7, Rank: rank, Timeout: 2 * time.Second,
		Peers: []Peer{{ShardEnd: 1, Host: "h"}, {ShardBegin: 1, ShardEnd: 2, Host: "h"}}}
	if edit != nil {
		edit(&cfg)
	}
	g := newGroup(cfg)
	a, b := memlink.Pair(link.Options{})
	next, _ := memlink.Pair(link.Options{})
	prev, _ := memlink.Pair(link.Options{})
	links := make([]link.Link, 2)
	links[1-rank] = a
	g.attach(links, next, prev)
	g.start()
	t.Cleanup(func() {
		_ = g.Close()
		_ = b.Close()
	})
	return g, scripted{b}
}

func TestOffersThatCannotBeTaken(t *testing.T) {
	segment, err := shm.Create(geometry(2).Size())
	if errors.Is(err, shm.ErrUnsupported) {
		t.Skipf("no memory to share on this host: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer segment.Close()
	small, err := shm.Create(4096)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	for _, c := range []struct {
		name, offer string
		edit        func(*GroupConfig)
		answer      string // begins with
		verdict     string
		reason      string // contains
	}{
		{"refused", "no: it is too late", nil, "no: it is too late", "no: it is too late", "it is too late"},
		{"nonsense", "take it", nil, "no: read offer", "no: read offer", "read offer"},
		{"switched off here", segment.Offer(), func(c *GroupConfig) { c.NoSharedMemory = true }, "no: it is switched off",
			"no: rank 1 will not", "rank 1 will not"},
		{"another rank refuses", segment.Offer(), nil, "yes", "no: the third cannot", "the third cannot"},
		{"no verdict", segment.Offer(), nil, "yes", "perhaps", `"perhaps" is no answer`},
		{"too small", small.Offer(), nil, "yes", "yes", "want"},
	} {
		g, rank0 := withScript(t, 1, c.edit)
		done := make(chan error, 1)
		go func() {
			done <- func() error {
				if err := rank0.say(c.offer); err != nil {
					return err
				}
				h, err := rank0.RecvHeader()
				if err != nil {
					return err
				}
				p := make([]byte, h.Length)
				if err := rank0.RecvPayload(p); err != nil {
					return err
				}
				if !strings.HasPrefix(string(p), c.answer) {
					return fmt.Errorf("answered %q, want %q", p, c.answer)
				}
				return rank0.say(c.verdict)
			}()
		}()
		op, err := g.begin(t.Context(), opForm, Key{})
		if err != nil {
			t.Fatal(err)
		}
		reason, err := g.setUpShared(op)
		op.end()
		if script := <-done; script != nil || err != nil || !strings.Contains(reason, c.reason) || g.shared != nil {
			t.Errorf("%s: reason %q, error %v, script %v, shared %v; want a reason with %q", c.name, reason, err, script,
				g.shared != nil, c.reason)
		}
	}
}

// TestMemoryThatWasRefusedIsNotTaken: a rank that could not map the memory breaks the group where rank 0 says that all
// have, and does not use what it has not.
func TestMemoryThatWasRefusedIsNotTaken(t *testing.T) {
	g, rank0 := withScript(t, 1, nil)
	for _, text := range []string{"no such offer", agreed} {
		if err := rank0.say(text); err != nil {
			t.Fatal(err)
		}
	}
	if bad := wantRank(g.settle(t.Context()), 0, ErrStale); bad != nil {
		t.Error(bad)
	}
}

// TestNoVerdictWithoutAllAnswers: rank 0 whose group breaks while it hears the others decides nothing for them. One
// that has refused meanwhile would be told that all agree.
func TestNoVerdictWithoutAllAnswers(t *testing.T) {
	for range 20 {
		g, other := withScript(t, 0, nil)
		heard := make(chan string, 1)
		ctx, end := context.WithCancelCause(t.Context())
		go func() {
			defer close(heard)
			for {
				h, err := other.RecvHeader()
				if err != nil {
					return
				}
				p := make([]byte, h.Length)
				if err := other.RecvPayload(p); err != nil {
					return
				}
				end(errors.New("the plan has changed")) // with the offer
				if h.Kind == link.Setup && string(p) == agreed {
					heard <- string(p)
				}
			}
		}()
		if err := g.settle(ctx); err == nil {
			t.Error("a group of one that answers forms")
		}
		_ = g.Close()
		for text := range heard {
			t.Errorf("the other was told %q", text)
		}
	}
}

func TestNonsenseInsteadOfAMeasurementIsOfRank0(t *testing.T) {
	g, rank0 := withScript(t, 1, nil)
	if err := rank0.say("fast"); err != nil {
		t.Fatal(err)
	}
	op, err := g.begin(t.Context(), opForm, Key{})
	if err != nil {
		t.Fatal(err)
	}
	defer op.end()
	if bad := wantRank(op.dictate(make([]int64, 2)), 0, ErrStale); bad != nil {
		t.Error(bad)
	}
}

func TestAPeerThatLeavesWhileTheGroupFormsIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		rank int
		end  func(s scripted) error
		want error
	}{
		{"rank 0 dies", 1, func(s scripted) error { return s.Close() }, ErrLost},
		{"rank 1 dies", 0, func(s scripted) error { return s.Close() }, ErrLost},
		{"rank 0 leaves", 1, func(s scripted) error {
			return s.CloseWith(link.Header{Kind: link.Bye, Generation: 7}, nil)
		}, ErrClosed},
		{"rank 1 says nothing", 0, func(scripted) error { return nil }, ErrTimeout},
		{"rank 0 is of another generation", 1, func(s scripted) error {
			return s.Send(link.Header{Kind: link.Setup, Generation: 6}, nil)
		}, ErrStale},
		{"rank 0 sends what no rank sends", 1, func(s scripted) error {
			return s.Send(link.Header{Kind: link.Reduce, Generation: 7}, nil)
		}, ErrStale},
		{"rank 0 sends a frame of a gigabyte", 1, func(s scripted) error {
			return s.Send(link.Header{Kind: link.Setup, Generation: 7, Length: 1 << 30}, nil)
		}, ErrStale},
		{"rank 0 sends what its checksum denies", 1, func(s scripted) error {
			return s.Send(link.Header{Kind: link.Setup, Generation: 7, Length: 3}, []byte("yes"))
		}, ErrCorrupt},
		{"rank 0 says too much", 1, func(s scripted) error {
			for range ahead + 2 {
				if err := s.Send(link.Header{Kind: link.Node, Generation: 7, Sum: link.Checksum(nil)}, nil); err != nil {
					return err
				}
			}
			return nil
		}, ErrStale},
	} {
		g, other := withScript(t, c.rank, func(cfg *GroupConfig) { cfg.Timeout = 100 * time.Millisecond })
		g.cfg.NoSharedMemory = true
		if err := c.end(other); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		err := g.settle(t.Context())
		if bad := wantRank(err, 1-c.rank, c.want); bad != nil {
			t.Errorf("%s: %v", c.name, bad)
		}
		var pe *PeerError
		if errors.As(err, &pe) && pe.Op != "form" {
			t.Errorf("%s: of %q, want form", c.name, pe.Op)
		}
	}
}
