package allreduce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"byol/allreduce/link"
	"byol/allreduce/shm"
)

// While a group forms, ranks agree on what only all of them can know, by short texts: an offer of memory (shm.Segment),
// "yes", a refusal with its reason, or what rank 0 measured. They go over the mesh between rank 0 and each other, and
// over a board once there is one.
const (
	agreed  = "yes"
	refusal = "no: "
	// noteBytes is the longest text on a board.
	noteBytes = 512
)

var errNoShared = errors.New("it is switched off")

// refuse is the text that says no.
func refuse(why error) string { return refusal + why.Error() }

// answerError is the reason in an answer, nil if it agrees.
func answerError(text string) error {
	if reason, refused := strings.CutPrefix(text, refusal); refused {
		return errors.New(reason)
	}
	if text != agreed {
		return fmt.Errorf("%q is no answer", text)
	}
	return nil
}

// firstRefusal is the reason of the first rank that refuses, "" if none does.
func firstRefusal(texts []string) string {
	for r, text := range texts {
		if reason, refused := strings.CutPrefix(text, refusal); refused {
			return fmt.Sprintf("rank %d: %s", r, reason)
		}
	}
	return ""
}

// settle agrees with the other ranks on the way, and on what was measured.
func (g *Group) settle(ctx context.Context) error {
	if g.Size() == 1 {
		g.way = g.chooseWay("")
		return nil
	}
	op, err := g.begin(ctx, opForm, Key{})
	if err != nil {
		return err
	}
	op.phase = "agree on memory"
	defer op.end()
	reason, err := g.setUpShared(op)
	if err != nil {
		return err
	}
	g.way = g.chooseWay(reason)
	op.phase = "measure"
	return g.measure(op)
}

// tell sends a text.
func (op *operation) tell(p *peer, text string) {
	h := op.header(link.Setup, 0)
	h.Length, h.Sum = uint32(len(text)), link.Checksum([]byte(text))
	if err := p.link.Send(h, []byte(text)); err != nil {
		op.g.linkFailed(p.rank, err)
	}
}

// hear waits for a text.
func (op *operation) hear(p *peer) (string, bool) {
	m, ok := op.take(p, link.Setup)
	return string(m.data), ok
}

// notes brings a text of every rank to every rank, by the board.
func (op *operation) notes(text string) ([]string, bool) {
	list := make([]string, op.g.Size())
	head := func(int) [shm.HeadBytes]byte { return op.head(link.Setup, 0, noteBytes) }
	ok := op.round(op.g.shared.smalls, head, func(msg []byte) {
		clear(msg[copy(msg, text):])
	}, func(r int, data []byte) {
		text, _, _ := bytes.Cut(data, []byte{0})
		list[r] = string(text)
	})
	return list, ok
}

// dictate makes list what rank 0 has in it.
func (op *operation) dictate(list []int64) error {
	g := op.g
	if g.Rank() == 0 {
		for _, p := range g.mesh[1:] {
			op.tell(p, fmt.Sprint(list[0], list[1]))
		}
		return op.result()
	}
	text, ok := op.hear(g.mesh[0])
	if !ok {
		return op.result()
	}
	if _, err := fmt.Sscan(text, &list[0], &list[1]); err != nil {
		g.fail(g.observed(0, fmt.Errorf("%w: %q is no measurement", ErrStale, text)))
	}
	return op.result()
}

// setUpShared agrees with all ranks on memory to share, and on vectors in place. Rank 0 makes the memory and offers it,
// the others try to map it and say so, and rank 0 decides. It returns why the group has no faster way; an error is the
// group's.
func (g *Group) setUpShared(op *operation) (reason string, err error) {
	if !g.oneHost() {
		return "the ranks are on several hosts", nil
	}
	s, why := g.openShared(op)
	g.mu.Lock()
	g.shared = s // and Close returns it, should the group have broken meanwhile
	g.mu.Unlock()
	switch {
	case op.result() != nil:
		return "", op.result()
	case s == nil:
		return why.Error(), nil
	}
	return g.mapHomes(op)
}

