package main

import (
	"fmt"
	"strings"
	"time"

	"byol/coordinator/report"
	"byol/coordinator/status"
	pb "byol/proto"
)

// watched is what the screen of watch shows: a value, which belongs to one goroutine. Its methods say what becomes of
// it; draw makes a picture of it.
type watched struct {
	width, height int
	paint         bool // colours may be used
	every         time.Duration
	now           time.Time

	status *pb.Status // the newest; it is never changed
	heard  time.Time  // when it came
	lost   string     // why nobody answers, "" while somebody does
	since  time.Time  // since when nobody does
	events []*pb.Event
	came   map[string]int64 // by worker: how often it did
	newest int64            // the id of the last of them

	loss, std, knn, speed curve

	part   int        // which has the keys
	scroll [parts]int // lines: of workers from the top, of events from the newest
	asks   order      // what is done on yes
	help   bool
	said   string // what came of the last order
}

// The parts of the screen that can be scrolled.
const (
	workersPart = iota
	eventsPart
	parts
)

const (
	eventsHeld  = 500  // of the newest events
	workersHeld = 4096 // whose restarts are counted
)

// order is what a key asks for.
type order int

const (
	nothing order = iota
	quit
	suspend
	pauseRun
	resumeRun
	save
)

// sees takes up a status that came now.
func (w *watched) sees(st *pb.Status, now time.Time) {
	w.status, w.heard, w.now, w.lost = st, now, now, ""
	p, l := st.GetProgress(), st.GetLearning()
	if stepped(st) && !st.GetStale() {
		w.loss.add(p.GetStep(), l.GetLoss())
		w.std.add(p.GetStep(), l.GetEmbeddingStdRatio())
		w.speed.add(p.GetStep(), st.GetThroughput().GetImagesPerSecond())
	}
	if l.GetKnnKnown() {
		w.knn.add(l.GetKnnStep(), l.GetKnnTop1Ratio())
	}
}

// loses notes that nobody answers, and why.
func (w *watched) loses(why string, now time.Time) {
	if w.lost == "" {
		w.since = w.heard
	}
	w.lost, w.now = why, now
}

// silent says since when nobody answers and why; ok is false while somebody does.
func (w *watched) silent() (since time.Time, why string, ok bool) {
	switch {
	case w.lost != "":
		return w.since, w.lost, true
	case w.status != nil && !ended(w.status.State) && w.now.Sub(w.heard) > w.every+silence:
		return w.heard, "it says nothing", true
	}
	return time.Time{}, "", false
}

// silence is how long a coordinator that is well says nothing, beyond what it was asked to wait.
const silence = 4 * time.Second

// happened takes up events, in the order of their ids. Some may have been seen.
func (w *watched) happened(events []*pb.Event) {
	for _, e := range events {
		if e.GetId() <= w.newest {
			continue
		}
		w.newest = e.Id
		w.events = append(w.events, e)
		if e.GetType() != "worker-joined" {
			continue
		}
		if _, known := w.came[e.GetWorker()]; known || len(w.came) < workersHeld {
			if w.came == nil {
				w.came = map[string]int64{}
			}
			w.came[e.GetWorker()]++
		}
	}
	if n := len(w.events); n > 2*eventsHeld {
		w.events = append([]*pb.Event(nil), w.events[n-eventsHeld:]...)
	}
}

// restarts is how often a worker came again.
func (w *watched) restarts(worker string) int64 { return max(0, w.came[worker]-1) }

// recorded are curves from the files of a run.
type recorded struct{ loss, std, knn, speed curve }

// recordedIn reads them. What cannot be read is not there.
func recordedIn(dir string) recorded {
	var r recorded
	_ = report.Each(dir, func(p *report.Past) { // curves are not worth a failure
		r.loss.add(p.Step.Step, p.Loss)
		if !p.FromLog {
			r.std.add(p.Step.Step, p.Std)
			r.speed.add(p.Step.Step, p.ImagesPerSecond)
		}
	}, func(e *report.Evaluation) {
		for _, m := range e.Measures {
			if m.Name == status.KNN && e.Error == "" {
				r.knn.add(e.Step, m.Ratio)
			}
		}
	})
	return r
}

// recalls puts what files tell before what was seen since.
func (w *watched) recalls(r recorded) {
	w.loss, w.std = r.loss.after(w.loss), r.std.after(w.std)
	w.knn, w.speed = r.knn.after(w.knn), r.speed.after(w.speed)
}

// key takes up a key and says what it asks for. A question is answered by the next one.
func (w *watched) key(k string) order {
	w.said = ""
	if asked := w.asks; asked != nothing {
		w.asks = nothing
		if k == "y" || k == "enter" {
			return asked
		}
		if k != "ctrl+c" {
			return nothing
		}
	}
	if w.help && k != "ctrl+c" && k != "q" {
		w.help = false
		return nothing
	}
	switch k {
	case "q", "ctrl+c":
		return quit
	case "ctrl+z":
		return suspend
	case "?", "h", "f1":
		w.help = true
	case "p":
		w.asks = pauseRun
		if w.status.GetState() == pb.RunState_RUN_STATE_PAUSED {
			w.asks = resumeRun
		}
	case "c":
		return save
	case "tab", "right", "l":
		w.part = (w.part + 1) % parts
	case "shift+tab", "left":
		w.part = (w.part + parts - 1) % parts
	default:
		w.move(k)
	}
	return nothing
}

// far is more lines than there are.
const far = 1 << 30

// move scrolls the part that has the keys.
func (w *watched) move(k string) {
	by := map[string]int{"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -w.page(), "pgdown": w.page(),
		"space": w.page(), "home": -far, "g": -far, "end": far, "G": far}[k]
	if by == 0 || w.status == nil {
		return
	}
	if w.part == eventsPart { // they are counted from the newest
		by = -by
	}
	p := w.lay()
	w.scroll[w.part] = min(max(min(w.scroll[w.part], p.reach(w.part))+by, 0), p.reach(w.part))
}

// page is how many lines a page is.
func (w *watched) page() int { return max(1, w.height/3) }

// answers says what came of an order.
func (w *watched) answers(done string, op *pb.RunOperation, err error) {
	if err != nil {
		w.said = "not done: " + strings.Join(strings.Fields(err.Error()), " ")
		return
	}
	w.said = fmt.Sprintf("%s at step %s; the run is %s", done, grouped(op.GetStep()), stateName(op.GetState()))
	if path := op.GetCheckpoint().GetPath(); path != "" {
		w.said += "; " + path
	}
}

// question is what is asked, "" for nothing.
func (w *watched) question() string {
	switch w.asks {
	case pauseRun:
		return "Pause the training at the next step?  y: yes   any other key: no"
	case resumeRun:
		return "Go on with the training?  y: yes   any other key: no"
	}
	return ""
}
