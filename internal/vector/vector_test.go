package vector

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

func random(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32() - 0.5
	}
	return x
}

// TestDigestIsThatOfItsPieces cuts vectors among any number of ranks: the blocks of the parts, put together, give the
// digest of the whole.
func TestDigestIsThatOfItsPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20*Block).Draw(t, "elements")
		size := rapid.IntRange(1, 40).Draw(t, "ranks")
		x := random(n)
		var blocks []uint64
		end := 0
		for r := range size {
			p := PartOfBlocks(n, r, size)
			if p.Off != end || p.Off%Block != 0 && p.Len > 0 {
				t.Fatalf("rank %d of %d owns %+v, the one before it ends at %d", r, size, p, end)
			}
			end = p.End()
			blocks = AppendBlocks(blocks, p.Of(x))
		}
		if end != n || len(blocks) != Blocks(n) {
			t.Fatalf("parts end at %d of %d, %d blocks of %d", end, n, len(blocks), Blocks(n))
		}
		if got, want := Fold(blocks), Digest(x); got != want {
			t.Fatalf("%d elements among %d: %016x, whole %016x", n, size, got, want)
		}
	})
}

// TestDigestFollowsItsDefinition computes it a second, slower way, and sees each flipped bit.
func TestDigestFollowsItsDefinition(t *testing.T) {
	for _, n := range []int{0, 1, Block - 1, Block, Block + 1, 3*Block + 5} {
		x := random(n)
		var inner []byte
		for at := 0; at < n; at += Block {
			d := xxhash.Sum64(Bytes(x[at:min(at+Block, n)]))
			for k := range 8 {
				inner = append(inner, byte(d>>(8*k)))
			}
		}
		if got, want := Digest(x), xxhash.Sum64(inner); got != want {
			t.Errorf("%d elements: %016x, want %016x", n, got, want)
		}
		if n == 0 {
			continue
		}
		was := Digest(x)
		for _, i := range []int{0, n / 2, n - 1} {
			Bytes(x)[4*i+2] ^= 4
			if Digest(x) == was {
				t.Errorf("%d elements: a bit of element %d does not show", n, i)
			}
			Bytes(x)[4*i+2] ^= 4
		}
	}
}

// TestHasher writes vectors in pieces of any number of bytes: the blocks are those of the vector.
func TestHasher(t *testing.T) {
	var h Hasher
	rapid.Check(t, func(t *rapid.T) {
		x := random(rapid.IntRange(0, 5*Block).Draw(t, "elements"))
		h.Reset()
		for b := Bytes(x); len(b) > 0; {
			n := rapid.IntRange(1, len(b)).Draw(t, "bytes")
			h.Write(b[:n])
			b = b[n:]
		}
		if got, want := h.AppendBlocks(nil), AppendBlocks(nil, x); !slices.Equal(got, want) {
			t.Fatalf("blocks %x, want %x", got, want)
		}
	})
}

// TestParts gives each item to one rank, and nobody two more than another.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, size := rapid.IntRange(0, 1<<20).Draw(t, "items"), rapid.IntRange(1, 100).Draw(t, "ranks")
		end, least, most := 0, total, 0
		for r := range size {
			p := Part(total, r, size)
			if p.Off != end {
				t.Fatalf("rank %d begins at %d, the one before ends at %d", r, p.Off, end)
			}
			end, least, most = p.End(), min(least, p.Len), max(most, p.Len)
		}
		if end != total || most-least > 1 {
			t.Fatalf("%d of %d items; parts of %d to %d", end, total, least, most)
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	x := random(1 << 20)
	b.SetBytes(4 << 20)
	for b.Loop() {
		Digest(x)
	}
}

func TestMemoryIsShared(t *testing.T) {
	x := []float32{1, -2, 3}
	b := Bytes(x)
	if len(b) != 12 || len(Bytes([]float64{1, 2})) != 16 || len(Bytes[float32](nil)) != 0 || len(Floats(nil)) != 0 {
		t.Fatalf("lengths: %d", len(b))
	}
	Floats(b)[1] = 7
	if x[1] != 7 {
		t.Errorf("a view of a view is a copy: %v", x)
	}
}