// oneHost says whether all ranks are on one host.
func (g *Group) oneHost() bool {
	host := g.cfg.Peers[0].Host
	return host != "" && !slices.ContainsFunc(g.cfg.Peers, func(p Peer) bool { return p.Host != host })
}

// openShared returns an error that is the same for all ranks, or that broke the group.
func (g *Group) openShared(op *operation) (*shared, error) {
	if g.Rank() == 0 {
		return g.offerShared(op)
	}
	offer, ok := op.hear(g.mesh[0])
	if !ok {
		return nil, op.result()
	}
	answer := agreed
	segment, err := g.tryOpen(offer)
	if err != nil {
		answer = refuse(err)
	}
	op.tell(g.mesh[0], answer)
	verdict, ok := op.hear(g.mesh[0])
	switch {
	case !ok:
		err = op.result()
	case err != nil && verdict == agreed:
		g.fail(g.observed(0, fmt.Errorf("%w: it takes memory that rank %d has refused (%w)", ErrStale, g.Rank(), err)))
		err = op.result()
	default:
		err = answerError(verdict)
	}
	return g.takeShared(segment, err)
}

// tryOpen maps what rank 0 offers.
func (g *Group) tryOpen(offer string) (*shm.Segment, error) {
	if g.cfg.NoSharedMemory {
		return nil, errNoShared
	}
	if reason, refused := strings.CutPrefix(offer, refusal); refused {
		return nil, errors.New(reason)
	}
	return shm.Open(offer)
}

// offerShared is rank 0's part of openShared.
func (g *Group) offerShared(op *operation) (*shared, error) {
	segment, err := g.tryCreate()
	offer := ""
	if err != nil {
		offer = refuse(err)
	} else {
		offer = segment.Offer()
	}
	for _, p := range g.mesh[1:] {
		op.tell(p, offer)
	}
	verdict := agreed
	for _, p := range g.mesh[1:] {
		answer, ok := op.hear(p)
		if !ok { // it may have refused: there is no verdict
			return g.takeShared(segment, op.result())
		}
		if answer != agreed && verdict == agreed {
			verdict, err = answer, answerError(answer)
		}
	}
	for _, p := range g.mesh[1:] {
		op.tell(p, verdict)
	}
	if segment != nil {
		segment.Drop()
	}
	return g.takeShared(segment, err)
}

// tryCreate makes memory for all ranks.
func (g *Group) tryCreate() (*shm.Segment, error) {
	switch {
	case g.Size() > sharedRanks:
		return nil, fmt.Errorf("%d ranks are too many for it", g.Size())
	case g.cfg.NoSharedMemory:
		return nil, errNoShared
	}
	return shm.Create(geometry(g.Size()).Size())
}

// takeShared is what openShared returns: the memory, unless err says why not.
func (g *Group) takeShared(segment *shm.Segment, err error) (*shared, error) {
	if err == nil {
		var s *shared
		if s, err = newShared(segment, g.Rank(), g.Size()); err == nil {
			return s, nil
		}
	}
	if segment != nil {
		_ = segment.Close()
	}
	return nil, err
}

// mapHomes agrees with all ranks on mapping each other's memories. It returns why they aren't, where they aren't.
func (g *Group) mapHomes(op *operation) (reason string, err error) {
	offer := refusal + "it has no memory for it"
	if m := g.cfg.Memory; m != nil {
		var why error
		if offer, why = m.offer(); why != nil {
			offer = refuse(why)
		}
	}
	offers, ok := op.notes(offer)
	if !ok {
		return "", op.result()
	}
	if reason = firstRefusal(offers); reason != "" {
		return reason, nil
	}
	h := &homes{of: make([][]byte, g.Size())}
	answer := agreed
	for r, offer := range offers {
		if r == g.Rank() {
			h.of[r] = g.cfg.Memory.bytes()
			continue
		}
		s, why := shm.Open(offer)
		if why != nil {
			answer = refuse(why)
			break
		}
		h.maps, h.of[r] = append(h.maps, s), s.Bytes()
	}
	answers, ok := op.notes(answer)
	if reason = firstRefusal(answers); !ok || reason != "" {
		h.close()
		return reason, op.result()
	}
	g.mu.Lock()
	g.shared.homes = h
	g.mu.Unlock()
	return "", nil
}
