package worker

import (
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
	pb "byol/proto"
)

func TestSaverDue(t *testing.T) {
	v := saver{started: true, step: 10, version: 3}
	cases := []struct {
		step, version int64
		failed        bool
		want          bool
	}{
		{10, 3, false, false},
		{10, 4, false, false}, // repeated
		{10, 3, true, false},  // failed, but nobody asked again
		{10, 4, true, true},
		{20, 4, false, true},
	}
	for _, c := range cases {
		v.failed = c.failed
		if got := v.due(c.step, c.version); got != c.want {
			t.Errorf("step %d by plan %d after failure %v: got %v, want %v", c.step, c.version, c.failed, got, c.want)
		}
	}
	if !(&saver{}).due(0, 1) {
		t.Error("the first checkpoint is not due")
	}
}

func TestStatusBytes(t *testing.T) {
	text := []byte("Name:\tworker\nVmHWM:\t  123456 kB\nVmRSS:\t    2048 kB\nVmData: x kB\n")
	for key, want := range map[string]uint64{"VmHWM:": 123456 << 10, "VmRSS:": 2048 << 10, "VmData:": 0, "VmSwap:": 0} {
		if got := statusBytes(text, key); got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
	}
}

// hidden is a device without HostMemory.
type hidden struct{ device.Device }

// TestStaging runs training on a device whose memory the host cannot see.
func TestStaging(t *testing.T) {
	want := trained(t, &conductor{workers: 2, until: 2, cfg: tinyOn(t, "reference")}, nil)
	got := trained(t, &conductor{workers: 2, until: 2, cfg: tinyOn(t, "reference")}, func(_ int, o *Options) {
		o.OpenDevice = func(DeviceOptions) (device.Device, error) { return hidden{reference.New(32)}, nil }
	})
	if got != want {
		t.Errorf("through copies training ends with %s, in place with %s", got, want)
	}
}

func tinyOn(t *testing.T, dev string) *pb.RunConfig {
	c := tiny(t)
	c.Device = dev
	return c
}
