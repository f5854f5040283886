package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pair is two constants for VPMADDWD: lo for the even word, hi for the odd one.
func pair(lo, hi int) uint32 { return uint32(uint16(lo)) | uint32(uint16(hi))<<16 }

// vectors puts rows of eight dwords into read-only data.
func vectors(name string, rows [][8]uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, row := range rows {
		for k, v := range row {
			DATA(32*i+4*k, U32(v))
		}
	}
	return m
}

func alike(v uint32) (row [8]uint32) {
	for k := range row {
		row[k] = v
	}
	return row
}

// basis is package jpeg's.
var basis = [4][8]int{
	{8192, 12299 - 7373 - 3196 + 9633, 4433 + 6270, 9633, 8192, 9633 - 3196, 4433, 9633 - 7373},
	{8192, 9633, 4433, 25172 - 20995 - 16069 + 9633, -8192, 9633 - 20995, 4433 - 15137, 9633 - 16069},
	{8192, 9633 - 3196, -4433, 9633 - 20995, -8192, 16819 - 20995 - 3196 + 9633, 15137 - 4433, 9633},
	{8192, 9633 - 7373, -4433 - 6270, 9633 - 16069, 8192, 9633, -4433, 2446 - 7373 - 16069 + 9633},
}

// inverse transforms the columns by sums over pairs of rows, and then the rows by broadcasting pairs of neighbours.
func inverse() {
	kernel("inverseFull", "func(coef, quant *int16, out *byte, stride int) (wide uint64)",
		"turns 8 × 8 coefficients into samples, 8 rows at a distance of stride, and zeroes the coefficients. wide is 1 if "+
			"a value before a pass is 2^14 or more.")
	coef, quant, out, stride := arg("coef"), arg("quant"), arg("out"), arg("stride")
	wide := YMM()
	VPXOR(wide, wide, wide)
	columns(coef, quant, wide)
	table := vectors("inverseRows", acrossRows())
	var matrix [4]reg.VecVirtual
	for p := range matrix {
		matrix[p] = YMM()
		VMOVDQU(table.Offset(32*p), matrix[p])
	}
	half, order, centre := YMM(), YMM(), YMM()
	constants := vectors("inverseConstants", [][8]uint32{alike(1 << 17), {0, 4, 1, 5, 2, 6, 3, 7}, alike(0x80808080),
		alike(0xc000c000)})
	VMOVDQU(constants, half)
	VMOVDQU(constants.Offset(32), order)
	VMOVDQU(constants.Offset(64), centre)
	for group := range 2 {
		var rows [4]reg.VecVirtual
		for i := range rows {
			at := 16 * (4*group + i)
			rows[i] = YMM()
			VPBROADCASTD(Mem{Base: coef, Disp: at}, rows[i])
			VPMADDWD(matrix[0], rows[i], rows[i])
			VPADDD(half, rows[i], rows[i])
			for p := 1; p < 4; p++ {
				v := YMM()
				VPBROADCASTD(Mem{Base: coef, Disp: at + 4*p}, v)
				VPMADDWD(matrix[p], v, v)
				VPADDD(v, rows[i], rows[i])
			}
			VPSRAD(Imm(18), rows[i], rows[i])
		}
		VPACKSSDW(rows[1], rows[0], rows[0])
		VPACKSSDW(rows[3], rows[2], rows[2])
		VPACKSSWB(rows[2], rows[0], rows[0])
		VPERMD(rows[0], order, rows[0])
		VPADDB(centre, rows[0], rows[0])
		high := XMM()
		VEXTRACTI128(Imm(1), rows[0], high)
		for i, half := range []reg.Register{rows[0].AsX(), high} {
			VMOVQ(half, Mem{Base: out})
			VPEXTRQ(Imm(1), half, Mem{Base: out, Index: stride, Scale: 1})
			if group == 0 || i == 0 {
				LEAQ(Mem{Base: out, Index: stride, Scale: 2}, out)
			}
		}
	}
	zero := zeros()
	for i := range 4 {
		VMOVDQU(zero, Mem{Base: coef, Disp: 32 * i})
	}
	flag := GP64()
	XORL(flag.As32(), flag.As32())
	VPTEST(constants.Offset(96), wide)
	SETNE(flag.As8())
	Store(flag, ReturnIndex(0))
	leave()
}

