package shm

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Window is a row of cells used in turn, cell number s of all time in place s modulo the number of cells.
//
// The life of a cell is counted in its word, 2·ranks to a use: turn 0 … ranks−1 are the ranks that write it one after
// another, then each rank that reads it counts one more, and when all have, the place is free for its next use. A
// rank that writes a cell alone counts all turns at once.
type Window struct{ a *Arena }

// Window returns the window.
func (a *Arena) Window() *Window { return &Window{a} }

func (w *Window) place(s uint64) int { return int(s % uint64(w.a.geo.Cells)) }

func (w *Window) word(s uint64) *word { return w.a.word(w.a.geo.cellsAt() + w.place(s)*2*line) }

// target is the value of the word of cell s when count turns and reads are done.
func (w *Window) target(s uint64, count int) uint32 {
	return uint32(s/uint64(w.a.geo.Cells)*uint64(2*w.a.geo.Ranks) + uint64(count))
}

// Data is the memory of cell s.
func (w *Window) Data(s uint64) []byte {
	off := w.a.geo.dataAt() + w.place(s)*up(w.a.geo.CellBytes, page)
	return w.a.mem[off : off+w.a.geo.CellBytes]
}

// Head is the head of cell s. Its first writer sets it.
func (w *Window) Head(s uint64) *[HeadBytes]byte {
	off := w.a.geo.cellsAt() + w.place(s)*2*line + line
	return (*[HeadBytes]byte)(w.a.mem[off : off+HeadBytes])
}

// Ready says whether count turns and reads of cell s are done: a rank's own turn is the count of those before it,
// reading begins at Ranks.
func (w *Window) Ready(s uint64, count int) bool {
	return w.word(s).reached(w.target(s, count)) && !w.a.Aborted()
}

// Await sleeps until count turns and reads of cell s are done.
func (w *Window) Await(s uint64, count int, limit time.Duration) error {
	return w.a.await(w.word(s), w.target(s, count), limit)
}

// Written ends the turn of this rank, which was turn, and turns more if it wrote for others too.
func (w *Window) Written(s uint64, turn, turns int) {
	mask := everybody
	if next := turn + turns; next < w.a.geo.Ranks {
		mask = bit(next)
	}
	w.word(s).add(uint32(turns), mask)
}

// WasRead counts this rank as a reader of cell s.
func (w *Window) WasRead(s uint64) {
	c := w.word(s)
	if v := atomic.AddUint32(&c.value, 1); v == w.target(s, 2*w.a.geo.Ranks) && atomic.LoadUint32(&c.sleepers) > 0 {
		wake(&c.value, everybody)
	}
}

// Publish says how far this rank has come, in steps of all time.
func (w *Window) Publish(position uint32) { atomic.StoreUint32(w.position(w.a.rank), position) }

// Behind is the rank that has come least far: it waits for nobody else.
func (w *Window) Behind() int {
	least, who := atomic.LoadUint32(w.position(0)), 0
	for r := 1; r < w.a.geo.Ranks; r++ {
		if p := atomic.LoadUint32(w.position(r)); int32(p-least) < 0 {
			least, who = p, r
		}
	}
	return who
}

func (w *Window) position(rank int) *uint32 {
	return (*uint32)(unsafe.Pointer(&w.a.mem[ranksAt+rank*line]))
}
