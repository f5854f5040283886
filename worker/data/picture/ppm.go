package picture

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// mostLevels is how many a sample of PPM may have, in two bytes.
const mostLevels = 65535

// probePPM reads "P6 width height levels", with white space and comments between, and one white space behind. Of the
// six kinds P1, P2 and P3 have samples as text, P4, P5 and P6 as bytes; P1 and P4 are black and white and have no
// levels, P2 and P5 grey, P3 and P6 in colour.
func probePPM(data []byte) (Info, error) {
	kind := data[1]
	info := Info{Format: PPM, Components: 1, plain: kind <= '3', bits: kind == '1' || kind == '4'}
	if kind == '3' || kind == '6' {
		info.Components = 3
	}
	at, v := 2, [3]int{0, 0, 1}
	for i := range v {
		if i == 2 && info.bits {
			break
		}
		n, next, ok := ppmNumber(data, at)
		if !ok || next >= len(data) || !isSpace(data[next]) && data[next] != '#' {
			return Info{}, errors.New("ppm: bad header")
		}
		v[i], at = n, next
	}
	if v[0] == 0 || v[1] == 0 || v[2] == 0 || v[2] > mostLevels {
		return Info{}, fmt.Errorf("ppm: %d × %d pixels of %d levels", v[0], v[1], v[2])
	}
	info.Width, info.Height, info.start = v[0], v[1], at+1
	if v[2] != 255 {
		info.levels = v[2]
	}
	return info, nil
}

// ppmNumber reads the number behind white space and comments, and where it ends.
func ppmNumber(data []byte, at int) (n, next int, ok bool) {
	at = ppmGap(data, at)
	digits := 0
	for ; at < len(data) && data[at] >= '0' && data[at] <= '9' && digits < 9; digits++ {
		n = n*10 + int(data[at]-'0')
		at++
	}
	return n, at, digits > 0
}

// ppmGap is behind white space and comments.
func ppmGap(data []byte, at int) int {
	for at < len(data) && (isSpace(data[at]) || data[at] == '#') {
		if data[at] == '#' {
			for at < len(data) && data[at] != '\n' {
				at++
			}
			continue
		}
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

var errCutPPM = errors.New("decode ppm: cut short")

func decodePPM(pix []byte, info Info, region Rect, dst *Image) error {
	if info.plain || info.bits || info.levels != 0 {
		var err error
		if pix, err = ppmSamples(pix, info); err != nil {
			return err
		}
	}
	stride := info.Width * info.Components
	if len(pix) < stride*info.Height {
		return errCutPPM
	}
	dst.Reset(info.Width, info.Height, region)
	for y := 0; y < region.H; y++ {
		from, row := pix[(region.Y+y)*stride+region.X*info.Components:], dst.Pix[y*region.W*3:(y+1)*region.W*3]
		if info.Components == 3 {
			copy(row, from)
			continue
		}
		for i, v := range from[:region.W] {
			row[3*i], row[3*i+1], row[3*i+2] = v, v, v
		}
	}
	return nil
}

// ppmSamples makes samples of a byte with 255 levels of any others, rounded as Pillow does.
func ppmSamples(data []byte, info Info) ([]byte, error) {
	n := info.Width * info.Height * info.Components
	packed, wide := (info.Width+7)/8, info.levels > 255
	switch {
	case info.bits && !info.plain && len(data) < packed*info.Height,
		!info.bits && wide && !info.plain && len(data) < 2*n,
		(info.plain || !info.bits) && len(data) < n: // text has a byte for each sample at least
		return nil, errCutPPM
	}
	out := make([]byte, n)
	if info.plain {
		return out, plainSamples(data, info, out)
	}
	for i := range out {
		switch {
		case info.bits:
			x := i % info.Width
			out[i] = ppmSample(int(data[i/info.Width*packed+x/8]>>(7-x%8)&1), info)
		case wide:
			out[i] = ppmSample(int(binary.BigEndian.Uint16(data[2*i:])), info)
		default:
			out[i] = ppmSample(int(data[i]), info)
		}
	}
	return out, nil
}

// plainSamples reads samples that are text. Those of black and white need no space between.
func plainSamples(data []byte, info Info, out []byte) error {
	at := 0
	for i := range out {
		if info.bits {
			if at = ppmGap(data, at); at >= len(data) {
				return errCutPPM
			}
			if data[at] != '0' && data[at] != '1' {
				return fmt.Errorf("decode ppm: %q is neither black nor white", data[at])
			}
			out[i] = ppmSample(int(data[at]-'0'), info)
			at++
			continue
		}
		n, next, ok := ppmNumber(data, at)
		switch {
		case !ok && next >= len(data):
			return errCutPPM
		case !ok:
			return fmt.Errorf("decode ppm: %q is no number", data[next])
		}
		out[i], at = ppmSample(n, info), next
	}
	return nil
}

// ppmSample is a sample of 255 levels. More than there are count as the most.
func ppmSample(v int, info Info) byte {
	if info.bits {
		return byte(255 * (1 - v))
	}
	levels := info.levels
	if levels == 0 {
		levels = 255
	}
	return byte((2*255*min(v, levels) + levels) / (2 * levels))
}
