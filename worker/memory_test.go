package worker

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	pb "byol/proto"
)

func files(text map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range text {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

// TestAvailableMemory reads what systems say.
func TestAvailableMemory(t *testing.T) {
	const meminfo = "MemTotal:       16000 kB\nMemAvailable:    8000 kB\n"
	const none, all = "no limit", math.MaxInt64 / 2
	for _, c := range []struct {
		name        string
		files       map[string]string
		shared, own limit
	}{
		{"nobody says anything", nil, limit{all, none}, limit{all, none}},
		{"the machine", map[string]string{"proc/meminfo": meminfo}, limit{8000 << 10, "machine"}, limit{all, none}},
		{"version 2, no limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5\n"},
			limit{8000 << 10, "machine"}, limit{all, none}},
		{"version 2, a limit of the parent, and a cache", map[string]string{"proc/meminfo": meminfo,
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000000\n", "sys/fs/cgroup/a/cgroup.procs": "",
			"sys/fs/cgroup/a/memory.current": "700000\n", "sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 200000\n"},
			limit{500000, "control group /a allows"}, limit{all, none}},
		{"version 2, in a container of its own", map[string]string{"proc/meminfo": meminfo,
			"proc/self/cgroup": "0::/not/seen/here\n", "sys/fs/cgroup/memory.max": "3000\n",
			"sys/fs/cgroup/memory.current": "1000\n", "sys/fs/cgroup/cgroup.procs": "1\n"},
			limit{8000 << 10, "machine"}, limit{2000, "control group /"}},
		{"version 2, in a container with others", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "3000\n",
			"sys/fs/cgroup/memory.current": "1000\n", "sys/fs/cgroup/cgroup.procs": "1\n17\n18\n"},
			limit{2000, "control group /"}, limit{all, none}},
		{"version 1", map[string]string{"proc/meminfo": meminfo,
			"proc/self/cgroup": "12:cpu:/x\n9:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1000\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "400\n"},
			limit{600, "control group /x"}, limit{all, none}},
		{"more is used than is allowed", map[string]string{"proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "10\n", "sys/fs/cgroup/memory.current": "30\n"},
			limit{0, "control group /"}, limit{all, none}},
	} {
		got := availableMemory(files(c.files))
		for _, x := range []struct{ got, want limit }{{got.shared, c.shared}, {got.own, c.own}} {
			if x.got.bytes != x.want.bytes || !strings.Contains(x.got.from, x.want.from) {
				t.Errorf("%s: %v, want shared %v and own %v", c.name, got, c.shared, c.own)
			}
		}
	}
}

// TestFitting: workers of one machine share its memory. What each of them has already it need not find again, and a
// limit that is a worker's own is not shared.
func TestFitting(t *testing.T) {
	needs := func(n int) (int64, error) { return int64(100 + 10*n), nil }
	const all = math.MaxInt64 / 2
	for _, c := range []struct {
		name        string
		local       int
		others      []neighbour
		holds       int64
		shared, own int64
		want        int
	}{
		{"plenty", 8, nil, 0, 1000, all, 8},
		{"just enough", 8, nil, 0, 180, all, 8},
		{"one too many", 8, nil, 0, 179, all, 7},
		{"one", 8, nil, 0, 110, all, 1},
		{"none", 8, nil, 0, 109, all, 0},
		{"nothing", 8, nil, 0, 0, all, 0},
		{"its own limit", 8, nil, 0, all, 150, 5},
		{"what it holds counts", 8, nil, 80, 100, all, 8},
		{"enough for one of two", 8, []neighbour{{gets: 8}}, 0, 200, all, 0},
		{"enough for two", 8, []neighbour{{gets: 8}}, 0, 360, all, 8},
		{"enough for two with half", 8, []neighbour{{gets: 8}}, 0, 280, all, 4},
		{"of four, one has more than the others", 2, []neighbour{{gets: 3}, {gets: 2}, {gets: 2}}, 0, 480, all, 2},
		{"limits of their own", 8, []neighbour{{gets: 8}}, 0, all, 180, 8},
		{"the other has what it gets", 8, []neighbour{{gets: 8, has: 8}}, 0, 180, all, 8},
		{"the other has more", 8, []neighbour{{gets: 4, has: 8}}, 0, 180, all, 8},
		{"the other has less", 8, []neighbour{{gets: 8, has: 4}}, 0, 180, all, 6},
	} {
		d := demand{local: c.local, others: c.others, holds: c.holds, needs: needs}
		if got, err := d.fitting(room{own: limit{c.own, "a"}, shared: limit{c.shared, "b"}}); got != c.want || err != nil {
			t.Errorf("%s: %d shards, %v, want %d", c.name, got, err, c.want)
		}
	}
	d := demand{local: 8, needs: func(int) (int64, error) { return 0, errors.New("unknown") }}
	if _, err := d.fitting(room{}); err == nil {
		t.Error("an unknown need fits")
	}
}

// TestTooLargeInWords tells a limit of this worker from what the machine has for all.
func TestTooLargeInWords(t *testing.T) {
	needs := func(n int) (int64, error) { return int64(n) << 30, nil }
	d := demand{local: 2, others: []neighbour{{gets: 2}, {gets: 3}}, holds: 1 << 29, needs: needs}
	for want, m := range map[string]room{
		"shards take at least 2.00 GiB of memory (2 here), 6.00 GiB with the 2 other workers of this machine, and there " +
			"are 4.50 GiB (available on this machine, with what it holds)": {own: limit{1 << 40, "x"},
			shared: limit{4 << 30, "available on this machine"}},
		"shards take at least 2.00 GiB of memory (2 here), and there are 1.50 GiB (the group allows it, with what it " +
			"holds)": {
			own: limit{1 << 30, "the group allows it"}, shared: limit{1 << 30, "x"}},
	} {
		if got := d.words(m); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNeighbours are those of this machine, and what they had in the group before.
func TestNeighbours(t *testing.T) {
	p := &pb.Plan{Rank: 1, Peers: []*pb.Peer{
		{WorkerId: "w0", Host: "h", Address: "10.0.0.1:1", ShardEnd: 3},
		{WorkerId: "w1", Host: "h", Address: "10.0.0.1:2", ShardBegin: 3, ShardEnd: 5},
		{WorkerId: "w2", Host: "h", Address: "10.0.0.2:3", ShardBegin: 5, ShardEnd: 6}, // another machine of that name
		{WorkerId: "w3", Host: "other", Address: "10.0.0.3:3", ShardBegin: 6, ShardEnd: 7},
		{WorkerId: "w4", Host: "h", Address: "10.0.0.1:4", ShardBegin: 7, ShardEnd: 8},
	}}
	w := &worker{}
	if got, want := w.neighbours(p), []neighbour{{gets: 3}, {gets: 1}}; !slices.Equal(got, want) {
		t.Errorf("at first %v, want %v", got, want)
	}
	w.atWork([]*pb.Peer{{WorkerId: "w4", ShardEnd: 8}})
	if got, want := w.neighbours(p), []neighbour{{gets: 3}, {gets: 1, has: 8}}; !slices.Equal(got, want) {
		t.Errorf("after another group %v, want %v", got, want)
	}
}
