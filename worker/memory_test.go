package worker

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/fstest"
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
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
		from  string
	}{
		{"nobody says anything", nil, math.MaxInt64 / 2, "no limit"},
		{"the machine", map[string]string{"proc/meminfo": meminfo}, 8000 << 10, "machine"},
		{"version 2, no limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5\n"}, 8000 << 10, "machine"},
		{"version 2, a limit of the parent, and a cache", map[string]string{"proc/meminfo": meminfo,
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000000\n",
			"sys/fs/cgroup/a/memory.current": "700000\n", "sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 200000\n"},
			500000, "control group /a allows"},
		{"version 2, in a container", map[string]string{"proc/self/cgroup": "0::/not/seen/here\n",
			"sys/fs/cgroup/memory.max": "3000\n", "sys/fs/cgroup/memory.current": "1000\n"}, 2000, "control group /"},
		{"version 1", map[string]string{"proc/meminfo": meminfo,
			"proc/self/cgroup": "12:cpu:/x\n9:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1000\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "400\n"},
			600, "control group /x"},
		{"more is used than is allowed", map[string]string{"proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "10\n", "sys/fs/cgroup/memory.current": "30\n"}, 0, "control group /"},
	} {
		got, from := availableMemory(files(c.files))
		if got != c.want || !strings.Contains(from, c.from) {
			t.Errorf("%s: %d bytes (%s), want %d (%s)", c.name, got, from, c.want, c.from)
		}
	}
}

func TestFitting(t *testing.T) {
	needs := func(n int) (int64, error) { return int64(100 + 10*n), nil }
	for have, want := range map[int64]int{1000: 8, 180: 8, 179: 7, 110: 1, 109: 0, 0: 0} {
		if got, err := fitting(8, have, needs); got != want || err != nil {
			t.Errorf("%d bytes: %d shards, %v, want %d", have, got, err, want)
		}
	}
	if _, err := fitting(8, 0, func(int) (int64, error) { return 0, errors.New("unknown") }); err == nil {
		t.Error("an unknown need fits")
	}
}
