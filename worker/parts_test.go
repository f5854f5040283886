package worker

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"byol/internal/failure"
	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	pb "byol/proto"
)

// TestSaverDue: an order is carried out once, however often plans repeat it, and a later one also for the same step.
func TestSaverDue(t *testing.T) {
	var v saver
	for _, c := range []struct {
		order int64
		want  bool
	}{{3, true}, {3, false}, {7, true}, {3, false}, {7, false}, {8, true}} {
		got := v.due(c.order)
		if got != c.want {
			t.Errorf("order %d after %d: due %v, want %v", c.order, v.order, got, c.want)
		}
		if got {
			v.take(c.order)
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
	})
}

// TestLastSave ends a worker whose disk stands still, or is merely slow: it waits as long as its grace lasts, and says
// what is not saved.
func TestLastSave(t *testing.T) {
	left := &failure.Failure{What: "left at step 9", Why: "signal: terminated", Code: failure.Temporary}
	for _, c := range []struct {
		name        string
		takes, over time.Duration // the write, and the rest of the grace when the work ended: 0 where nobody was asked to go
		err         error
		after       time.Duration
		says        string // of what is not saved
	}{
		{"a slow disk", time.Minute, 0, left, time.Minute, ""},
		{"it stands still", time.Hour, 0, left, 90 * time.Second, "step 7 was still being written to /ck"},
		{"it stands still, and its grace ends", time.Hour, time.Second, left, time.Second,
			"step 7 was still being written to /ck"},
		{"a run that is done", time.Hour, 0, nil, 90 * time.Second, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zap.InfoLevel)
			w := &worker{opts: Options{Grace: defaultGrace}, cfg: &pb.RunConfig{CheckpointDir: "/ck"}, log: zap.New(core)}
			disk := make(chan struct{})
			time.AfterFunc(c.takes, func() { close(disk) })
			w.saves.begin(7, func() { <-disk })
			working, end := context.WithCancelCause(t.Context())
			if c.over > 0 {
				time.AfterFunc(c.over, func() { end(errGrace) })
			}
			began := time.Now()
			err := w.lastSave(working, c.err)
			if took := time.Since(began); took != c.after {
				t.Errorf("%s: it went after %v, want %v", c.name, took, c.after)
			}
			if c.err != nil && !strings.HasPrefix(err.Error(), left.Error()) || c.err == nil && err != nil {
				t.Errorf("%s: went with %v", c.name, err)
			}
			if c.says != "" && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: got %v, want %q in it", c.name, err, c.says)
			}
			if told := logs.Len() > 0; told != (c.takes > c.after) {
				t.Errorf("%s: logged %v", c.name, logs.All())
			}
			<-disk
			end(nil)
		})
	}
	if left.Why != "signal: terminated" {
		t.Error("a failure was changed in place")
	}
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
		o.OpenEngine = func(o EngineOptions) (engine.Engine, error) {
			return ops.New(hidden{reference.New(32)}, o.Memory), nil
		}
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
