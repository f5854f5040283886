// Package signals is how a program of ours is asked to end from outside: in good order by the first signal, at once by
// one that comes later. Supervisors often signal a process group and then each process of it, and a terminal that is
// closed says so in several ways; what comes within a moment of the first signal is the same request.
//
// A Listener owns one goroutine, which Close ends. What is called when a request comes runs on it.
//
// When it fails: it does not. A signal that comes before Listen ends the program as the system does it.
package signals

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// moment is how long after the first signal others are the same request.
const moment = time.Second

// answer is what a signal asks for.
type answer int

const (
	nothing answer = iota
	orderly
	atOnce
)

// asked is what has been asked for so far.
type asked struct{ first time.Time }

// hear takes a signal that came at now. Only those that somebody sends on purpose end a program at once: that the
// terminal or the reader of its output is gone, too, says nothing new.
func (a *asked) hear(sig os.Signal, now time.Time) answer {
	switch {
	case sig == syscall.SIGPIPE:
		return nothing // a write fails: whoever writes decides
	case a.first.IsZero():
		a.first = now
		return orderly
	case now.Sub(a.first) < moment || sig == syscall.SIGHUP || sig == Unread:
		return nothing
	}
	return atOnce
}

// unread is no signal of the system's.
type unread struct{}

// Unread says that nobody reads what the program writes any more.
var Unread os.Signal = unread{}

func (unread) String() string { return "the end of whoever read its output" }
func (unread) Signal()        {}

// Listener takes signals from Listen until Close.
type Listener struct {
	signals chan os.Signal
	raised  chan os.Signal
	closing sync.Once
	quit    chan struct{}
	ended   chan struct{}
}

// Listen takes the signals that ask a program to end, each time with the one that came: stop is called once, and now
// if another comes later. That a pipe is closed comes as an error of the write, and not as a signal. A program that was
// started to survive the end of its terminal, as nohup does it, survives it.
func Listen(stop, now func(os.Signal)) *Listener {
	l := newListener()
	signal.Notify(l.signals, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(l.signals, syscall.SIGHUP)
	}
	go l.listen(stop, now)
	return l
}

func newListener() *Listener {
	return &Listener{signals: make(chan os.Signal, 8), raised: make(chan os.Signal, 1), quit: make(chan struct{}),
		ended: make(chan struct{})}
}

func (l *Listener) listen(stop, now func(os.Signal)) {
	defer close(l.ended)
	var a asked
	for {
		var sig os.Signal
		select {
		case sig = <-l.signals:
		case sig = <-l.raised:
		case <-l.quit:
			return
		}
		switch a.hear(sig, time.Now()) {
		case orderly:
			stop(sig)
		case atOnce:
			now(sig)
			return
		}
	}
}

// Raise is as if the signal had come. It may be called from any goroutine, by stop and now as well.
func (l *Listener) Raise(sig os.Signal) {
	select {
	case l.raised <- sig:
	default: // another one was
	}
}

// Close gives the signals back to the system, and returns when none is being taken.
func (l *Listener) Close() {
	signal.Stop(l.signals)
	l.closing.Do(func() { close(l.quit) })
	<-l.ended
}
