package cpu

import (
	"fmt"
	"strings"
)

// The names of the kernel sets, for Options.ISA. AVX512 and AVX2 give the same bits, Generic others.
const (
	Auto    = "auto" // the fastest that the processor runs
	AVX512  = "avx512"
	AVX2    = "avx2"
	Generic = "generic" // plain Go, which is slow; it exists for tests and for finding faults
)

// ISAs are the kernel sets that this processor runs, the fastest first.
func ISAs() []string {
	var names []string
	for _, k := range sets() {
		names = append(names, k.isa)
	}
	return names
}

// kernelsFor returns the kernel set of a name.
func kernelsFor(isa string) (*kernels, error) {
	all := sets()
	if isa == "" || isa == Auto {
		return all[0], nil
	}
	for _, k := range all {
		if k.isa == isa {
			return k, nil
		}
	}
	if isa == AVX512 || isa == AVX2 {
		return nil, fmt.Errorf("this processor lacks %s; it runs %s", isa, strings.Join(ISAs(), " and "))
	}
	return nil, fmt.Errorf("kernels %q are not known: want auto, avx512, avx2 or generic", isa)
}
