package link

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anyHeader(t *rapid.T) Header {
	return Header{
		Kind:       Kind(rapid.Byte().Draw(t, "kind")),
		Generation: rapid.Uint32().Draw(t, "generation"),
		Step:       rapid.Uint64().Draw(t, "step"),
		Bucket:     rapid.Uint32().Draw(t, "bucket"),
		Chunk:      rapid.Uint32().Draw(t, "chunk"),
		Length:     rapid.Uint32().Draw(t, "length"),
		Sum:        rapid.Uint32().Draw(t, "sum"),
	}
}

// TestAnyHeaderArrives, and two that differ do not look alike on the wire.
func TestAnyHeaderArrives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, other := anyHeader(t), anyHeader(t)
		a, b := make([]byte, HeaderBytes+3), make([]byte, HeaderBytes)
		h.Encode(a)
		other.Encode(b)
		if got, err := Decode(a); err != nil || got != h {
			t.Fatalf("got %+v, error %v; want %+v", got, err, h)
		}
		if !bytes.Equal(a[HeaderBytes:], make([]byte, 3)) {
			t.Fatalf("bytes behind the header were written: %x", a[HeaderBytes:])
		}
		if (h == other) != bytes.Equal(a[:HeaderBytes], b) {
			t.Fatalf("%+v and %+v are encoded as %x and %x", h, other, a, b)
		}
	})
}

// TestTheWireHasThisLayout is what another build reads.
func TestTheWireHasThisLayout(t *testing.T) {
	b := make([]byte, HeaderBytes)
	Header{Kind: Part, Generation: 0x04030201, Step: 0x0807060504030201, Bucket: 0x14131211, Chunk: 0x24232221,
		Length: 0x34333231, Sum: 0x44434241}.Encode(b)
	want := []byte{0x12, 0x24, 5, byte(Part), 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8,
		0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34, 0x41, 0x42, 0x43, 0x44}
	if !bytes.Equal(b, want) {
		t.Errorf("got\n% x\nwant\n% x", b, want)
	}
	for at := range want {
		bad, why := bytes.Clone(want), "check"
		if bad[at]++; at == 2 {
			why = "version"
		}
		if _, err := Decode(bad); !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), why) {
			t.Errorf("byte %d: got %v, want %v that tells the %s", at, err, ErrFrame, why)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	seen := map[string]Kind{}
	for k := range Total + 1 {
		name := k.String()
		if other, twice := seen[name]; twice || name == "" || strings.HasPrefix(name, "kind ") {
			t.Errorf("kind %d is called %q, as is %d", uint8(k), name, uint8(other))
		}
		seen[name] = k
	}
	if got := (Total + 1).String(); got != "kind 13" {
		t.Errorf("a kind that is none is called %q", got)
	}
	h := Header{Kind: Node, Generation: 2, Step: 3, Bucket: 4, Chunk: 5, Length: 6, Sum: 7}
	if got, want := h.String(), "node generation 2 step 3 bucket 4 chunk 5 length 6"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSumsDoNotDependOnCuts: a payload may be added in any pieces of whole words.
func TestSumsDoNotDependOnCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "payload")
		var cut Sum
		for rest := p; len(rest) > 0; {
			n := min(4*rapid.IntRange(1, 40).Draw(t, "words"), len(rest))
			cut.Add(rest[:n])
			rest = rest[n:]
		}
		if got, want := cut.Value(), Checksum(p); got != want {
			t.Fatalf("in pieces %#x, at once %#x", got, want)
		}
	})
}

// TestOneChangedWordIsSeen: before folding no change of one word can hide; folding leaves one chance in 2³².
func TestOneChangedWordIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 4, 400).Draw(t, "payload")
		q := bytes.Clone(p)
		at := 4 * rapid.IntRange(0, len(p)/4-1).Draw(t, "word")
		for i := range 4 {
			q[at+i] ^= rapid.Byte().Draw(t, "change")
		}
		var a, b Sum
		a.Add(p)
		b.Add(q)
		if same := bytes.Equal(p, q); (a.sum == b.sum) != same {
			t.Fatalf("word at %d: % x becomes % x: sums %#x and %#x", at, p[at:at+4], q[at:at+4], a.sum, b.sum)
		}
	})
}
