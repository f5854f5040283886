// Package shm is memory that the ranks of one host share, and the two ways a group uses it.
//
// A Board is where every rank puts a short message and reads those of all others: one wake-up for all. A Window is a
// row of cells that wander from rank to rank: each adds to a cell in its turn, then all read it. The window is
// small and stays in cache, whatever the length of a vector.
//
// The memory is an anonymous file (memfd) which the other ranks open through its maker's entry in /proc. It has no
// name in any file system, so nothing is left behind when processes are killed at any moment.
//
// Ownership. An Arena belongs to one rank's group; Board and Window are each used by one goroutine at a time. Ranks
// that wait sleep in the kernel (futex); nobody spins.
//
// When it fails: Create and Open say why memory cannot be shared here (containers with process namespaces of their
// own, a hidden /proc, another system than Linux), and the group stays on TCP. A rank that dies leaves the
// others waiting; whoever notices calls Abort, and every wait on every rank returns ErrAborted.
package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"
)

var (
	// ErrAborted is the error of a wait on an arena that a rank aborted.
	ErrAborted = errors.New("shm: aborted")
	// ErrTimeout is the error of a wait that took longer than it may.
	ErrTimeout = errors.New("shm: no progress within the deadline")
	// ErrUnsupported is the error of Create and Open on systems without memfd and futex.
	ErrUnsupported = errors.New("shm: shared memory needs linux")
)

// slice is the longest single sleep: a wake-up that was lost with the process that owed it costs at most this.
const slice = 20 * time.Millisecond

// HeadBytes is the size of the opaque head that comes with a message or a cell.
const HeadBytes = 32

const (
	line = 64   // what one rank writes often must not share a cache line with what another does
	page = 4096 // data begins on a page
)

// Geometry is the shape of an arena. It is equal on all ranks.
type Geometry struct {
	Ranks      int
	Boards     int // number of boards
	BoardBytes int // longest message on a board
	Cells      int // cells of the window
	CellBytes  int
}

// Offsets: first line: magic and nonce; second line: abort; then a line per rank (position), boards, cells, data.
const (
	nonceAt = 8
	abortAt = line
	ranksAt = 2 * line
	magic   = 0x4D48534C4F594231
)

func (g Geometry) boardsAt() int { return ranksAt + g.Ranks*line }

// boardSize is one word line, and two areas of each rank: a line with head and length, and the message.
func (g Geometry) boardSize() int { return line + 2*g.Ranks*g.areaSize() }

func (g Geometry) areaSize() int { return line + up(g.BoardBytes, line) }

func (g Geometry) cellsAt() int { return g.boardsAt() + g.Boards*g.boardSize() }

// Each cell has a line for its word and one for its head.
func (g Geometry) dataAt() int { return up(g.cellsAt()+g.Cells*2*line, page) }

// Size is the number of bytes of the arena.
func (g Geometry) Size() int { return g.dataAt() + g.Cells*up(g.CellBytes, page) }

func up(n, unit int) int { return (n + unit - 1) / unit * unit }

// Arena is one rank's view of the shared memory.
type Arena struct {
	mem  []byte
	geo  Geometry
	rank int
}

// NewArena views mem, which has geo.Size() bytes and began as zeros, as rank.
func NewArena(mem []byte, geo Geometry, rank int) (*Arena, error) {
	if len(mem) < geo.Size() || rank < 0 || rank >= geo.Ranks {
		return nil, fmt.Errorf("view %d bytes of shared memory as rank %d of %+v: want %d bytes",
			len(mem), rank, geo, geo.Size())
	}
	return &Arena{mem: mem, geo: geo, rank: rank}, nil
}

// word is a counter that ranks wait on. It only grows, modulo 2³².
type word struct {
	value    uint32
	sleepers uint32
}

func (a *Arena) word(off int) *word { return (*word)(unsafe.Pointer(&a.mem[off])) }

// reached says whether the word has come to target.
func (w *word) reached(target uint32) bool { return int32(atomic.LoadUint32(&w.value)-target) >= 0 }

// add moves the word on and wakes the sleepers in mask, if there are any.
func (w *word) add(n, mask uint32) {
	atomic.AddUint32(&w.value, n)
	if atomic.LoadUint32(&w.sleepers) > 0 {
		wake(&w.value, mask)
	}
}

// everybody is the mask of all ranks.
const everybody = ^uint32(0)

// bit is the mask of a rank. Ranks 32 apart share one, and are woken together.
func bit(rank int) uint32 { return 1 << (rank % 32) }

// await sleeps until w has reached target.
func (a *Arena) await(w *word, target uint32, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	atomic.AddUint32(&w.sleepers, 1)
	defer atomic.AddUint32(&w.sleepers, ^uint32(0))
	for {
		v := atomic.LoadUint32(&w.value)
		switch {
		case a.Aborted():
			return ErrAborted
		case int32(v-target) >= 0:
			return nil
		case time.Now().After(deadline):
			return ErrTimeout
		}
		sleep(&w.value, v, bit(a.rank), slice)
	}
}

// Abort makes every wait on every rank return ErrAborted, now and later.
func (a *Arena) Abort() {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&a.mem[abortAt])), 1)
	for b := range a.geo.Boards {
		wake(&a.word(a.geo.boardsAt()+b*a.geo.boardSize()).value, everybody)
	}
	for c := range a.geo.Cells {
		wake(&a.word(a.geo.cellsAt()+c*2*line).value, everybody)
	}
}

// Aborted says whether a rank has aborted the arena.
func (a *Arena) Aborted() bool {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&a.mem[abortAt]))) != 0
}

// mark writes the magic and the nonce that tell this memory from any other.
func mark(mem []byte, nonce [16]byte) {
	binary.LittleEndian.PutUint64(mem, magic)
	copy(mem[nonceAt:], nonce[:])
}

func marked(mem []byte, nonce [16]byte) bool {
	return binary.LittleEndian.Uint64(mem) == magic && [16]byte(mem[nonceAt:nonceAt+16]) == nonce
}
