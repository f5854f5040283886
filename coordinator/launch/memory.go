package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// system is where the kernel tells about memory; other than "/" in tests.
type system string

// oomKills are how many processes the kernel has killed for lack of memory: of our control group, and of the machine.
type oomKills struct{ group, machine int64 }

// kills reads both counters; one that cannot be read stays 0.
func (s system) kills() oomKills {
	var k oomKills
	for _, dir := range s.groups() {
		for _, name := range []string{"memory.events", "memory.oom_control"} {
			k.group += counter(filepath.Join(dir, name), "oom_kill")
		}
	}
	k.machine = counter(filepath.Join(string(s), "proc/vmstat"), "oom_kill")
	return k
}

// limit is the memory that our control group may have, 0 when there is no limit or it cannot be read.
func (s system) limit() int64 {
	for _, dir := range s.groups() {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			n, parsed := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err == nil && parsed == nil && n < 1<<60 { // version 1 shows no limit as a huge one
				return n
			}
		}
	}
	return 0
}

// groups are the directories of this process's control groups that count memory: of version 2, then of version 1. In
// a container that sees its group as the root, the path leads nowhere and the root is it.
func (s system) groups() []string {
	text, err := os.ReadFile(filepath.Join(string(s), "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[1] != "" && parts[1] != "memory" {
			continue
		}
		root := filepath.Join(string(s), "sys/fs/cgroup", parts[1])
		dir := filepath.Join(root, parts[2])
		if _, err := os.Stat(dir); err != nil {
			dir = root
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// counter is the number behind a key of a file of "key number" lines, 0 without.
func counter(path, key string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == key {
			n, err := strconv.ParseInt(value, 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// memory tells which processes were killed for lack of it.
type memory struct {
	system system

	mu   sync.Mutex // guards what follows
	told oomKills   // kills that are known of
}

func watchMemory(s system) *memory { return &memory{system: s, told: s.kills()} }

// lack says that a process which was killed was killed for lack of memory, "" when nothing speaks for it: each kill
// that the kernel counts is of one process. peak is the most memory that it had.
func (m *memory) lack(peak int64) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, told := m.system.kills(), m.told
	m.told.group, m.told.machine = min(told.group+1, now.group), min(told.machine+1, now.machine)
	had := ""
	if peak > 0 {
		had = fmt.Sprintf("; the process had up to %d MiB", peak>>20)
	}
	limit := m.system.limit()
	switch {
	case now.group > told.group && limit > 0:
		return fmt.Sprintf("the kernel killed it for lack of memory: the control group may have %d MiB%s", limit>>20, had)
	case now.group > told.group:
		return "the kernel killed it for lack of memory in its control group" + had
	case now.machine > told.machine:
		return "the kernel killed it for lack of memory of the machine" + had
	}
	return ""
}

// peakOf is the most memory that a process had which has ended, 0 where that is not known.
func peakOf(usage any) int64 {
	u, ok := usage.(*syscall.Rusage)
	if !ok {
		return 0
	}
	return residentBytes(int64(u.Maxrss))
}