// columns is the first pass; its results replace the coefficients. wide gathers the bits of all magnitudes.
func columns(coef, quant reg.Register, wide reg.VecVirtual) {
	var rows [8]reg.VecVirtual // each word twice as far from the next, so that two rows interleave in place
	for i := range 4 {
		both := YMM()
		VMOVDQU(Mem{Base: coef, Disp: 32 * i}, both)
		VPMULLW(Mem{Base: quant, Disp: 32 * i}, both, both)
		gather(wide, both)
		rows[2*i], rows[2*i+1] = YMM(), YMM()
		VPERMQ(Imm(0b01_01_00_00), both, rows[2*i])
		VPERMQ(Imm(0b11_11_10_10), both, rows[2*i+1])
	}
	var pairs [4]reg.VecVirtual // rows 0 and 4, 2 and 6, 1 and 3, 5 and 7
	for i, p := range [4][2]int{{0, 4}, {2, 6}, {1, 3}, {5, 7}} {
		pairs[i] = YMM()
		VPUNPCKLWD(rows[p[1]], rows[p[0]], pairs[i])
	}
	var table [][8]uint32
	for k := range basis {
		c := &basis[k]
		table = append(table, alike(pair(c[0], c[4])), alike(pair(c[2], c[6])), alike(pair(c[1], c[3])),
			alike(pair(c[5], c[7])))
	}
	table = append(table, alike(1<<10))
	weights := vectors("inverseColumns", table)
	var result [8]reg.VecVirtual
	for k := range basis {
		var v [4]reg.VecVirtual
		for i := range v {
			v[i] = YMM()
			VPMADDWD(weights.Offset(32*(4*k+i)), pairs[i], v[i])
		}
		VPADDD(v[1], v[0], v[0])
		VPADDD(weights.Offset(32*16), v[0], v[0])
		VPADDD(v[3], v[2], v[2])
		result[k], result[7-k] = YMM(), YMM()
		VPADDD(v[2], v[0], result[k])
		VPSUBD(v[2], v[0], result[7-k])
		VPSRAD(Imm(11), result[k], result[k])
		VPSRAD(Imm(11), result[7-k], result[7-k])
	}
	for i := range 4 {
		v := result[2*i]
		VPACKSSDW(result[2*i+1], v, v)
		gather(wide, v)
		VPERMQ(Imm(0b11_01_10_00), v, v)
		VMOVDQU(v, Mem{Base: coef, Disp: 32 * i})
	}
}

// acrossRows are, for each pair of neighbours in a row, what the eight outputs get of them.
func acrossRows() [][8]uint32 {
	table := make([][8]uint32, 4)
	for p := range table {
		for x := range table[p] {
			k, sign := x, 1
			if x > 3 {
				k, sign = 7-x, -1
			}
			table[p][x] = pair(basis[k][2*p], sign*basis[k][2*p+1])
		}
	}
	return table
}

func gather(wide, words reg.VecVirtual) {
	size := YMM()
	VPABSW(words, size)
	VPOR(size, wide, wide)
}

