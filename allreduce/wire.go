package allreduce

import (
	"fmt"
	"math"

	"byol/internal/vector"
)

// Wire is how the elements of AllReduce are rounded, and so how many bytes they are between hosts. Share and Gather
// don't round.
type Wire uint8

const (
	// Float32 adds the shards as they are; 4 bytes an element.
	Float32 Wire = iota
	// BF16 rounds each element of each shard to bfloat16 (the upper half of a float32: 8 bits of mantissa) and adds in
	// float32, in the same order; the sum is rounded once more. Rounding is to nearest, ties to even; each NaN becomes
	// 0x7FC0. Between hosts elements take 2 bytes; in memory they are rounded where they are added, to the same bits.
	BF16
)

var wires = [...]string{"float32", "bf16"}

func (w Wire) String() string {
	if int(w) < len(wires) {
		return wires[w]
	}
	return fmt.Sprintf("wire %d", uint8(w))
}

// ParseWire reads the name of a wire; "" is float32.
func ParseWire(name string) (Wire, error) {
	if name == "" {
		return Float32, nil
	}
	for w, n := range wires {
		if n == name {
			return Wire(w), nil
		}
	}
	return Float32, fmt.Errorf("unknown wire %q: it is float32 or bf16", name)
}

// Round is what becomes of x on the wire.
func (w Wire) Round(x float32) float32 {
	if w == BF16 {
		return roundBF16(x)
	}
	return x
}

// bytes is the size of an element.
func (w Wire) bytes() int {
	if w == BF16 {
		return 2
	}
	return 4
}

// encode is v as it travels, in scratch if it needs any: half as many elements as v, rounded up.
func (w Wire) encode(scratch, v []float32) []byte {
	if w != BF16 {
		return vector.Bytes(v)
	}
	b := vector.Bytes(scratch)[:2*len(v)]
	packBF16(b, v)
	return b
}

// decode fills v with what encode made.
func (w Wire) decode(v []float32, data []byte) {
	if w == BF16 {
		unpackBF16(v, data)
		return
	}
	copy(vector.Bytes(v), data)
}

const (
	nanBF16   = 0x7FC00000
	upperBF16 = 0xFFFF0000 // the bits of a float32 that are a bfloat16
)

// roundBF16 is the nearest bfloat16, of two equally near the even one, as a float32. Beyond the largest it is infinite.
func roundBF16(x float32) float32 {
	u := math.Float32bits(x)
	if x != x {
		return math.Float32frombits(nanBF16)
	}
	return math.Float32frombits((u + 0x7FFF + u>>16&1) & upperBF16)
}
