package worker

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	pb "byol/proto"
)

// TestWaysOfSummingGiveTheSameBits trains with gradients that lie in memory all workers map, in memory of their own,
// in one bucket, in many, and in as many as the workers choose.
func TestWaysOfSummingGiveTheSameBits(t *testing.T) {
	want := ""
	for _, c := range []struct {
		name      string
		workers   int
		bytes     int64
		sockets   bool
		transport string // in what the workers log
		chosen    string
	}{
		{"one worker", 1, 0, false, "alone", "one worker"},
		{"in place, one bucket", 2, 1 << 30, false, "shared memory, in place", "the configuration"},
		{"in place, chosen", 3, 0, false, "shared memory, in place", "measurement"},
		{"sockets, small buckets", 2, 4 << 10, true, "tcp (no shared memory: it is switched off)", "the configuration"},
		{"sockets, chosen", 2, 0, true, "tcp (no shared memory: it is switched off)", "measurement"},
	} {
		logs, seen := observer.New(zap.InfoLevel)
		cfg := tiny(t)
		cfg.BucketBytes, cfg.ProjectorHidden, cfg.PredictorHidden = c.bytes, 500, 300 // longer than what goes in one hop
		got := trained(t, &conductor{workers: c.workers, until: 2, cfg: cfg}, func(rank int, o *Options) {
			o.NoSharedMemory = c.sockets
			if rank == 0 {
				o.Log = zap.New(logs)
			}
		})
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s: training ends with %s, want %s", c.name, got, want)
		}
		formed := seen.FilterMessage("group formed").All()
		if len(formed) == 0 {
			t.Fatalf("%s: nothing is logged about the group", c.name)
		}
		f := formed[0].ContextMap()
		if f["transport"] != c.transport || f["chosen_by"] != c.chosen {
			t.Errorf("%s: logged %v, want transport %q, chosen by %q", c.name, f, c.transport, c.chosen)
		}
	}
}

// TestBucketsComeFromTheConfigurationOrTheGroup looks at the number of buckets alone.
func TestBucketsComeFromTheConfigurationOrTheGroup(t *testing.T) {
	const parameters = 10_000_000
	for _, c := range []struct {
		configured, measured, size int
		want                       int
		by                         string
	}{
		{0, 4 << 20, 2, 4 << 20, "measurement"},
		{0, 32 << 20, 2, parameters, "measurement"}, // at least 4 buckets of 4-byte elements
		{1 << 20, 4 << 20, 2, 1 << 20, "the configuration"},
		{0, 4 << 20, 1, 0, "one worker"},
	} {
		got, by := bucketBytes(&pb.RunConfig{BucketBytes: int64(c.configured)}, c.measured, c.size, parameters)
		if got != c.want || by != c.by {
			t.Errorf("%+v: got %d by %s", c, got, by)
		}
	}
}
