package cpu

import (
	"fmt"
	"testing"

	"byol/model/device/devicetest"
)

func TestExam(t *testing.T) {
	for _, isa := range ISAs() {
		for _, opts := range []Options{{Threads: 1}, {Threads: 2}, {Threads: 2, Direct: true}} {
			if opts.ISA = isa; isa == Generic && opts.Threads == 1 {
				continue // slow
			}
			t.Run(fmt.Sprintf("%s/threads=%d/direct=%t", isa, opts.Threads, opts.Direct), func(t *testing.T) {
				dev := open(t, opts)
				t.Log(dev.Fingerprint())
				devicetest.Run(t, dev)
			})
		}
	}
}

func open(t testing.TB, opts Options) *Device {
	t.Helper()
	dev, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	return dev
}
