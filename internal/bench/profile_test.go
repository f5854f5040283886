package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSumTraces files samples as go tool pprof prints them: by the operation a layer asked for, whatever the kernel is
// called, and what belongs to none by its own name.
func TestSumTraces(t *testing.T) {
	const text = `File: worker
Type: cpu
Duration: 2.75s, Total samples = 1s
-----------+-------------------------------------------------------
     500ms   byol/model/device/cpu.gemmFull
             byol/model/device/cpu.(*conv).Forward
             byol/model/nn.(*Conv).forward (inline)
             byol/model/nn.(*ResNet).Forward
-----------+-------------------------------------------------------
     200ms   byol/model/device/cpu.winoTile
             byol/model/device/cpu.(*conv).BackwardData
             byol/model/nn.(*ResNet).Backward
-----------+-------------------------------------------------------
     100ms   byol/model/device/cpu.gemmFull
             byol/model/device/cpu.(*conv).Forward
             byol/model/nn.(*MLP).Forward
-----------+-------------------------------------------------------
     120ms   byol/model/device/cpu.odd
             byol/model/nn.(*ResNet).Forward
-----------+-------------------------------------------------------
      80ms   runtime.futex
             main.main
`
	s, err := sumTraces([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"convolution, forward", "50.0", "cpu.gemmFull 50.0"},
		{"convolution, backward-data", "20.0", "cpu.winoTile 20.0"},
		{"other: cpu.odd", "12.0", "cpu.odd 12.0"},
		{"heads: projector, predictor, classifier", "10.0", "cpu.gemmFull 10.0"},
		{"other: Go's runtime", "8.0", "runtime.futex 8.0"},
	}
	if diff := cmp.Diff(want, s.rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if _, err := sumTraces([]byte("File: worker\n")); err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("a profile without samples: %v", err)
	}
}
