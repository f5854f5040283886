// Package turbo decodes JPEG with libjpeg-turbo, found at run time by dlopen: no cgo, and nothing to install
// for those who go without. What jpeg.Baseline takes, which are nearly all files, it leaves to that, whose pixels are
// the same; the rest (progressive files, CMYK, damaged ones) it decodes several times as fast as Go's library. Only
// cmd/worker imports it, because a program that can load libraries is no longer static.
//
// A Decoder is safe for concurrent use. Every image gets a decompressor of its own, which costs 2 µs: one that
// is used again keeps the tables of the image before, so that a file without tables would decode by what
// happened to come first, and one that met a damaged header refuses all that follow.
//
// # When it fails
//
// Open fails if the library is not there or lacks a function; Best then gives the Go decoder and a line that
// says so. Damaged data gives an error: libjpeg-turbo reports it, checks its input, and never sees memory
// beyond what it is given.
package turbo

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
)

// Constants of turbojpeg.h, version 2.
const (
	pixelRGB  = 0  // TJPF_RGB
	pixelCMYK = 11 // TJPF_CMYK

	flagAccurate   = 4096  // TJFLAG_ACCURATEDCT: one answer on all processors
	flagStopOnWarn = 8192  // TJFLAG_STOPONWARNING
	flagLimitScans = 32768 // TJFLAG_LIMITSCANS: 500, against files that are small and slow
)

// decoder is a picture.Decoder over the library.
type decoder struct {
	name                                        string
	initialise, header, decode, reason, destroy uintptr
	other                                       picture.Decoder // of what isn't JPEG

	mu   sync.Mutex // guards free
	free []*scratch
}

// scratch is the memory that the library's calls fill. It lies in the heap, because C must not be given
// addresses of a stack that moves.
type scratch struct {
	width, height, subsampling, kind int32
	cmyk                             []byte
	baseline                         *jpeg.Baseline
}

// names of the library, the first that is found is taken.
func names() []string {
	if runtime.GOOS == "darwin" {
		const file = "libturbojpeg.0.dylib"
		return []string{file, "/opt/homebrew/lib/" + file, "/usr/local/lib/" + file}
	}
	return []string{"libturbojpeg.so.0"}
}

// Best gives libjpeg-turbo if it is there, else the Go decoder, and one line that says which and why.
func Best() (picture.Decoder, string) {
	d, err := Open()
	if err != nil {
		const note = "JPEG without libjpeg-turbo, progressive files 4 times slower: %v (Debian: apt install libturbojpeg0)"
		return jpeg.NewDecoder(), fmt.Sprintf(note, err)
	}
	return d, "JPEG by libjpeg-turbo"
}

// Open finds the library. All that isn't JPEG goes to the Go decoder.
func Open() (picture.Decoder, error) { return open(names()) }

func open(names []string) (picture.Decoder, error) {
	runtime.LockOSThread() // why a library cannot be loaded is kept by thread as well
	defer runtime.UnlockOSThread()
	var lib uintptr
	var err error
	for _, n := range names {
		if lib, err = purego.Dlopen(n, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load libjpeg-turbo: %w", err)
	}
	d := &decoder{name: "turbo", other: jpeg.NewDecoder()}
	for _, f := range []struct {
		name string
		at   *uintptr
	}{{"tjInitDecompress", &d.initialise}, {"tjDecompressHeader3", &d.header}, {"tjDecompress2", &d.decode},
		{"tjGetErrorStr2", &d.reason}, {"tjDestroy", &d.destroy}} {
		if *f.at, err = purego.Dlsym(lib, f.name); err != nil {
			return nil, fmt.Errorf("load libjpeg-turbo: it is older than 2.0: %w", err)
		}
	}
	if _, err := purego.Dlsym(lib, "tj3Init"); err == nil {
		d.name = "turbo3"
	}
	return d, nil
}

// Name is "turbo" for version 2 of the library and "turbo3" for version 3, and the name of the decoder of other
// formats.
func (d *decoder) Name() string { return d.name + " and " + d.other.Name() }

func (d *decoder) take() *scratch {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.free)
	if n == 0 {
		return &scratch{baseline: jpeg.NewBaseline()}
	}
	s := d.free[n-1]
	d.free = d.free[:n-1]
	return s
}

func (d *decoder) give(s *scratch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = append(d.free, s)
}

// why is the library's last message for an instance.
func (d *decoder) why(instance uintptr) string {
	p, _, _ := purego.SyscallN(d.reason, instance)
	if p == 0 {
		return "unknown error"
	}
	var b []byte
	base := *(*unsafe.Pointer)(unsafe.Pointer(&p)) // an address of the library's, which the collector does not know
	for i := range 200 {                           // JMSG_LENGTH_MAX
		c := *(*byte)(unsafe.Add(base, i))
		if c == 0 {
			break
		}
		b = append(b, c)
	}
	return string(b)
}

