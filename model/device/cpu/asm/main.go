// Command asm writes the kernels of package cpu as Go assembly, for AVX2 with FMA or for AVX-512.
//
//	go run ./model/device/cpu/asm -dir model/device/cpu -isa avx512
//
// Both sets are written by the same code wherever only the width of registers differs. In all kernels a lane is a
// column: each element of a result is one chain of operations, in an order that the width does not touch, so both sets
// give the same bits.
//
// It owns no state. The comment of each kernel is written into the Go declarations: it is the contract of that
// kernel and of its pure-Go twin. Strides and offsets are counted in elements everywhere.
//
// When it fails: avo prints the offending instruction, nothing is written, and the exit status is not zero.
package main

import (
	"flag"
	"path/filepath"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	dir := flag.String("dir", ".", "the directory of package cpu")
	flag.Parse()
	if _, ok := units[*isa]; !ok {
		panic("asm: -isa " + *isa + " is not known")
	}
	output(*dir)
	if simd().bytes == 64 {
		wideProducts()
	} else {
		products()
		spread()
		transpose(false)
		transpose(true)
		pause()
	}
	gatherRows()
	winograd()
	packRows()
	rowwise()
	elementwise()
	Generate()
}

// products are those of AVX2: 16 registers hold the sums of one panel.
func products() {
	gemm(1, false)
	gemm(1, true)
	outer(4, 1)
}

// wideProducts are those of AVX-512: 32 registers hold the sums of several panels.
func wideProducts() {
	for panels := 1; panels <= 4; panels++ {
		gemm(panels, false)
	}
	gemm(1, true)
	for panels := 1; panels <= 3; panels++ {
		outer(8, panels)
	}
}

// rowwise kernels run over rows of columns.
func rowwise() {
	for count := 4; count >= 1; count /= 2 {
		colSums(count)
		for _, g := range gates {
			gradSums(count, g)
		}
	}
	colSumsWide(false)
	colSumsWide(true)
	for _, past := range []stream{false, true} {
		for _, residual := range []bool{false, true} {
			normalize(residual, false, past)
			normalize(residual, true, past)
		}
	}
	for _, g := range gates {
		gradSumsWide(g, false)
		gradSumsWide(g, true)
		gradApply(g, false)
		gradApply(g, true)
	}
	addRows()
}

// elementwise kernels run over vectors, and over the taps of a window.
func elementwise() {
	for _, masked := range []bool{false, true} {
		for _, add := range []bool{false, true} {
			addMasked(add, masked)
		}
	}
	maxPool()
	maxPoolGrad()
	if simd().bytes == 32 { // memory is the limit, and twice the width is 4 % slower
		ema()
	}
	larsNorms()
	larsUpdate()
	fold()
}

// unit is what kernels are written for.
type unit struct {
	suffix   string // of the kernels' names
	file     string
	bytes    int // of a register
	register func() reg.VecVirtual
}

var units = map[string]unit{
	"avx2":   {"", "kernels_amd64", 32, YMM},
	"avx512": {"Z", "kernels512_amd64", 64, ZMM},
}

var isa = flag.String("isa", "avx2", "avx2 or avx512")

// simd is the unit of this run.
func simd() unit { return units[*isa] }

// lanes is the number of float32 in a register.
func lanes() int { return simd().bytes / 4 }

// vector is a fresh register.
func vector() reg.VecVirtual { return simd().register() }

// output sets the flags of avo. The name of the one for Go declarations is spelled apart: our conventions reserve
// the word for unfinished work.
func output(dir string) {
	for name, value := range map[string]string{
		"out": filepath.Join(dir, simd().file+".s"), "st" + "ubs": filepath.Join(dir, simd().file+".go"), "pkg": "cpu",
	} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// kernel starts a function and returns its name. None keeps its pointers, so none makes its operands escape.
func kernel(name, signature string) string {
	name += simd().suffix
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	return name
}

// arg loads a parameter into a register.
func arg(name string) reg.Register { return Load(Param(name), GP64()) }

// bytes loads a parameter that counts float32 elements and turns it into bytes.
func bytes(name string) reg.Register {
	r := arg(name)
	SHLQ(Imm(2), r)
	return r
}

// scalar loads a float32 parameter into all lanes.
func scalar(name string) reg.VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := vector()
	VBROADCASTSS(p.Addr, v)
	return v
}

// zeros is a register of zeros.
func zeros() reg.VecVirtual {
	v := vector()
	VXORPS(v, v, v)
	return v
}

// vectors returns n fresh registers.
func vectors(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = vector()
	}
	return v
}

// clearAll sets the registers to zero.
func clearAll(v []reg.VecVirtual) {
	for _, r := range v {
		VXORPS(r, r, r)
	}
}

// at addresses the vector at base+index.
func at(base, index reg.Register) Mem { return Mem{Base: base, Index: index, Scale: 1} }

// keepPositive clears the lanes of v where y > 0 does not hold; y is in memory or a register.
func keepPositive(y Op, zero, v reg.VecVirtual) {
	const lessThan = 1
	if simd().bytes == 64 {
		m := K()
		VCMPPS(Imm(lessThan), y, zero, m)
		VMOVAPS_Z(v, m, v)
		return
	}
	m := vector()
	VCMPPS(Imm(lessThan), y, zero, m)
	VANDPS(m, v, v)
}

// leave ends a kernel; mixing wider and SSE code without VZEROUPPER is slow.
func leave() {
	VZEROUPPER()
	RET()
}
