package launch

import (
	"slices"
	"time"

	"byol/internal/failure"
)

const (
	// firstPause is the time before the first restart; each further one in a row takes twice as long, up to lastPause.
	firstPause, lastPause = time.Second, 30 * time.Second
	// A worker that lived for goodTime, or took part in goodSteps, has worked: what was before is forgotten.
	goodTime, goodSteps = 10 * time.Minute, 100
	// neverWorked is how often a worker is started again that never took part in a step: what keeps it from beginning
	// is not likely to pass.
	neverWorked = 3
)

// hopeless are ends after which the same program would only end again, or was asked to go.
var hopeless = []failure.Code{failure.Usage, failure.Data, failure.Checkpoint, failure.Temporary, failure.Interrupted}

// Next is what becomes of a worker that ended: it is started again After a pause, for the Number-th time of at most
// Limit in a row. Without Restart it is left out.
type Next struct {
	Restart       bool
	After         time.Duration
	Number, Limit int
}

// life is what a process did between its start and its end.
type life struct {
	lasted time.Duration
	steps  int64 // committed ones that it took part in
}

// past is what a worker's processes did before.
type past struct {
	restarts int // in a row, without good work between them
	worked   bool
}

// after decides what becomes of a worker whose process ended as x says.
func (p *past) after(x Exit, l life, maxRestarts int) Next {
	p.worked = p.worked || l.steps > 0
	if l.lasted >= goodTime || l.steps >= goodSteps {
		p.restarts = 0
	}
	limit := maxRestarts
	if !p.worked {
		limit = min(limit, neverWorked)
	}
	left := !x.Signalled && (x.Code == 0 || slices.Contains(hopeless, x.Code))
	if left || p.restarts >= limit {
		return Next{Limit: limit}
	}
	p.restarts++
	pause := lastPause
	if n := p.restarts - 1; firstPause<<min(n, 10) < lastPause {
		pause = firstPause << n
	}
	return Next{Restart: true, After: pause, Number: p.restarts, Limit: limit}
}
