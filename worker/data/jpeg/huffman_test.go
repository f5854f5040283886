package jpeg

import (
	"testing"

	"pgregory.net/rapid"

	"byol/worker/data/random"
)

// codes are a table's codes by their definition: in order of length, each the one before and one more.
type code struct {
	bits   int
	value  uint32
	symbol byte
}

func codesOf(source []byte) (all []code) {
	next := uint32(0)
	symbols := source[16:]
	for bits := 1; bits <= 16; bits++ {
		for range source[bits-1] {
			all = append(all, code{bits, next, symbols[0]})
			symbols = symbols[1:]
			next++
		}
		next <<= 1
	}
	return all
}

// drawTable draws a table of a baseline file: any lengths for which there are codes, none of them all ones.
func drawTable(t *rapid.T, ac bool) []byte {
	source := make([]byte, 16)
	free := 1 // codes of this length that are not taken
	total := 0
	for bits := range 16 {
		free *= 2
		n := rapid.IntRange(0, min(free-1, 40, 255-total)).Draw(t, "codes")
		source[bits] = byte(n)
		free, total = min(free-n, 1<<12), total+n
	}
	for i := range total {
		x := random.Mix(uint64(i) + uint64(total)<<20)
		if ac {
			source = append(source, byte(x>>8%16)<<4|byte(1+x>>16%10))
		} else {
			source = append(source, byte(x%12))
		}
	}
	return source
}

// slowSymbol reads one symbol bit by bit and gives the number behind it, as T.81 has it (DECODE, RECEIVE, EXTEND).
func slowSymbol(codes []code, at func(i int) uint32) (symbol byte, value int32, used int, ok bool) {
	head := uint32(0)
	for bits := 1; bits <= 16; bits++ {
		head = head<<1 | at(bits-1)
		for _, c := range codes {
			if c.bits != bits || c.value != head {
				continue
			}
			size := int(c.symbol & 15)
			v := int32(0)
			for k := range size {
				v = v<<1 | int32(at(bits+k))
			}
			if size > 0 && v < 1<<(size-1) {
				v += -1<<size + 1
			}
			return c.symbol, v, bits + size, true
		}
	}
	return 0, 0, 0, false
}

// TestTablesFollowTheirDefinition: the table for short codes and the search for long ones give the symbol, number and
// length that reading bit by bit gives, and nothing where no code begins so.
func TestTablesFollowTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ac := rapid.Bool().Draw(t, "ac")
		source := drawTable(t, ac)
		var table huffman
		if !table.build(source, ac) {
			t.Fatal("not taken")
		}
		codes := codesOf(source)
		for range 40 {
			window := rapid.Uint64().Draw(t, "bits")
			if len(codes) > 0 && rapid.Bool().Draw(t, "a code") {
				c := codes[rapid.IntRange(0, len(codes)-1).Draw(t, "which")]
				window = window>>c.bits | uint64(c.value)<<(64-c.bits)
			}
			symbol, value, used, ok := slowSymbol(codes, func(i int) uint32 { return uint32(window>>(63-i)) & 1 })
			run := uint32(0)
			if ac {
				run = uint32(symbol >> 4)
			}
			want := uint32(uint16(value))<<16 | run<<8 | uint32(used)
			if !ok {
				want = 0
			}
			fast := table.fast[window>>(64-peekBits)]
			if fast != 0 && (fast != want || used > peekBits) || fast == 0 && ok && used <= peekBits {
				t.Fatalf("window %064b: entry %#x, want %#x of %d bits", window, fast, want, used)
			}
			if slow := table.slow(window, ac); slow != want {
				t.Fatalf("window %064b: searched %#x, want %#x", window, slow, want)
			}
		}
	})
}

