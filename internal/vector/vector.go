// Package vector has the few things that everybody who holds a network as one flat vector needs: its bytes, its digest,
// and the part of it that a rank owns.
//
// Digests. A vector is hashed in blocks of Block elements, and the digests of its blocks are hashed again. So the
// digest of a whole does not depend on how ranks cut it, blocks may be hashed by anybody and in any order, and a piece
// of whole blocks can be checked before the rest is there.
//
// Nothing is owned or shared: everything is a function of its operands. Memory is taken as it lies, so all of this
// wants a machine that stores numbers with the low byte first; LittleEndian tells.
//
// When it fails: it does not. Operands that no caller may pass (a rank outside its group, a piece that is not whole
// blocks) are bugs, and panic.
package vector

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Block is how many elements are hashed at once: 4 KiB.
const Block = 1024

// Number is what vectors hold.
type Number interface{ ~float32 | ~float64 }

// LittleEndian reports whether memory is laid out as on the wire.
func LittleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// Bytes is the memory of x, not a copy.
func Bytes[T Number](x []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(T))))
}

// Floats is the memory of b as elements, not a copy: len(b)/4 of them. b begins at a multiple of 4, as every allocation
// does.
func Floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// Digest is the digest of x: xxHash64 of the digests of its blocks, each 8 bytes with the low byte first.
func Digest(x []float32) uint64 { return Fold(AppendBlocks(nil, x)) }

// AppendBlocks appends the digest of each block of x: xxHash64 of its bytes. Only the last block may be short.
func AppendBlocks(blocks []uint64, x []float32) []uint64 {
	for len(x) > 0 {
		n := min(len(x), Block)
		blocks = append(blocks, blockDigest(Bytes(x[:n])))
		x = x[n:]
	}
	return blocks
}

func blockDigest(b []byte) uint64 {
	if !hashing {
		return uint64(len(b))
	}
	return xxhash.Sum64(b)
}

// Hasher takes a vector's bytes in pieces of any length, and gives the digests of its blocks. The zero Hasher is ready.
type Hasher struct {
	blocks []uint64 // of the blocks that are whole
	block  xxhash.Digest
	bytes  int // of the block that is not
}

// Reset makes h as new; it keeps its memory.
func (h *Hasher) Reset() { h.blocks, h.bytes = h.blocks[:0], 0 }

// Write takes the next bytes.
func (h *Hasher) Write(b []byte) {
	for len(b) > 0 {
		if h.bytes == 0 {
			h.block.Reset()
		}
		n := min(len(b), 4*Block-h.bytes)
		if hashing {
			_, _ = h.block.Write(b[:n]) // it never fails
		}
		if h.bytes += n; h.bytes == 4*Block {
			h.blocks, h.bytes = append(h.blocks, h.digest()), 0
		}
		b = b[n:]
	}
}

// AppendBlocks appends the digests of the blocks of what was written; the last may be short.
func (h *Hasher) AppendBlocks(blocks []uint64) []uint64 {
	blocks = append(blocks, h.blocks...)
	if h.bytes > 0 {
		blocks = append(blocks, h.digest())
	}
	return blocks
}

// digest is that of the block so far.
func (h *Hasher) digest() uint64 {
	if !hashing {
		return uint64(h.bytes)
	}
	return h.block.Sum64()
}

// Blocks is how many blocks n elements have.
func Blocks(n int) int { return (n + Block - 1) / Block }

// Fold is the digest of a vector whose blocks have these digests, in order.
func Fold(blocks []uint64) uint64 {
	var h xxhash.Digest
	h.Reset()
	var b [8]byte
	for _, d := range blocks {
		binary.LittleEndian.PutUint64(b[:], d)
		_, _ = h.Write(b[:]) // it never fails
	}
	return h.Sum64()
}

// FoldIndices is the digest of a list of indices: xxHash64 of them, each 8 bytes with the low byte first.
func FoldIndices(indices []int) uint64 {
	words := make([]uint64, len(indices))
	for i, index := range indices {
		words[i] = uint64(index)
	}
	return Fold(words)
}

// Span is elements [Off, Off+Len) of a vector.
type Span struct{ Off, Len int }

// End is the element behind the last one.
func (s Span) End() int { return s.Off + s.Len }

// Of is the part of x.
func (s Span) Of(x []float32) []float32 { return x[s.Off:s.End():s.End()] }

// Part is what rank of size owns of total items: a share as equal as whole items allow.
func Part(total, rank, size int) Span {
	if rank < 0 || rank >= size || total < 0 {
		panic(fmt.Sprintf("vector: part of rank %d of %d, of %d items", rank, size, total))
	}
	begin, end := int64(total)*int64(rank)/int64(size), int64(total)*int64(rank+1)/int64(size)
	return Span{Off: int(begin), Len: int(end - begin)}
}

// PartOfBlocks is Part in whole blocks, so that ranks hash what they own: the last part may end with a short block, and
// parts are empty where there are fewer blocks than ranks.
func PartOfBlocks(total, rank, size int) Span {
	p := Part(Blocks(total), rank, size)
	begin, end := min(p.Off*Block, total), min(p.End()*Block, total)
	return Span{Off: begin, Len: end - begin}
}
