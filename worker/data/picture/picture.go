// Package picture is what decoders and those who use them share: a decoded image or a part of it, the limits of what is
// decoded, what a file's header says, and the decoding that Go's own packages do.
//
// All are values; nothing is owned or shared.
//
// # When it fails
//
// What is no picture, is damaged or over the limits gives an error.
package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// DefaultPixels is the largest image that is decoded unless Limits says otherwise: 8192 × 10922, as Pillow's.
const DefaultPixels = 89_478_485

// Limits protect against images that are small on disk and huge in memory.
type Limits struct {
	Pixels int // width × height; 0: DefaultPixels
}

// Check refuses an image of w × h pixels that is beyond the limits.
func (l Limits) Check(w, h int) error {
	limit := l.Pixels
	if limit <= 0 {
		limit = DefaultPixels
	}
	if w <= 0 || h <= 0 {
		return fmt.Errorf("image of %d × %d pixels", w, h)
	}
	if w > limit/h {
		return fmt.Errorf("image of %d × %d pixels is over the limit of %d pixels", w, h, limit)
	}
	return nil
}

const (
	// modestPixels are decoded whatever the file's size: 16 Mi take at most 128 MiB.
	modestPixels = 16 << 20
	// pixelsPerByte is more than a plain surface takes in any format that is read.
	pixelsPerByte = 4096
)

// CheckFile is Check of an image that a file of n bytes says it holds: a small file does not get much memory.
func (l Limits) CheckFile(w, h, n int) error {
	if err := l.Check(w, h); err != nil {
		return err
	}
	if w*h > modestPixels && w*h/pixelsPerByte > n {
		return fmt.Errorf("image of %d × %d pixels in %d bytes: more than such a file can hold", w, h, n)
	}
	return nil
}

// Rect is a part of an image: W × H pixels with the upper left corner at (X, Y). The zero Rect stands for all
// of it.
type Rect struct{ X, Y, W, H int }

// Union is the smallest Rect that holds both.
func (r Rect) Union(o Rect) Rect {
	x, y := min(r.X, o.X), min(r.Y, o.Y)
	return Rect{X: x, Y: y, W: max(r.X+r.W, o.X+o.W) - x, H: max(r.Y+r.H, o.Y+o.H) - y}
}

// Contains says whether o lies within r.
func (r Rect) Contains(o Rect) bool {
	return o.X >= r.X && o.Y >= r.Y && o.X+o.W <= r.X+r.W && o.Y+o.H <= r.Y+r.H
}

// Image is a decoded image, or the part of it that was asked for: 8 bits each of red, green, blue, row by row.
type Image struct {
	Width, Height int    // of the whole image
	Held          Rect   // the part that Pix holds
	Pix           []byte // Held.H rows of Held.W·3 bytes
}

// Reset makes room for the part held of a w × h image, reusing Pix.
func (m *Image) Reset(w, h int, held Rect) {
	m.Width, m.Height, m.Held = w, h, held
	n := held.W * held.H * 3
	if cap(m.Pix) < n {
		m.Pix = make([]byte, n)
	}
	m.Pix = m.Pix[:n]
}

// Decoder turns encoded bytes into pixels. What the bytes are is told by their content, never by a name. It is safe
// for concurrent use. Whether an image can be decoded depends on the bytes and limits alone, not on the region.
type Decoder interface {
	// Name identifies the implementation and version: decoders of other names may differ by some grey levels.
	Name() string
	// Decode fills dst with at least the given region of the image; the zero Rect asks for all of it. The
	// limits are checked before memory for pixels is used.
	Decode(data []byte, limits Limits, region Rect, dst *Image) error
}

// Format is an image file format.
type Format string

// The formats that Probe knows.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	PPM  Format = "ppm" // P6, P5 (grey) and their kin: see probePPM; what the generated set is made of
	WebP Format = "webp"
	GIF  Format = "gif" // its first frame
	BMP  Format = "bmp"
	TIFF Format = "tiff"
)

// Info is what the header of an encoded image says.
type Info struct {
	Format        Format
	Width, Height int
	Components    int  // JPEG and PPM: 1 grey, 3 colour; JPEG: 4 CMYK or YCCK
	Adobe         bool // JPEG: has an Adobe marker, and so stores CMYK inverted
	start         int  // PPM: first byte of the pixels
	levels        int  // PPM: of a sample, 0 for 255
	plain, bits   bool // PPM: samples are written as text; are black (1) or white (0)
}

