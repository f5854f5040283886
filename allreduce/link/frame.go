package link

import (
	"encoding/binary"
	"fmt"
)

// HeaderBytes is the size of an encoded header.
const HeaderBytes = 32

const (
	magic   = 0xB101
	version = 5
)

// Kind says what a frame carries.
type Kind uint8

// The kinds of frames.
const (
	Reduce Kind = iota + 1 // what is summed of a chunk so far; in shared memory only
	Share                  // a chunk of one rank's span
	Node                   // sums of the shards of some ranks
	Small                  // one rank's part of a short all-reduce
	Setup                  // offers and answers while a group forms
	Pulse                  // the sender lives; its step is how many frames it has begun on the ring
	Abort                  // the sender's group broke; the payload says why
	Bye                    // the sender closed its group in good order
	Place                  // where a vector lies that is summed there; in shared memory only
	Done                   // this rank's part of that is done; in shared memory only
	Part                   // one rank's part of a chunk, for the rank that sums that
	Total                  // the finished sum of a chunk
)

var kindNames = [...]string{"none", "reduce", "share", "node", "small", "setup", "pulse",
	"abort", "bye", "place", "done", "part", "total"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Header is the fixed head of a frame. On the wire it is little-endian:
//
//	0 check u16 · 2 version u8 · 3 kind u8 · 4 generation u32 · 8 step u64 ·
//	16 bucket u32 · 20 chunk u32 · 24 length u32 · 28 Checksum of the payload u32
//
// The check is of the rest of the head, so that a flipped bit in it is a refused frame; one in the length would have
// the receiver wait for what never comes. Generation is the low half of the group's; the whole of it was compared when
// the link was made.
type Header struct {
	Kind       Kind
	Generation uint32
	Step       uint64
	Bucket     uint32
	Chunk      uint32
	Length     uint32
	Sum        uint32 // Checksum of the payload
}

func (h Header) String() string {
	return fmt.Sprintf("%v generation %d step %d bucket %d chunk %d length %d",
		h.Kind, h.Generation, h.Step, h.Bucket, h.Chunk, h.Length)
}

// Encode writes h to the first HeaderBytes of b.
func (h Header) Encode(b []byte) {
	_ = b[HeaderBytes-1]
	b[2] = version
	b[3] = byte(h.Kind)
	binary.LittleEndian.PutUint32(b[4:], h.Generation)
	binary.LittleEndian.PutUint64(b[8:], h.Step)
	binary.LittleEndian.PutUint32(b[16:], h.Bucket)
	binary.LittleEndian.PutUint32(b[20:], h.Chunk)
	binary.LittleEndian.PutUint32(b[24:], h.Length)
	binary.LittleEndian.PutUint32(b[28:], h.Sum)
	binary.LittleEndian.PutUint16(b[0:], check(b))
}

// check is a number that changes with every word of a head but the first: they are digits to an odd base, modulo 2^16.
func check(b []byte) uint16 {
	x := uint16(magic)
	for at := 2; at < HeaderBytes; at += 2 {
		x = 31*x + binary.LittleEndian.Uint16(b[at:])
	}
	return x
}

// Decode reads a header from the first HeaderBytes of b.
func Decode(b []byte) (Header, error) {
	_ = b[HeaderBytes-1]
	if b[2] != version {
		return Header{}, fmt.Errorf("%w: version %d, want %d", ErrFrame, b[2], version)
	}
	if got, want := binary.LittleEndian.Uint16(b), check(b); got != want {
		return Header{}, fmt.Errorf("%w: check %#x of a head, want %#x", ErrFrame, got, want)
	}
	return Header{
		Kind:       Kind(b[3]),
		Generation: binary.LittleEndian.Uint32(b[4:]),
		Step:       binary.LittleEndian.Uint64(b[8:]),
		Bucket:     binary.LittleEndian.Uint32(b[16:]),
		Chunk:      binary.LittleEndian.Uint32(b[20:]),
		Length:     binary.LittleEndian.Uint32(b[24:]),
		Sum:        binary.LittleEndian.Uint32(b[28:]),
	}, nil
}
