package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// unknownLinks are omitted.
const unknownLinks = "hard links to what is not before them"

// sample gathers the entries of one key.
type sample struct {
	key, name    string
	offset, size int64
	label        int
	entries      int
	image        bool
}

// scanner reads the headers of a tar, and the labels.
type scanner struct {
	ctx   context.Context
	r     *io.SectionReader
	tr    *tar.Reader
	size  int64
	end   int64 // of the last entry, with what fills its last block
	x     *index
	s     sample
	names map[string]int32    // of labels that are names, in x.classes
	files map[string][2]int64 // where images lie, by name; made when the first hard link to one comes
	keyed map[string]int      // labels by the samples' keys; made when the first hard link to one comes
}

// scanTar finds the samples of a tar. An entry that is a tar is one class, named like it, of the pictures in it, as
// ImageNet is delivered. Entries of one name up to the first dot of its last part are one sample, as in
// WebDataset: the first image, whose ending is all that is behind that dot, and its label in .cls or as "label" in
// .json. Hard links stand for what they link to; hidden entries, what lies in folders that are nobody's class, folders
// and symbolic links for nothing.
func scanTar(ctx context.Context, from io.ReaderAt, size int64) (*index, error) {
	r := io.NewSectionReader(from, 0, size)
	c := scanner{ctx: ctx, r: r, tr: tar.NewReader(r), size: size, x: &index{}, s: sample{label: -1},
		names: map[string]int32{}}
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		h, err := c.tr.Next()
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && c.bare():
			err := errors.Join(c.finish(), c.behind())
			c.x.sortNested()
			return c.x, err
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("it is cut short after %d images (%w)", c.x.len(), err)
		case err != nil:
			return nil, fmt.Errorf("it is damaged after %d images: %w", c.x.len(), err)
		}
		if c.end, err = c.r.Seek(0, io.SeekCurrent); err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			c.end += (h.Size + tarBlock - 1) / tarBlock * tarBlock
		}
		if err := c.entry(h); err != nil {
			return nil, err
		}
	}
}

// tarBlock is what entries of a tar are filled up to.
const tarBlock = 512

// bare reports whether all entries are whole and only the two blocks of zeros are cut that a tar ends with: nothing of
// it is missing then.
func (c *scanner) bare() bool {
	var rest [2 * tarBlock]byte
	if c.end > c.size || c.size-c.end > int64(len(rest)) {
		return false
	}
	n, err := c.r.ReadAt(rest[:c.size-c.end], c.end)
	return (err == nil || errors.Is(err, io.EOF)) && len(bytes.Trim(rest[:n], "\x00")) == 0
}

func (c *scanner) entry(h *tar.Header) error {
	switch {
	case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
		return nil
	case hidden(path.Base(h.Name)):
		c.x.omitted.add("hidden files", "with a dot in front", h.Name)
		return nil
	case inUnseen(h.Name):
		c.x.omitted.add("files in hidden folders", "with a dot in front, or made by a system", h.Name)
		return nil
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeLink && !sparse(h):
		c.x.omitted.add("symbolic links and devices", "they have no bytes in the tar", h.Name)
		return nil
	}
	if h.Typeflag != tar.TypeLink && strings.EqualFold(path.Ext(h.Name), ".tar") {
		return c.class(h)
	}
	key, ext, _ := cutKey(h.Name)
	if key != c.s.key || c.s.entries == 0 {
		if err := c.finish(); err != nil {
			return err
		}
		c.s = sample{key: key, name: h.Name, label: -1}
	}
	c.s.entries++
	switch {
	case isEnding(ext):
		return c.image(h)
	case isEnding(ext[strings.LastIndexByte(ext, '.')+1:]):
		c.x.omitted.add("images with a dot in their names", "a.b.jpg is b.jpg of sample a, as in WebDataset", h.Name)
	case (ext == "cls" || ext == "json") && h.Typeflag == tar.TypeLink:
		c.linkedLabel(h)
	case ext == "cls" || ext == "json":
		return c.label(h, ext)
	}
	return nil
}

