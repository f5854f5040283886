package link

import (
	"encoding/binary"
	"fmt"
)

// HeaderBytes is the size of an encoded header.
const HeaderBytes = 32

const (
	magic   = 0xB101
	version = 4
)

// Kind says what a frame carries.
type Kind uint8

// The kinds of frames.
const (
	Reduce Kind = iota + 1 // a partial sum of a chunk
	Result                 // the finished sum of a chunk
	Share                  // a chunk of one rank's span
	Gather                 // one rank's part of a gathered vector
	Small                  // one rank's shards of a short all-reduce
	Setup                  // offers and answers while a group forms
	Pulse                  // the sender lives; its step is how many frames it has begun on the ring
	Abort                  // the sender's group broke; the payload says why
	Bye                    // the sender closed its group in good order
	Place                  // where a vector lies that is summed there; in shared memory only
	Done                   // this rank's part of that is done; in shared memory only
	Part                   // bfloat16 elements of one rank's shards, for the rank that sums that chunk
	Total                  // the finished sum of a chunk, in bfloat16
)

var kindNames = [...]string{"none", "reduce", "result", "share", "gather", "small", "setup", "pulse",
	"abort", "bye", "place", "done", "part", "total"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Header is the fixed head of a frame. On the wire it is little-endian:
//
//	0 magic u16 · 2 version u8 · 3 kind u8 · 4 generation u32 · 8 step u64 ·
//	16 bucket u32 · 20 chunk u32 · 24 length u32 · 28 Checksum of the payload u32
//
// A receiver knows every field but Sum beforehand, so a flipped bit in the head is a refused frame. Generation
// is the low half of the group's; the whole of it was compared when the link was made.
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
	binary.LittleEndian.PutUint16(b[0:], magic)
	b[2] = version
	b[3] = byte(h.Kind)
	binary.LittleEndian.PutUint32(b[4:], h.Generation)
	binary.LittleEndian.PutUint64(b[8:], h.Step)
	binary.LittleEndian.PutUint32(b[16:], h.Bucket)
	binary.LittleEndian.PutUint32(b[20:], h.Chunk)
	binary.LittleEndian.PutUint32(b[24:], h.Length)
	binary.LittleEndian.PutUint32(b[28:], h.Sum)
}

// Decode reads a header from the first HeaderBytes of b.
func Decode(b []byte) (Header, error) {
	_ = b[HeaderBytes-1]
	if m := binary.LittleEndian.Uint16(b); m != magic || b[2] != version {
		return Header{}, fmt.Errorf("%w: magic %#x version %d, want %#x version %d", ErrFrame, m, b[2], magic, version)
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
