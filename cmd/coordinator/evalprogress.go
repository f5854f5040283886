package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"byol/coordinator/features"
)

// paceEvery is how often progress is told where it cannot be drawn anew.
const paceEvery = 10 * time.Second

// pace shows how far an evaluation is, with the time that the rest will take: on a terminal one line that is drawn
// anew, elsewhere a line now and then.
type pace struct {
	out      io.Writer
	terminal bool
	quiet    bool
	now      func() time.Time

	mu     sync.Mutex // guards the rest, and out
	doing  string
	began  time.Time // what it is doing
	first  int64     // images that were done by then
	told   time.Time
	before string // the last line
	drawn  bool
}

func newPace(out io.Writer, quiet bool) *pace {
	return &pace{out: out, terminal: isTerminal(out) && os.Getenv("NO_COLOR") == "", quiet: quiet, now: time.Now}
}

// say shows a line of its own.
func (p *pace) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
	fmt.Fprintln(p.out, p.now().Format(time.TimeOnly)+" "+line)
}

// progress shows how far it is.
func (p *pace) progress(q features.Progress) {
	p.mu.Lock()
	now := p.now()
	fresh := q.Doing != p.doing
	if fresh {
		p.doing, p.began, p.first = q.Doing, now, q.Done
	}
	line := p.lineLocked(q, now)
	due := fresh || now.Sub(p.told) >= paceEvery
	if p.quiet || line == p.before || !p.terminal && !due {
		p.mu.Unlock()
		return
	}
	p.before, p.told = line, now
	if p.terminal {
		fmt.Fprint(p.out, "\r"+line+"\x1b[K")
		p.drawn = true
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.say(line)
}

// lineLocked is the progress in words. The time that is left follows from what was done since this began.
func (p *pace) lineLocked(q features.Progress, now time.Time) string {
	line := q.Doing
	if q.Total == 0 {
		return line
	}
	line += fmt.Sprintf("  %s/%s", grouped(q.Done), grouped(q.Total))
	took, done := now.Sub(p.began), q.Done-p.first
	left := "-"
	if done > 0 && took > 0 {
		line += fmt.Sprintf("  %.4g/s", float64(done)/took.Seconds())
		left = spell(time.Duration(float64(took) / float64(done) * float64(q.Total-q.Done)))
	}
	line += "  eta " + left
	if q.Workers != 1 {
		line += fmt.Sprintf("  %d workers", q.Workers)
	}
	if q.Note != "" {
		line += "  " + q.Note
	}
	const room = 79
	if free := room - utf8.RuneCountInString(line) - 1; p.terminal && free >= minBar {
		line = bar(float64(q.Done)/float64(q.Total), min(free, maxBar)) + " " + line
	}
	return line
}
