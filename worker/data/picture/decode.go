package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Decode decodes what Go's packages and golang.org/x/image know: the region of an encoded image whose header Probe
// has read. JPEG is not smoothed where its chroma is scaled up.
func Decode(data []byte, info Info, region Rect, dst *Image) error {
	var m image.Image
	var err error
	switch info.Format {
	case PPM:
		return decodePPM(data[info.start:], info, region, dst)
	case PNG:
		m, err = guarded(png.Decode, data)
	case WebP:
		m, err = guarded(webp.Decode, data)
	case BMP:
		m, err = guarded(bmp.Decode, data)
	case TIFF:
		m, err = guarded(tiff.Decode, data)
	case GIF:
		if m, err = guarded(gif.Decode, data); err == nil {
			m = onCanvas(m, info)
		}
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
	switch lossy := m.(type) {
	case *image.YCbCr:
		if info.Format == WebP {
			fromStudio(lossy, dst)
			return nil
		}
	case *image.NYCbCrA: // WebP alone gives it
		fromStudio(&lossy.YCbCr, dst)
		return nil
	}
	toRGB(m, dst)
	return nil
}

// fromStudio fills dst with its part of a lossy WebP: values in the range of television (ITU-R BT.601: luma 16 to 235,
// chroma 16 to 240), in 16 bit fixed point, and chroma of half the size, spread over pixels by weights 9, 3, 3, 1 as
// libwebp does.
func fromStudio(m *image.YCbCr, dst *Image) {
	r := dst.Held
	w, h := (m.Rect.Dx()+1)/2, (m.Rect.Dy()+1)/2
	for y := range r.H {
		near, far := chromaPair(r.Y+y, h)
		for x := range r.W {
			left, right := chromaPair(r.X+x, w)
			spread := func(c []byte) int32 {
				a, b := int32(c[near*m.CStride+left]), int32(c[near*m.CStride+right])
				d, e := int32(c[far*m.CStride+left]), int32(c[far*m.CStride+right])
				return ((a+3*b+3*d+e+8)>>3+a)>>1 - 128
			}
			luma := 76309*(int32(m.Y[m.YOffset(r.X+x, r.Y+y)])-16) + 1<<15
			u, v := spread(m.Cb), spread(m.Cr)
			p := dst.Pix[(y*r.W+x)*3:][:3]
			p[0], p[1], p[2] = clamp8(luma+104597*v), clamp8(luma-25675*u-53279*v), clamp8(luma+132201*u)
		}
	}
}

// chromaPair are the sample that pixel i is of, and the next one on its side, of n.
func chromaPair(i, n int) (near, far int) { return i / 2, min(max(i/2-1+2*(i&1), 0), n-1) }

// guarded makes an error of a panic in a decoder that is not ours: one file must not end a run.
func guarded(decode func(io.Reader) (image.Image, error), data []byte) (m image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("the decoder broke: %v", r)
		}
	}()
	return decode(bytes.NewReader(data))
}

// onCanvas puts a frame where it belongs on its canvas, whose rest is black, as Pillow does. What reaches beyond is
// cut.
func onCanvas(m image.Image, info Info) image.Image {
	canvas := image.Rect(0, 0, info.Width, info.Height)
	if m.Bounds() == canvas {
		return m
	}
	whole := image.NewNRGBA(canvas)
	draw.Draw(whole, m.Bounds(), m, m.Bounds().Min, draw.Src)
	return whole
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