// TestEndOfBlock: the symbol 0 ends a block, 15 zeros and a zero do not, and ends of several blocks are not plain.
func TestEndOfBlock(t *testing.T) {
	for _, length := range []int{4, 16} { // found by the table, or searched for
		source := append(make([]byte, 16), 0x00, 0xf0, 0x10, 0x11)
		source[length-1] = 4
		var table huffman
		if !table.build(source, true) {
			t.Fatal("not taken")
		}
		for i, want := range []uint32{endRun<<8 | uint32(length), 15<<8 | uint32(length), 0} {
			window := uint64(i) << (64 - length)
			got := table.fast[window>>(64-peekBits)]
			if got == 0 {
				got = table.slow(window, true)
			}
			if got != want {
				t.Errorf("codes of %d bits, symbol %#x: %#x, want %#x", length, source[16+i], got, want)
			}
		}
	}
}

// TestTablesThatNoFileHas are refused, and a refused one is not taken for what the file before had.
func TestTablesThatNoFileHas(t *testing.T) {
	counts := func(n ...byte) []byte { return append(n, make([]byte, 16-len(n))...) }
	for _, c := range []struct {
		name   string
		source []byte
		ac     bool
	}{
		{"a code of all ones", append(counts(2), 1, 2), false},
		{"more codes than there are", append(counts(0, 5), 1, 2, 3, 4, 5), false},
		{"a mean of 12 bits", append(counts(1), 12), false},
		{"a value of 11 bits", append(counts(1), 11), true},
	} {
		var table huffman
		if table.build(c.source, c.ac) {
			t.Errorf("%s: taken", c.name)
		}
		b := NewBaseline()
		body := append([]byte{0}, c.source...)
		if c.ac {
			body[0] = 0x10
		}
		for range 2 {
			if b.readHuffman(body) {
				t.Errorf("%s: a file's is taken", c.name)
			}
		}
	}
}

// TestSegments reads tables and headers that are cut short at each byte: none is taken, but where a table ends.
func TestSegments(t *testing.T) {
	table := append([]byte{0, 0, 1}, make([]byte, 15)...)
	table[17] = 3
	quant := append([]byte{1}, make([]byte, blockSize)...)
	for _, c := range []struct {
		name string
		read func(b *Baseline, body []byte) bool
		body []byte
		ends int // the table may stand twice
	}{
		{"Huffman", (*Baseline).readHuffman, append(append([]byte{}, table...), table...), len(table)},
		{"quantisation", (*Baseline).readQuant, append(append([]byte{}, quant...), quant...), len(quant)},
		{"frame", (*Baseline).readFrame, []byte{8, 0, 16, 0, 16, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0}, 15},
	} {
		for n := range len(c.body) + 1 {
			want := n%c.ends == 0 && (n > 0 || c.name != "frame")
			if got := c.read(NewBaseline(), c.body[:n]); got != want {
				t.Errorf("%s: %d of %d bytes: taken %v", c.name, n, len(c.body), got)
			}
		}
	}
}

// TestNeeded: the samples of pixels are whole blocks, hold all that smoothing looks at, and not a block more.
func TestNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(3, 400).Draw(t, "pixels")
		scale := rapid.IntRange(1, 2).Draw(t, "scale")
		x := rapid.IntRange(0, size-1).Draw(t, "x")
		n := rapid.IntRange(1, size-x).Draw(t, "n")
		samples := (size + scale - 1) / scale
		from, to := needed(x, n, scale, samples)
		least, most := samples, 0
		for p := x; p < x+n; p++ {
			for _, s := range []int{p / scale, p/scale + (scale-1)*(2*(p%2)-1)} { // its own, and the one beside it
				s = min(max(s, 0), samples-1)
				least, most = min(least, s), max(most, s)
			}
		}
		if from%8 != 0 || to%8 != 0 || from > least || to <= most {
			t.Fatalf("[%d, %d), wanted %d to %d", from, to, least, most)
		}
		if from+16 <= least || to-16 > most {
			t.Fatalf("[%d, %d) is more than %d to %d need", from, to, least, most)
		}
	})
}
