package testcluster

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"byol/model/device/cpu"
	"byol/worker"
)

// each gives the workers their instructions, in turn.
func each(isas ...string) func(int, *worker.Options) {
	return func(rank int, o *worker.Options) { o.ISA = isas[rank%len(isas)] }
}

// TestMixedProcessors: workers with AVX-512 and with AVX2 train together and end with the bits of either alone; plain
// Go has other bits and is not let in.
func TestMixedProcessors(t *testing.T) {
	if !slices.Contains(cpu.ISAs(), cpu.AVX512) {
		t.Skipf("this processor runs %v", cpu.ISAs())
	}
	want := ""
	for _, isas := range [][]string{{cpu.AVX2}, {cpu.AVX512}, {cpu.AVX512, cpu.AVX2}} {
		r := run(t, Options{Config: Tiny(3), Workers: 4, Worker: each(isas...)})
		t.Logf("%v  state_sha256 %s", isas, r.Newest.StateSHA256)
		if want == "" {
			want = r.Newest.StateSHA256
		}
		if r.Newest.Step != 3 || r.Newest.StateSHA256 != want {
			t.Errorf("workers with %v: step %d ends with %s, want %s", isas, r.Newest.Step, r.Newest.StateSHA256, want)
		}
	}
	r := try(t, Options{Config: Tiny(3), Workers: 2, Worker: each(cpu.AVX512, cpu.Generic)})
	err := errors.Join(append(r.Workers, r.Coordinator)...)
	if err == nil || !strings.Contains(err.Error(), "other kernels") {
		t.Errorf("a worker in plain Go among others: %v, want a refusal that names kernels", err)
	}
}
