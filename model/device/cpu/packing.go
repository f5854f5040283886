package cpu

// packing is memory for the packed weights of one direction of one convolution: of the one that ran last. A pass goes
// through a network layer by layer and both views of a layer run in turn, so packing when a pass begins is no more work
// than packing all layers beforehand, and the memory is that of the largest.
type packing struct {
	mem   []float32
	owner direction // whose weights they are; nil: nobody's
}

// reservePacked makes the memory for packed weights large enough.
func (d *machine) reservePacked(n int) error {
	if n <= len(d.packed.mem) {
		return nil
	}
	grown, err := d.spare.grow(d.packed.mem, n)
	if err != nil {
		return err
	}
	d.packed = packing{mem: grown}
	return nil
}

// packs makes the memory for packed weights p's, and reports whether p has to fill it with its weights.
func (d *machine) packs(p direction, weights *float32) bool {
	if d.packed.owner == p {
		return false
	}
	if weights == nil {
		panic("cpu: a convolution runs before it was given weights")
	}
	d.packed.owner = p
	return true
}

// repack has p fill the memory again when it runs.
func (d *machine) repack(p direction) {
	if d.packed.owner == p {
		d.packed.owner = nil
	}
}
