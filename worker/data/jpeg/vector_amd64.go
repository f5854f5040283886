package jpeg

import syscpu "golang.org/x/sys/cpu"

//go:generate go run ../asm -for jpeg -dir .

// best is the fastest kernel set that this processor runs.
func best() *kernels {
	if !syscpu.X86.HasAVX2 {
		return generic()
	}
	return &kernels{name: "avx2", inverse: avxInverse, blendChroma: avxBlendChroma, spreadChroma: avxSpreadChroma,
		colours: avxColours}
}

func avxInverse(out []byte, stride int, coef, quant *[blockSize]int16) bool {
	_ = out[7*stride+7]
	return inverseFull(&coef[0], &quant[0], &out[0], stride) == 0
}

// avxBlendChroma and avxSpreadChroma go on to whole vectors where the memory does.
func avxBlendChroma(mix []uint16, row, other []byte, n int) {
	whole := (n + 15) &^ 15
	if min(len(mix), len(row), len(other)) < whole {
		whole = n &^ 15
	}
	if whole > 0 {
		blendChromaFull(whole, &row[0], &other[0], &mix[0])
	}
	if whole < n {
		blendChroma(mix[whole:], row[whole:], other[whole:], n-whole)
	}
}

func avxSpreadChroma(out []byte, mix []uint16, n int, bias [2]uint16) {
	whole := (n + 15) &^ 15
	if len(mix) < whole+2 || len(out) < 2*whole {
		whole = n &^ 15
	}
	if whole > 0 {
		spreadChromaFull(whole, &mix[1], int(bias[0]), int(bias[1]), &out[0])
	}
	if whole < n {
		spreadChroma(out[2*whole:], mix[whole:], n-whole, bias)
	}
}

func avxColours(out, y, cb, cr []byte, n int) {
	whole := (n + 7) &^ 7
	if min(len(y), len(cb), len(cr)) < whole || len(out) < 3*whole+4 {
		whole = max(min(n, (len(out)-4)/3), 0) &^ 7
	}
	if whole > 0 {
		coloursFull(whole, &y[0], &cb[0], &cr[0], &out[0])
	}
	if whole < n {
		colours(out[3*whole:], y[whole:], cb[whole:], cr[whole:], n-whole)
	}
}
