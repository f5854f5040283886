package source

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Types of elements and classes of arrays in MATLAB's files of version 5.
const (
	matInt8, matUint8, matInt16, matUint16 = 1, 2, 3, 4
	matInt32, matUint32, matDouble         = 5, 6, 9
	matMatrix, matCompressed, matUTF8      = 14, 15, 16

	matStruct, matChar = 2, 4
)

var errMat = errors.New("it is no file of MATLAB 5 with the struct synsets")

// matElement takes the first element of b: its type, its content, and what follows.
func matElement(b []byte) (kind uint32, content, rest []byte, err error) {
	if len(b) < 8 {
		return 0, nil, nil, errMat
	}
	kind, n := binary.LittleEndian.Uint32(b), uint64(binary.LittleEndian.Uint32(b[4:]))
	if small := kind >> 16; small != 0 { // up to four bytes lie in the tag
		if small > 4 {
			return 0, nil, nil, errMat
		}
		return kind & 0xffff, b[4 : 4+small], b[8:], nil
	}
	if n > uint64(len(b)-8) {
		return 0, nil, nil, errMat
	}
	padded := n
	if kind != matCompressed {
		padded = min((n+7)&^7, uint64(len(b)-8))
	}
	return kind, b[8 : 8+n], b[8+padded:], nil
}

// matArray is an array of a file: its class, its name, and the elements behind the name.
type matArray struct {
	class byte
	name  string
	rest  []byte
}

func parseMatArray(b []byte) (a matArray, err error) {
	_, flags, b, err := matElement(b)
	if err != nil || len(flags) < 4 {
		return a, errMat
	}
	_, _, b, err = matElement(b) // dimensions
	if err != nil {
		return a, err
	}
	_, name, b, err := matElement(b)
	return matArray{class: flags[0], name: string(name), rest: b}, err
}

// synsetsOf reads the struct synsets of ImageNet's meta.mat: WNID by ILSVRC2012_ID.
func synsetsOf(b []byte) (map[int]string, error) {
	if len(b) < 128 || !bytes.HasPrefix(b, []byte("MATLAB 5.0 MAT-file")) || string(b[126:128]) != "IM" {
		return nil, errMat
	}
	for b = b[128:]; len(b) > 0; {
		kind, content, rest, err := matElement(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if kind == matCompressed {
			if kind, content, err = inflateMat(content); err != nil {
				return nil, err
			}
		}
		if kind != matMatrix {
			continue
		}
		a, err := parseMatArray(content)
		if err != nil {
			return nil, err
		}
		if a.class == matStruct && a.name == "synsets" {
			return a.synsets()
		}
	}
	return nil, errMat
}

func inflateMat(content []byte) (kind uint32, inflated []byte, err error) {
	z, err := zlib.NewReader(bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	all, err := io.ReadAll(io.LimitReader(z, maxBeside))
	if err != nil {
		return 0, nil, err
	}
	kind, inflated, _, err = matElement(all)
	return kind, inflated, err
}

// synsets reads the two fields of each element of a struct array.
func (a matArray) synsets() (map[int]string, error) {
	_, length, b, err := matElement(a.rest)
	if err != nil || len(length) != 4 {
		return nil, errMat
	}
	n := int(binary.LittleEndian.Uint32(length))
	_, names, b, err := matElement(b)
	if err != nil || n <= 0 || len(names) == 0 || len(names)%n != 0 {
		return nil, errMat
	}
	out := map[int]string{}
	for len(b) > 0 {
		id, wnid := -1, ""
		for at := 0; at < len(names); at += n {
			kind, content, rest, err := matElement(b)
			if err != nil || kind != matMatrix {
				return nil, errMat
			}
			b = rest
			field, err := parseMatArray(content)
			if err != nil {
				return nil, err
			}
			switch string(bytes.TrimRight(names[at:at+n], "\x00")) {
			case "ILSVRC2012_ID":
				id, err = field.number()
			case "WNID":
				wnid, err = field.text()
			}
			if err != nil {
				return nil, err
			}
		}
		if out[id] = wnid; id < 0 || wnid == "" {
			return nil, errMat
		}
	}
	return out, nil
}

// number is the value of an array of one whole number. Doubles are stored in the smallest type that holds them.
func (a matArray) number() (int, error) {
	kind, v, _, err := matElement(a.rest)
	if err != nil {
		return 0, err
	}
	switch {
	case (kind == matUint8 || kind == matInt8) && len(v) == 1:
		return int(v[0]), nil
	case (kind == matUint16 || kind == matInt16) && len(v) == 2:
		return int(binary.LittleEndian.Uint16(v)), nil
	case (kind == matUint32 || kind == matInt32) && len(v) == 4:
		return int(binary.LittleEndian.Uint32(v)), nil
	case kind == matDouble && len(v) == 8:
		return int(math.Float64frombits(binary.LittleEndian.Uint64(v))), nil
	}
	return 0, fmt.Errorf("%w: a number of type %d", errMat, kind)
}

// text is the value of an array of ASCII characters.
func (a matArray) text() (string, error) {
	kind, v, _, err := matElement(a.rest)
	switch {
	case err != nil:
		return "", err
	case a.class != matChar:
		return "", errMat
	case kind == matUint16:
		var s []byte
		for i := 0; i+1 < len(v); i += 2 {
			s = append(s, v[i])
		}
		return string(s), nil
	case kind == matUTF8 || kind == matInt8 || kind == matUint8:
		return string(v), nil
	}
	return "", fmt.Errorf("%w: text of type %d", errMat, kind)
}
