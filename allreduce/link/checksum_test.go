package link

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// oracle is the formula of Sum, word by word, before folding.
func oracle(p []byte) uint64 {
	var sum uint64
	for j := 0; 4*j < len(p); j++ {
		var w [4]byte
		copy(w[:], p[4*j:])
		hi, lo := bits.Mul64(uint64(binary.LittleEndian.Uint32(w[:])), uint64(2*j+1)*weight%(1<<32))
		if hi != 0 {
			panic("a product beyond 64 bits")
		}
		sum += lo
	}
	return sum
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

func TestSumIsItsFormula(t *testing.T) {
	for n := range 300 {
		p := random(n)
		var fast, slow, cut Sum
		fast.Add(p)
		slow.addWords(p)
		at := n / 3 &^ 3
		cut.Add(p[:at])
		cut.Add(p[at:])
		if want := oracle(p); fast.sum != want || slow.sum != want || cut.sum != want {
			t.Errorf("%d bytes: got %#x, word by word %#x, cut at %d %#x; want %#x", n, fast.sum, slow.sum, at, cut.sum, want)
		}
		if got := Checksum(p); got != cut.Value() {
			t.Errorf("%d bytes: checksum %#x, in two parts %#x", n, got, cut.Value())
		}
	}
	p := random(3 << 20)
	var s Sum
	if s.Add(p); s.sum != oracle(p) {
		t.Errorf("%d bytes: got %#x, want %#x", len(p), s.sum, oracle(p))
	}
	for _, c := range []struct { // fixed, because frames are sent between builds
		text string
		want uint32
	}{{"", 0}, {"123456789", 0x5dd8fbad}, {"byol", 0xe493d752}} {
		if got := Checksum([]byte(c.text)); got != c.want {
			t.Errorf("checksum of %q: got %#x, want %#x", c.text, got, c.want)
		}
	}
}

// TestSumSeesDamage flips each bit, and each pair of bits, and exchanges each pair of words of a short payload.
func TestSumSeesDamage(t *testing.T) {
	const n = 96
	p := random(n)
	want := Checksum(p)
	flip := func(bit int) { p[bit/8] ^= 1 << (bit % 8) }
	for a := range 8 * n {
		flip(a)
		if Checksum(p) == want {
			t.Errorf("bit %d flipped: the same checksum", a)
		}
		for b := range a {
			flip(b)
			if Checksum(p) == want {
				t.Errorf("bits %d and %d flipped: the same checksum", a, b)
			}
			flip(b)
		}
		flip(a)
	}
	for a := 0; a < n; a += 4 {
		for b := 0; b < a; b += 4 {
			q := append([]byte(nil), p...)
			copy(q[a:a+4], p[b:b+4])
			copy(q[b:b+4], p[a:a+4])
			if Checksum(q) == want {
				t.Errorf("words at %d and %d exchanged: the same checksum", a, b)
			}
		}
	}
	if Checksum(p[4:]) == want || Checksum(append([]byte{1, 0, 0, 0}, p...)) == want {
		t.Error("a shifted payload: the same checksum")
	}
}

func BenchmarkChecksum(b *testing.B) {
	p := random(256 << 10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		Checksum(p)
	}
}
