package testcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"byol/coordinator"
	"byol/coordinator/report"
	"byol/internal/disk"
	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
	pb "byol/proto"
	"byol/worker"
)

// deed is what is done to a process: kill it, stop it for a while, ask it to leave, have it join or fail, or cut all
// its lines for a while.
type deed struct {
	do   string
	who  string      // worker-1, coordinator-2, leader, follower, workers, all; * for whoever comes by first
	at   fault.Point // where, "" for at once
	step int64       // from this committed step on
	back time.Duration
}

// parseDeeds reads a script: deeds such as "kill leader step=3 at=propose for=2s", and faults of lines in the language
// of internal/fault, with semicolons between. A process that is killed, leaves or fails comes back after for, or when
// it is to join; a worker that ends to be started again (exit code 75) is, as by a scheduler.
func parseDeeds(t *testing.T, script string) (deeds []deed, lines string) {
	t.Helper()
	for part := range strings.SplitSeq(script, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		if !slices.Contains([]string{"kill", "stop", "leave", "join", "fail", "isolate"}, words[0]) {
			lines += ";" + part
			continue
		}
		d := deed{do: words[0], who: words[1]}
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			var err error
			switch key {
			case "at":
				if d.at = fault.Point(value); !slices.Contains(fault.AllPoints(), d.at) {
					err = fmt.Errorf("no such point")
				}
			case "step":
				_, err = fmt.Sscan(value, &d.step)
			case "for":
				d.back, err = time.ParseDuration(value)
			default:
				err = fmt.Errorf("no such word")
			}
			if err != nil {
				t.Fatalf("deed %q: %q: %v", part, w, err)
			}
		}
		deeds = append(deeds, d)
	}
	return deeds, lines
}

// drama says who plays, and what happens to them.
type drama struct {
	name         string
	config       *pb.RunConfig
	pace         time.Duration // how long a message is on its way
	coordinators int           // 1 or 3
	workers      int           // processes
	stands       []int         // how many workers each stands for, nil: one
	script       string
	faults       fault.Plan // of workers' states
	dir          string     // of everything that is written
	coordinator  func(*coordinator.Options)
	may          string // part of the words with which a worker may end
	log          *zap.Logger
}

// play is a drama while it is played, inside a bubble.
type play struct {
	drama
	lines *faulty.Network
	hosts *memory.Network
	ctx   context.Context
	over  chan struct{}  // closed when the run has ended
	rest  sync.WaitGroup // processes

	mu      sync.Mutex // guards what follows
	ended   bool
	actors  map[string]*actor
	leader  string
	step    int64
	seen    []sighting
	pending []deed
	done    []act
	wrong   []error
	costs   *pb.Faults // as a leader told last to which anything was lost
}

// sighting is a committed step, seen for the first time.
type sighting struct {
	step int64
	at   time.Time
}

// act is a deed that was done.
type act struct {
	deed
	victim string
	when   time.Time
	step   int64
}

// actor is a name that processes have, one after the other.
type actor struct {
	*process
	ask  context.CancelFunc // to go
	end  func()             // what is left of one that was killed
	back time.Duration
	gone time.Time
	sick bool          // a coordinator that may fail
	join chan struct{} // has a token when it is to come (back)
	ends []error
}

