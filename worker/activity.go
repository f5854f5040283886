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
	"byol/worker/train"
)

// activity is what a worker does now, written by those who do it and read by heartbeats.
type activity struct {
	clock func() time.Time
	trace *train.Trace // hears of each phase; nil: nobody does

	mu        sync.Mutex // guards everything below
	is        doing
	waiting   allreduce.Waiting
	waitingAt time.Time // when that was last true
	evaluated float64   // share of an evaluation that is done, 0 outside of one
	evalBegan time.Time
}

// doing is what a worker does.
type doing struct {
	device     string // "" until it has opened what it needs
	generation int64
	step       int64
	phase      string
}

// now is what the worker does now.
func (a *activity) now() doing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.is
}

func (a *activity) setDevice(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.is.device = name
}

func (a *activity) setStep(generation, step int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.is.generation, a.is.step = generation, step
}

func (a *activity) setPhase(phase string) {
	a.trace.Phase(phase)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.is.phase = phase
}

// evaluating notes how far an evaluation is; of 0 parts: none goes on.
func (a *activity) evaluating(done, of int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.evaluated = 0; of > 0 {
		a.evaluated = float64(done) / float64(of)
	}
	if done == 0 {
		a.evalBegan = a.clock()
	}
}

// wait notes whom the group waits for; it is told again while that lasts.
func (a *activity) wait(w allreduce.Waiting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting, a.waitingAt = w, a.clock()
}

// heartbeat is the activity as a message.
func (a *activity) heartbeat() *pb.Heartbeat {
	resident, peak := memoryUse()
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &pb.Heartbeat{Generation: a.is.generation, Step: a.is.step, Phase: a.is.phase, Device: a.is.device,
		ResidentBytes: resident, PeakResidentBytes: peak}
	if h.Evaluated = a.evaluated; h.Evaluated > 0 {
		h.EvaluatingSeconds = a.clock().Sub(a.evalBegan).Seconds()
	}
	if now := a.clock(); !a.waitingAt.IsZero() && now.Sub(a.waitingAt) < 2*time.Second {
		h.WaitingFor = a.waiting.Describe(now) + " in phase " + a.is.phase
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
