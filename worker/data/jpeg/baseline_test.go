package jpeg

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"byol/worker/data/picture"
	"byol/worker/data/random"
)

// randomBlock gives coefficients and a table of quantisation: mostly small ones, sometimes as large as 8 bits allow.
func randomBlock(seed uint64) (coef, quant [blockSize]int16) {
	for i := range coef {
		x := random.Mix(seed<<16 + uint64(i))
		quant[i] = int16(1 + x%16)
		if x>>8%4 == 0 {
			coef[i] = int16(x>>16%64) - 32
		}
	}
	if seed%8 == 0 {
		coef[seed/8%64] = int16(2047 / quant[seed/8%64])
	}
	return coef, quant
}

// exactInverse is the inverse transform by its formula in float64.
func exactInverse(coef, quant *[blockSize]int16) (out [blockSize]float64) {
	scale := func(k int) float64 {
		if k == 0 {
			return math.Sqrt(0.125)
		}
		return 0.5
	}
	for y := range 8 {
		for x := range 8 {
			sum := 0.0
			for v := range 8 {
				for u := range 8 {
					sum += scale(u) * scale(v) * float64(coef[8*v+u]) * float64(quant[8*v+u]) *
						math.Cos(float64((2*x+1)*u)*math.Pi/16) * math.Cos(float64((2*y+1)*v)*math.Pi/16)
				}
			}
			out[8*y+x] = min(max(sum+128, 0), 255)
		}
	}
	return out
}

// TestInverse: the inverse transform is the formula's to one level, the kernels agree to the bit, a block with nothing
// but its first coefficient is no exception, and coefficients are zeroed.
func TestInverse(t *testing.T) {
	fast := best()
	for seed := range uint64(2000) {
		coef, quant := randomBlock(seed)
		if seed%5 == 0 {
			first := coef[0]
			coef = [blockSize]int16{first}
		}
		var got, want [8 * 11]byte
		exact := exactInverse(&coef, &quant)
		a, b := coef, coef
		small := fast.inverse(got[:], 11, &a, &quant)
		if inverse(want[:], 11, &b, &quant) != small || !small || got != want || a != b || a != ([blockSize]int16{}) {
			t.Fatalf("seed %d: kernels %v\n%v, want\n%v", seed, fast.name, got, want)
		}
		a, b = coef, coef // as no picture has them
		a[seed%64], b[seed%64] = 32000, 32000
		if quant[seed%64] == 1 && (fast.inverse(got[:], 11, &a, &quant) || inverse(want[:], 11, &b, &quant)) {
			t.Fatalf("seed %d: a coefficient of 32000 passes", seed)
		}
		a = coef
		fast.inverse(got[:], 11, &a, &quant)
		for i, x := range exact {
			if v := float64(got[i/8*11+i%8]); math.Abs(v-x) > 1 {
				t.Fatalf("seed %d: sample %d is %v, want %.3f", seed, i, v, x)
			}
		}
		if seed%5 == 0 {
			want = got
			if !flat(got[:], 11, coef[0]*quant[0]) || got != want {
				t.Fatalf("seed %d: flat gives %v, want %v", seed, got, want)
			}
		}
	}
}

// TestSampleKernelsGiveTheSameBits compares the kernels on rows of samples, with and without room behind them.
func TestSampleKernelsGiveTheSameBits(t *testing.T) {
	fast := best()
	for n := 1; n < 70; n++ {
		for _, room := range []int{0, 40} {
			random := func(n int, seed uint64) []byte {
				out := make([]byte, n+room)
				for i := range out {
					out[i] = byte(random.Mix(seed<<20 + uint64(n<<10+i)))
				}
				return out
			}
			y, cb, cr := random(n, 1), random(n, 2), random(n, 3)
			got, want := make([]byte, 3*n+room), make([]byte, 3*n+room)
			fast.colours(got, y, cb, cr, n)
			colours(want, y, cb, cr, n)
			if !bytes.Equal(got[:3*n], want[:3*n]) {
				t.Fatalf("colours of %d pixels: %v, want %v", n, got[:3*n], want[:3*n])
			}
			a, b := make([]uint16, n+2+room), make([]uint16, n+2+room)
			fast.blendChroma(a[1:], y, cb, n)
			blendChroma(b[1:], y, cb, n)
			a[n+1], b[n+1] = b[n], b[n]
			fast.spreadChroma(got, a, n, [2]uint16{8, 7})
			spreadChroma(want, b, n, [2]uint16{8, 7})
			if !bytes.Equal(got[:2*n], want[:2*n]) {
				t.Fatalf("chroma of %d samples: %v, want %v", n, got[:2*n], want[:2*n])
			}
		}
	}
}