// image takes an entry that ends like one.
func (c *scanner) image(h *tar.Header) error {
	offset, err := c.r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	size := h.Size
	if h.Typeflag == tar.TypeLink {
		at, known := c.linked(h.Linkname)
		if !known {
			c.x.omitted.add(unknownLinks, "they have no bytes in the tar", h.Name)
			return nil
		}
		offset, size = at[0], at[1]
	}
	if sparse(h) {
		return advised{fmt.Errorf("%s is a sparse file", Printable(h.Name)), "write the tar without --sparse"}
	}
	if offset+size > c.size {
		return fmt.Errorf("it is cut short after %d images, in %s", c.x.len(), Printable(h.Name))
	}
	if c.files != nil {
		c.files[h.Name] = [2]int64{offset, size}
	}
	if c.s.image {
		c.x.omitted.add("more images of a sample", "a sample is one image: names differ before the first dot", h.Name)
		return nil
	}
	c.s.image, c.s.name, c.s.offset, c.s.size = true, h.Name, offset, size
	return nil
}

// linked is where the image lies that a hard link names.
func (c *scanner) linked(name string) ([2]int64, bool) {
	if c.files == nil {
		c.files = make(map[string][2]int64, c.x.len())
		for i := range c.x.len() {
			c.files[c.x.name(i)] = [2]int64{c.x.offsets[i], int64(c.x.sizes[i])}
		}
		if c.s.image {
			c.files[c.s.name] = [2]int64{c.s.offset, c.s.size}
		}
	}
	at, known := c.files[name]
	return at, known
}

// label reads a label. What is none leaves the one there is: training needs none.
func (c *scanner) label(h *tar.Header, ext string) error {
	label, problem, err := readLabel(c.tr, ext)
	switch {
	case err != nil:
		return advised{fmt.Errorf("label %s: %w", Printable(h.Name), err), "number classes from 0, or write their names; " +
			"-1 is no label"}
	case problem != "":
		c.x.omitted.add("labels", "these images count as unlabelled: "+problem, h.Name)
	case label.name != "":
		c.s.label = c.named(label.name)
	case label.is:
		c.s.label = label.number
	}
	return nil
}

// linkedLabel takes the label that a hard link names: that of the sample which what it links to is of.
func (c *scanner) linkedLabel(h *tar.Header) {
	if c.keyed == nil {
		c.keyed = make(map[string]int, c.x.len())
		for i := range c.x.len() {
			key, _, _ := cutKey(c.x.name(i))
			c.keyed[key] = int(c.x.labels[i])
		}
	}
	key, _, _ := cutKey(h.Linkname)
	label, known := c.keyed[key]
	if key == c.s.key {
		return // it has what its own sidecar says
	}
	if !known {
		c.x.omitted.add(unknownLinks, "they have no bytes in the tar", h.Name)
		return
	}
	c.s.label = label
}

// named is how an index holds the label of this name.
func (c *scanner) named(name string) int {
	k, known := c.names[name]
	if !known {
		k = int32(len(c.x.classes))
		c.x.classes, c.names[name] = append(c.x.classes, name), k
	}
	return -2 - int(k)
}

// finish adds the sample that is complete.
func (c *scanner) finish() error {
	s := &c.s
	switch {
	case s.image:
		if c.keyed != nil {
			c.keyed[s.key] = s.label
		}
		c.x.offsets = append(c.x.offsets, s.offset)
		return c.x.add(s.name, s.size, s.label)
	case s.entries > 0:
		c.x.omitted.add("samples without an image", "no entry of theirs is a picture", s.name)
	}
	return nil
}

// behind notes what lies behind the archive's end, as cat of two archives makes it.
func (c *scanner) behind() error {
	var rest [16 << 10]byte
	n, err := io.ReadFull(c.r, rest[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if len(bytes.Trim(rest[:n], "\x00")) > 0 {
		c.x.omitted.add("archives behind the end of one", "name each by itself, or join them by tar -A", "")
	}
	return nil
}

// sparse files do not lie in one piece.
func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// cutKey cuts an entry's name at the first dot of its last part: what is before says which sample, what is
// behind says what of it.
func cutKey(name string) (key, ext string, ok bool) {
	dir, base := path.Split(name)
	base, ext, ok = strings.Cut(base, ".")
	return dir + base, strings.ToLower(ext), ok
}
