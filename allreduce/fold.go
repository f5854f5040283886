package allreduce

// folder carries out a folding of vectors, block by block, so that what is added stays in the first caches. Vectors
// that are added are not written, unless the sum goes there.
type folder struct {
	folding
	wire Wire
	// slots are where nodes on the stack lie, depth of them. The first kept of them are as long as the vectors, and hold
	// what is on the stack before and afterwards; the others are scratch of sumBlock elements.
	slots []*float32
	kept  int
	to    outputs // where the sum goes, the one node that is left; empty: nodes stay in their slots

	entries, at, from []*float32 // of the stack, of the slots and of the vectors, for a block
	moved             outputs
	leaf              []bool // whether an entry is a vector that still has to be rounded
}

// scratch is how many elements a folding needs beside kept slots.
func (f *folding) scratch(kept int) int { return max(0, f.depth-kept) * sumBlock }

// sumInto adds srcs, all rows of f, into to. scratch has room for f.
func (w Wire) sumInto(to outputs, f folding, srcs []*float32, n int, scratch []float32) {
	run := folder{folding: f, wire: w, to: to}
	run.addSlots(scratch)
	run.run(srcs, n)
}

// foldInto adds srcs onto what kept slots hold, and leaves there what is on the stack then.
func (w Wire) foldInto(kept []*float32, f folding, srcs []*float32, n int, scratch []float32) {
	run := folder{folding: f, wire: w, slots: append([]*float32(nil), kept...), kept: len(kept)}
	run.addSlots(scratch)
	run.run(srcs, n)
}

// addSlots adds slots of scratch.
func (f *folder) addSlots(scratch []float32) {
	for i := 0; len(f.slots) < f.depth; i++ {
		f.slots = append(f.slots, &scratch[i*sumBlock])
	}
}

// run adds n elements of srcs.
func (f *folder) run(srcs []*float32, n int) {
	if n == 0 {
		return
	}
	if len(f.groups) == 1 && f.groups[0].merges == 0 && len(f.to.all) > 0 {
		f.add(f.to, srcs, n, true)
		return
	}
	f.entries, f.at = make([]*float32, f.depth), make([]*float32, len(f.slots))
	f.from, f.leaf = make([]*float32, len(srcs)), make([]bool, f.depth)
	f.moved = outputs{make([]*float32, len(f.to.all)), f.to.near}
	for lo := 0; lo < n; lo += sumBlock {
		for i, p := range f.to.all {
			f.moved.all[i] = at(p, lo)
		}
		for i, p := range srcs {
			f.from[i] = at(p, lo)
		}
		for i, p := range f.slots {
			if f.at[i] = p; i < f.kept {
				f.at[i] = at(p, lo)
			}
		}
		f.block(f.from, min(sumBlock, n-lo))
	}
}

// block adds the n elements that the tables of a block begin with.
func (f *folder) block(srcs []*float32, n int) {
	top := f.have
	for i := range top {
		f.entries[i], f.leaf[i] = f.at[i], false
	}
	for k, g := range f.groups {
		last := k == len(f.groups)-1 && len(f.to.all) > 0
		if g.count == 1 {
			f.entries[top], f.leaf[top] = srcs[0], true
		} else {
			f.add(f.slot(top), srcs[:g.count], n, false) // not the last: there is a merge behind it, or run took it
			f.entries[top], f.leaf[top] = f.at[top], false
		}
		srcs = srcs[g.count:]
		for m := g.merges; m > 0; m-- {
			if last && m == 1 {
				f.merge(f.moved, top-1, n, true)
				return
			}
			f.merge(f.slot(top-1), top-1, n, false)
			top--
			f.entries[top], f.leaf[top] = f.at[top], false
		}
		top++
	}
	for i := range top {
		if f.entries[i] != f.at[i] {
			f.add(f.slot(i), f.entries[i:i+1], n, false)
		}
	}
}

// slot is the i-th slot as where a sum goes.
func (f *folder) slot(i int) outputs { return outputs{f.at[i : i+1], 1} }

// add sets to to the node that vectors make up two by two, rounded where it is the sum.
func (f *folder) add(to outputs, srcs []*float32, n int, final bool) {
	switch {
	case f.wire == BF16:
		sumRoundedOnce(to, srcs, n, rounding{open: !final})
	case len(srcs) <= 2:
		sumOnce(to, srcs, n)
	default:
		sumTreeOnce(to, srcs, n)
	}
}

// merge sets to to entries i and i+1 of the stack, rounded where that is the sum.
func (f *folder) merge(to outputs, i, n int, final bool) {
	pair := f.entries[i : i+2]
	switch {
	case f.wire != BF16:
		sumOnce(to, pair, n)
	case f.leaf[i+1]:
		sumRoundedOnce(to, pair, n, rounding{partial: !f.leaf[i], open: !final})
	case final: // no kernel leaves both as they are and rounds the sum
		sumOnce(f.slot(i), pair, n)
		sumRoundedOnce(to, f.at[i:i+1], n, rounding{partial: true})
	default:
		sumOnce(to, pair, n)
	}
}