// Decode leaves to jpeg.Baseline what it takes, where that has vector kernels: the pixels are the same, and it makes
// those of the region alone. Whether a plain file is damaged is Baseline's to say on all processors.
func (d *decoder) Decode(b []byte, limits picture.Limits, region picture.Rect, dst *picture.Image) error {
	info, err := picture.Probe(b)
	if err != nil {
		return err
	}
	if info.Format != picture.JPEG {
		return d.other.Decode(b, limits, region, dst)
	}
	if err := limits.CheckFile(info.Width, info.Height, len(b)); err != nil {
		return err
	}
	mem := d.take()
	unknown, err := d.jpeg(b, info, mem, region, dst)
	d.give(mem) // not when a call broke: then nobody knows what it holds
	if unknown {
		return d.other.Decode(b, limits, region, dst)
	}
	return err
}

// jpeg decodes a JPEG; unknown says that neither Baseline nor the library knows its kind.
func (d *decoder) jpeg(b []byte, info picture.Info, mem *scratch, region picture.Rect,
	dst *picture.Image) (unknown bool, err error) {
	var done bool
	if mem.baseline.Fast() {
		done, err = mem.baseline.Decode(b, info, region, dst)
	} else {
		_, err = mem.baseline.Examine(b, info)
	}
	if done || err != nil {
		return false, err
	}
	return d.whole(b, info, mem, dst)
}

// whole decodes all of a JPEG by the library: version 2 of its simple interface cannot leave out parts. unknown says
// that the library knows nothing of such a file (sampled 4:1:0, say): what can be read must not depend on it.
func (d *decoder) whole(b []byte, info picture.Info, mem *scratch, dst *picture.Image) (unknown bool, err error) {
	// What a warning was is kept by thread: a goroutine that moves between the call and the question would take a harmless
	// one for damage.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	instance, _, _ := purego.SyscallN(d.initialise)
	if instance == 0 {
		return false, errors.New("start libjpeg-turbo: " + d.why(0))
	}
	defer purego.SyscallN(d.destroy, instance)
	r, _, _ := purego.SyscallN(d.header, instance, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		uintptr(unsafe.Pointer(&mem.width)), uintptr(unsafe.Pointer(&mem.height)),
		uintptr(unsafe.Pointer(&mem.subsampling)), uintptr(unsafe.Pointer(&mem.kind)))
	if int32(r) != 0 {
		return true, nil
	}
	if int(mem.width) != info.Width || int(mem.height) != info.Height {
		return false, fmt.Errorf("decode jpeg: %d × %d pixels, first frame header says %d × %d", mem.width, mem.height,
			info.Width, info.Height)
	}
	dst.Reset(info.Width, info.Height, picture.Rect{W: info.Width, H: info.Height})
	if info.Components != 4 {
		return false, d.pixels(instance, b, dst.Pix, pixelRGB)
	}
	n := 4 * info.Width * info.Height
	if cap(mem.cmyk) < n {
		mem.cmyk = make([]byte, n)
	}
	if err := d.pixels(instance, b, mem.cmyk[:n], pixelCMYK); err != nil {
		return false, err
	}
	fromCMYK(dst.Pix, mem.cmyk[:n], info.Adobe)
	return false, nil
}

// pixels decodes into out, which has room for the image whose header was read.
func (d *decoder) pixels(instance uintptr, b, out []byte, format uintptr) error {
	flags := uintptr(flagAccurate | flagLimitScans)
	for _, f := range []uintptr{flags | flagStopOnWarn, flags} {
		r, _, _ := purego.SyscallN(d.decode, instance, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			uintptr(unsafe.Pointer(&out[0])), 0, 0, 0, format, f)
		if int32(r) == 0 {
			return nil
		}
		if why := d.why(instance); !harmless(why) {
			return errors.New("decode jpeg: " + why)
		}
	}
	return nil
}

// harmless warnings leave the picture whole; others mean that part of it is made up.
func harmless(why string) bool {
	return strings.Contains(why, "extraneous bytes") || strings.Contains(why, "Invalid SOS parameters") ||
		strings.Contains(why, "unknown JFIF revision")
}

// fromCMYK converts pixels. Files with Adobe's marker store them inverted, 255 for no ink. Those without it
// have 0 for no ink; the Go decoder refuses them.
func fromCMYK(rgb, cmyk []byte, inverted bool) {
	flip := byte(255)
	if inverted {
		flip = 0
	}
	for i := 0; i+3 <= len(rgb); i += 3 {
		k := uint32(cmyk[3] ^ flip)
		for c := range 3 {
			rgb[i+c] = byte((uint32(cmyk[c]^flip)*k + 127) / 255)
		}
		cmyk = cmyk[4:]
	}
}
