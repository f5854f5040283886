package lead

import (
	"fmt"
	"slices"
	"strings"
)

// divergence says which workers would not hold the same as the others.
type divergence struct {
	part string
	odd  []int // ranks, ascending; all that differ among themselves when there is no majority
	// majority says that more than half of the workers agree against the odd ones.
	majority bool
	// line says that what came is not what was sent: once, that is the line's doing.
	line bool
}

// describe names the odd workers by ids.
func (v *divergence) describe(step int64, ids []string) string {
	names := make([]string, len(v.odd))
	for i, r := range v.odd {
		names[i] = ids[r]
	}
	who := strings.Join(names, ", ")
	if v.majority {
		return fmt.Sprintf("%s differs from the other workers in %s at step %d", who, v.part, step)
	}
	return fmt.Sprintf("%s do not agree in %s at step %d, and no majority tells who is wrong", who, v.part, step)
}

func (d Digests) online() uint64     { return d.Online }
func (d Digests) momentum() uint64   { return d.Momentum }
func (d Digests) statistics() uint64 { return d.Statistics }
func (d Digests) target() uint64     { return d.Target }

// incoming says what the coordinator got of the vector that workers sent their slices of.
type incoming struct {
	name   string // of the vector
	slices []uint64
	whole  uint64
	of     func(Digests) uint64 // what the workers say of the whole
}

// compare finds the first part of the state in which workers differ, or in which what came in differs from what they
// say; committed is the digest of the target, if known.
func compare(digests []Digests, got incoming, committed *uint64) *divergence {
	n := len(digests)
	if !compares {
		return nil
	}
	for _, p := range []struct {
		part string
		of   func(Digests) uint64
	}{
		{"the online network", Digests.online}, {"the momentum", Digests.momentum},
		{"the running statistics", Digests.statistics}, {"the target network", Digests.target},
	} {
		values := make([]uint64, n)
		for r, d := range digests {
			values[r] = p.of(d)
		}
		if v := vote(p.part, values); v != nil {
			return v
		}
	}
	for r, d := range digests {
		if d.Slice != got.slices[r] {
			return &divergence{part: "its slice of " + got.name + " as it was sent", odd: []int{r}, majority: true,
				line: true}
		}
	}
	part := ""
	switch {
	case n == 0:
	case got.of(digests[0]) != got.whole:
		part = got.name + " put together from their slices"
	case committed != nil && digests[0].Target != *committed:
		part = "the target network against what was committed"
	}
	if part == "" {
		return nil
	}
	all := &divergence{part: part, majority: true}
	for r := range digests {
		all.odd = append(all.odd, r)
	}
	return all
}

// vote compares one value per rank. More than half of them decide; the rest are odd.
func vote(part string, values []uint64) *divergence {
	count := map[uint64]int{}
	for _, v := range values {
		count[v]++
	}
	if len(count) <= 1 {
		return nil
	}
	v := &divergence{part: part}
	for _, value := range values {
		if 2*count[value] > len(values) {
			v.majority = true
			for r, other := range values {
				if other != value {
					v.odd = append(v.odd, r)
				}
			}
			return v
		}
	}
	// Without a majority everybody is named whose value is not the only most frequent one; of equals, all.
	most := 0
	for _, c := range count {
		most = max(most, c)
	}
	single := 0
	for _, c := range count {
		if c == most {
			single++
		}
	}
	for r, value := range values {
		if single > 1 || count[value] < most {
			v.odd = append(v.odd, r)
		}
	}
	return v
}

// differing returns the ranks whose text differs from the most frequent one (the first of equals), and nil when all
// are the same.
func differing(texts []string) []int {
	count := map[string]int{}
	for _, t := range texts {
		count[t]++
	}
	if len(count) <= 1 {
		return nil
	}
	common := slices.MaxFunc(texts, func(a, b string) int { return count[a] - count[b] })
	var odd []int
	for r, t := range texts {
		if t != common {
			odd = append(odd, r)
		}
	}
	return odd
}
