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

// pool is a fixed set of threads; the caller of run is one of them. Idle threads are parked, not spinning: on
// one machine there may be more workers than cores. For the same reason run never waits for a thread that was
// called and has not come: it does the work itself and calls it off.
type pool struct {
	helpers []helper
	task    task // written before a helper is called, read after it came
	jobs    int
	next    atomic.Int64
	busy    sync.WaitGroup // helpers called and neither done nor called off
	live    sync.WaitGroup // goroutines that have not ended
}

// helper is one goroutine. It may find a wake-up that is meant for a task long done; its state tells.
type helper struct {
	wake  chan struct{}
	state atomic.Int32
}

const (
	idle   = iota
	called // by run
	came   // works on the task
)

// newPool starts threads−1 goroutines.
func newPool(threads int) *pool {
	p := &pool{helpers: make([]helper, threads-1)}
	for i := range p.helpers {
		h := &p.helpers[i]
		h.wake = make(chan struct{}, 1)
		p.live.Go(func() {
			for range h.wake {
				if h.state.CompareAndSwap(called, came) {
					p.work(i + 1)
					h.state.Store(idle)
					p.busy.Done()
				}
			}
		})
	}
	return p
}

func (p *pool) threads() int { return len(p.helpers) + 1 }

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
		h.state.Store(called)
		select {
		case h.wake <- struct{}{}:
		default: // an older wake-up is still there
		}
	}
	p.work(0)
	for i := range p.helpers[:n] {
		if p.helpers[i].state.CompareAndSwap(called, idle) {
			p.busy.Done()
		}
	}
	p.busy.Wait()
	p.task = nil
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
		close(p.helpers[i].wake)
	}
	p.helpers = nil
	p.live.Wait()
}
