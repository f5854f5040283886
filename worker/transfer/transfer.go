// Package transfer carries the state of a step from a worker that holds it to one that does not, over the port at which
// peers reach each other.
//
// Names. A state is known by its step and by the digests that the run has committed, and these are made of the digests
// of blocks (internal/vector). So who fetches first takes the digests of all blocks, sees whether they are those of the
// state it wants, and from then on knows of each piece at once whether it is right: whoever sends it, and in whatever
// order peers come and go. What was taken from one peer need not be taken from the next.
//
// On the wire, all little-endian. Who fetches sends one request and reads until it has all:
//
//	request  0 Magic u32 · 4 version u16 · 6 what u8 (bit 0: blocks, too) · 7 length of the run id u8 · 8 step i64 ·
//	         16 vector u8, of the first piece · 17 zero [7] · 24 block u64, of the first piece · 32 run id
//	answer   0 Magic u32 · 4 verdict u8 · 5 zero [3] · 8 step held i64 · 16 elements u64 of each of the four vectors
//	blocks   of each vector, where asked for: a head, then 8 bytes for each block
//	pieces   of each vector from the first piece on: a head, then at most PieceBytes
//	head     0 Magic u32 · 4 kind u8 · 5 vector u8 · 6 zero u16 · 8 first block u64 · 16 bytes u64
//
// A head can be foreseen by who reads it, except that its kind may be "gone": the state has changed, and the step that
// is held now stands in place of the first block.
//
// Ownership. A Server belongs to its worker; whoever accepts connections calls Serve, in goroutines of its own. What is
// offered stays the caller's, and is read from Offer until Withdraw or another Offer returns, a piece at a time, so
// that a slow peer holds nobody up. Fetch writes to the vectors that it is given and starts no goroutine.
//
// When it fails: Fetch goes to the next peer after any error, and to the first again, until it has all or nobody has
// given anything for as long as Want.Silence. Its *Error says what each peer answered. The vectors then hold some of
// the state, and are of no use. A Server only closes the connection.
package transfer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"byol/internal/vector"
)

// Magic is how connections begin that ask for a state.
const Magic = 0x53594F42

const (
	version = 1
	// PieceBytes is how much is sent, and verified, at once.
	PieceBytes   = 1 << 20
	pieceBlocks  = PieceBytes / (4 * vector.Block)
	requestBytes = 32
	answerBytes  = 16 + 8*vectors
	headBytes    = 24
	maxRunID     = 255
	vectors      = 4
)

// State is what a step leaves behind, as the host sees it.
type State struct {
	Online     []float32 // θ
	Momentum   []float32
	Statistics []float32 // running statistics of both networks
	Target     []float32 // ξ
}

// Digests name a state; see package vector.
type Digests struct{ Online, Momentum, Statistics, Target uint64 }

// list is the state in the order in which it travels.
func (s State) list() [vectors][]float32 {
	return [vectors][]float32{s.Online, s.Momentum, s.Statistics, s.Target}
}

func (d Digests) list() [vectors]uint64 {
	return [vectors]uint64{d.Online, d.Momentum, d.Statistics, d.Target}
}

// names of the vectors, in that order.
var names = [vectors]string{"online network", "momentum", "running statistics", "target network"}

// verdict is the answer to a request.
type verdict uint8

const (
	granted     verdict = 1
	otherRun    verdict = 2
	otherStep   verdict = 3 // the step that is held comes with it
	busy        verdict = 4
	lastVerdict         = busy
)

// kind says what follows a head.
type kind uint8

const (
	kindBlocks kind = 1
	kindPiece  kind = 2
	kindGone   kind = 3
)

// request asks for the state of a step from a piece on.
type request struct {
	blocks bool // the digests of all blocks come first
	step   int64
	vector int
	block  int // in the vector
	run    string
}

func (q request) send(w io.Writer) error {
	b := make([]byte, requestBytes, requestBytes+len(q.run))
	binary.LittleEndian.PutUint32(b, Magic)
	binary.LittleEndian.PutUint16(b[4:], version)
	if q.blocks {
		b[6] = 1
	}
	b[7] = byte(len(q.run))
	binary.LittleEndian.PutUint64(b[8:], uint64(q.step))
	b[16] = byte(q.vector)
	binary.LittleEndian.PutUint64(b[24:], uint64(q.block))
	_, err := w.Write(append(b, q.run...))
	return err
}

// receiveRequest reads what follows Magic.
func receiveRequest(r io.Reader) (request, error) {
	b := make([]byte, requestBytes+maxRunID)
	if _, err := io.ReadFull(r, b[4:requestBytes]); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != version {
		return request{}, fmt.Errorf("read request: version %d, want %d", v, version)
	}
	run := b[requestBytes : requestBytes+int(b[7])]
	if _, err := io.ReadFull(r, run); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	q := request{blocks: b[6]&1 != 0, step: int64(binary.LittleEndian.Uint64(b[8:])), vector: int(b[16]), run: string(run)}
	block := binary.LittleEndian.Uint64(b[24:])
	if q.vector >= vectors || block > 1<<40 {
		return request{}, fmt.Errorf("read request: vector %d, block %d", q.vector, block)
	}
	q.block = int(block)
	return q, nil
}

// answer is what comes before a state.
type answer struct {
	verdict verdict
	held    int64 // committed steps in the state that is held, −1 for none
	lengths [vectors]int
}

func (a answer) send(w io.Writer) error {
	b := make([]byte, answerBytes)
	binary.LittleEndian.PutUint32(b, Magic)
	b[4] = byte(a.verdict)
	binary.LittleEndian.PutUint64(b[8:], uint64(a.held))
	for i, n := range a.lengths {
		binary.LittleEndian.PutUint64(b[16+8*i:], uint64(n))
	}
	_, err := w.Write(b)
	return err
}

func receiveAnswer(r io.Reader) (answer, error) {
	b := make([]byte, answerBytes)
	if _, err := io.ReadFull(r, b); err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	a := answer{verdict: verdict(b[4]), held: int64(binary.LittleEndian.Uint64(b[8:]))}
	if binary.LittleEndian.Uint32(b) != Magic || a.verdict == 0 || a.verdict > lastVerdict {
		return answer{}, errors.New("read answer: not this protocol; does something else listen there?")
	}
	for i := range a.lengths {
		a.lengths[i] = int(binary.LittleEndian.Uint64(b[16+8*i:])) // compared with what is wanted, and no more
	}
	return a, nil
}

// head comes before blocks and pieces.
type head struct {
	kind   kind
	vector int
	block  int64
	bytes  int
}

func (h head) encode(b []byte) {
	clear(b[:headBytes])
	binary.LittleEndian.PutUint32(b, Magic)
	b[4], b[5] = byte(h.kind), byte(h.vector)
	binary.LittleEndian.PutUint64(b[8:], uint64(h.block))
	binary.LittleEndian.PutUint64(b[16:], uint64(h.bytes))
}

func decodeHead(b []byte) (head, error) {
	if m := binary.LittleEndian.Uint32(b); m != Magic {
		return head{}, fmt.Errorf("read head: magic %#x, want %#x", m, uint32(Magic))
	}
	return head{kind: kind(b[4]), vector: int(b[5]), block: int64(binary.LittleEndian.Uint64(b[8:])),
		bytes: int(binary.LittleEndian.Uint64(b[16:]))}, nil
}

// pieces is the part of x from a block on that is sent at once, in elements.
func piece(x []float32, block int) []float32 {
	begin := min(block*vector.Block, len(x))
	return x[begin:min(begin+pieceBlocks*vector.Block, len(x))]
}
