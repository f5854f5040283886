package source

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// class takes an entry that is a tar: a class of the tar's name, with the pictures in it.
func (c *scanner) class(h *tar.Header) error {
	offset, err := c.r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if sparse(h) {
		return advised{fmt.Errorf("%s is a sparse file", Printable(h.Name)), "write the tar without --sparse"}
	}
	if offset+h.Size > c.size {
		return fmt.Errorf("it is cut short after %d images, in %s", c.x.len(), Printable(h.Name))
	}
	class := strings.TrimSuffix(path.Base(h.Name), path.Ext(h.Name))
	inner, err := scanTar(c.ctx, io.NewSectionReader(c.r, offset, h.Size), h.Size)
	if err != nil {
		return fmt.Errorf("%s in it: %w", Printable(h.Name), err)
	}
	c.x.omitted.merge(inner.omitted, h.Name)
	if inner.nested {
		c.x.omitted.add("tars in tars in a tar", "one tar per class is read", h.Name)
		return nil
	}
	c.x.nested = true
	label := c.named(class)
	for i := range inner.len() {
		if err := c.x.add(class+"/"+path.Base(inner.name(i)), int64(inner.sizes[i]), label); err != nil {
			return err
		}
		c.x.offsets = append(c.x.offsets, offset+inner.offsets[i])
	}
	return nil
}

// sortNested puts the images of a tar of tars in the order of the folder that it would be unpacked to.
func (x *index) sortNested() {
	if !x.nested {
		return
	}
	order := make([]int, x.len())
	for i := range order {
		order[i] = i
	}
	key := func(i int) (last bool, class, name string) {
		if x.labels[i] <= -2 {
			return false, x.classes[-2-x.labels[i]], x.name(i)
		}
		return true, "", x.name(i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		lastA, classA, nameA := key(a)
		lastB, classB, nameB := key(b)
		switch {
		case lastA != lastB && lastA:
			return 1
		case lastA != lastB:
			return -1
		}
		return cmp.Or(strings.Compare(classA, classB), strings.Compare(nameA, nameB))
	})
	sorted := index{keys: x.keys, classes: x.classes, omitted: x.omitted, nested: true}
	for _, i := range order {
		_ = sorted.add(x.name(i), int64(x.sizes[i]), int(x.labels[i])) // it was taken before
		sorted.offsets = append(sorted.offsets, x.offsets[i])
	}
	*x = sorted
}
