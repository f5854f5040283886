package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// stamp tells whether a file or folder is still the one that was indexed.
type stamp struct {
	name  string
	size  int64
	mtime int64 // nanoseconds
}

func stampOf(name string, info Info) stamp {
	return stamp{name: name, size: info.Size, mtime: info.Version}
}

// index lists the images of a folder or of one tar. Names lie in one string, because a set may have millions.
type index struct {
	keys    []stamp  // what it was made from: one tar, or the folders, root first
	classes []string // folder: by label; tar: labels that are names, −2 − their index is what labels holds
	omitted omissions
	names   []byte
	ends    []uint32 // of name i in names
	sizes   []uint32
	labels  []int32
	offsets []int64 // tar: where image i begins
	mtimes  []int64 // folder: of file i
	nested  bool    // a tar of one tar per class
}

func (x *index) len() int { return len(x.ends) }

func (x *index) name(i int) string { return string(x.nameBytes(i)) }

func (x *index) nameBytes(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = x.ends[i-1]
	}
	return x.names[from:x.ends[i]]
}

// maxImageBytes is the largest image file: a JPEG of DefaultPixels fits many times.
const maxImageBytes = 1 << 30

// add appends an image; at is an offset in a tar, or a file's time.
func (x *index) add(name string, size int64, label int) error {
	if size > maxImageBytes {
		return fmt.Errorf("%s: image file of %d bytes", Printable(name), size)
	}
	if len(x.names)+len(name) > math.MaxUint32 {
		return errors.New("names of more than 4 GiB")
	}
	x.names = append(x.names, name...)
	x.ends = append(x.ends, uint32(len(x.names)))
	x.sizes = append(x.sizes, uint32(size))
	x.labels = append(x.labels, int32(label))
	return nil
}

// indexMagic begins an index file; its number is the format's version.
const indexMagic = "byol data index 4\n"

// encode gives the index as bytes: varints, and a SHA-256 of what stands before it.
func (x *index) encode() []byte {
	b := []byte(indexMagic)
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b = binary.AppendUvarint(b, uint64(len(x.keys)))
	for _, k := range x.keys {
		text(k.name)
		b = binary.AppendVarint(binary.AppendVarint(b, k.size), k.mtime)
	}
	nested := uint64(0)
	if x.nested {
		nested = 1
	}
	b = binary.AppendUvarint(b, nested)
	b = binary.AppendUvarint(b, uint64(len(x.classes)))
	for _, c := range x.classes {
		text(c)
	}
	b = binary.AppendUvarint(b, uint64(len(x.omitted)))
	for _, o := range x.omitted {
		text(o.What)
		text(o.Why)
		b = binary.AppendUvarint(b, uint64(o.Count))
		text(o.First)
	}
	b = binary.AppendUvarint(b, uint64(x.len()))
	for i := range x.len() {
		text(x.name(i))
		b = binary.AppendUvarint(b, uint64(x.sizes[i]))
		b = binary.AppendVarint(b, int64(x.labels[i]))
		b = binary.AppendVarint(b, at(x.offsets, i))
		b = binary.AppendVarint(b, at(x.mtimes, i))
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func at(v []int64, i int) int64 {
	if v == nil {
		return 0
	}
	return v[i]
}

var errIndex = errors.New("damaged index")

// indexReader takes values from an encoded index; after the first wrong one it is bad and gives zeros.
type indexReader struct {
	b   []byte
	bad bool
}

func (r *indexReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *indexReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things that take at least one byte each.
func (r *indexReader) count() int {
	v := r.uvarint()
	if v > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *indexReader) text() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// decodeIndex is the inverse of encode.
func decodeIndex(b []byte) (*index, error) {
	body, ok := bytes.CutPrefix(b, []byte(indexMagic))
	if !ok || len(body) < sha256.Size {
		return nil, errIndex
	}
	end := len(b) - sha256.Size
	if sha256.Sum256(b[:end]) != [sha256.Size]byte(b[end:]) {
		return nil, errIndex
	}
	r, x := &indexReader{b: body[:len(body)-sha256.Size]}, &index{}
	for range r.count() {
		x.keys = append(x.keys, stamp{name: r.text(), size: r.varint(), mtime: r.varint()})
	}
	nested := r.uvarint()
	if x.nested = nested == 1; nested > 1 {
		return nil, errIndex
	}
	for range r.count() {
		x.classes = append(x.classes, r.text())
	}
	for range r.count() {
		x.omitted = append(x.omitted, Omission{What: r.text(), Why: r.text(), Count: int(r.uvarint()), First: r.text()})
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		name, size, label := r.text(), r.uvarint(), r.varint()
		if size > maxImageBytes || label < -1-int64(len(x.classes)) || label > maxLabel {
			return nil, errIndex
		}
		if err := x.add(name, int64(size), int(label)); err != nil {
			return nil, errIndex
		}
		x.offsets = append(x.offsets, r.varint())
		x.mtimes = append(x.mtimes, r.varint())
	}
	if r.bad || len(r.b) != 0 {
		return nil, errIndex
	}
	return x, nil
}

// cachePath is where the index of a thing lies in a cache.
func cachePath(dir, kind, path string) string {
	if remote, _ := scheme(path); remote == "" {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
	}
	sum := sha256.Sum256([]byte(kind + "\x00" + path))
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+".index")
}

// loadIndex gives a cached index if there is a whole one; whether it is still true is the caller's to check.
func loadIndex(path string) *index {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	x, err := decodeIndex(b)
	if err != nil {
		return nil
	}
	return x
}

// unsettled is how long after a change a thing may change again under the same time stamp: file systems count in
// steps of up to two seconds.
const unsettled = 2e9

// storeIndex writes an index, so that a reader sees all of it or nothing. An error is nobody's problem: the next
// run scans again. So does it where something was changed just now, by the time of the file written here, because a
// change that follows at once could not be told.
func storeIndex(path string, x *index) {
	if os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".index-*")
	if err != nil {
		return
	}
	_, err = f.Write(x.encode())
	info, statErr := f.Stat()
	if f.Close() != nil || err != nil || statErr != nil || x.changedSince(info.ModTime().UnixNano()-unsettled) ||
		os.Rename(f.Name(), path) != nil {
		_ = os.Remove(f.Name())
	}
}

func (x *index) changedSince(t int64) bool {
	for _, k := range x.keys {
		if k.mtime > t {
			return true
		}
	}
	return false
}

// manifest hashes names, sizes and labels of images 0 … n-1 in order, and the number of classes.
func manifest(n, classes int, entry func(i int) (name string, size int64, label int)) string {
	h := sha256.New()
	b := binary.AppendUvarint(binary.AppendUvarint([]byte("byol manifest 1\n"), uint64(n)), uint64(classes))
	for i := range n {
		name, size, label := entry(i)
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		b = binary.AppendVarint(binary.AppendVarint(b, size), int64(label))
		if len(b) > 1<<16 {
			h.Write(b)
			b = b[:0]
		}
	}
	h.Write(b)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
