// Command asm writes the AVX2 kernels of the packages views and jpeg as Go assembly.
//
//	go run ./worker/data/asm -for views -dir worker/data/views
//
// It owns no state. Each kernel does what its twin in kernels.go does, in the same order and with every product
// rounded before it is added (no FMA), so that both give the same bits.
//
// When it fails: avo prints the offending instruction, nothing is written, and the exit status is not zero.
package main

import (
	"flag"
	"log"
	"math"
	"path/filepath"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sets are the kernels of each package.
var sets = map[string][]func(){
	"views": {blendRows, blendColumns, convolve, brightness, contrast, sum, saturation, hue, grayscale, solarize,
		normalise},
	"jpeg": {inverse, blendChroma, spreadChroma, colours},
}

func main() {
	dir := flag.String("dir", ".", "the directory of the package")
	of := flag.String("for", "", "the package: views or jpeg")
	flag.Parse()
	if sets[*of] == nil {
		log.Fatalf("-for %q: it is views or jpeg", *of)
	}
	output(*dir, *of)
	for _, write := range sets[*of] {
		write()
	}
	Generate()
}

// output sets the flags of avo. The name of the one for Go declarations is spelled apart: our conventions reserve
// the word for unfinished work.
func output(dir, of string) {
	for name, value := range map[string]string{
		"out": filepath.Join(dir, "kernels_amd64.s"), "st" + "ubs": filepath.Join(dir, "kernels_amd64.go"), "pkg": of,
	} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// kernel starts a function. None keeps its pointers, so none makes its operands escape.
func kernel(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + " " + doc)
}

func arg(name string) reg.Register { return Load(Param(name), GP64()) }

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

// number puts a constant into all lanes.
func number(x float32) reg.VecVirtual {
	bits, v := GP32(), YMM()
	MOVL(U32(math.Float32bits(x)), bits)
	VMOVD(bits, v.AsX())
	VBROADCASTSS(v.AsX(), v)
	return v
}

func zeros() reg.VecVirtual {
	v := YMM()
	VXORPS(v, v, v)
	return v
}

func leave() {
	VZEROUPPER()
	RET()
}

// each runs body for n elements, eight at a time, with their offset in bytes.
func each(n reg.Register, body func(at reg.Register)) {
	at := GP64()
	XORQ(at, at)
	SHLQ(Imm(2), n)
	Label("vector")
	body(at)
	ADDQ(Imm(32), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
}

func elements(base, at reg.Register) Mem { return Mem{Base: base, Index: at, Scale: 1} }

func load(base, at reg.Register) reg.VecVirtual {
	v := YMM()
	VMOVUPS(elements(base, at), v)
	return v
}

// clipTo holds v within [zero, one]. Of equal zeros VMAXPS takes the last operand's, as Go's max takes +0.
func clipTo(v, zero, one reg.VecVirtual) {
	VMAXPS(zero, v, v)
	VMINPS(one, v, v)
}

func blendRows() {
	kernel("blendRowsFull", "func(n int, s0, s1, s2, s3 *byte, w, dst *float32)",
		"writes dst[i] = (w[0]·s0[i] + w[1]·s1[i]) + (w[2]·s2[i] + w[3]·s3[i]); n is a positive multiple of 8.")
	n, w, dst := arg("n"), arg("w"), arg("dst")
	var src [4]reg.Register
	var weight [4]reg.VecVirtual
	for k, name := range []string{"s0", "s1", "s2", "s3"} {
		src[k], weight[k] = arg(name), YMM()
		VBROADCASTSS(Mem{Base: w, Disp: 4 * k}, weight[k])
	}
	at := GP64()
	XORQ(at, at)
	Label("vector")
	var v [4]reg.VecVirtual
	for k := range v {
		v[k] = YMM()
		VPMOVZXBD(elements(src[k], at), v[k])
		VCVTDQ2PS(v[k], v[k])
		VMULPS(weight[k], v[k], v[k])
	}
	VADDPS(v[1], v[0], v[0])
	VADDPS(v[3], v[2], v[2])
	VADDPS(v[2], v[0], v[0])
	VMOVUPS(v[0], Mem{Base: dst, Index: at, Scale: 4})
	ADDQ(Imm(8), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	leave()
}

// blendColumns makes a pixel from four, each read as four floats: red, green, blue, and one that is not used.
func blendColumns() {
	kernel("blendColumnsFull", "func(n int, taps *int32, row, red, green, blue *float32)",
		"writes output i of each plane from four pixels of row, clipped to [0, 1]; n is positive. One float after the "+
			"last pixel is read. taps points at the first of n taps.")
	n, taps, row := arg("n"), arg("taps"), arg("row")
	red, green, blue := arg("red"), arg("green"), arg("blue")
	zero, one := zeros().AsX(), number(1).AsX()
	i, from := GP64(), GP64()
	XORQ(i, i)
	Label("pixel")
	var v [4]reg.VecVirtual
	for k := range v {
		v[k] = XMM()
		w := XMM()
		MOVLQSX(Mem{Base: taps, Disp: 4 * k}, from)
		VBROADCASTSS(Mem{Base: taps, Disp: 16 + 4*k}, w)
		VMULPS(Mem{Base: row, Index: from, Scale: 4}, w, v[k])
	}
	VADDPS(v[1], v[0], v[0])
	VADDPS(v[3], v[2], v[2])
	VADDPS(v[2], v[0], v[0])
	VMAXPS(zero, v[0], v[0])
	VMINPS(one, v[0], v[0])
	VMOVSS(v[0], Mem{Base: red, Index: i, Scale: 4})
	VEXTRACTPS(Imm(1), v[0], Mem{Base: green, Index: i, Scale: 4})
	VEXTRACTPS(Imm(2), v[0], Mem{Base: blue, Index: i, Scale: 4})
	ADDQ(Imm(32), taps)
	INCQ(i)
	CMPQ(i, n)
	JLT(LabelRef("pixel"))
	leave()
}

// convolve holds four vectors of sums while it goes through the taps, then one at a time for what is left.
func convolve() {
	kernel("convolveFull", "func(n int, src *float32, stride int, k *float32, reach int, dst *float32)",
		"writes dst[i] = k[0]·src[i] + Σ k[j]·(src[i−j·stride] + src[i+j·stride]), j = 1 … reach; n is a positive "+
			"multiple of 8. src points at the middle.")
	n, src, stride := arg("n"), arg("src"), arg("stride")
	k, reach, dst := arg("k"), arg("reach"), arg("dst")
	SHLQ(Imm(2), stride)
	left, right, j := GP64(), GP64(), GP64()
	for _, width := range []int{4, 1} {
		name := map[int]string{4: "wide", 1: "narrow"}[width]
		Label(name)
		CMPQ(n, Imm(uint64(8*width)))
		JLT(LabelRef(name + "end"))
		sums := make([]reg.VecVirtual, width)
		w := YMM()
		VBROADCASTSS(Mem{Base: k}, w)
		for i := range sums {
			sums[i] = YMM()
			VMULPS(Mem{Base: src, Disp: 32 * i}, w, sums[i])
		}
		MOVQ(src, left)
		MOVQ(src, right)
		MOVQ(U32(1), j)
		Label(name + "tap")
		CMPQ(j, reach)
		JGT(LabelRef(name + "store"))
		SUBQ(stride, left)
		ADDQ(stride, right)
		VBROADCASTSS(Mem{Base: k, Index: j, Scale: 4}, w)
		for i := range sums {
			v := YMM()
			VMOVUPS(Mem{Base: left, Disp: 32 * i}, v)
			VADDPS(Mem{Base: right, Disp: 32 * i}, v, v)
			VMULPS(w, v, v)
			VADDPS(v, sums[i], sums[i])
		}
		INCQ(j)
		JMP(LabelRef(name + "tap"))
		Label(name + "store")
		for i := range sums {
			VMOVUPS(sums[i], Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(U32(uint32(32*width)), src)
		ADDQ(U32(uint32(32*width)), dst)
		SUBQ(U32(uint32(8*width)), n)
		JMP(LabelRef(name))
		Label(name + "end")
	}
	leave()
}

func brightness() {
	kernel("brightnessFull", "func(n int, p *float32, delta float32)",
		"writes p[i] = clip(p[i] + delta); n is a positive multiple of 8.")
	n, p, delta, zero, one := arg("n"), arg("p"), scalar("delta"), zeros(), number(1)
	each(n, func(at reg.Register) {
		v := load(p, at)
		VADDPS(delta, v, v)
		clipTo(v, zero, one)
		VMOVUPS(v, elements(p, at))
	})
	leave()
}

func contrast() {
	kernel("contrastFull", "func(n int, p *float32, f, mu float32)",
		"writes p[i] = clip(f·(p[i]−mu) + mu); n is a positive multiple of 8.")
	n, p, f, mu, zero, one := arg("n"), arg("p"), scalar("f"), scalar("mu"), zeros(), number(1)
	each(n, func(at reg.Register) {
		v := load(p, at)
		VSUBPS(mu, v, v)
		VMULPS(f, v, v)
		VADDPS(mu, v, v)
		clipTo(v, zero, one)
		VMOVUPS(v, elements(p, at))
	})
	leave()
}

func sum() {
	kernel("sumFull", "func(n int, p *float32, sums *float64)",
		"adds p[i] to sums[i mod 8]; n is a positive multiple of 8.")
	n, p, sums := arg("n"), arg("p"), arg("sums")
	lo, hi := YMM(), YMM()
	VMOVUPD(Mem{Base: sums}, lo)
	VMOVUPD(Mem{Base: sums, Disp: 32}, hi)
	each(n, func(at reg.Register) {
		a, b := YMM(), YMM()
		VCVTPS2PD(elements(p, at), a)
		VCVTPS2PD(Mem{Base: p, Index: at, Scale: 1, Disp: 16}, b)
		VADDPD(a, lo, lo)
		VADDPD(b, hi, hi)
	})
	VMOVUPD(lo, Mem{Base: sums})
	VMOVUPD(hi, Mem{Base: sums, Disp: 32})
	leave()
}

// Predicates of VCMPPS(p, b, a, mask): a p b.
const (
	equal       = 0
	greaterThan = 14
	notLess     = 13 // ≥, false for NaN
	lessThan    = 1
)

// pixel is eight pixels: the planes, the largest channel, and the range.
type pixel struct{ r, g, b, v, d reg.VecVirtual }

func loadPixel(base [3]reg.Register, at reg.Register) pixel {
	p := pixel{r: load(base[0], at), g: load(base[1], at), b: load(base[2], at), v: YMM(), d: YMM()}
	VMAXPS(p.g, p.r, p.v)
	VMAXPS(p.b, p.v, p.v)
	VMINPS(p.g, p.r, p.d)
	VMINPS(p.b, p.d, p.d)
	VSUBPS(p.d, p.v, p.d)
	return p
}

func planes() [3]reg.Register { return [3]reg.Register{arg("red"), arg("green"), arg("blue")} }

func saturation() {
	kernel("saturationFull", "func(n int, red, green, blue *float32, f float32)",
		"multiplies the saturation of n pixels by f; n is a positive multiple of 8.")
	n, base, f, zero, one := arg("n"), planes(), scalar("f"), zeros(), number(1)
	each(n, func(at reg.Register) {
		p := loadPixel(base, at)
		limit, product := YMM(), YMM()
		VDIVPS(p.d, p.v, limit)
		VMULPS(f, p.d, product)
		VCMPPS(Imm(greaterThan), p.v, product, product)
		VBLENDVPS(product, limit, f, limit)
		for c, x := range []reg.VecVirtual{p.r, p.g, p.b} {
			VSUBPS(x, p.v, x)
			VMULPS(limit, x, x)
			VSUBPS(x, p.v, x)
			clipTo(x, zero, one)
			VMOVUPS(x, elements(base[c], at))
		}
	})
	leave()
}

func hue() {
	kernel("hueFull", "func(n int, red, green, blue *float32, turn float32)",
		"turns the hue of n pixels by turn sixths; n is a positive multiple of 8.")
	n, base, turn, zero, one := arg("n"), planes(), scalar("turn"), zeros(), number(1)
	two, four, six := number(2), number(4), number(6)
	each(n, func(at reg.Register) {
		p := loadPixel(base, at)
		h, other, start, mask := YMM(), YMM(), YMM(), YMM()
		VSUBPS(p.g, p.r, h) // blue is largest
		VSUBPS(p.r, p.b, other)
		VCMPPS(Imm(equal), p.v, p.g, mask)
		VBLENDVPS(mask, other, h, h)
		VBLENDVPS(mask, two, four, start)
		VSUBPS(p.b, p.g, other)
		VCMPPS(Imm(equal), p.v, p.r, mask)
		VBLENDVPS(mask, other, h, h)
		VBLENDVPS(mask, zero, start, start)
		VDIVPS(p.d, h, h)
		VADDPS(start, h, h)
		VADDPS(turn, h, h)
		VCMPPS(Imm(lessThan), zero, h, mask)
		VCMPPS(Imm(notLess), six, h, other)
		VANDPS(six, mask, mask)
		VANDPS(six, other, other)
		VADDPS(mask, h, h)
		VSUBPS(other, h, h)
		VCMPPS(Imm(greaterThan), zero, p.d, mask)
		VADDPS(one, h, h)
		for c, x := range []reg.VecVirtual{p.b, p.g, p.r} {
			if c > 0 {
				VADDPS(two, h, h)
			}
			k, wrap := YMM(), YMM()
			VMOVAPS(h, k)
			VCMPPS(Imm(notLess), six, k, wrap)
			VANDPS(six, wrap, wrap)
			VSUBPS(wrap, k, k)
			VSUBPS(k, four, wrap)
			VMINPS(wrap, k, k)
			clipTo(k, zero, one)
			VMULPS(p.d, k, k)
			VSUBPS(k, p.v, k)
			clipTo(k, zero, one)
			VBLENDVPS(mask, k, x, x)
			VMOVUPS(x, elements(base[2-c], at))
		}
	})
	leave()
}

func grayscale() {
	kernel("grayscaleFull", "func(n int, red, green, blue *float32)",
		"replaces all channels of n pixels by the luma; n is a positive multiple of 8.")
	n, base := arg("n"), planes()
	weights := [3]reg.VecVirtual{number(0.2989), number(0.5870), number(0.1140)}
	each(n, func(at reg.Register) {
		var v [3]reg.VecVirtual
		for c := range v {
			v[c] = load(base[c], at)
			VMULPS(weights[c], v[c], v[c])
		}
		VADDPS(v[1], v[0], v[0])
		VADDPS(v[2], v[0], v[0])
		for c := range base {
			VMOVUPS(v[0], elements(base[c], at))
		}
	})
	leave()
}

func solarize() {
	kernel("solarizeFull", "func(n int, p *float32)",
		"writes p[i] = 1 − p[i] where p[i] ≥ 1/2; n is a positive multiple of 8.")
	n, p, half, one := arg("n"), arg("p"), number(0.5), number(1)
	each(n, func(at reg.Register) {
		v, inverse, mask := load(p, at), YMM(), YMM()
		VSUBPS(v, one, inverse)
		VCMPPS(Imm(notLess), half, v, mask)
		VBLENDVPS(mask, inverse, v, v)
		VMOVUPS(v, elements(p, at))
	})
	leave()
}

// normalise turns planes into pixels: in each half of a register, four of each channel are put where they
// belong among twelve, and then chosen from.
func normalise() {
	kernel("normaliseFull", "func(n int, red, green, blue, shift, scale, out *float32)",
		"writes n pixels, (clip(x) − shift)·scale for each channel; n is a positive multiple of 8.")
	n, base, shift, scale, out := arg("n"), planes(), arg("shift"), arg("scale"), arg("out")
	zero, one := zeros(), number(1)
	var shifts, scales [3]reg.VecVirtual
	for c := range shifts {
		shifts[c], scales[c] = YMM(), YMM()
		VBROADCASTSS(Mem{Base: shift, Disp: 4 * c}, shifts[c])
		VBROADCASTSS(Mem{Base: scale, Disp: 4 * c}, scales[c])
	}
	each(n, func(at reg.Register) {
		var v [3]reg.VecVirtual
		for c := range v {
			v[c] = load(base[c], at)
			clipTo(v[c], zero, one)
			VSUBPS(shifts[c], v[c], v[c])
			VMULPS(scales[c], v[c], v[c])
		}
		VPERMILPS(Imm(0b01_10_11_00), v[0], v[0]) // r0 r3 r2 r1
		VPERMILPS(Imm(0b10_11_00_01), v[1], v[1]) // g1 g0 g3 g2
		VPERMILPS(Imm(0b11_00_01_10), v[2], v[2]) // b2 b1 b0 b3
		for part := range 3 {
			a, b, c := v[part], v[(part+1)%3], v[(part+2)%3]
			o := YMM()
			VBLENDPS(Imm(0b0010_0010), b, a, o)
			VBLENDPS(Imm(0b0100_0100), c, o, o)
			VMOVUPS(o.AsX(), Mem{Base: out, Disp: 16 * part})
			VEXTRACTF128(Imm(1), o, Mem{Base: out, Disp: 48 + 16*part})
		}
		ADDQ(Imm(96), out)
	})
	leave()
}
