package source

import (
	"encoding/binary"
	"errors"
)

// What Parquet says of itself is in Thrift's compact protocol. Its reader takes memory for as many elements as a list
// says that it has, before it looks for them: a flipped bit would end the process. So it is walked through first.

// The types of the compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// deepest is how deep structures may be nested. Parquet's are eight deep.
const deepest = 64

var errThrift = errors.New("its description of itself contradicts itself")

// walk is what is left of a text.
type walk struct {
	b     []byte
	depth int
}

// whole reports whether b begins with a structure all of whose parts are there.
func whole(b []byte) error {
	t := walk{b: b}
	return t.structure()
}

func (t *walk) skip(n uint64) error {
	if n > uint64(len(t.b)) {
		return errThrift
	}
	t.b = t.b[n:]
	return nil
}

func (t *walk) byte() (byte, error) {
	if len(t.b) == 0 {
		return 0, errThrift
	}
	c := t.b[0]
	t.b = t.b[1:]
	return c, nil
}

func (t *walk) varint() (uint64, error) {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		return 0, errThrift
	}
	t.b = t.b[n:]
	return v, nil
}

func (t *walk) structure() error {
	if t.depth++; t.depth > deepest {
		return errThrift
	}
	defer func() { t.depth-- }()
	for {
		head, err := t.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the field's number follows
			if _, err := t.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse { // these are their value
			if err := t.value(kind); err != nil {
				return err
			}
		}
	}
}

func (t *walk) value(kind byte) error {
	switch {
	case kind == thriftTrue || kind == thriftFalse || kind == thriftByte:
		return t.skip(1)
	case kind >= thriftI16 && kind <= thriftI64:
		_, err := t.varint()
		return err
	case kind == thriftDouble:
		return t.skip(8)
	case kind == thriftUUID:
		return t.skip(16)
	case kind == thriftBinary:
		n, err := t.varint()
		if err != nil {
			return err
		}
		return t.skip(n)
	case kind == thriftList || kind == thriftSet:
		return t.list()
	case kind == thriftMap:
		return t.pairs()
	case kind == thriftStruct:
		return t.structure()
	}
	return errThrift
}

// list walks through a list or a set. Each element takes a byte at least.
func (t *walk) list() error {
	head, err := t.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = t.varint(); err != nil {
			return err
		}
	}
	return t.elements(n, head&15)
}

func (t *walk) pairs() error {
	n, err := t.varint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := t.byte()
	if err != nil {
		return err
	}
	return t.elements(n, kinds>>4, kinds&15)
}

// elements walks through n groups of values of these kinds.
func (t *walk) elements(n uint64, kinds ...byte) error {
	if t.depth++; t.depth > deepest || n > uint64(len(t.b)) {
		return errThrift
	}
	defer func() { t.depth-- }()
	for range n {
		for _, kind := range kinds {
			if err := t.value(kind); err != nil {
				return err
			}
		}
	}
	return nil
}
