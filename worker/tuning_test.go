package worker

import (
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/model"
	"byol/model/finetune"
)

// TestFitsMemory: what does not fit is refused with the groups that do, where any do.
func TestFitsMemory(t *testing.T) {
	network, err := model.EncoderNetwork(model.Config{Arch: "resnet50", ImageSize: 224})
	if err != nil {
		t.Fatal(err)
	}
	network.Classes = 1000
	cfg := finetune.Config{Network: network, Rate: 1, Batch: 1024, Group: 64, Epochs: 1}
	plenty := limit{1 << 50, "no limit is known"}
	for _, c := range []struct {
		have  room
		words []string // of the failure; nil: it fits
	}{
		{room{own: plenty, shared: limit{16 << 30, machineHas}}, nil},
		{room{own: plenty, shared: limit{8 << 30, "available on this machine"}},
			[]string{"with 64 images", "8.00 GiB (available on this machine)", "--norm-batch 32"}},
		{room{own: limit{4 << 30, "memory.max"}, shared: plenty}, []string{"4.00 GiB (memory.max)", "--norm-batch 16"}},
		{room{own: limit{100 << 20, "memory.max"}, shared: plenty}, []string{"0.10 GiB", "a machine with more memory"}},
	} {
		err := fitsMemory(cfg, 5000, c.have)
		if c.words == nil {
			if err != nil {
				t.Errorf("%+v: %v", c.have, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%+v: it fits", c.have)
			continue
		}
		f := failure.Of(err, failure.Failure{})
		for _, word := range c.words {
			if !strings.Contains(f.Why+f.Try, word) {
				t.Errorf("%+v: no %q in %q, %q", c.have, word, f.Why, f.Try)
			}
		}
	}
}
