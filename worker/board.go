package worker

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"byol/allreduce"
	pb "byol/proto"
)

// board is what a worker does now, written by those who do it and read by heartbeats.
type board struct {
	now func() time.Time

	mu         sync.Mutex // guards everything below
	device     string
	generation int64
	step       int64
	phase      string
	waiting    allreduce.Waiting
	waitingAt  time.Time // when that was last true
}

func (b *board) setDevice(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.device = name
}

func (b *board) setStep(generation, step int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.generation, b.step = generation, step
}

func (b *board) setPhase(phase string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.phase = phase
}

// wait notes whom the group waits for; it is told again while that lasts.
func (b *board) wait(w allreduce.Waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting, b.waitingAt = w, b.now()
}

// heartbeat is the board as a message.
func (b *board) heartbeat() *pb.FromWorker {
	resident, peak := memory()
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &pb.Heartbeat{Generation: b.generation, Step: b.step, Phase: b.phase, Device: b.device,
		ResidentBytes: resident, PeakResidentBytes: peak}
	if now := b.now(); !b.waitingAt.IsZero() && now.Sub(b.waitingAt) < 2*time.Second {
		h.WaitingFor = b.waiting.Describe(now)
		h.WaitingSeconds = now.Sub(b.waiting.Since).Seconds()
	}
	return &pb.FromWorker{Message: &pb.FromWorker_Heartbeat{Heartbeat: h}}
}

// memory returns the resident bytes of this process, now and at most so far; 0 where the system does not say.
func memory() (resident, peak uint64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	return statusBytes(text, "VmRSS:"), statusBytes(text, "VmHWM:")
}

// statusBytes finds a line "KEY  123 kB" in text.
func statusBytes(text []byte, key string) uint64 {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), key); ok {
			kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