var errNotImage = errors.New("not a JPEG, PNG, WebP, GIF, BMP, TIFF or PPM image")

// Probe reads the header of an encoded image. It decodes nothing; of JPEG, PNG and PPM it allocates only for errors.
func Probe(data []byte) (Info, error) {
	switch {
	case len(data) == 0:
		return Info{}, errors.New("empty file")
	case len(data) >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff:
		return probeJPEG(data)
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return probePNG(data)
	case len(data) > 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6':
		return probePPM(data)
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		if animated(data) {
			return Info{}, errors.New("webp: an animation, which is not read")
		}
		return probeBy(WebP, webp.DecodeConfig, data)
	case bytes.HasPrefix(data, []byte("GIF8")):
		return probeBy(GIF, gif.DecodeConfig, data)
	case bytes.HasPrefix(data, []byte("BM")):
		return probeBy(BMP, bmp.DecodeConfig, data)
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		return probeBy(TIFF, tiff.DecodeConfig, data)
	}
	return Info{}, errNotImage
}

// animated reports whether a WebP file's extended header announces frames.
func animated(webp []byte) bool {
	const flag = 0x02
	return len(webp) > 20 && string(webp[12:16]) == "VP8X" && webp[20]&flag != 0
}

// probeBy asks the package that decodes the format.
func probeBy(f Format, config func(io.Reader) (image.Config, error), data []byte) (info Info, err error) {
	defer func() {
		if r := recover(); r != nil {
			info, err = Info{}, fmt.Errorf("%s: the header's reader broke: %v", f, r)
		}
	}()
	c, err := config(bytes.NewReader(data))
	switch {
	case err != nil:
		return Info{}, err
	case c.Width <= 0 || c.Height <= 0:
		return Info{}, fmt.Errorf("%s: %d × %d pixels", f, c.Width, c.Height)
	}
	return Info{Format: f, Width: c.Width, Height: c.Height}, nil
}

func probePNG(data []byte) (Info, error) {
	if len(data) < 24 || string(data[12:16]) != "IHDR" {
		return Info{}, errors.New("png: header is cut short")
	}
	w, h := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:])
	if w == 0 || h == 0 || w > 1<<30 || h > 1<<30 {
		return Info{}, fmt.Errorf("png: %d × %d pixels", w, h)
	}
	return Info{Format: PNG, Width: int(w), Height: int(h)}, nil
}

// probeJPEG walks the marker segments up to the frame header.
func probeJPEG(data []byte) (Info, error) {
	info := Info{Format: JPEG}
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xff {
			at++ // bytes between segments: libjpeg and Go skip them too
			continue
		}
		m := data[at+1]
		if m == 0xff || m == 0 || m == 0x01 || m >= 0xd0 && m <= 0xd7 {
			at++ // fill bytes, and markers without a length
			continue
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		body := data[min(at+4, len(data)):min(at+2+max(n, 2), len(data))]
		switch {
		case m == 0xee && bytes.HasPrefix(body, []byte("Adobe")):
			info.Adobe = true
		case m >= 0xc3 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
			return info, fmt.Errorf("jpeg: %s, which not every decoder reads", uncommon(m))
		case m >= 0xc0 && m <= 0xc2:
			if len(body) < 6 {
				return info, errors.New("jpeg: frame header is cut short")
			}
			info.Height, info.Width = int(body[1])<<8|int(body[2]), int(body[3])<<8|int(body[4])
			info.Components = int(body[5])
			if info.Width == 0 || info.Height == 0 {
				return info, fmt.Errorf("jpeg: %d × %d pixels", info.Width, info.Height)
			}
			return info, nil
		case m == 0xda || m == 0xd9 || n < 2:
			return info, errors.New("jpeg: no frame header before the picture")
		}
		at += 2 + n
	}
	return info, errors.New("jpeg: cut short before the picture")
}

// uncommon names a coding that is neither baseline, extended nor progressive by Huffman codes. Such files are refused
// everywhere, so that what can be read does not depend on what is installed.
func uncommon(marker byte) string {
	if marker >= 0xc9 {
		return "arithmetic coding"
	}
	return "lossless or hierarchical coding"
}
