package jpeg

import "encoding/binary"

// natural is where the coefficients of a file, which come in zigzag order, belong in a block of rows.
var natural = [blockSize]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

const (
	peekBits = 11        // of the entropy code, which the first table is indexed by
	endRun   = blockSize // run of the symbol that ends a block
)

// huffman is a Huffman table, made ready to read a symbol and the number behind it at once.
//
// An entry of fast, for all codes that begin with its index, is value<<16 | run<<8 | bits: skip run coefficients, the
// next is value, and all of it took so many bits. 0 bits: it takes more than peekBits, and slow reads it.
type huffman struct {
	fast   [1 << peekBits]uint32
	limit  [17]uint32 // by length: first code of more bits, as 16 bits from the left
	offset [17]int32  // by length: index of its first symbol less its first code
	source [16 + 256]byte
	length int // of source: what the table was made from
}

// build makes the table from the numbers of codes of each length and the symbols. It says false for a table that no
// baseline file has.
func (t *huffman) build(source []byte, ac bool) bool {
	t.length = copy(t.source[:], source)
	counts, symbols := t.source[:16], t.source[16:t.length]
	clear(t.fast[:])
	code, first := uint32(0), 0
	for bits := 1; bits <= 16; bits++ {
		n := int(counts[bits-1])
		t.offset[bits] = int32(first) - int32(code)
		for _, s := range symbols[first : first+n] {
			if !ac && s > 11 || ac && s&15 > 10 {
				return false
			}
			t.enter(code, bits, s, ac)
			code++
		}
		first += n
		if n > 0 && code >= 1<<bits {
			return false // no code may be all ones
		}
		t.limit[bits] = code << (16 - bits)
		code <<= 1
	}
	return true
}

// enter fills in all entries that begin with a code, for all numbers that may follow it.
func (t *huffman) enter(code uint32, bits int, symbol byte, ac bool) {
	size, run := int(symbol&15), uint32(symbol>>4)
	if !ac {
		size, run = int(symbol), 0
	} else if size == 0 && run < 15 {
		run = endRun
		if symbol != 0 {
			return // an end of several blocks, which baseline files lack: slow refuses it
		}
	}
	total := bits + size
	if total > peekBits || code >= 1<<bits {
		return // slow reads it; build refuses it
	}
	spare := peekBits - total
	for extra := range uint32(1) << size {
		e := uint32(uint16(extend(extra, size)))<<16 | run<<8 | uint32(total)
		from := (code<<size | extra) << spare
		for i := range uint32(1) << spare {
			t.fast[from+i] = e
		}
	}
}

// extend is the number that size bits stand for.
func extend(bits uint32, size int) int32 {
	if size == 0 || bits>>(size-1) != 0 {
		return int32(bits)
	}
	return int32(bits) - 1<<size + 1
}

// slow reads a symbol and its number from the left of window, in the form of an entry of fast; 0 if it is none.
func (t *huffman) slow(window uint64, ac bool) uint32 {
	head := uint32(window >> 48)
	bits := 1
	for head >= t.limit[bits] {
		if bits++; bits > 16 {
			return 0
		}
	}
	symbol := t.source[16+int(t.offset[bits]+int32(head>>(16-bits)))]
	size, run := int(symbol&15), uint32(symbol>>4)
	if !ac {
		size, run = int(symbol), 0
	} else if size == 0 && run < 15 {
		if symbol != 0 {
			return 0
		}
		run = endRun
	}
	extra := uint32(window << bits >> 1 >> (63 - size))
	return uint32(uint16(extend(extra, size)))<<16 | run<<8 | uint32(bits+size)
}

// bitReader reads the entropy code: window holds the next bits from the left, count of them sure.
type bitReader struct {
	data   []byte // and cleanMargin zeros
	at     int
	end    int // bits up to the end of the span
	window uint64
	count  uint
}

// position is the number of bits read.
func (r *bitReader) position() int { return 8*r.at - int(r.count) }

// read is what stands in the entropy code of one block, but for its coefficients.
type read struct {
	diff int32 // the DC coefficient less that of the block before
	n    int   // coefficients up to the last that is not zero, in zigzag order; 0: the DC coefficient is all there is
	sum  int32 // of the magnitudes of the others, dequantised
}

// block reads the coefficients of one block into coef, which holds zeros, but for the DC coefficient. It says whether
// they are well-formed. It looks at no more than blockBytes bytes behind those that were read before.
func (r *bitReader) block(dc, ac *huffman, coef, quant *[blockSize]int16) (got read, ok bool) {
	window, count, at, data := r.window, r.count, r.at, r.data
	window |= binary.BigEndian.Uint64(data[at:]) >> (count & 63)
	at += int((63 - count) >> 3)
	count |= 56
	e := dc.fast[window>>(64-peekBits)]
	if e == 0 {
		if e = dc.slow(window, false); e == 0 {
			return read{}, false
		}
	}
	window <<= e & 63
	count -= uint(e & 63)
	got.diff = int32(e) >> 16
	k := 1
	for k < blockSize {
		if count < 32 {
			window |= binary.BigEndian.Uint64(data[at:]) >> (count & 63)
			at += int((63 - count) >> 3)
			count |= 56
		}
		e := ac.fast[window>>(64-peekBits)]
		if e == 0 {
			if e = ac.slow(window, true); e == 0 {
				return read{}, false
			}
		}
		window <<= e & 63
		count -= uint(e & 63)
		k += int(e >> 8 & 0xff)
		if k >= blockSize {
			if e>>8&0xff != endRun {
				return read{}, false
			}
			break
		}
		at, value := natural[k]&(blockSize-1), int32(e)>>16
		coef[at] = int16(value)
		got.sum += max(value, -value) * int32(quant[at])
		k++
		got.n = k
	}
	r.window, r.count, r.at = window, count, at
	return got, true
}
