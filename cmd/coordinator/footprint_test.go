package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"byol/coordinator/launch"
	"byol/coordinator/settings"
	"byol/internal/failure"
	pb "byol/proto"
)

const mib = 1 << 20

// roomOf is a machine of total MiB, where a worker takes so many MiB, and an image of a shard one.
func roomOf(total, fixed, perShard int64, shards, images int) *room {
	return &room{shards: shards, images: images, f: &pb.Footprint{
		Worker: &pb.Footprint_Bytes{Fixed: fixed * mib, PerShard: perShard * mib, PerImage: mib},
		Memory: &pb.Footprint_Memory{Total: total * mib, Free: total * mib}}}
}

// TestChoose: where nobody says how many workers, it is one for each accelerator, else one for each core, and never
// more than there are shards or memory for. The shards stay what they are.
func TestChoose(t *testing.T) {
	gpus := func(n int32) *room {
		r := roomOf(10000, 100, 10, 8, 10)
		r.f.Accelerators = n
		return r
	}
	busy := roomOf(10000, 1000, 10, 8, 10)
	busy.f.Memory.Free = 3 * 1160 * mib
	for _, c := range []struct {
		name   string
		cores  int
		shards int
		room   *room
		want   int
		why    string
	}{
		{"two cores", 2, 8, roomOf(10000, 100, 10, 8, 10), 2, "a core each, of 2"},
		{"many cores", 64, 8, roomOf(10000, 100, 10, 8, 10), 8, "a core each, of 64"},
		{"few shards", 64, 3, roomOf(10000, 100, 10, 3, 10), 3, "one for each shard"},
		{"no memory for eight", 64, 8, roomOf(1000, 100, 10, 8, 10), 7, "as memory allows"},
		{"others use the memory", 64, 8, busy, 2, "as memory allows"},
		{"no memory at all", 64, 8, roomOf(10, 100, 10, 8, 10), 8, "a core each, of 64"},
		{"a worker that does not answer", 4, 8, nil, 4, "a core each, of 4"},
		{"four accelerators", 64, 8, gpus(4), 4, "one for each accelerator"},
		{"sixteen accelerators", 64, 8, gpus(16), 8, "one for each shard"},
	} {
		p := &plan{resolution: &resolution{settings: &settings.Values{Workers: 8, MinWorkers: 1, Shards: c.shards},
			origins: map[string]string{}}, room: c.room}
		p.choose(c.cores)
		if p.settings.Workers != c.want || p.settings.Shards != c.shards || p.chosen != c.why {
			t.Errorf("%s: %d workers, %s; want %d, %s", c.name, p.settings.Workers, p.chosen, c.want, c.why)
		}
	}
}

// TestRoomWords is the banner's line.
func TestRoomWords(t *testing.T) {
	r := roomOf(24<<10, 1536, 512, 8, 100)
	limited := roomOf(24<<10, 1536, 512, 8, 100)
	limited.f.Memory.LimitedBy = "the control group /x allows 24.00 GiB"
	limited.f.OnAccelerator, limited.f.AcceleratorMemory = &pb.Footprint_Bytes{Fixed: 1 << 30}, 80<<30
	for _, c := range []struct {
		r         *room
		processes []int
		want      string
	}{
		{r, launch.Share(8, 8), "2.1 GiB a worker × 8 = 16.8 of 24.0 GiB"},
		{r, launch.Share(8, 2), "3.9 GiB a process × 2 = 7.8 of 24.0 GiB"},
		{r, launch.Share(5, 2), "up to 4.5 GiB a process, together 7.8 of 24.0 GiB"},
		{r, launch.Share(3, 3), "up to 3.3 GiB a worker, together 9.3 of 24.0 GiB"},
		{limited, launch.Share(8, 8), "2.1 GiB a worker × 8 = 16.8 of 24.0 GiB: the control group /x allows 24.00 GiB; " +
			"of an accelerator's own at least 8.0 GiB of 80.0 GiB"},
		{roomOf(0, 1, 1, 8, 1), launch.Share(8, 8), ""},
	} {
		if got := c.r.words(c.processes); got != c.want {
			t.Errorf("%v: %q, want %q", c.processes, got, c.want)
		}
	}
	r.f.Memory.Free = 10 << 30
	got := r.usedByOthers(launch.Share(8, 8))
	if got != "the workers take 16.8 GiB of memory, and others leave 10.0 GiB of 24.0 GiB" {
		t.Errorf("%q", got)
	}
	if got = r.usedByOthers(launch.Share(8, 3)); got != "" {
		t.Errorf("%q", got)
	}
}

var tried = map[string]*regexp.Regexp{"processes": regexp.MustCompile(`--processes (\d+)`),
	"batch": regexp.MustCompile(`--batch-size (\d+)`)}

// number is the number that a failure says to try, 0 if it says none.
func number(t *rapid.T, f *failure.Failure, what string) int {
	m := tried[what].FindStringSubmatch(f.Try)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRoomCheck: a run is refused just when it takes more than nine tenths, or more than an accelerator has; and what
// the failure says to try fits, one more does not.
func TestRoomCheck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 16).Draw(t, "shards")
		workers := rapid.IntRange(1, shards).Draw(t, "workers")
		processes := launch.Share(workers, rapid.IntRange(1, workers).Draw(t, "processes"))
		r := roomOf(rapid.Int64Range(1, 4000).Draw(t, "total"), rapid.Int64Range(0, 500).Draw(t, "fixed"),
			rapid.Int64Range(0, 100).Draw(t, "per shard"), shards, rapid.IntRange(1, 100).Draw(t, "images"))
		if rapid.Bool().Draw(t, "accelerators") {
			r.f.Accelerators = int32(rapid.IntRange(1, 8).Draw(t, "of them"))
			r.f.AcceleratorMemory = rapid.Int64Range(1, 4000).Draw(t, "their memory") * mib
			r.f.OnAccelerator = &pb.Footprint_Bytes{Fixed: rapid.Int64Range(0, 500).Draw(t, "own fixed") * mib, PerImage: mib}
		}
		fits := func(n, images int) bool {
			all := launch.Share(workers, n)
			own := r.f.AcceleratorMemory == 0 || r.accelerator(all, images) <= r.f.AcceleratorMemory
			return own && float64(r.all(n, images)) <= usable*float64(r.f.Memory.Total)
		}
		n := len(processes)
		err := r.check(processes, false)
		if fits(n, r.images) {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		var f *failure.Failure
		if !errors.As(err, &f) || f.What == "" || f.Why == "" || f.Code != failure.Usage {
			t.Fatalf("%+v", err)
		}
		fewer := number(t, f, "processes")
		if fewer > 0 && (!fits(fewer, r.images) || fewer >= n || fits(fewer+1, r.images)) {
			t.Errorf("%d processes: %s", fewer, f.Try)
		}
		batch := number(t, f, "batch")
		if batch%shards != 0 || batch > 0 && !fits(n, batch/shards) && !fits(1, batch/shards) {
			t.Errorf("a batch of %d in %d shards: %s", batch, shards, f.Try)
		}
		if batch == 0 && fits(1, 1) {
			t.Errorf("one image of a shard fits: %s", f.Try)
		}
		if chosen := r.check(processes, true); !errors.As(chosen, &f) || !strings.HasPrefix(f.What, "the run does not fit") {
			t.Errorf("nobody asked for so many workers: %+v", f)
		}
	})
}
