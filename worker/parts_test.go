package worker

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"byol/model/device"
	"byol/model/device/reference"
	pb "byol/proto"
)

func TestSaverDue(t *testing.T) {
	var v saver
	if !v.due(order{0, 1}) {
		t.Error("the first checkpoint is not due")
	}
	for _, c := range []struct {
		step, version int64
		failed        bool
		want          bool
	}{
		{10, 3, false, false},
		{10, 4, false, false}, // repeated
		{10, 3, true, false},  // failed, but nobody asked again
		{10, 4, true, true},
		{20, 4, false, true},
	} {
		v.take(order{10, 3})
		v.ended(order{10, 2}, true) // an older one
		v.ended(order{10, 3}, c.failed)
		if got := v.due(order{c.step, c.version}); got != c.want {
			t.Errorf("step %d by plan %d after failure %v: got %v, want %v", c.step, c.version, c.failed, got, c.want)
		}
	}
}

// TestSaverIsBusy: who waits for a disk that stands still waits as long as it has time, and learns what is being
// written.
func TestSaverIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v saver
		if _, ok := v.idle(t.Context()); !ok {
			t.Error("busy before the first checkpoint")
		}
		disk := make(chan struct{})
		v.begin(7, func() { <-disk })
		limited, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if step, ok := v.idle(limited); ok || step != 7 {
			t.Errorf("step %d, idle %v, while step 7 is being written", step, ok)
		}
		time.AfterFunc(time.Second, func() { close(disk) })
		if _, ok := v.idle(t.Context()); !ok {
			t.Error("busy after it was written")
		}
		v.wait()
	})
}

// TestReportsThatStand: the next report for a step takes the one before back, those of other steps stand, up to a
// number of them.
func TestReportsThatStand(t *testing.T) {
	var v saver
	var withdrawn []int
	for i, step := range []int64{10, 20, 10, 30, 40, 50, 60} {
		if moot := v.reported(step, func() { withdrawn = append(withdrawn, i) }); moot != nil {
			moot()
		}
	}
	if want := []int{0, 1, 2}; !slices.Equal(withdrawn, want) {
		t.Errorf("reports %v were taken back, want %v", withdrawn, want)
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
