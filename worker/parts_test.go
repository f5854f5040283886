package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"byol/internal/vector"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	pb "byol/proto"
	"byol/worker/knn"
)

func TestInboxKeepsTheNewestPlan(t *testing.T) {
	in := newInbox(zap.NewNop())
	for _, v := range []int64{1, 3, 2} {
		in.take(&pb.Plan{Version: v, Generation: 1})
	}
	p, err := in.await(t.Context(), func(*pb.Plan) bool { return true })
	if err != nil || p.Version != 3 || in.refused != 1 {
		t.Errorf("got version %d, %v, %d refused; want 3, none, 1", p.GetVersion(), err, in.refused)
	}
}

func TestInboxFill(t *testing.T) {
	one := vector.Bytes([]float32{1, 2})
	cases := []struct {
		name   string
		slices []*pb.Slice
		want   int // elements filled
		refuse int64
	}{
		{"in order", []*pb.Slice{{Generation: 1, Step: 5, Offset: 10, Data: one},
			{Generation: 1, Step: 5, Offset: 12, Data: one}}, 4, 0},
		{"other step", []*pb.Slice{{Generation: 1, Step: 4, Offset: 10, Data: one}}, 0, 1},
		{"other generation", []*pb.Slice{{Generation: 2, Step: 5, Offset: 10, Data: one}}, 0, 1},
		{"twice", []*pb.Slice{{Generation: 1, Step: 5, Offset: 10, Data: one},
			{Generation: 1, Step: 5, Offset: 10, Data: one}}, 2, 1},
		{"too long", []*pb.Slice{{Generation: 1, Step: 5, Offset: 10, Data: vector.Bytes(make([]float32, 5))}}, 0, 1},
		{"outside", []*pb.Slice{{Generation: 1, Step: 5, Offset: -10, Data: one}}, 0, 1},
		{"half an element", []*pb.Slice{{Generation: 1, Step: 5, Offset: 10, Data: one[:3]}}, 0, 1},
	}
	for _, c := range cases {
		in := newInbox(zap.NewNop())
		dst := make([]float32, 4)
		in.expect(1, 5, 10, dst)
		for _, s := range c.slices {
			in.fill(s)
		}
		if in.wanted.filled != c.want || in.refused != c.refuse {
			t.Errorf("%s: filled %d, refused %d, want %d, %d", c.name, in.wanted.filled, in.refused, c.want, c.refuse)
		}
		in.forget()
		in.fill(c.slices[0])
		if in.refused != c.refuse+1 {
			t.Errorf("%s: a slice nobody waits for was taken", c.name)
		}
	}
}

