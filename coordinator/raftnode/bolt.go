package raftnode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// The layout of a bbolt file, as far as it takes to see that one is whole.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltHeader     = 16 // of a page: id, flags, count, overflow
	boltMetaBytes  = 64
	boltBranch     = 0x01
	boltLeaf       = 0x02
	boltMeta       = 0x04
	boltFreelist   = 0x10
	boltElement    = 16
	boltBucket     = 0x01
	boltNoFreelist = ^uint64(0)
	boltDepth      = 32
)

// boltFile is a bbolt file in memory while it is looked at.
type boltFile struct {
	bytes    []byte
	pageSize uint64
	root     uint64
	freelist uint64
	pages    uint64 // all that there are
	used     map[uint64]bool
}

// checkBolt refuses the bytes of a bbolt file that is damaged in a way that bbolt would panic on, or write over what
// is in use: bbolt trusts its file, and looks at a part of it on goroutines of its own. Values are not looked into.
func checkBolt(file []byte) error {
	f := &boltFile{bytes: file, used: map[uint64]bool{0: true, 1: true}}
	if err := f.readMeta(); err != nil {
		return err
	}
	if f.pages < 2 || f.pages > uint64(len(file))/f.pageSize {
		return fmt.Errorf("it has %d pages of %d bytes in %d bytes", f.pages, f.pageSize, len(file))
	}
	if err := f.checkTree(f.root, nil, nil, 0); err != nil {
		return err
	}
	free, err := f.freePages()
	if err != nil {
		return err
	}
	for _, id := range free {
		if id < 2 || id >= f.pages || f.used[id] {
			return fmt.Errorf("page %d is free and is not", id)
		}
		f.used[id] = true
	}
	if n := uint64(len(f.used)); n != f.pages {
		return fmt.Errorf("%d of %d pages belong to nothing", f.pages-n, f.pages)
	}
	return nil
}

// readMeta takes the newer of the two metas that are whole.
func (f *boltFile) readMeta() error {
	newest := uint64(0)
	for _, size := range []int{4096, 8192, 16384, 32768, 65536, 1024, 2048} { // the second lies at the page size
		for _, at := range []int{0, size} {
			m, ok := f.metaAt(at)
			if !ok || int(binary.LittleEndian.Uint32(m[8:])) != size {
				continue
			}
			if tx := binary.LittleEndian.Uint64(m[48:]); f.pageSize == 0 || tx > newest {
				newest, f.pageSize = tx, uint64(size)
				f.root, f.freelist = binary.LittleEndian.Uint64(m[16:]), binary.LittleEndian.Uint64(m[32:])
				f.pages = binary.LittleEndian.Uint64(m[40:])
			}
		}
		if f.pageSize > 0 {
			return nil
		}
	}
	return fmt.Errorf("neither of its two heads is whole")
}

// metaAt returns the meta in the page that begins at a place, if it is whole.
func (f *boltFile) metaAt(at int) (meta []byte, ok bool) {
	if at+boltHeader+boltMetaBytes > len(f.bytes) {
		return nil, false
	}
	m := f.bytes[at+boltHeader : at+boltHeader+boltMetaBytes]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:56]) // it never fails
	return m, binary.LittleEndian.Uint32(m) == boltMagic && binary.LittleEndian.Uint32(m[4:]) == boltVersion &&
		binary.LittleEndian.Uint64(m[56:]) == sum.Sum64() &&
		binary.LittleEndian.Uint16(f.bytes[at+8:]) == boltMeta
}

// page returns the bytes of a page and those that it flows over into, and marks them as used.
func (f *boltFile) page(id uint64) (page []byte, flags, count int, err error) {
	if id < 2 || id >= f.pages {
		return nil, 0, 0, fmt.Errorf("page %d of %d is pointed to", id, f.pages)
	}
	head := f.bytes[id*f.pageSize:]
	over := uint64(binary.LittleEndian.Uint32(head[12:]))
	if over >= f.pages-id || binary.LittleEndian.Uint64(head) != id {
		return nil, 0, 0, fmt.Errorf("page %d has the head of page %d and %d more", id, binary.LittleEndian.Uint64(head),
			over)
	}
	for i := id; i <= id+over; i++ {
		if f.used[i] {
			return nil, 0, 0, fmt.Errorf("page %d is used twice", i)
		}
		f.used[i] = true
	}
	page = head[:(over+1)*f.pageSize]
	return page, int(binary.LittleEndian.Uint16(head[8:])), int(binary.LittleEndian.Uint16(head[10:])), nil
}

