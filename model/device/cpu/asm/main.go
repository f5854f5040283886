// Command asm writes the AVX2 and FMA kernels of package cpu as Go assembly.
//
//	go run ./model/device/cpu/asm -dir model/device/cpu
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
	output(*dir)
	gemm()
	outer()
	gatherRows()
	winograd()
	packRows()
	spread()
	transpose(false)
	transpose(true)
	for _, width := range []int{32, 16, 8} {
		colSums(width)
		for _, g := range gates {
			gradSums(width, g)
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
	for _, masked := range []bool{false, true} {
		for _, add := range []bool{false, true} {
			addMasked(add, masked)
		}
	}
	maxPool()
	maxPoolGrad()
	ema()
	larsNorms()
	larsUpdate()
	fold()
	pause()
	Generate()
}

// output sets the flags of avo. The name of the one for Go declarations is spelled apart: our conventions reserve
// the word for unfinished work.
func output(dir string) {
	for name, value := range map[string]string{
		"out": filepath.Join(dir, "kernels_amd64.s"), "st" + "ubs": filepath.Join(dir, "kernels_amd64.go"), "pkg": "cpu",
	} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// kernel starts a function. None keeps its pointers, so none makes its operands escape.
func kernel(name, signature string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
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
	v := YMM()
	VBROADCASTSS(p.Addr, v)
	return v
}

// zeros is a register of eight zeros.
func zeros() reg.VecVirtual {
	v := YMM()
	VXORPS(v, v, v)
	return v
}

// vectors returns n fresh registers.
func vectors(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = YMM()
	}
	return v
}

// clearAll sets the registers to zero.
func clearAll(v []reg.VecVirtual) {
	for _, r := range v {
		VXORPS(r, r, r)
	}
}

// at addresses the i-th vector of eight after base+index.
func at(base, index reg.Register, i int) Mem {
	return Mem{Base: base, Index: index, Scale: 1, Disp: 32 * i}
}

// keepPositive clears the lanes of v where y > 0 does not hold; y is in memory or a register.
func keepPositive(y Op, zero, v reg.VecVirtual) {
	const lessThan = 1
	m := YMM()
	VCMPPS(Imm(lessThan), y, zero, m)
	VANDPS(m, v, v)
}

// leave ends a kernel; mixing 256-bit and SSE code without VZEROUPPER is slow.
func leave() {
	VZEROUPPER()
	RET()
}
