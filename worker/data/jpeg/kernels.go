package jpeg

import "encoding/binary"

// kernels are the loops over coefficients and samples. The sets give the same bits.
type kernels struct {
	name         string
	inverse      func(out []byte, stride int, coef, quant *[blockSize]int16) bool
	blendChroma  func(mix []uint16, row, other []byte, n int)
	spreadChroma func(out []byte, mix []uint16, n int, bias [2]uint16)
	colours      func(out, y, cb, cr []byte, n int)
}

// generic are the kernels in plain Go.
func generic() *kernels {
	return &kernels{name: "go", inverse: inverse, blendChroma: blendChroma, spreadChroma: spreadChroma, colours: colours}
}

// The constants of the inverse transform in 13 bits, after Loeffler, Ligtenberg and Moschytz (1989) as the Independent
// JPEG Group's accurate integer form rounds them: it is linear between its two roundings, so that the sums below
// equal its butterflies to the bit.
const (
	f0298 = 2446
	f0390 = 3196
	f0541 = 4433
	f0765 = 6270
	f0899 = 7373
	f1175 = 9633
	f1501 = 12299
	f1847 = 15137
	f1961 = 16069
	f2053 = 16819
	f2562 = 20995
	f3072 = 25172
	one13 = 8192
)

// basis is what output x (0 … 3) gets of the coefficients; output 7-x gets the odd ones negated.
var basis = [4][8]int16{
	{one13, f1501 - f0899 - f0390 + f1175, f0541 + f0765, f1175, one13, f1175 - f0390, f0541, f1175 - f0899},
	{one13, f1175, f0541, f3072 - f2562 - f1961 + f1175, -one13, f1175 - f2562, f0541 - f1847, f1175 - f1961},
	{one13, f1175 - f0390, -f0541, f1175 - f2562, -one13, f2053 - f2562 - f0390 + f1175, f1847 - f0541, f1175},
	{one13, f1175 - f0899, -f0541 - f0765, f1175 - f1961, one13, f1175, -f0541, f0298 - f0899 - f1961 + f1175},
}

// line is one pass over eight values at a distance of step: out = Σ basis · in, rounded and shifted.
func line(in *[blockSize]int32, at, step int, shift uint) {
	var x [8]int32
	for k := range x {
		x[k] = in[at+k*step]
	}
	half := int32(1) << (shift - 1)
	for k := range basis {
		c := &basis[k]
		even := x[0]*int32(c[0]) + x[2]*int32(c[2]) + x[4]*int32(c[4]) + x[6]*int32(c[6]) + half
		odd := x[1]*int32(c[1]) + x[3]*int32(c[3]) + x[5]*int32(c[5]) + x[7]*int32(c[7])
		in[at+k*step] = (even + odd) >> shift
		in[at+(7-k)*step] = (even - odd) >> shift
	}
}

// inverse turns the coefficients of a block, in rows, into 8 × 8 samples, and zeroes them: columns first, held within
// 16 bits, then rows. It reports whether all values before either pass were below 2^14, as those of pictures are by
// far: beyond, the sums of libjpeg-turbo's vectors overflow and its pixels are others.
func inverse(out []byte, stride int, coef, quant *[blockSize]int16) bool {
	var w [blockSize]int32
	wide := int32(0)
	for i := range w {
		w[i] = int32(coef[i] * quant[i])
		coef[i] = 0
		wide |= max(w[i], -w[i])
	}
	for x := range 8 {
		line(&w, x, 8, 11)
	}
	for i := range w {
		w[i] = min(max(w[i], -1<<15), 1<<15-1)
		wide |= max(w[i], -w[i])
	}
	for y := range 8 {
		line(&w, 8*y, 1, 18)
		row := out[y*stride:][:8]
		for x := range row {
			row[x] = byte(min(max(w[8*y+x], -128), 127) + 128)
		}
	}
	return wide < 1<<14
}

func putEight(out []byte, v uint64) { binary.LittleEndian.PutUint64(out, v) }

// blendChroma is mix[i] = 3·row[i] + other[i].
func blendChroma(mix []uint16, row, other []byte, n int) {
	mix, row, other = mix[:n], row[:n], other[:n]
	for i, v := range row {
		mix[i] = 3*uint16(v) + uint16(other[i])
	}
}

// spreadChroma makes two samples of each of mix[1] … mix[n]: (3·it + the one before or behind + bias) / 16.
func spreadChroma(out []byte, mix []uint16, n int, bias [2]uint16) {
	out, mix = out[:2*n], mix[:n+2]
	for i := range n {
		v := 3 * mix[i+1]
		out[2*i] = byte((v + mix[i] + bias[0]) >> 4)
		out[2*i+1] = byte((v + mix[i+2] + bias[1]) >> 4)
	}
}

// colours writes n pixels of red, green, blue from YCbCr by JFIF's formula in 16 bit fixed point. Behind them it may
// write anything where out, y, cb and cr go on.
func colours(out, y, cb, cr []byte, n int) {
	out, y, cb, cr = out[:3*n], y[:n], cb[:n], cr[:n]
	for i, l := range y {
		v, b, r := int32(l), int32(cb[i])-128, int32(cr[i])-128
		p := out[3*i:][:3]
		p[0] = clampByte(v + (91881*r+1<<15)>>16)
		p[1] = clampByte(v + (-22554*b-46802*r+1<<15)>>16)
		p[2] = clampByte(v + (116130*b+1<<15)>>16)
	}
}

func clampByte(v int32) byte { return byte(min(max(v, 0), 255)) }
