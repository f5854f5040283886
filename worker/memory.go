package worker

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"byol/model/device"
	pb "byol/proto"
)

// tooLarge says that local shards do not fit into this machine's memory, nil where they may. It is asked before a group
// forms, so that others do not wait for a worker that the system is about to kill.
func (w *worker) tooLarge(local int) *pb.TooLarge {
	if _, ok := w.equipment.dev.(device.HostMemory); !ok {
		return nil // its memory is its own, and it says by itself that there is no more
	}
	have, from := availableMemory(os.DirFS("/"))
	holds := w.replica.Holds()
	fits, err := fitting(local, have+holds, func(n int) (int64, error) { return w.replica.Needs(n) })
	switch {
	case err != nil:
		w.log.Warn("it is not known how much memory the plan's shards take", zap.Error(err))
		return nil
	case fits == local:
		return nil
	}
	need, _ := w.replica.Needs(local) // known: fitting asked
	return &pb.TooLarge{MaxShards: int32(fits), Reason: fmt.Sprintf("%d shards take at least %s of memory, and there "+
		"are %s (%s, with what it holds)", local, gibibytes(need), gibibytes(have+holds), from)}
}

// fitting is the largest number of shards up to local that fit into so many bytes.
func fitting(local int, have int64, needs func(n int) (int64, error)) (int, error) {
	for n := local; n > 0; n-- {
		need, err := needs(n)
		if err != nil || need <= have {
			return n, err
		}
	}
	return 0, nil
}

func gibibytes(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }

// availableMemory is how many bytes this process may still take, as the system and the control groups above it say, and
// which of them says so. Where nobody says anything it is more than there can be. root is the file system's.
func availableMemory(root fs.FS) (bytes int64, from string) {
	bytes, from = math.MaxInt64/2, "no limit is known"
	least := func(n int64, says string) {
		if n < bytes {
			bytes, from = max(n, 0), says
		}
	}
	if text, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		if n := statusBytes(text, "MemAvailable:"); n > 0 {
			least(int64(n), "available on this machine")
		}
	}
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return bytes, from
	}
	for line := range strings.Lines(string(own)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(part) != 3:
		case part[0] == "0" && part[1] == "":
			limits(root, "sys/fs/cgroup", part[2], counters{"memory.max", "memory.current"}, least)
		case part[1] == "memory":
			limits(root, "sys/fs/cgroup/memory", part[2],
				counters{"memory.limit_in_bytes", "memory.usage_in_bytes"}, least)
		}
	}
	return bytes, from
}

// counters are the files of a control group that say how much memory it may have and has.
type counters struct{ limit, used string }

// limits tells what a control group and those above it leave. Inside a container the path may be the host's, of which
// only the root can be seen.
func limits(root fs.FS, base, group string, files counters, tell func(n int64, says string)) {
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		dir := path.Join(base, at)
		limit, ok := number(root, path.Join(dir, files.limit))
		used, known := number(root, path.Join(dir, files.used))
		if ok && known {
			if text, err := fs.ReadFile(root, path.Join(dir, "memory.stat")); err == nil {
				used -= statistic(text, "inactive_file") // which the system takes back when it must
			}
			tell(limit-used, fmt.Sprintf("the control group %s allows %s", at, gibibytes(limit)))
		}
		if at == "/" {
			return
		}
	}
}

// number is the number in a file; false where there is none, as in "max".
func number(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// statistic finds a line "KEY 123" in text.
func statistic(text []byte, key string) int64 {
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
