package link

import (
	"errors"
	"testing"
)

func TestHeaderRoundTrip(t *testing.T) {
	b := make([]byte, HeaderBytes)
	for _, h := range []Header{
		{},
		{Reduce, 1, 2, 3, 4, 5, 6, 7},
		{Bye, 1<<32 - 1, MaxStep, MaxAttempt, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1},
	} {
		h.Encode(b)
		if got, err := Decode(b); err != nil || got != h {
			t.Errorf("decode encoded %v: got %v, error %v", h, got, err)
		}
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	h := Header{Gather, 3, 100, 1, 7, 9, 64, 0xABCD}
	for bit := range HeaderBytes * 8 {
		b := make([]byte, HeaderBytes)
		h.Encode(b)
		b[bit/8] ^= 1 << (bit % 8)
		got, err := Decode(b)
		if err == nil && got == h {
			t.Errorf("bit %d flipped: decoded as if nothing had happened", bit)
		}
		if bit < 24 && !errors.Is(err, ErrFrame) {
			t.Errorf("bit %d of magic or version flipped: got error %v, want %v", bit, err, ErrFrame)
		}
	}
}

func TestExtendIsChecksumOfWhole(t *testing.T) {
	p := make([]byte, 1000)
	for i := range p {
		p[i] = byte(i * i)
	}
	for _, cut := range []int{0, 1, 500, 999, 1000} {
		if got, want := Extend(Checksum(p[:cut]), p[cut:]), Checksum(p); got != want {
			t.Errorf("cut at %d: got %#x, want %#x", cut, got, want)
		}
	}
	if got := Checksum([]byte("123456789")); got != 0xE3069283 { // the check value of CRC-32C
		t.Errorf("checksum of 123456789: got %#x, want 0xe3069283", got)
	}
}