func blendChroma() {
	kernel("blendChromaFull", "func(n int, row, other *byte, mix *uint16)",
		"writes mix[i] = 3·row[i] + other[i]; n is a positive multiple of 16.")
	n, row, other, mix := arg("n"), arg("row"), arg("other"), arg("mix")
	at := GP64()
	XORQ(at, at)
	Label("vector")
	a, b, twice := YMM(), YMM(), YMM()
	VPMOVZXBW(elements(row, at), a)
	VPMOVZXBW(elements(other, at), b)
	VPADDW(a, a, twice)
	VPADDW(b, a, a)
	VPADDW(twice, a, a)
	VMOVDQU(a, Mem{Base: mix, Index: at, Scale: 2})
	ADDQ(Imm(16), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	leave()
}

func spreadChroma() {
	kernel("spreadChromaFull", "func(n int, mix *uint16, before, behind int, out *byte)",
		"writes out[2i] = (3·mix[i] + mix[i−1] + before)/16 and out[2i+1] = (3·mix[i] + mix[i+1] + behind)/16; n is a "+
			"positive multiple of 16. mix points at its second element.")
	n, mix, out := arg("n"), arg("mix"), arg("out")
	var bias [2]reg.VecVirtual
	for i, name := range []string{"before", "behind"} {
		bias[i] = YMM()
		VMOVQ(arg(name), bias[i].AsX())
		VPBROADCASTW(bias[i].AsX(), bias[i])
	}
	at := GP64()
	XORQ(at, at)
	Label("vector")
	it, twice, left, right := YMM(), YMM(), YMM(), YMM()
	VMOVDQU(Mem{Base: mix, Index: at, Scale: 2}, it)
	VPADDW(it, it, twice)
	VPADDW(twice, it, it)
	VPADDW(Mem{Base: mix, Index: at, Scale: 2, Disp: -2}, it, left)
	VPADDW(Mem{Base: mix, Index: at, Scale: 2, Disp: 2}, it, right)
	VPADDW(bias[0], left, left)
	VPADDW(bias[1], right, right)
	VPSRLW(Imm(4), left, left)
	VPSRLW(Imm(4), right, right)
	VPSLLW(Imm(8), right, right)
	VPOR(right, left, left)
	VMOVDQU(left, Mem{Base: out, Index: at, Scale: 2})
	ADDQ(Imm(16), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	leave()
}

// colours makes eight pixels a turn: the factors above 1 are split into a whole part, added, and a rest of 16 bits.
func colours() {
	kernel("coloursFull", "func(n int, y, cb, cr, out *byte)",
		"writes n pixels of red, green, blue; n is a positive multiple of 8. It writes 4 bytes more.")
	n, y, cb, cr, out := arg("n"), arg("y"), arg("cb"), arg("cr"), arg("out")
	table := vectors("coloursConstants", [][8]uint32{
		alike(pair(0, 91881-65536)), alike(pair(-22554, 65536-46802)), alike(pair(116130-2*65536, 0)), alike(1 << 15),
		alike(pair(128, 128)),
		{0x01080400, 0x06020905, 0x0b07030a, 0x80808080, 0x01080400, 0x06020905, 0x0b07030a, 0x80808080},
	})
	var c [6]reg.VecVirtual
	for i := range c {
		c[i] = YMM()
		VMOVDQU(table.Offset(32*i), c[i])
	}
	at := GP64()
	XORQ(at, at)
	Label("vector")
	light, both, red := YMM(), YMM(), YMM()
	VPMOVZXBD(elements(y, at), light)
	VPMOVZXBD(elements(cb, at), both)
	VPMOVZXBD(elements(cr, at), red)
	VPSLLD(Imm(16), red, red)
	VPOR(red, both, both)
	VPSUBW(c[4], both, both)
	var v [3]reg.VecVirtual
	for i := range v {
		v[i] = YMM()
		VPMADDWD(c[i], both, v[i])
		VPADDD(c[3], v[i], v[i])
		VPSRAD(Imm(16), v[i], v[i])
		VPADDD(light, v[i], v[i])
	}
	VPSRAD(Imm(16), both, red)
	VPADDD(red, v[0], v[0])
	VPSUBD(red, v[1], v[1])
	VPSLLD(Imm(16), both, both)
	VPSRAD(Imm(15), both, both)
	VPADDD(both, v[2], v[2])
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[2], v[2], v[2])
	VPACKUSWB(v[2], v[0], v[0])
	VPSHUFB(c[5], v[0], v[0])
	VMOVDQU(v[0].AsX(), Mem{Base: out})
	VEXTRACTI128(Imm(1), v[0], Mem{Base: out, Disp: 12})
	ADDQ(Imm(24), out)
	ADDQ(Imm(8), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	leave()
}
