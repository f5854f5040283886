package allreduce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"time"
)

// role says what a connection is for.
type role uint8

const (
	roleMesh  role = 1 // short messages, both ways; the higher rank connects
	roleRing  role = 2 // bulk, from rank r, which connects, to r+1
	roleKnock role = 3 // nothing: the caller only asks for a sign of life
)

// verdict is the answer to a hello.
type verdict uint8

const (
	welcome      verdict = 1
	otherRun     verdict = 2 // another run, or another build's protocol
	otherPlan    verdict = 3 // same generation, other members
	youAreStale  verdict = 4 // the answerer is in a later generation
	youAreEarly  verdict = 5 // the answerer is not in that generation yet: try again
	notForMe     verdict = 6 // another rank was meant, or a connection that it does not wait for
	notYet       verdict = 7 // it forms no group at the moment: another answer follows
	helloMagic           = 0x4C4F5942
	helloVersion         = 6
	helloBytes           = 40
	answerBytes          = 16
	maxRunID             = 255
)

var verdicts = [...]string{"", "welcome", "it belongs to another run", "its plan has other members or another wire",
	"it is in a later generation", "it is not in this generation yet", "it expects another rank", "it forms no group yet"}

var (
	// errRefused is the error of a connection whose hello got another answer than welcome.
	errRefused = errors.New("refused")
	// errEarly is it where the answerer will be ready later.
	errEarly = fmt.Errorf("%w for now", errRefused)
	// errForming is what a knock finds at a rank that forms the same group.
	errForming = errors.New("it forms this group, too")
)

// hello opens every connection. On the wire, little-endian:
//
//	0 magic u32 · 4 version u16 · 6 role u8 · 7 length of the run id u8 · 8 generation u64 · 16 members u64 ·
//	24 rank u32 · 28 rank it wants u32 · 32 size u32 · 36 zero u32 · 40 run id
type hello struct {
	role       role
	generation uint64
	members    uint64 // hash of the plan's shards and wire
	rank, want int
	size       int
	run        string
}

func (h hello) send(w io.Writer) error {
	b := make([]byte, helloBytes, helloBytes+len(h.run))
	binary.LittleEndian.PutUint32(b[0:], helloMagic)
	binary.LittleEndian.PutUint16(b[4:], helloVersion)
	b[6], b[7] = byte(h.role), byte(len(h.run))
	binary.LittleEndian.PutUint64(b[8:], h.generation)
	binary.LittleEndian.PutUint64(b[16:], h.members)
	binary.LittleEndian.PutUint32(b[24:], uint32(h.rank))
	binary.LittleEndian.PutUint32(b[28:], uint32(h.want))
	binary.LittleEndian.PutUint32(b[32:], uint32(h.size))
	_, err := w.Write(append(b, h.run...))
	return err
}

// receiveHello reads what follows the magic, by which the Listener has told the connection's purpose.
func receiveHello(r io.Reader) (hello, error) {
	b := make([]byte, helloBytes+maxRunID)
	if _, err := io.ReadFull(r, b[4:helloBytes]); err != nil {
		return hello{}, fmt.Errorf("read hello: %w", err)
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != helloVersion {
		return hello{}, fmt.Errorf("read hello: version %d, want %d", v, helloVersion)
	}
	run := b[helloBytes : helloBytes+int(b[7])]
	if _, err := io.ReadFull(r, run); err != nil {
		return hello{}, fmt.Errorf("read hello: %w", err)
	}
	return hello{
		role:       role(b[6]),
		generation: binary.LittleEndian.Uint64(b[8:]),
		members:    binary.LittleEndian.Uint64(b[16:]),
		rank:       int(binary.LittleEndian.Uint32(b[24:])),
		want:       int(binary.LittleEndian.Uint32(b[28:])),
		size:       int(binary.LittleEndian.Uint32(b[32:])),
		run:        string(run),
	}, nil
}

// judge answers a hello on behalf of the rank that sends mine.
func (mine hello) judge(h hello) verdict {
	switch {
	case h.run != mine.run:
		return otherRun
	case h.generation < mine.generation:
		return youAreStale
	case h.generation > mine.generation:
		return youAreEarly
	case h.members != mine.members || h.size != mine.size:
		return otherPlan
	case h.want != mine.rank || h.rank == mine.rank || h.rank < 0 || h.rank >= mine.size:
		return notForMe
	case h.role == roleKnock, h.role == roleMesh && h.rank > mine.rank,
		h.role == roleRing && (h.rank+1)%mine.size == mine.rank:
		return welcome
	}
	return notForMe
}

func answer(w io.Writer, v verdict, generation uint64) error {
	b := make([]byte, answerBytes)
	binary.LittleEndian.PutUint32(b, helloMagic)
	b[4] = byte(v)
	binary.LittleEndian.PutUint64(b[8:], generation)
	_, err := w.Write(b)
	return err
}

// greet sends h on conn and waits for the answer, which may be silent for limit. alive is called for each "not yet".
func greet(conn net.Conn, h hello, limit time.Duration, alive func()) error {
	_ = conn.SetDeadline(time.Now().Add(limit))
	if err := h.send(conn); err != nil {
		return fmt.Errorf("send hello: %w", err)
	}
	b := make([]byte, answerBytes)
	for {
		_ = conn.SetDeadline(time.Now().Add(limit))
		if _, err := io.ReadFull(conn, b); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if binary.LittleEndian.Uint32(b) != helloMagic || verdict(b[4]) != notYet {
			return settleAnswer(conn, h, b)
		}
		alive()
	}
}

// settleAnswer is what an answer that counts means for h.
func settleAnswer(conn net.Conn, h hello, b []byte) error {
	v, generation := verdict(b[4]), binary.LittleEndian.Uint64(b[8:])
	switch {
	case binary.LittleEndian.Uint32(b) != helloMagic || int(v) >= len(verdicts) || v == 0:
		return errors.New("read answer: not this protocol; does something else listen there?")
	case v == youAreStale:
		return fmt.Errorf("%w: generation %d, %s: %d", ErrStale, h.generation, verdicts[v], generation)
	case v == youAreEarly:
		return fmt.Errorf("%w: %s (have generation %d, want %d)", errEarly, verdicts[v], generation, h.generation)
	case v != welcome:
		return fmt.Errorf("%w: %s (generation %d)", errRefused, verdicts[v], generation)
	}
	return conn.SetDeadline(time.Time{})
}

// membersHash is equal on ranks whose plans deal out the shards the same way and that round alike.
func membersHash(peers []Peer, wire Wire) uint64 {
	h := fnv.New64a()
	for _, p := range peers {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[0:], uint64(p.ShardBegin))
		binary.LittleEndian.PutUint64(b[8:], uint64(p.ShardEnd))
		h.Write(b[:])
	}
	if wire != Float32 {
		h.Write([]byte(wire.String()))
	}
	return h.Sum64()
}
