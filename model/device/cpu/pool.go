package cpu

import (
	"sync"
	"sync/atomic"
)

// task is a set of jobs that may run in any order and on any thread. It is a pointer to a value that lives as
// long as the device, so that starting one allocates nothing.
type task interface {
	// do runs one job; worker is the number of the thread, for its scratch memory.
	do(worker, job int)
}

// pool is a fixed set of threads; the caller of run is one of them. A step is some hundred tasks with a few
// microseconds between them, and waking a parked thread takes longer than that. So a thread with nothing to do
// looks for work some tens of microseconds and parks only then; if that is in vain time after time (on one
// machine there may be more workers than cores), it parks at once for a while. For the same reason run never
// waits for a thread that was called and has not come: it does the work itself and calls it off.
type pool struct {
	helpers []helper
	pause   func(n int) // a short wait that leaves the core's other thread and the hypervisor alone
	task    task        // written before a helper is called, read after it came
	jobs    int
	next    atomic.Int64
	busy    sync.WaitGroup // helpers called and neither done nor called off
	live    sync.WaitGroup // goroutines that have not ended
}

// helper is one goroutine.
type helper struct {
	state atomic.Int32
	wake  chan struct{} // one token for each change from parked to called or ended
	vain  int           // looks in a row that found nothing
	_     [64]byte      // no cache line is shared with the next helper's state
}

// The states of a helper, and who leaves them.
const (
	looking = iota // for work: run, or the helper itself
	parked         // until a token comes: run
	called         // by run, with work to do: the helper, or run when it calls it off
	came           // works on the task: the helper
	ended          // by close
)

const (
	pauses    = 16  // in one turn of a look
	lookTurns = 128 // a look: 40 to 80 µs
	vainLooks = 64  // after so many the helper looks once in skipLooks
	skipLooks = 256
)

// newPool starts threads−1 goroutines.
func newPool(threads int, pause func(n int)) *pool {
	p := &pool{helpers: make([]helper, threads-1), pause: pause}
	for i := range p.helpers {
		h := &p.helpers[i]
		h.wake = make(chan struct{}, 1)
		p.live.Go(func() {
			for p.await(h) {
				if h.state.CompareAndSwap(called, came) {
					p.work(i + 1)
					h.state.Store(looking)
					p.busy.Done()
				}
			}
		})
	}
	return p
}

// await returns true when the helper was called, which may be called off since, and false when it has ended.
func (p *pool) await(h *helper) bool {
	if p.look(h) {
		return h.state.Load() != ended
	}
	if h.state.CompareAndSwap(looking, parked) {
		<-h.wake
	}
	return h.state.Load() != ended
}

// look waits a moment for a call and reports whether one came.
func (p *pool) look(h *helper) bool {
	if h.vain >= vainLooks && h.vain%skipLooks != 0 {
		h.vain++
		return false
	}
	for range lookTurns {
		if h.state.Load() != looking {
			h.vain = 0
			return true
		}
		p.pause(pauses)
	}
	h.vain++
	return false
}

func (p *pool) threads() int { return len(p.helpers) + 1 }

// evenSplit is in how many parts, at least split and at most the given number, each of some jobs is divided so that
// there is a multiple of threads of them: jobs are about equally long, and one too many keeps all but one thread
// waiting. Where that cannot be, it is split.
func evenSplit(jobs, split, most, threads int) int {
	for n := split; n <= min(most, split+threads-1); n++ {
		if jobs*n%threads == 0 {
			return n
		}
	}
	return split
}

// roundUp is the least multiple of unit that is not below n.
func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// run returns when all jobs of t are done.
func (p *pool) run(t task, jobs int) {
	n := min(len(p.helpers), jobs-1)
	if n <= 0 {
		for j := range jobs {
			t.do(0, j)
		}
		return
	}
	p.task, p.jobs = t, jobs
	p.next.Store(0)
	p.busy.Add(n)
	for i := range p.helpers[:n] {
		h := &p.helpers[i]
		if h.state.Swap(called) == parked {
			h.wake <- struct{}{}
		}
	}
	p.work(0)
	for i := range p.helpers[:n] {
		if p.helpers[i].state.CompareAndSwap(called, looking) {
			p.busy.Done()
		}
	}
	p.settle(n)
	p.busy.Wait()
	p.task = nil
}

// settle waits a moment for the helpers that work on their last jobs.
func (p *pool) settle(n int) {
	for turn, i := 0, 0; i < n && turn < lookTurns; {
		if p.helpers[i].state.Load() != came {
			i++
			continue
		}
		p.pause(pauses)
		turn++
	}
}

func (p *pool) work(worker int) {
	for {
		j := int(p.next.Add(1)) - 1
		if j >= p.jobs {
			return
		}
		p.task.do(worker, j)
	}
}

// close ends the goroutines and waits for them.
func (p *pool) close() {
	for i := range p.helpers {
		h := &p.helpers[i]
		if h.state.Swap(ended) == parked {
			h.wake <- struct{}{}
		}
	}
	p.live.Wait()
	p.helpers = nil
}