// TestBaselineAgainstLibrary: of pictures without halved chroma, Go's library gives the same within the rounding of
// its own transform; of the others, within what smoothing changes.
func TestBaselineAgainstLibrary(t *testing.T) {
	for name, mean := range map[string]float64{"grey.jpg": 0.2, "c444.jpg": 0.7, "c422.jpg": 3, "c440.jpg": 3,
		"colour.jpg": 3, "restart.jpg": 3} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := picture.Probe(text)
		if err != nil {
			t.Fatal(err)
		}
		var got, want picture.Image
		if done, err := NewBaseline().Decode(text, info, picture.Rect{}, &got); !done {
			t.Errorf("%s: not for Baseline, %v", name, err)
			continue
		}
		whole := picture.Rect{W: info.Width, H: info.Height}
		if err := picture.Decode(text, info, whole, &want); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, v := range got.Pix {
			sum += math.Abs(float64(v) - float64(want.Pix[i]))
		}
		if sum /= float64(len(got.Pix)); sum > mean {
			t.Errorf("%s: %.2f levels from Go's library on average, want at most %v", name, sum, mean)
		}
	}
}

// FuzzBaseline: whatever the bytes are, Baseline returns; a region is part of the whole; and what it takes, Go's
// library takes too, as far as it goes.
func FuzzBaseline(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.jpg")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint16(5), uint16(3))
	}
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 9, 17)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes(), uint16(0), uint16(16))
	b := NewBaseline()
	f.Fuzz(func(t *testing.T, text []byte, x, y uint16) {
		info, err := picture.Probe(text)
		if err != nil || info.Width*info.Height > 1<<20 {
			return
		}
		var whole, part picture.Image
		r := picture.Rect{X: int(x) % info.Width, Y: int(y) % info.Height}
		r.W, r.H = 1+(info.Width-r.X)/2, 1+(info.Height-r.Y)/2
		r.W, r.H = min(r.W, info.Width-r.X), min(r.H, info.Height-r.Y)
		ok, err := b.Decode(text, info, picture.Rect{}, &whole)
		if also, why := b.Decode(text, info, r, &part); also != ok || why != err {
			t.Fatalf("whole: %v, %v; region %v: %v, %v", ok, err, r, also, why)
		}
		if plain, why := b.Examine(text, info); plain != (ok || err != nil) || why != err {
			t.Fatalf("decoded: %v, %v; examined: %v, %v", ok, err, plain, why)
		}
		if !ok {
			return
		}
		// A grey picture with sampling factors of 3 is plain to the standard and to libjpeg-turbo, whose pixels package
		// turbo compares; Go's library does not know how.
		var limit jpeg.UnsupportedError
		_, err = jpeg.Decode(bytes.NewReader(text))
		known := errors.As(err, &limit) && limit == "luma/chroma subsampling ratio"
		if err != nil && !(info.Components == 1 && known) {
			t.Errorf("taken, but Go's library says %v", err)
		}
		for row := range r.H {
			want := whole.Pix[((r.Y+row)*info.Width+r.X)*3:][:3*r.W]
			if got := part.Pix[row*r.W*3:][:3*r.W]; !bytes.Equal(got, want) {
				t.Fatalf("region %v, row %d: %v, want %v", r, row, got, want)
			}
		}
	})
}