// checkTree looks at a page of a tree and all below it, whose keys are from low on and below high; nil is no bound.
func (f *boltFile) checkTree(id uint64, low, high []byte, depth int) error {
	if depth > boltDepth {
		return fmt.Errorf("page %d is %d pages deep", id, depth)
	}
	page, flags, count, err := f.page(id)
	if err != nil {
		return err
	}
	return f.checkPage(page, flags, count, keyRange{low, high}, depth)
}

type keyRange struct{ low, high []byte }

func (f *boltFile) checkPage(page []byte, flags, count int, keys keyRange, depth int) error {
	if flags != boltBranch && flags != boltLeaf || boltHeader+count*boltElement > len(page) ||
		flags == boltBranch && count == 0 {
		return fmt.Errorf("a page of kind %#x has %d elements in %d bytes", flags, count, len(page))
	}
	element := func(i int) (key, value []byte, e []byte, err error) {
		at := boltHeader + i*boltElement
		e = page[at : at+boltElement]
		pos, ksize, vsize := uint64(at), uint64(binary.LittleEndian.Uint32(e[4:])), uint64(0)
		if flags == boltLeaf {
			pos += uint64(binary.LittleEndian.Uint32(e[4:]))
			ksize, vsize = uint64(binary.LittleEndian.Uint32(e[8:])), uint64(binary.LittleEndian.Uint32(e[12:]))
		} else {
			pos += uint64(binary.LittleEndian.Uint32(e))
		}
		if ksize == 0 || pos+ksize+vsize > uint64(len(page)) {
			return nil, nil, nil, fmt.Errorf("element %d of a page does not lie in it", i)
		}
		return page[pos : pos+ksize], page[pos+ksize : pos+ksize+vsize], e, nil
	}
	for i := range count {
		key, value, e, err := element(i)
		if err != nil {
			return err
		}
		if keys.low != nil && bytes.Compare(key, keys.low) < 0 || keys.high != nil && bytes.Compare(key, keys.high) >= 0 {
			return fmt.Errorf("key %x is out of place", key)
		}
		next := keys.high
		if i+1 < count {
			if next, _, _, err = element(i + 1); err != nil {
				return err
			}
			if bytes.Compare(key, next) >= 0 {
				return fmt.Errorf("key %x comes after %x", next, key)
			}
		}
		switch {
		case flags == boltBranch:
			err = f.checkTree(binary.LittleEndian.Uint64(e[8:]), key, next, depth+1)
		case binary.LittleEndian.Uint32(e)&boltBucket != 0:
			err = f.checkBucket(value, depth)
		case binary.LittleEndian.Uint32(e) != 0:
			err = fmt.Errorf("an element has flags %#x", binary.LittleEndian.Uint32(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkBucket looks at a bucket, whose pages are its own or, while it is small, follow it in its parent's.
func (f *boltFile) checkBucket(value []byte, depth int) error {
	if len(value) < 16 {
		return fmt.Errorf("a bucket has %d bytes", len(value))
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return f.checkTree(root, nil, nil, depth+1)
	}
	inline := value[16:]
	if len(inline) < boltHeader || depth > boltDepth {
		return fmt.Errorf("a bucket has %d bytes of its own", len(inline))
	}
	flags, count := int(binary.LittleEndian.Uint16(inline[8:])), int(binary.LittleEndian.Uint16(inline[10:]))
	if flags != boltLeaf {
		return fmt.Errorf("a bucket holds a page of kind %#x", flags)
	}
	return f.checkPage(inline, flags, count, keyRange{}, depth+1)
}

// freePages lists what may be written over.
func (f *boltFile) freePages() ([]uint64, error) {
	if f.freelist == boltNoFreelist {
		return nil, fmt.Errorf("it has no list of free pages")
	}
	page, flags, count, err := f.page(f.freelist)
	if err != nil {
		return nil, err
	}
	n, at := uint64(count), uint64(boltHeader)
	if count == 0xFFFF { // then the number of them comes first
		n, at = binary.LittleEndian.Uint64(page[at:]), at+8
	}
	if flags != boltFreelist || n > f.pages || at+n*8 > uint64(len(page)) {
		return nil, fmt.Errorf("its list of free pages is of kind %#x and has %d", flags, n)
	}
	var ids []uint64
	for i := range n {
		ids = append(ids, binary.LittleEndian.Uint64(page[at+i*8:]))
	}
	return ids, nil
}
