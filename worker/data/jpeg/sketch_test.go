package jpeg

import (
	"fmt"
	"math/bits"

	"byol/worker/data/random"
)

// sketch is a plain JPEG file to be written, good or with what no encoder would write.
type sketch struct {
	width, height int
	h, v          int // of luma; 0: grey
	restart       int // MCUs between restart markers; 0: none
	long          bool
	quant         byte
}

func (s sketch) String() string {
	return fmt.Sprintf("%d × %d, luma %d × %d, restart %d, long codes %v", s.width, s.height, s.h, s.v, s.restart, s.long)
}

// kinds are sketches of all samplings, with restart markers and without, of whole MCUs and of parts.
func kinds() []sketch {
	var all []sketch
	for _, luma := range [][2]int{{0, 0}, {1, 1}, {2, 1}, {1, 2}, {2, 2}} {
		for _, restart := range []int{0, 1, 3} {
			for _, size := range [][2]int{{16, 16}, {37, 21}} {
				all = append(all, sketch{width: size[0], height: size[1], h: luma[0], v: luma[1], restart: restart, quant: 9,
					long: restart == 1})
			}
		}
	}
	return all
}

// coefficients are those of a block in zigzag order; the first is the difference from the block before.
type coefficients [blockSize]int

// calm are coefficients that a picture may have.
func calm(i int) (c coefficients) {
	for k := range 6 {
		c[k*k] = int(random.Mix(uint64(100*i+k))%9) - 4
	}
	return c
}

// blocksOfMCU is how many blocks stand at one place.
func (s sketch) blocksOfMCU() int {
	if s.h == 0 {
		return 1
	}
	return s.h*s.v + 2
}

func (s sketch) mcus() int {
	across, down := 8*max(s.h, 1), 8*max(s.v, 1)
	return (s.width + across - 1) / across * ((s.height + down - 1) / down)
}

// spans are the entropy codes between restart markers.
func (s sketch) spans(block func(i int) coefficients) [][]byte {
	var spans [][]byte
	var w bitWriter
	for m := range s.mcus() {
		if s.restart > 0 && m > 0 && m%s.restart == 0 {
			spans = append(spans, w.end())
			w = bitWriter{}
		}
		for k := range s.blocksOfMCU() {
			s.code(&w, block(m*s.blocksOfMCU()+k))
		}
	}
	return append(spans, w.end())
}

// file is a whole file with these spans.
func (s sketch) file(spans [][]byte) []byte {
	out := s.header()
	for i, span := range spans {
		if i > 0 {
			out = append(out, 0xff, 0xd0+byte((i-1)%8))
		}
		out = append(out, span...)
	}
	return append(out, 0xff, 0xd9)
}

// good is the file of calm blocks.
func (s sketch) good() []byte { return s.file(s.spans(calm)) }

// header is everything up to the entropy code.
func (s sketch) header() []byte {
	n := 3
	if s.h == 0 {
		n = 1
	}
	out := []byte{0xff, 0xd8}
	segment := func(marker byte, body ...byte) {
		out = append(append(out, 0xff, marker, byte((len(body)+2)>>8), byte(len(body)+2)), body...)
	}
	quant := make([]byte, 1+blockSize)
	for i := range quant[1:] {
		quant[1+i] = s.quant
	}
	segment(0xdb, quant...)
	frame := []byte{8, byte(s.height >> 8), byte(s.height), byte(s.width >> 8), byte(s.width), byte(n)}
	scan := []byte{byte(n)}
	for i := range n {
		sampling := byte(0x11)
		if i == 0 {
			sampling = byte(max(s.h, 1)<<4 | max(s.v, 1))
		}
		frame = append(frame, byte(i+1), sampling, 0)
		scan = append(scan, byte(i+1), 0)
	}
	segment(0xc0, frame...)
	for kind, symbols := range [][]byte{dcSymbols(), acSymbols()} {
		counts := make([]byte, 16)
		counts[s.codeBits(kind)-1] = byte(len(symbols))
		segment(0xc4, append(append([]byte{byte(kind << 4)}, counts...), symbols...)...)
	}
	if s.restart > 0 {
		segment(0xdd, byte(s.restart>>8), byte(s.restart))
	}
	segment(0xda, append(scan, 0, 63, 0)...)
	return out
}

// codeBits is the length of all codes of a table.
func (s sketch) codeBits(kind int) int {
	if s.long {
		return 16
	}
	return [2]int{4, 8}[kind]
}

func dcSymbols() (out []byte) {
	for size := range byte(12) {
		out = append(out, 11-size)
	}
	return out
}

// acSymbols begin with the one of the longest number, so that zeros are the longest code that a block can have.
func acSymbols() (out []byte) {
	for run := range byte(16) {
		for size := byte(10); size > 0; size-- {
			out = append(out, run<<4|size)
		}
	}
	return append(out, 0, 0xf0)
}

func (s sketch) code(w *bitWriter, c coefficients) {
	put := func(kind int, symbols []byte, symbol byte, value int) {
		size := int(symbol & 15)
		for i, v := range symbols {
			if v == symbol {
				w.put(i, s.codeBits(kind))
			}
		}
		if value < 0 {
			value += 1<<size - 1
		}
		w.put(value, size)
	}
	size := func(v int) byte { return byte(bits.Len(uint(max(v, -v)))) }
	put(0, dcSymbols(), size(c[0]), c[0])
	run := byte(0)
	for k := 1; k < blockSize; k++ {
		if c[k] == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			put(1, acSymbols(), 0xf0, 0)
		}
		put(1, acSymbols(), run<<4|size(c[k]), c[k])
		run = 0
	}
	if run > 0 {
		put(1, acSymbols(), 0, 0)
	}
}

// bitWriter writes an entropy code.
type bitWriter struct {
	out  []byte
	last uint
	n    int
}

func (w *bitWriter) put(value, size int) {
	for i := size - 1; i >= 0; i-- {
		w.last = w.last<<1 | uint(value)>>i&1
		if w.n++; w.n == 8 {
			if w.out = append(w.out, byte(w.last)); byte(w.last) == 0xff {
				w.out = append(w.out, 0)
			}
			w.last, w.n = 0, 0
		}
	}
}

// end fills the last byte with ones.
func (w *bitWriter) end() []byte {
	for w.n != 0 {
		w.put(1, 1)
	}
	return w.out
}
