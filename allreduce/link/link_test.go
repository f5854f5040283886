package link

import (
	"errors"
	"testing"
)

func TestHeaderRoundTrip(t *testing.T) {
	b := make([]byte, HeaderBytes)
	for _, h := range []Header{
		{},
		{Reduce, 1, 2, 3, 4, 5, 6},
		{Bye, 1<<32 - 1, 1<<64 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1},
	} {
		h.Encode(b)
		if got, err := Decode(b); err != nil || got != h {
			t.Errorf("decode encoded %v: got %v, error %v", h, got, err)
		}
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	h := Header{Node, 3, 100, 7, 9, 64, 0xABCD}
	for bit := range HeaderBytes * 8 {
		b := make([]byte, HeaderBytes)
		h.Encode(b)
		b[bit/8] ^= 1 << (bit % 8)
		got, err := Decode(b)
		if err == nil && got == h {
			t.Errorf("bit %d flipped: decoded as if nothing had happened", bit)
		}
		if !errors.Is(err, ErrFrame) {
			t.Errorf("bit %d flipped: got error %v, want %v", bit, err, ErrFrame)
		}
	}
}