func TestGuard(t *testing.T) {
	running := func(version, generation int64) *pb.Plan {
		return &pb.Plan{Version: version, Generation: generation, State: pb.RunState_RUN_STATE_RUNNING}
	}
	cases := []struct {
		name       string
		generation int64
		then       func(*inbox)
		want       error
	}{
		{"same generation", 1, func(in *inbox) { in.take(running(2, 1)) }, nil},
		{"next generation", 1, func(in *inbox) { in.take(running(2, 2)) }, errReplanned},
		{"any generation", anyGeneration, func(in *inbox) { in.take(running(2, 2)) }, nil},
		{"run ends", anyGeneration, func(in *inbox) {
			in.take(&pb.Plan{Version: 2, Generation: 1, State: pb.RunState_RUN_STATE_STOPPED})
		}, errReplanned},
		{"stream ends", 1, func(in *inbox) { in.end(io.EOF) }, errStreamEnded},
	}
	for _, c := range cases {
		in := newInbox(zap.NewNop())
		in.take(running(1, 1))
		ctx, release := in.guard(t.Context(), c.generation)
		c.then(in)
		if got := context.Cause(ctx); !errors.Is(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		release()
		late, release := in.guard(t.Context(), c.generation)
		if got := context.Cause(late); !errors.Is(got, c.want) {
			t.Errorf("%s, asked afterwards: got %v, want %v", c.name, got, c.want)
		}
		release()
	}
}

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

func TestClock(t *testing.T) {
	now := time.Unix(0, 0)
	shown := ""
	c := newClock(func() time.Time { return now }, func(p string) { shown = p })
	for _, phase := range []string{"data", "forward", "sync", "forward", "idle", "ring"} {
		c.begin(phase)
		now = now.Add(time.Second)
	}
	got := map[string]float64{}
	for _, p := range c.report() {
		got[p.Phase] = p.Seconds
	}
	if d := cmp.Diff(map[string]float64{"data": 1, "forward": 2, "sync": 1, "ring": 1}, got); d != "" || shown != "ring" {
		t.Errorf("shown %q (-want +got):\n%s", shown, d)
	}
	now = now.Add(3 * time.Second)
	if r := c.report(); len(r) != 1 || r[0].Phase != "ring" || r[0].Seconds != 3 {
		t.Errorf("second report: %v, want the phase at hand alone", r)
	}
	c.begin("commit")
	now = now.Add(time.Second)
	c.took("commit", 5*time.Second)
	if r := c.report(); len(r) != 2 || r[1].Seconds != 1 || r[1].LatencySeconds != 5 || r[0].LatencySeconds != 0 {
		t.Errorf("report of a commit of 5 s of which 1 s was waited for: %v", r)
	}
	if r := c.report(); r[0].LatencySeconds != 0 {
		t.Errorf("the next report tells it again: %v", r)
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

// TestTile compares products on the device with plain ones, over sizes that do not fill a tile.
func TestTile(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	const dim, nq, nb, classes = 24, tileQueries + 3, tileBank + 5, 4
	queries, bank, labels := make([]float32, nq*dim), make([]float32, nb*dim), make([]int32, nb)
	for i := range queries {
		queries[i] = float32(math.Sin(float64(i * i)))
	}
	for i := range bank {
		bank[i] = float32(math.Cos(float64(3 * i * i)))
	}
	for i := range labels {
		labels[i] = int32(i % classes)
	}
	knn.Normalize(queries, dim)
	knn.Normalize(bank, dim)
	cfg := knn.Config{K: 3, Temperature: 0.1, Classes: classes}
	plain, tiled := knn.NewScorer(cfg, nq), knn.NewScorer(cfg, nq)
	products := make([]float32, nq*nb)
	knn.Dot(queries, bank, products, dim)
	plain.Add(products, 0, nb, 0)
	tile, err := (&fixture{dev: dev, tiles: map[int]*tile{}}).tile(dim)
	if err != nil {
		t.Fatal(err)
	}
	if err := tile.score(t.Context(), queries, bank, 0, tiled); err != nil {
		t.Fatal(err)
	}
	differ := 0
	want, got := plain.Vote(labels), tiled.Vote(labels)
	for i := range want {
		if want[i] != got[i] {
			differ++
		}
	}
	if differ > nq/100 { // rounding may exchange neighbours that are equally far
		t.Errorf("%d of %d votes differ from plain products", differ, nq)
	}
}

// hidden is a device without HostMemory.
type hidden struct{ device.Device }

// TestStaging runs training on a device whose memory the host cannot see.
func TestStaging(t *testing.T) {
	want := train(t, &conductor{workers: 2, until: 2, cfg: tinyOn(t, "reference")}, nil)
	got := train(t, &conductor{workers: 2, until: 2, cfg: tinyOn(t, "reference")}, func(_ int, o *Options) {
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

// BenchmarkTile measures the products of an evaluation: 2,048 queries with 4,096 bank images.
func BenchmarkTile(b *testing.B) {
	for _, dim := range []int{64, 512, 3072} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			dev, err := cpu.New(cpu.Options{Threads: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer dev.Close()
			t, err := (&fixture{dev: dev, tiles: map[int]*tile{}}).tile(dim)
			if err != nil {
				b.Fatal(err)
			}
			const nq, nb = 2048, 4096
			queries, bank := make([]float32, nq*dim), make([]float32, nb*dim)
			for i := range queries {
				queries[i] = float32(i%7) - 3
			}
			for i := range bank {
				bank[i] = float32(i%11) - 5
			}
			for b.Loop() {
				s := knn.NewScorer(knn.Config{K: 200, Temperature: 0.1, Classes: 10}, nq)
				if err := t.score(b.Context(), queries, bank, 0, s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(nq*nb*dim)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
