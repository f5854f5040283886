package capi

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Event comes when work that was started is done, or has failed. Whoever gets one awaits it, once.
type Event struct {
	c      *Client
	handle atomic.Uintptr
	memory *HostMemory // what the work reads or writes
	past   bool        // the plugin gave none: the work was done at once
}

func (c *Client) event(handle uintptr, memory *HostMemory) *Event {
	if handle == 0 {
		return &Event{past: true}
	}
	c.live.events.Add(1)
	if memory != nil {
		memory.begin()
	}
	e := &Event{c: c, memory: memory}
	e.handle.Store(handle)
	return e
}

// Ready reports whether the work is done; Await then does not wait.
func (e *Event) Ready() (bool, error) {
	if e.past {
		return true, nil
	}
	h := e.handle.Load()
	if h == 0 {
		return false, ErrDestroyed
	}
	return e.c.ready(h)
}

func (c *Client) ready(handle uintptr) (bool, error) {
	word, err := c.p.get(eventIsReady, handle)
	return word&1 != 0, err // a bool, in the word's first byte
}

// Await waits until the work is done, returns its error, and ends the event. Where ctx ends first that is the error;
// the work goes on, and with it a goroutine that ends the event when it comes.
func (e *Event) Await(ctx context.Context) error {
	if e.past {
		return nil
	}
	h := e.handle.Swap(0)
	if h == 0 {
		return ErrDestroyed
	}
	if ready, err := e.c.ready(h); ctx.Done() == nil || err != nil || ready {
		return e.finish(h)
	}
	done := make(chan error, 1)
	go func() { done <- e.finish(h) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the device: %w", context.Cause(ctx))
	}
}

// finish waits for the event and destroys it.
func (e *Event) finish(h uintptr) error {
	err := e.c.p.destroy(eventAwait, h)
	if d := e.c.p.destroy(eventDestroy, h); err == nil {
		err = d
	}
	if e.memory != nil {
		e.memory.end()
	}
	e.c.live.events.Add(-1)
	return err
}
