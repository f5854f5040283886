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

// activity is what a worker does now, written by those who do it and read by heartbeats.
type activity struct {
	now func() time.Time

	mu         sync.Mutex // guards everything below
	device     string
	generation int64
	step       int64
	phase      string
	waiting    allreduce.Waiting
	waitingAt  time.Time // when that was last true
}

func (a *activity) setDevice(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.device = name
}

func (a *activity) setStep(generation, step int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation, a.step = generation, step
}

func (a *activity) setPhase(phase string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase = phase
}

// wait notes whom the group waits for; it is told again while that lasts.
func (a *activity) wait(w allreduce.Waiting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting, a.waitingAt = w, a.now()
}

// heartbeat is the activity as a message.
func (a *activity) heartbeat() *pb.Heartbeat {
	resident, peak := memoryUse()
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &pb.Heartbeat{Generation: a.generation, Step: a.step, Phase: a.phase, Device: a.device,
		ResidentBytes: resident, PeakResidentBytes: peak}
	if now := a.now(); !a.waitingAt.IsZero() && now.Sub(a.waitingAt) < 2*time.Second {
		h.WaitingFor = a.waiting.Describe(now)
		h.WaitingSeconds = now.Sub(a.waiting.Since).Seconds()
	}
	return h
}

// memoryUse returns the resident bytes of this process, now and at most so far; 0 where the system does not say.
func memoryUse() (resident, peak uint64) {
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