// perform plays d to its end.
func perform(t *testing.T, d drama) *play {
	t.Helper()
	deeds, lines := parseDeeds(t, d.script)
	p := &play{drama: d, hosts: memory.New(), over: make(chan struct{}), actors: map[string]*actor{}, pending: deeds}
	p.lines = faulty.New(plan(t, fmt.Sprintf("delay *->* by=%v%s", max(d.pace, time.Millisecond), lines)))
	p.config = proto.Clone(d.config).(*pb.RunConfig)
	p.config.CheckpointDir = filepath.Join(d.dir, "checkpoints")
	if p.log == nil {
		p.log = zap.NewNop()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	p.ctx = ctx
	var all sync.WaitGroup
	for i := range d.coordinators {
		all.Go(func() { p.live(p.coordinatorName(i), true, p.coordinate) })
	}
	most := d.workers
	for _, e := range deeds {
		if i := 0; e.do == "join" {
			if _, err := fmt.Sscanf(e.who, "worker-%d", &i); err == nil {
				most = max(most, i+1)
			}
		}
	}
	for i := range most {
		all.Go(func() { p.live(WorkerHost(i), i < d.workers, p.work) })
	}
	all.Wait()
	p.rest.Wait()
	p.lines.Close()
	if ctx.Err() != nil {
		p.wrong = append(p.wrong, errors.New("it did not end"))
	}
	for _, e := range p.pending {
		p.wrong = append(p.wrong, fmt.Errorf("%s %s at %q from step %d on never came to pass", e.do, e.who, e.at, e.step))
	}
	return p
}

func (p *play) coordinatorName(i int) string {
	if p.coordinators == 1 {
		return CoordinatorHost
	}
	return fmt.Sprintf("%s-%d", CoordinatorHost, i)
}

// live is the life of a name: one process after the other, until the run has ended.
func (p *play) live(name string, present bool, run func(context.Context, *process) error) {
	a := &actor{join: make(chan struct{}, 1)}
	p.mu.Lock()
	p.actors[name] = a
	if present {
		a.join <- struct{}{}
	}
	p.mu.Unlock()
	for {
		var later <-chan time.Time
		if a.back > 0 {
			later = time.After(time.Until(a.gone.Add(a.back)))
		}
		select {
		case <-a.join:
		case <-later:
		case <-p.over:
			return
		}
		ctx, ask := context.WithCancel(p.ctx)
		p.mu.Lock()
		if p.ended {
			p.mu.Unlock()
			ask()
			return
		}
		mine := newProcess(name, p.lines.Host(name, p.hosts.Host(name)), p.at)
		a.process, a.ask, a.end, a.back, a.sick = mine, ask, func() {}, 0, false
		p.mu.Unlock()
		err := p.through(ctx, mine, run)
		p.mu.Lock()
		asked := ctx.Err() != nil
		ask()
		a.ends = append(a.ends, err)
		if !asked {
			p.exitLocked(a, err)
		}
		p.mu.Unlock()
	}
}

// through runs a process to its end. A worker that was killed is not waited for: what is left of it can do nothing.
// That of a coordinator holds its log.
func (p *play) through(ctx context.Context, mine *process, run func(context.Context, *process) error) error {
	end := make(chan error, 1)
	p.rest.Go(func() { end <- run(ctx, mine) })
	killed := mine.ended
	if strings.HasPrefix(mine.name, CoordinatorHost) {
		killed = nil
	}
	select {
	case err := <-end:
		return err
	case <-killed:
		return errKilled
	}
}

// again is how soon a scheduler starts a process that says that it should be.
const again = time.Second

// exitLocked notes that a process ended to which nothing was done.
func (p *play) exitLocked(a *actor, err error) {
	coordinates := strings.HasPrefix(a.name, CoordinatorHost)
	if coordinates && a.sick && err != nil {
		return
	}
	if coordinates && !p.ended {
		p.ended = true
		close(p.over)
	}
	switch {
	case err == nil || p.ended && code(err) == failure.Unreachable:
	case p.may != "" && strings.Contains(err.Error(), p.may):
		if code(err) == failure.Unreachable { // a scheduler starts it again, as often as it takes
			a.back, a.gone = again, time.Now()
		}
	case code(err) == failure.Temporary && !coordinates:
		a.back, a.gone = again, time.Now()
	default:
		p.wrong = append(p.wrong, fmt.Errorf("%s ended with %w", a.name, err))
	}
}

// work is a worker's process.
func (p *play) work(ctx context.Context, a *process) error {
	var at []string
	for i := range p.coordinators {
		at = append(at, p.coordinatorName(i)+":7400")
	}
	index := 0
	if _, err := fmt.Sscanf(a.name, "worker-%d", &index); err != nil {
		return err
	}
	stands := 0
	if p.stands != nil {
		stands = p.stands[index]
	}
	return worker.Run(ctx, worker.Options{Coordinator: strings.Join(at, ","), Index: index, Workers: stands, Build: "test",
		OpenEngine: OpenEngine, Faults: p.faults, Log: p.log.Named(a.name), Network: a, NoSharedMemory: true,
		Points: a.pass, Disk: files{disk.System{}, a}, Grace: 10 * time.Second})
}

// coordinate is a coordinator's process.
func (p *play) coordinate(ctx context.Context, a *process) error {
	workers := p.workers
	for _, n := range p.stands {
		workers += n - 1
	}
	o := coordinator.Options{Config: p.config, Workers: workers, RunDir: filepath.Join(p.dir, a.name),
		Listen: a.name + ":7400", Network: a, Launcher: coordinator.LauncherNone, JoinTimeout: 20 * time.Second,
		FailureTimeout: 5 * time.Second, Grace: 5 * time.Second, Build: "test",
		Checkpoints: catalogue{p.config.CheckpointDir}, Log: p.log.Named(a.name), Points: a.pass,
		OnProgress: func(s *pb.Status) {
			p.saw(a.name, s)
			_ = a.run() // who judges stands still with all of it
		}}
	if p.coordinators > 1 {
		o.NodeID, o.RaftListen, o.Peers = a.name, a.name+":7401", map[string]string{}
		for i := range p.coordinators {
			o.Peers[p.coordinatorName(i)] = p.coordinatorName(i) + ":7401"
		}
	}
	if p.coordinator != nil {
		p.coordinator(&o)
	}
	c, err := coordinator.New(p.ctx, o)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.actors[a.name].end = c.Abort
	p.mu.Unlock()
	return c.Run(ctx)
}

// saw takes the status of a coordinator, which knows best where it leads.
func (p *play) saw(name string, s *pb.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Stale || !p.actors[name].lives() {
		return // the dead say nothing
	}
	p.leader = name
	if len(s.Faults.GetLost()) > 0 {
		p.costs = s.Faults
	}
	step := s.Progress.GetStep()
	if step > p.step || len(p.seen) == 0 {
		p.step = step
		p.seen = append(p.seen, sighting{step, time.Now()})
	}
	p.lines.Reach(p.step)
	for i := 0; i < len(p.pending); {
		d := p.pending[i]
		if d.at != "" || d.step > p.step {
			i++
			continue
		}
		p.pending = slices.Delete(p.pending, i, i+1)
		for _, name := range p.whoLocked(d.who) {
			_ = p.doLocked(d, name)
		}
	}
}

// whoLocked are the names that a deed is meant for.
func (p *play) whoLocked(who string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.actors)) {
		a, leads := p.actors[name], name == p.leader
		if a.process == nil || !a.lives() {
			continue
		}
		coordinates := strings.HasPrefix(name, CoordinatorHost)
		if who == "leader" && leads || who == "all" || who == "workers" && !coordinates ||
			who == "follower" && coordinates && !leads && len(names) == 0 {
			names = append(names, name)
		}
	}
	if p.actors[who] != nil {
		names = []string{who}
	}
	return names
}

