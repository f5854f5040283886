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
// one machine there may be more workers than cores.
type pool struct {
	wake []chan struct{} // one per goroutine
	task task            // written before wake, read after
	jobs int
	next atomic.Int64
	busy sync.WaitGroup // goroutines that have not finished the task
	live sync.WaitGroup // goroutines that have not ended
}

// newPool starts threads−1 goroutines.
func newPool(threads int) *pool {
	p := &pool{wake: make([]chan struct{}, threads-1)}
	for i := range p.wake {
		c := make(chan struct{}, 1)
		p.wake[i] = c
		p.live.Go(func() {
			for range c {
				p.work(i + 1)
				p.busy.Done()
			}
		})
	}
	return p
}

func (p *pool) threads() int { return len(p.wake) + 1 }

// run returns when all jobs of t are done.
func (p *pool) run(t task, jobs int) {
	helpers := min(len(p.wake), jobs-1)
	if helpers <= 0 {
		for j := range jobs {
			t.do(0, j)
		}
		return
	}
	p.task, p.jobs = t, jobs
	p.next.Store(0)
	p.busy.Add(helpers)
	for _, c := range p.wake[:helpers] {
		c <- struct{}{}
	}
	p.work(0)
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
	for _, c := range p.wake {
		close(c)
	}
	p.wake = nil
	p.live.Wait()
}
