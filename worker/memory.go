package worker

import (
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path"
	"strconv"
	"strings"

	"go.uber.org/zap"

	pb "byol/proto"
)

// tooLarge says that local shards do not fit into this machine's memory together with what its other workers get, nil
// where they may. It is asked before a group forms, so that others do not wait for a worker that the system is about to
// kill; all workers of a group have asked before one of them takes memory, since none does before it has formed.
func (w *worker) tooLarge(local int, others []neighbour) *pb.TooLarge {
	d := demand{local: local, others: others, holds: w.replica.Holds(), needs: w.replica.Needs}
	have := availableMemory(os.DirFS("/"))
	fits, err := d.fitting(have)
	switch {
	case err != nil:
		w.log.Warn("it is not known how much memory the plan's shards take", zap.Error(err))
		return nil
	case fits == local:
		return nil
	}
	return &pb.TooLarge{MaxShards: int32(fits), Reason: d.words(have)}
}

// neighbour is another worker of this machine: the shards that it gets, and those that it has memory for already.
type neighbour struct{ gets, has int }

// neighbours are the other workers of a plan that are on this machine.
func (w *worker) neighbours(p *pb.Plan) []neighbour {
	var all []neighbour
	for rank, peer := range p.Peers {
		if rank == int(p.Rank) || !together(peer, p.Peers[p.Rank]) {
			continue
		}
		all = append(all, neighbour{gets: int(peer.ShardEnd - peer.ShardBegin), has: w.worked[peer.WorkerId]})
	}
	return all
}

// together reports whether two workers are on one machine. Names of hosts alone are given to several.
func together(a, b *pb.Peer) bool {
	at, _, _ := net.SplitHostPort(a.Address)
	other, _, _ := net.SplitHostPort(b.Address)
	return a.Host != "" && a.Host == b.Host && at == other
}

// atWork notes that the workers of a plan have memory for their shards.
func (w *worker) atWork(peers []*pb.Peer) {
	w.worked = map[string]int{}
	for _, peer := range peers {
		w.worked[peer.WorkerId] = int(peer.ShardEnd - peer.ShardBegin)
	}
}

// demand is what the workers of a machine take: this one, which holds something already, and the others.
type demand struct {
	local  int
	others []neighbour
	holds  int64
	needs  func(shards int) (int64, error)
}

// of is what this worker takes with n shards, and what all workers of the machine together take that they do not have
// yet, if none gets more than n.
func (d *demand) of(n int) (own, all int64, err error) {
	if own, err = d.needs(n); err != nil {
		return 0, 0, err
	}
	all = own
	for _, o := range d.others {
		need, err := d.needs(min(n, o.gets))
		if err != nil {
			return 0, 0, err
		}
		if o.has > 0 {
			has, err := d.needs(o.has)
			if err != nil {
				return 0, 0, err
			}
			need -= has
		}
		all += max(need, 0)
	}
	return own, all, nil
}

// fitting is the largest number of shards up to local that fits. The workers of a machine come to the same number.
func (d *demand) fitting(m room) (int, error) {
	for n := d.local; n > 0; n-- {
		own, all, err := d.of(n)
		if err != nil || own <= m.own.bytes+d.holds && all <= m.shared.bytes+d.holds {
			return n, err
		}
	}
	return 0, nil
}

// words say what is too much.
func (d *demand) words(m room) string {
	own, all, _ := d.of(d.local) // known: fitting asked
	text := fmt.Sprintf("shards take at least %s of memory (%d here)", gibibytes(own), d.local)
	least := m.own
	if own <= least.bytes+d.holds {
		least = m.shared
		if n := len(d.others); n > 0 {
			text += fmt.Sprintf(", %s with the %d other workers of this machine", gibibytes(all), n)
		}
	}
	return text + fmt.Sprintf(", and there are %s (%s, with what it holds)", gibibytes(least.bytes+d.holds), least.from)
}

func gibibytes(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }

// room is how many bytes this process may still take, as the system and the control groups above it say: by itself,
// and together with other processes; and whole, how many all of them together could.
type room struct{ own, shared, whole limit }

// limit is a number of bytes, and what says so. Where nobody says anything it is more than there can be.
type limit struct {
	bytes int64
	from  string
}

func (l *limit) lower(n int64, says string) {
	if n < l.bytes {
		l.bytes, l.from = max(n, 0), says
	}
}

// machineHas is what limits memory where nothing else does.
const machineHas = "the machine has no more"

// availableMemory is the memory of this process. root is the file system's.
func availableMemory(root fs.FS) room {
	none := limit{math.MaxInt64 / 2, "no limit is known"}
	m := room{own: none, shared: none, whole: none}
	if text, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		if n := statusBytes(text, "MemTotal:"); n > 0 {
			m.whole.lower(int64(n), machineHas)
		}
		if n := statusBytes(text, "MemAvailable:"); n > 0 {
			m.shared.lower(int64(n), "available on this machine")
		}
	}
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(own)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(part) != 3:
		case part[0] == "0" && part[1] == "":
			m.limits(root, "sys/fs/cgroup", part[2], counters{"memory.max", "memory.current"})
		case part[1] == "memory":
			m.limits(root, "sys/fs/cgroup/memory", part[2], counters{"memory.limit_in_bytes", "memory.usage_in_bytes"})
		}
	}
	return m
}

// counters are the files of a control group that say how much memory it may have and has.
type counters struct{ limit, used string }

// limits lowers m to what a control group and those above it leave. A group that this process is alone in is its own.
// Inside a container the path may be the host's, of which only the root can be seen.
func (m *room) limits(root fs.FS, base, group string, files counters) {
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		dir := path.Join(base, at)
		limit, ok := number(root, path.Join(dir, files.limit))
		used, known := number(root, path.Join(dir, files.used))
		if ok && known {
			if text, err := fs.ReadFile(root, path.Join(dir, "memory.stat")); err == nil {
				used -= statistic(text, "inactive_file") // which the system takes back when it must
			}
			whose := &m.shared
			text, err := fs.ReadFile(root, path.Join(dir, "cgroup.procs"))
			if err == nil && len(strings.Fields(string(text))) == 1 {
				whose = &m.own
			}
			says := fmt.Sprintf("the control group %s allows %s", at, gibibytes(limit))
			whose.lower(limit-used, says)
			m.whole.lower(limit, says)
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
