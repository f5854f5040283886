package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// Decode decodes what Go's packages know: the region of an encoded image whose header Probe has read. JPEG is not
// smoothed where its chroma is scaled up.
func Decode(data []byte, info Info, region Rect, dst *Image) error {
	var m image.Image
	var err error
	switch info.Format {
	case PPM:
		return decodePPM(data[info.start:], info, region, dst)
	case PNG:
		m, err = guarded(png.Decode, data)
	default:
		m, err = guarded(jpeg.Decode, data)
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", info.Format, err)
	}
	if b := m.Bounds(); b.Min != (image.Point{}) || b.Dx() != info.Width || b.Dy() != info.Height {
		return fmt.Errorf("decode %s: %v pixels, header says %d × %d", info.Format, b, info.Width, info.Height)
	}
	dst.Reset(info.Width, info.Height, region)
	toRGB(m, dst)
	return nil
}

// guarded makes an error of a panic in a decoder that is not ours: one file must not end a run.
func guarded(decode func(io.Reader) (image.Image, error), data []byte) (m image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("the decoder broke: %v", r)
		}
	}()
	return decode(bytes.NewReader(data))
}

func decodePPM(pix []byte, info Info, region Rect, dst *Image) error {
	stride := info.Width * 3
	if len(pix) < stride*info.Height {
		return errors.New("decode ppm: cut short")
	}
	dst.Reset(info.Width, info.Height, region)
	for y := 0; y < region.H; y++ {
		from := (region.Y+y)*stride + region.X*3
		copy(dst.Pix[y*region.W*3:(y+1)*region.W*3], pix[from:])
	}
	return nil
}

// toRGB fills dst with its part of m. Transparency is dropped, as Pillow and TensorFlow do.
func toRGB(m image.Image, dst *Image) {
	r := dst.Held
	for y := 0; y < r.H; y++ {
		row := dst.Pix[y*r.W*3 : (y+1)*r.W*3]
		switch m := m.(type) {
		case *image.YCbCr:
			rowYCbCr(m, r.X, r.Y+y, row)
		case *image.Gray:
			at := m.PixOffset(r.X, r.Y+y)
			for i, v := range m.Pix[at : at+r.W] {
				row[3*i], row[3*i+1], row[3*i+2] = v, v, v
			}
		case *image.CMYK:
			at := m.PixOffset(r.X, r.Y+y)
			rowCMYK(m.Pix[at:at+4*r.W], row)
		case *image.RGBA:
			at := m.PixOffset(r.X, r.Y+y)
			rowFour(m.Pix[at:at+4*r.W], row)
		case *image.NRGBA:
			at := m.PixOffset(r.X, r.Y+y)
			rowFour(m.Pix[at:at+4*r.W], row)
		default:
			for x := 0; x < r.W; x++ {
				c := color.NRGBAModel.Convert(m.At(r.X+x, r.Y+y)).(color.NRGBA)
				row[3*x], row[3*x+1], row[3*x+2] = c.R, c.G, c.B
			}
		}
	}
}

func rowFour(src, row []byte) {
	for i := 0; i+3 <= len(row); i += 3 {
		s := src[:4]
		row[i], row[i+1], row[i+2] = s[0], s[1], s[2]
		src = src[4:]
	}
}

func rowCMYK(src, row []byte) {
	for i := 0; i+3 <= len(row); i += 3 {
		s := src[:4]
		row[i], row[i+1], row[i+2] = color.CMYKToRGB(s[0], s[1], s[2], s[3])
		src = src[4:]
	}
}

// rowYCbCr converts the pixels of row y from column x0 on: JFIF's full-range YCbCr in 16 bit fixed point.
func rowYCbCr(m *image.YCbCr, x0, y int, row []byte) {
	n := len(row) / 3
	luma := m.Y[m.YOffset(x0, y):][:n]
	shift := 0
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		shift = 2
	}
	first := x0 >> shift
	at := m.COffset(x0, y)
	chroma := (x0+n-1)>>shift - first + 1
	cb, cr := m.Cb[at:][:chroma], m.Cr[at:][:chroma]
	for i, l := range luma {
		c := (x0+i)>>shift - first
		yy := int32(l)<<16 + 1<<15
		b, r := int32(cb[c])-128, int32(cr[c])-128
		p := row[3*i : 3*i+3 : 3*i+3]
		p[0] = clamp8(yy + 91881*r)
		p[1] = clamp8(yy - 22554*b - 46802*r)
		p[2] = clamp8(yy + 116130*b)
	}
}

// clamp8 is v >> 16, held within 0 … 255.
func clamp8(v int32) uint8 {
	if uint32(v)&0xff000000 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31))
}
