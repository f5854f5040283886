package shm

import (
	"encoding/binary"
	"sync/atomic"
	"time"
	"unsafe"
)

// Board brings one message of every rank to every rank, round after round.
//
// The areas of a rank alternate. A rank that has seen all of round u may write round u+1 while others still read
// round u; it writes round u+2, over round u, only after all have put round u+1, which they do after reading u.
type Board struct {
	a     *Arena
	base  int
	round uint32
}

// Board returns board i.
func (a *Arena) Board(i int) *Board {
	if i < 0 || i >= a.geo.Boards {
		panic("shm: no such board")
	}
	return &Board{a: a, base: a.geo.boardsAt() + i*a.geo.boardSize()}
}

// An area's line: head, length of the message u32, round u32 (1 once round 0 is there).
const (
	lengthAt = HeadBytes
	roundAt  = HeadBytes + 4
)

func (b *Board) area(rank int) []byte {
	off := b.base + line + (2*rank+int(b.round&1))*b.a.geo.areaSize()
	return b.a.mem[off : off+b.a.geo.areaSize()]
}

// Message is this rank's memory for n bytes of the round that begins: fill it, then call Put.
func (b *Board) Message(n int) []byte {
	if n > b.a.geo.BoardBytes {
		panic("shm: message is longer than the board's")
	}
	area := b.area(b.a.rank)
	binary.LittleEndian.PutUint32(area[lengthAt:], uint32(n))
	return area[line : line+n]
}

// Put shows the message to all.
func (b *Board) Put(head [HeadBytes]byte) {
	area := b.area(b.a.rank)
	copy(area, head[:])
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&area[roundAt])), b.round+1)
	w := b.a.word(b.base)
	n := uint32(b.a.geo.Ranks)
	if atomic.AddUint32(&w.value, 1) == n*(b.round+1) && atomic.LoadUint32(&w.sleepers) > 0 {
		wake(&w.value, everybody)
	}
}

// Full says whether all have put the round's message.
func (b *Board) Full() bool {
	return b.a.word(b.base).reached(uint32(b.a.geo.Ranks)*(b.round+1)) && !b.a.Aborted()
}

// Await sleeps until all have put the round's message.
func (b *Board) Await(limit time.Duration) error {
	return b.a.await(b.a.word(b.base), uint32(b.a.geo.Ranks)*(b.round+1), limit)
}

// Late is the first rank whose message is missing, or −1.
func (b *Board) Late() int {
	for r := range b.a.geo.Ranks {
		area := b.area(r)
		if atomic.LoadUint32((*uint32)(unsafe.Pointer(&area[roundAt]))) != b.round+1 {
			return r
		}
	}
	return -1
}

// Read is the round's message of rank and its head, once the board is full. It is valid until Next.
func (b *Board) Read(rank int) ([HeadBytes]byte, []byte) {
	area := b.area(rank)
	n := min(int(binary.LittleEndian.Uint32(area[lengthAt:])), b.a.geo.BoardBytes)
	return [HeadBytes]byte(area[:HeadBytes]), area[line : line+n]
}

// Next ends the round.
func (b *Board) Next() { b.round++ }
