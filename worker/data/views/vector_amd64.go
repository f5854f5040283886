package views

import syscpu "golang.org/x/sys/cpu"

//go:generate go run ../asm -for views -dir .

// best is the fastest kernel set that this processor runs.
func best() *kernels {
	if !syscpu.X86.HasAVX2 {
		return generic()
	}
	return &kernels{name: "avx2", blendRows: avxBlendRows, blendColumns: avxBlendColumns, convolve: avxConvolve,
		brightness: avxBrightness, contrast: avxContrast, sum: avxSum, saturation: avxSaturation, hue: avxHue,
		grayscale: avxGrayscale, solarize: avxSolarize, normalise: avxNormalise}
}

// The kernels below do what fills whole vectors of eight in assembly, and the rest in Go.
const lanes = 8

func avxBlendRows(dst []float32, src *[4][]byte, w *[4]float32) {
	n := len(dst) &^ (lanes - 1)
	s := [4][]byte{src[0][:len(dst)], src[1][:len(dst)], src[2][:len(dst)], src[3][:len(dst)]}
	if n > 0 {
		blendRowsFull(n, &s[0][0], &s[1][0], &s[2][0], &s[3][0], &w[0], &dst[0])
	}
	for k := range s {
		s[k] = s[k][n:]
	}
	blendRows(dst[n:], &s, w)
}

// avxBlendColumns reads a pixel as four floats, so that row needs room for one more.
func avxBlendColumns(red, green, blue, row []float32, taps []tap) {
	if cap(row) == len(row) || len(taps) == 0 {
		blendColumns(red, green, blue, row, taps)
		return
	}
	_, _, _ = red[:len(taps)], green[:len(taps)], blue[:len(taps)]
	blendColumnsFull(len(taps), &taps[0].at[0], &row[0], &red[0], &green[0], &blue[0])
}

func avxConvolve(dst, src []float32, stride int, k []float32) {
	n, reach := len(dst)&^(lanes-1), len(k)-1
	_ = src[:2*reach*stride+len(dst)]
	if n > 0 {
		convolveFull(n, &src[reach*stride], stride, &k[0], reach, &dst[0])
	}
	if n < len(dst) {
		convolve(dst[n:], src[n:], stride, k)
	}
}

func avxBrightness(p []float32, delta float32) {
	n := len(p) &^ (lanes - 1)
	if n > 0 {
		brightnessFull(n, &p[0], delta)
	}
	brightness(p[n:], delta)
}

func avxContrast(p []float32, f, mu float32) {
	n := len(p) &^ (lanes - 1)
	if n > 0 {
		contrastFull(n, &p[0], f, mu)
	}
	contrast(p[n:], f, mu)
}

func avxSum(p []float32, sums *[8]float64) {
	n := len(p) &^ (lanes - 1)
	if n > 0 {
		sumFull(n, &p[0], &sums[0])
	}
	sum(p[n:], sums)
}

func avxSaturation(red, green, blue []float32, f float32) {
	n := len(red) &^ (lanes - 1)
	green, blue = green[:len(red)], blue[:len(red)]
	if n > 0 {
		saturationFull(n, &red[0], &green[0], &blue[0], f)
	}
	saturation(red[n:], green[n:], blue[n:], f)
}

func avxHue(red, green, blue []float32, turn float32) {
	n := len(red) &^ (lanes - 1)
	green, blue = green[:len(red)], blue[:len(red)]
	if n > 0 {
		hueFull(n, &red[0], &green[0], &blue[0], turn)
	}
	hue(red[n:], green[n:], blue[n:], turn)
}

func avxGrayscale(red, green, blue []float32) {
	n := len(red) &^ (lanes - 1)
	green, blue = green[:len(red)], blue[:len(red)]
	if n > 0 {
		grayscaleFull(n, &red[0], &green[0], &blue[0])
	}
	grayscale(red[n:], green[n:], blue[n:])
}

func avxSolarize(p []float32) {
	n := len(p) &^ (lanes - 1)
	if n > 0 {
		solarizeFull(n, &p[0])
	}
	solarize(p[n:])
}

func avxNormalise(out []float32, plane *[3][]float32, shift, scale *[3]float32) {
	n := len(plane[0]) &^ (lanes - 1)
	red, green, blue := plane[0], plane[1][:len(plane[0])], plane[2][:len(plane[0])]
	out = out[:3*len(red)]
	if n > 0 {
		normaliseFull(n, &red[0], &green[0], &blue[0], &shift[0], &scale[0], &out[0])
	}
	if n < len(red) {
		normalise(out[3*n:], &[3][]float32{red[n:], green[n:], blue[n:]}, shift, scale)
	}
}