// at is what all processes come by.
func (p *play) at(who *process, at fault.Point) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, d := range p.pending {
		if d.at != at || d.step > p.step {
			continue
		}
		if d.who == "*" || slices.Contains(p.whoLocked(d.who), who.name) || d.who == "leader" && at == fault.Elected {
			p.pending = slices.Delete(p.pending, i, i+1)
			return p.doLocked(d, who.name)
		}
	}
	return nil
}

// doLocked does d to the process of that name.
func (p *play) doLocked(d deed, name string) error {
	p.done = append(p.done, act{deed: d, victim: name, when: time.Now(), step: p.step})
	a := p.actors[name]
	switch d.do {
	case "kill":
		a.back, a.gone = d.back, time.Now()
		a.kill()
		a.ask()
		a.end()
		return errKilled
	case "stop":
		a.sick = true
		a.stop(d.back)
	case "leave":
		a.back, a.gone = d.back, time.Now()
		a.ask()
	case "join":
		a.join <- struct{}{}
	case "fail":
		a.back, a.gone, a.sick = d.back, time.Now(), true
		return syscall.ENOSPC
	case "isolate":
		p.lines.Begin(fault.Plan{{Action: "cut", Line: fault.Line{From: name, To: "*", Both: true}, Step: -1, For: d.back}})
	}
	return nil
}

// told is an event of somebody who led.
func (p *play) told(t *testing.T) []report.Event {
	t.Helper()
	var all []report.Event
	for i := range p.coordinators {
		text, err := os.ReadFile(filepath.Join(p.dir, p.coordinatorName(i), "events.jsonl"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var e report.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("event %q: %v", line, err)
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b report.Event) int { return a.Time.Compare(b.Time) })
	return all
}

// passed are the points at which something was done.
func (p *play) passed() []fault.Point {
	var all []fault.Point
	for _, d := range p.done {
		if d.at != "" {
			all = append(all, d.at)
		}
	}
	return all
}

// inBubble performs d in a bubble.
func inBubble(t *testing.T, d drama, after func(t *testing.T, p *play)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { after(t, perform(t, d)) })
}
