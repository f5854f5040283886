package model

import (
	"testing"

	"byol/model/device/cpu"
)

// TestBytes compares what is counted with what a device really takes: never more, and what each further shard takes,
// but for the convolutions' scratch memory.
func TestBytes(t *testing.T) {
	c := Config{Arch: "resnet20", Width: 2, Stem: "cifar", Padding: "symmetric", ImageSize: 16, ProjectorHidden: 64,
		ProjectorOut: 32, PredictorHidden: 64, Classes: 10, Batch: 64, Shards: 8}
	taken := func(local int) (counted, held int64) {
		dev, err := cpu.New(cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		if _, err := New(dev, c, local, noSums{}); err != nil {
			t.Fatal(err)
		}
		counted, err = Bytes(c, local)
		if err != nil {
			t.Fatal(err)
		}
		return counted, int64(dev.Allocated())
	}
	one, oneHeld := taken(1)
	for _, local := range []int{2, 5, 8} {
		counted, held := taken(local)
		if counted > held || counted <= one {
			t.Errorf("%d shards: counted %d bytes of %d, one shard %d", local, counted, held, one)
		}
		if more, really := counted-one, held-oneHeld; really < more/2 || really > 4*more {
			t.Errorf("%d shards take %d bytes more than one, counted were %d", local, really, more)
		}
	}
	for _, bad := range []int{0, 9} {
		if n, err := Bytes(c, bad); err == nil {
			t.Errorf("%d shards take %d bytes", bad, n)
		}
	}
	c.Arch = "vgg"
	if n, err := Bytes(c, 1); err == nil {
		t.Errorf("a network that is not known takes %d bytes", n)
	}
}
