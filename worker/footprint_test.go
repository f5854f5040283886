package worker

import (
	"math"
	"testing"
	"time"

	"byol/model/device/cpu"
	"byol/model/engine"
	"byol/model/engine/ops"
	pb "byol/proto"
)

// footprintConfig is a run of 32 images in 8 shards.
func footprintConfig() *pb.RunConfig {
	return &pb.RunConfig{Arch: "resnet18", Width: 1, Stem: "cifar", Padding: "symmetric", ImageSize: 32,
		ProjectorHidden: 64, ProjectorOut: 32, PredictorHidden: 64, BatchNorm: "sync", BatchSize: 32, Shards: 8, Samples: 100}
}

// TestLinear finds the parts of what is linear in shards and in the images of a shard.
func TestLinear(t *testing.T) {
	cfg := footprintConfig()
	b, err := Linear(cfg, func(_ engine.Network, c engine.Cut) (int64, error) {
		if c.Shards != 8 {
			t.Errorf("asked about %d shards in all", c.Shards)
		}
		return 1000 + int64(c.Local)*(70+3*int64(c.Images)), nil
	})
	if err != nil || b.Fixed != 1000 || b.PerShard != 70 || b.PerImage != 3 {
		t.Errorf("%v, %v", b, err)
	}
	turns := footprintConfig()
	turns.BatchNorm, turns.ShardsAtOnce = "local", 2
	n, err := learnerConfig(turns).Network()
	if err != nil {
		t.Fatal(err)
	}
	l, err := engine.Describe(n)
	if err != nil {
		t.Fatal(err)
	}
	b, err = Linear(turns, func(_ engine.Network, c engine.Cut) (int64, error) {
		return 1000 + int64(c.Local)*(70+3*int64(c.Images)), nil
	})
	if err != nil || b.Fixed != 1000+2*(70+3*4) || b.PerShard != 4*int64(l.Size) || b.PerImage != 0 {
		t.Errorf("two of any number at a time: %v, %v", b, err)
	}
	cfg.Arch = "vgg"
	if _, err := Linear(cfg, Mirrored); err == nil {
		t.Error("a network that does not exist has a footprint")
	}
}

// TestFootprint: what is said of any number of shards and images is what an engine takes that has planned them, within
// a twentieth, and what a worker has besides.
func TestFootprint(t *testing.T) {
	cfg := footprintConfig()
	open := func() engine.Engine {
		d, err := cpu.New(cpu.Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		return ops.New(d, nil)
	}
	eng := open()
	defer eng.Close()
	needs, err := Counted(t.Context(), cfg, eng)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Footprint(cfg, needs)
	if err != nil {
		t.Fatal(err)
	}
	const view = 32 * 32 * 3
	images := int64(batchesKept * bothViews * view * floatBytes)
	for _, shards := range []int{1, 3, 8} {
		for _, count := range []int{4, 16} {
			other := open()
			c := footprintConfig()
			c.BatchSize = int32(8 * count)
			n, err := learnerConfig(c).Network()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Plan(t.Context(), n, learnerConfig(c).Cut(shards)); err != nil {
				t.Fatal(err)
			}
			for range stateVectors {
				if _, err := other.NewVector(false); err != nil {
					t.Fatal(err)
				}
			}
			l, err := engine.Describe(n)
			if err != nil {
				t.Fatal(err)
			}
			arrival := int64(floatBytes * l.Size)
			want := other.Holds() + arrival
			got := f.Worker.Fixed - processBytes - 100*view + int64(shards)*(f.Worker.PerShard+int64(count)*
				(f.Worker.PerImage-images))
			if math.Abs(float64(got-want)) > 0.05*float64(want) {
				t.Errorf("%d shards of %d images: %d MiB, and the engine holds %d", shards, count, got>>20, want>>20)
			}
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	cfg.NoOverlap = true
	waits, err := Footprint(cfg, needs)
	if err != nil || waits.Worker.Fixed >= f.Worker.Fixed {
		t.Errorf("without running ahead %v, with it %v: %v", waits, f, err)
	}
	cfg.NoOverlap = false
	cfg.EvalData = "somewhere"
	judged, err := Footprint(cfg, needs)
	if err != nil || judged.Worker.Fixed <= f.Worker.Fixed {
		t.Errorf("with evaluations %v, without %v: %v", judged, f, err)
	}
}

// TestMirrored: an accelerator's vectors are on the host, too, and a gradient for each shard.
func TestMirrored(t *testing.T) {
	n, err := learnerConfig(footprintConfig()).Network()
	if err != nil {
		t.Fatal(err)
	}
	l, err := engine.Describe(n)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Mirrored(n, engine.Cut{Shards: 8, Local: 3, Images: 4}); err != nil || got != int64(9*4*l.Size) {
		t.Errorf("%d bytes, %v; a vector has %d", got, err, 4*l.Size)
	}
}

// TestMemoryOf: what the machine has, what limits it, and what others leave.
func TestMemoryOf(t *testing.T) {
	const meminfo = "MemTotal:       16000 kB\nMemAvailable:    8000 kB\n"
	for _, c := range []struct {
		name        string
		files       map[string]string
		total, free int64
		limited     string
	}{
		{"nobody says anything", nil, 0, 0, ""},
		{"the machine", map[string]string{"proc/meminfo": meminfo}, 16000 << 10, 8000 << 10, ""},
		{"a control group of less", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "1000000\n", "sys/fs/cgroup/a/memory.current": "300000\n"}, 1000000, 700000,
			"the control group /a allows 0.00 GiB"},
		{"a control group of more", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "99000000000\n", "sys/fs/cgroup/a/memory.current": "300000\n"}, 16000 << 10,
			8000 << 10, ""},
	} {
		m := memoryOf(availableMemory(files(c.files)))
		if m.Total != c.total || m.Free != c.free || m.LimitedBy != c.limited {
			t.Errorf("%s: %v", c.name, m)
		}
	}
}

// TestPreparing: what an engine prepares is what heartbeats say that the worker does, until it is ready.
func TestPreparing(t *testing.T) {
	w := &worker{activity: &activity{clock: time.Now}}
	const compiling = "compiled 3 of 10 programs, 14s to go"
	for said, want := range map[string]string{compiling: compiling, "": restoring} {
		w.preparing(said)
		if got := w.activity.heartbeat().Phase; got != want {
			t.Errorf("%q is shown as %q", said, got)
		}
	}
}

// TestFootprintInTurns: a worker that computes in turns has two batches of views, others have four.
func TestFootprintInTurns(t *testing.T) {
	needs := func(engine.Network, engine.Cut) (int64, error) { return 0, nil }
	for atOnce, batches := range map[int32]int64{0: 4, 2: 2} {
		cfg := footprintConfig()
		if cfg.ShardsAtOnce = atOnce; atOnce > 0 {
			cfg.BatchNorm = "local"
		}
		f, err := Footprint(cfg, needs)
		if want := batches * 2 * 32 * 32 * 3 * 4; err != nil || f.Worker.PerImage != want {
			t.Errorf("%d shards at once: %v, %v, want %d bytes an image", atOnce, f, err, want)
		}
	}
}
