package cpu

import (
	"testing"

	"byol/model/device/devicetest"
)

func TestExam(t *testing.T) {
	for _, c := range []struct {
		name string
		opts Options
	}{
		{"1 thread", Options{Threads: 1}},
		{"2 threads", Options{Threads: 2}},
		{"plain Go", Options{Threads: 2, Generic: true}},
		{"direct", Options{Threads: 2, Direct: true}},
		{"direct, plain Go", Options{Threads: 1, Generic: true, Direct: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev := open(t, c.opts)
			t.Log(dev.Fingerprint())
			devicetest.Run(t, dev)
		})
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
