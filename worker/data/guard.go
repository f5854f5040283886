package data

import (
	"errors"
	"fmt"

	"byol/worker/data/picture"
)

// errBroke is wrapped where a decoder did not return: a bug of the program's, which one file must not end a run by.
var errBroke = errors.New("the decoder broke; please report this picture")

// guarded makes an error of a panic.
func guarded(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%v)", errBroke, r)
		}
	}()
	return call()
}

// probe reads what the header of an encoded image says, and checks it against the limits.
func probe(b []byte, limits picture.Limits) (info picture.Info, err error) {
	err = guarded(func() error {
		if info, err = picture.Probe(b); err != nil {
			return err
		}
		return limits.CheckFile(info.Width, info.Height, len(b))
	})
	return info, err
}

// decode decodes a region. Where the decoder breaks at a region, the whole picture decides: whether an image can be
// read must not depend on which part of it is wanted.
func decode(d picture.Decoder, b []byte, limits picture.Limits, region picture.Rect, m *picture.Image) error {
	err := guarded(func() error { return d.Decode(b, limits, region, m) })
	if errors.Is(err, errBroke) && region != (picture.Rect{}) {
		return guarded(func() error { return d.Decode(b, limits, picture.Rect{}, m) })
	}
	return err
}
