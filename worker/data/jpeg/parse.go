package jpeg

import (
	"bytes"
	"encoding/binary"
)

// Sizes of JPEG's tables.
const (
	blockSize = 64 // coefficients of a block, or samples
	maxTables = 2  // of either kind of Huffman table, in baseline files

	// blockBytes is the longest entropy code of a block, with what a reader looks ahead: a DC code of 16 bits and a
	// number of 11, 63 codes of 16 and numbers of 10, the rest of a byte, and two windows of 8 bytes.
	blockBytes = (16+11+63*(16+10)+7)/8 + 2*8
	// cleanMargin is how many zeros follow the entropy code, so that a block that begins before its end, which is
	// checked, cannot be read beyond them.
	cleanMargin = 2 * blockBytes
)

// component is one colour of a file: luma, or one of two chroma.
type component struct {
	id            byte
	h, v          int // blocks of an MCU
	quant, dc, ac int // which tables
	width, height int // samples
	x0, y0        int // of the first sample kept, a multiple of 8
	x1, y1        int // after the last, likewise
	stride        int
	pix           []byte // of (y1-y0) rows, and 64 more
	last          int32  // DC coefficient of the block before
}

// parse reads all segments up to the end of the picture. It says false at whatever is not the plain case.
func (b *Baseline) parse(data []byte) bool {
	b.reset()
	at := 2 // the start of image
	for at+4 <= len(data) && data[at] == 0xff {
		marker := data[at+1]
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == 0xff || n < 2 || at+2+n > len(data) {
			return false
		}
		body := data[at+4 : at+2+n]
		at += 2 + n
		ok := true
		switch {
		case marker == 0xee:
			ok = b.readAdobe(body)
		case marker == 0xe0:
			ok = len(body) < 6 || string(body[:5]) != "JFIF\x00" || body[5] == 1
		case marker > 0xe0 && marker <= 0xef, marker == 0xfe:
		case marker == 0xdb:
			ok = b.readQuant(body)
		case marker == 0xc4:
			ok = b.readHuffman(body)
		case marker == 0xc0:
			ok = b.readFrame(body)
		case marker == 0xdd:
			if ok = len(body) == 2; ok {
				b.restart = int(binary.BigEndian.Uint16(body))
			}
		case marker == 0xda:
			return b.readScan(body) && b.unstuff(data[at:])
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return false
}

// readAdobe takes note of how colours are stored: 1 is YCbCr, the plain case.
func (b *Baseline) readAdobe(body []byte) bool {
	if len(body) >= 5 && string(body[:5]) == "Adobe" {
		return len(body) >= 12 && body[11] == 1
	}
	return true
}

// readQuant reads tables of 8 bits, in the order of blocks.
func (b *Baseline) readQuant(body []byte) bool {
	for ; len(body) >= 1+blockSize; body = body[1+blockSize:] {
		if body[0] > 3 {
			return false
		}
		table := &b.quant[body[0]]
		for i, at := range natural {
			table[at] = int16(body[1+i])
		}
		b.haveQuant[body[0]] = true
	}
	return len(body) == 0
}

// readHuffman reads tables, and leaves those alone that are what the file before had.
func (b *Baseline) readHuffman(body []byte) bool {
	for len(body) >= 17 {
		count := 0
		for _, n := range body[1:17] {
			count += int(n)
		}
		kind, id := body[0]>>4, body[0]&15
		if kind > 1 || id >= maxTables || count > 256 || len(body) < 17+count {
			return false
		}
		t := &b.tables[kind][id]
		if !bytes.Equal(t.source[:t.length], body[1:17+count]) && !t.build(body[1:17+count], kind == 1) {
			t.length = 0
			return false
		}
		b.haveTable[kind][id] = true
		body = body[17+count:]
	}
	return len(body) == 0
}

func (b *Baseline) readFrame(body []byte) bool {
	if b.n != 0 || len(body) < 6 || body[0] != 8 {
		return false
	}
	b.height, b.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	b.n = int(body[5])
	if b.n != 1 && b.n != 3 || len(body) != 6+3*b.n || min(b.width, b.height) == 0 ||
		max(b.width, b.height) > 65500 {
		return false
	}
	for i := range b.n {
		c, spec := &b.comp[i], body[6+3*i:]
		c.id, c.h, c.v, c.quant = spec[0], int(spec[1]>>4), int(spec[1]&15), int(spec[2])
		if c.quant > 3 || min(c.h, c.v) < 1 || max(c.h, c.v) > 4 || b.n == 3 && c.id != byte(i+1) {
			return false
		}
	}
	luma := &b.comp[0]
	if b.n == 1 {
		luma.h, luma.v = 1, 1 // a file of one component has no MCUs
	} else if luma.h < 1 || luma.h > 2 || luma.v < 1 || luma.v > 2 || b.comp[1].h != 1 || b.comp[1].v != 1 ||
		b.comp[2].h != 1 || b.comp[2].v != 1 {
		return false
	}
	for i := range b.n {
		c := &b.comp[i]
		c.width = (b.width*c.h + luma.h - 1) / luma.h
		c.height = (b.height*c.v + luma.v - 1) / luma.v
		if c.width <= 2 && luma.h == 2 {
			return false // such chroma is not smoothed
		}
	}
	return true
}

// readScan reads which tables the components use. All are in one scan.
func (b *Baseline) readScan(body []byte) bool {
	if b.n == 0 || len(body) != 4+2*b.n || int(body[0]) != b.n || string(body[1+2*b.n:]) != "\x00\x3f\x00" {
		return false
	}
	for i := range b.n {
		c, spec := &b.comp[i], body[1+2*i:]
		c.dc, c.ac = int(spec[1]>>4), int(spec[1]&15)
		if spec[0] != c.id || c.dc >= maxTables || c.ac >= maxTables || !b.haveTable[0][c.dc] || !b.haveTable[1][c.ac] ||
			!b.haveQuant[c.quant] {
			return false
		}
	}
	return true
}

// unstuff copies the entropy code without the zeros that follow its 0xff, up to the end of the image. Restart markers,
// which must come in their order, end a span.
func (b *Baseline) unstuff(data []byte) bool {
	if need := len(data) + cleanMargin; cap(b.clean) < need {
		b.clean = make([]byte, need+need/4)
	}
	clean := b.clean[:cap(b.clean)]
	n := 0
	b.spans = b.spans[:0]
	for {
		at := bytes.IndexByte(data, 0xff)
		if at < 0 || at+1 >= len(data) {
			return false
		}
		n += copy(clean[n:], data[:at+1])
		marker := data[at+1]
		data = data[at+2:]
		if marker == 0 {
			continue
		}
		n-- // the marker's own 0xff
		b.spans = append(b.spans, n)
		if marker == 0xd9 {
			clear(clean[n : n+cleanMargin])
			return true
		}
		if b.restart == 0 || marker != byte(0xd0+(len(b.spans)-1)%8) {
			return false
		}
	}
}
