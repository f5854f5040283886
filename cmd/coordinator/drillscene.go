package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"byol/coordinator"
	"byol/coordinator/drill"
	"byol/internal/failure"
	"byol/internal/pause"
	pb "byol/proto"
)

// saying tells the person a line.
type saying func(format string, a ...any)

// scene is a run that is being drilled, as seen by its files, its status and its processes.
type scene struct {
	dir     string // for people
	places  []*place
	led     int // which of them led last
	timeout time.Duration
	say     saying
	demo    *demo // nil for a run that somebody else has started
	loads   []float64
}

// place is where a coordinator of the run is.
type place struct {
	endpoint
	*journal
	at   string // that conn leads to
	conn *grpc.ClientConn
}

func newPlace(dir string) *place {
	return &place{endpoint: endpoint{runDir: dir}, journal: newJournal(dir)}
}

// Bounds of what a drill waits for, and its steps.
const (
	drillPoll     = 50 * time.Millisecond
	drillPatience = time.Minute
	patientSteps  = 50 // that a drill waits at least
	stepsBetween  = 3
	askTimeout    = time.Second // a coordinator may stand still
	askSoon       = 100 * time.Millisecond
)

// ask puts a question to the coordinator here.
func (p *place) ask(ctx context.Context, f func(context.Context, pb.CoordinatorClient) error) error {
	addr, err := p.address()
	if err != nil {
		return err
	}
	if p.conn == nil || p.at != addr {
		p.close()
		through, err := p.network(addr)
		if err != nil {
			return err
		}
		again := grpc.ConnectParams{MinConnectTimeout: askTimeout,
			Backoff: backoff.Config{BaseDelay: askSoon, Multiplier: 1, MaxDelay: askSoon}}
		p.conn, err = grpc.NewClient("passthrough:///"+addr, grpc.WithConnectParams(again),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(through.Dial))
		if err != nil {
			return err
		}
		p.at = addr
	}
	if err := f(ctx, pb.NewCoordinatorClient(p.conn)); err != nil {
		return fromRPC(addr, err)
	}
	return nil
}

func (p *place) status(ctx context.Context) (st *pb.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err = p.ask(ctx, func(ctx context.Context, c pb.CoordinatorClient) error {
		st, err = c.GetStatus(ctx, &pb.GetStatusRequest{})
		return err
	})
	return st, err
}

func (p *place) close() {
	if p.conn != nil {
		_ = p.conn.Close()
	}
}

func (s *scene) close() {
	for _, p := range s.places {
		p.close()
	}
}

// status is what the coordinator that leads says.
func (s *scene) status(ctx context.Context) (*pb.Status, error) {
	var last error
	for range s.places {
		st, err := s.places[s.led].status(ctx)
		if err == nil && !st.Stale {
			return st, nil
		}
		if err == nil {
			err = &failure.Failure{What: "the coordinator of " + s.places[s.led].runDir + " does not lead", Code: failure.Usage,
				Why: fmt.Sprintf("%q does", st.GetCluster().GetLeaderId()), Try: "the run directory of the one that leads"}
		}
		last = err
		s.led = (s.led + 1) % len(s.places)
	}
	return nil, last
}

// look reads what the coordinators have written.
func (s *scene) look() (all []*journal) {
	for _, p := range s.places {
		p.look()
		all = append(all, p.journal)
	}
	return all
}

// newest is the journal with the latest step.
func (s *scene) newest() *journal {
	var newest *journal
	for _, j := range s.look() {
		if c, ok := j.last(); newest == nil || ok {
			if old, had := newest.orNone().last(); !had || c.At.After(old.At) {
				newest = j
			}
		}
	}
	return newest
}

func (j *journal) orNone() *journal {
	if j == nil {
		return &journal{}
	}
	return j
}

// working are the workers of the present group that are processes of this machine.
func working(st *pb.Status) []*pb.Worker {
	host, _ := os.Hostname()
	var all []*pb.Worker
	for _, w := range st.GetWorkers() {
		if w.Rank >= 0 && w.State != "gone" && w.State != "left" && w.Pid > 0 && (w.Host == host || w.Host == "") {
			all = append(all, w)
		}
	}
	return all
}

// until polls for a condition, for as long as a drill has patience.
func (s *scene) until(ctx context.Context, what string, met func() (bool, error)) error {
	deadline := time.Now().Add(s.patience())
	for {
		ok, err := met()
		switch {
		case ok || err != nil:
			return err
		case time.Now().After(deadline):
			return &failure.Failure{What: fmt.Sprintf("after %v there is still no %s", s.patience(), what),
				Why: s.why(), Try: "coordinator status --run-dir " + s.places[s.led].runDir +
					", and the logs there",
				Code: failure.Training}
		}
		if err := rest(ctx, drillPoll); err != nil {
			return err
		}
	}
}

// why is what is known where a drill has waited in vain.
func (s *scene) why() string {
	if s.demo == nil {
		return "the drill waits no longer"
	}
	return "the drill waits no longer; last words of its processes:\n" + s.demo.words()
}

// patience is how long a drill waits for anything: some steps of the run, if it has long ones.
func (s *scene) patience() time.Duration {
	all := s.newest().committed
	if n := len(all); n > 1 {
		few := all[max(0, n-stepsBetween):]
		return max(drillPatience, few[len(few)-1].At.Sub(few[0].At)/time.Duration(len(few)-1)*patientSteps)
	}
	return drillPatience
}

// rest waits for a while, or until the drill is to end.
func rest(ctx context.Context, d time.Duration) error {
	if pause.For(ctx, d) {
		return nil
	}
	return &failure.Failure{What: "the drill was stopped", Why: "a signal asked to", Code: failure.Interrupted}
}

// strength is what a fault needs to strike.
type strength int

const (
	few      strength = iota // of the workers train: those left go on with the step
	followed                 // and all coordinators follow one
	full                     // all workers train, and all coordinators follow one
)

// ready waits until a group of enough workers has taken a few steps.
func (s *scene) ready(ctx context.Context, need strength) (st *pb.Status, err error) {
	err = s.until(ctx, "group that trains and can bear a fault", func() (bool, error) {
		if st, err = s.status(ctx); err != nil {
			return false, s.hopeless(err)
		}
		enough := int(st.GetCluster().GetWorkersExpected())/2 + 1
		if need == full {
			enough = int(st.GetCluster().GetWorkersExpected()) - len(st.GetFaults().GetQuarantined())
		}
		switch st.State {
		case pb.RunState_RUN_STATE_COMPLETED, pb.RunState_RUN_STATE_STOPPED, pb.RunState_RUN_STATE_FAILED:
			return false, &failure.Failure{What: "the run has ended: " + st.StateReason, Code: failure.Usage,
				Why: fmt.Sprintf("it is at step %d of %d", st.Progress.GetStep(), st.Progress.GetTargetSteps()),
				Try: "drill a run that goes on for longer"}
		case pb.RunState_RUN_STATE_RUNNING:
			return workersIn(working(st)) >= enough && s.steady(st.Generation) && (need == few || s.follow(ctx, st)), nil
		}
		return false, nil
	})
	return st, err
}

// hopeless is why there is no point in asking again after err; nil where there is one.
func (s *scene) hopeless(err error) error {
	if s.demo != nil {
		return s.demo.broken()
	}
	if _, err := coordinator.ReadCard(s.dir); errors.Is(err, os.ErrNotExist) {
		return &failure.Failure{What: "the run has ended", Why: "its coordinator is not there any more", Code: failure.Usage,
			Try: "drill a run that goes on for longer"}
	}
	var f *failure.Failure
	if errors.As(err, &f) && f.Code == failure.Usage {
		return err
	}
	return nil
}

// steady reports whether a generation has committed a few steps.
func (s *scene) steady(generation int64) bool {
	all := s.newest().committed
	return len(all) >= stepsBetween && all[len(all)-stepsBetween].Generation == generation
}

// follow reports whether all coordinators are there and know who leads.
func (s *scene) follow(ctx context.Context, st *pb.Status) bool {
	for _, p := range s.places {
		said, err := p.status(ctx)
		if err != nil || said.GetCluster().GetLeaderId() != st.GetCluster().GetLeaderId() {
			return false
		}
	}
	return true
}

// inject carries out a plan, fault after fault.
func (s *scene) inject(ctx context.Context, plan []drill.Fault) ([]drill.Outcome, error) {
	var all []drill.Outcome
	rerun := int64(0)
	settle := func(st *pb.Status) { // the fault before is over
		if n := len(all); n > 0 {
			all[n-1].Rerun, all[n-1].Led = max(0, st.GetFaults().GetRerunSteps()-rerun), st.GetCluster().GetLeaderId()
		}
		rerun = st.GetFaults().GetRerunSteps()
	}
	for len(all) < len(plan) {
		f := plan[len(all)]
		need := few
		if f.Kind.OfLeader() {
			need = followed
		}
		st, err := s.ready(ctx, need)
		if err != nil {
			return all, err
		}
		settle(st)
		if err := rest(ctx, f.Pause); err != nil {
			return all, err
		}
		if st, err = s.ready(ctx, need); err != nil { // much may have happened meanwhile
			return all, err
		}
		o, err := s.one(ctx, f, st)
		if errors.Is(err, syscall.ESRCH) { // it ended by itself
			continue
		}
		if err != nil {
			return all, err
		}
		s.loads = append(s.loads, load())
		all = append(all, o)
		s.say("%d/%d %s of %s at step %d: noticed after %v (%s), next step after %v", len(all), len(plan), o.Kind, o.Who,
			o.Step, o.After.Round(time.Millisecond), o.By, o.Out.Round(time.Millisecond))
	}
	last := full
	if s.demo == nil { // who was killed comes back when its launcher thinks fit
		last = few
	}
	st, err := s.ready(ctx, last)
	if err == nil {
		settle(st)
	}
	return all, err
}

// one carries out a fault and watches what becomes of it.
func (s *scene) one(ctx context.Context, f drill.Fault, st *pb.Status) (drill.Outcome, error) {
	if f.Kind == drill.FlipGradient {
		return s.flipped(ctx, f)
	}
	victims := working(st)
	if len(victims) == 0 {
		return drill.Outcome{}, &failure.Failure{What: "no worker of the run is a process of this machine",
			Code: failure.Usage, Try: "drill a run where its workers are, or --demo"}
	}
	w := victims[f.Victim%len(victims)]
	in := drill.Injected{Fault: f, Who: w.Id}
	hit := target{kind: f.Kind, pid: int(w.Pid), worker: w.Id, step: st.GetThroughput().GetStepTimeP50().AsDuration()}
	if f.Kind.OfLeader() {
		in.Who = st.GetCluster().GetLeaderId()
		hit.coordinator, hit.pid = s.demo.coordinator(in.Who)
	}
	if c, ok := s.newest().last(); ok {
		in.Step, in.Generation = c.Step, c.Generation
	}
	in.At = time.Now()
	over := func() bool { o := s.judge(in); return o.Noticed && o.Recovered }
	back, lasts, err := s.strike(ctx, hit, over)
	if err != nil {
		return drill.Outcome{}, err
	}
	o, err := s.watch(ctx, in, lasts)
	back()
	return o, err
}

// flipped watches what becomes of a gradient that a worker damages in flipStep by itself: it was started with that
// fault.
func (s *scene) flipped(ctx context.Context, f drill.Fault) (o drill.Outcome, err error) {
	in := drill.Injected{Fault: f, Who: fmt.Sprintf("worker-%d", f.Victim%len(s.demo.workers))}
	err = s.until(ctx, fmt.Sprintf("step %d", flipStep-1), func() (bool, error) {
		for _, j := range s.look() {
			for _, c := range j.committed {
				if c.Step == flipStep-1 {
					in.At, in.Step, in.Generation = c.At, c.Step, c.Generation
					return true, nil
				}
			}
		}
		return false, nil
	})
	if err != nil {
		return o, err
	}
	return s.watch(ctx, in, 0)
}

// judge is what has become of a fault so far.
func (s *scene) judge(in drill.Injected) drill.Outcome {
	events, commits := together(s.look(), in.At)
	return drill.Judge(in, events, commits)
}

// watch waits until a fault was noticed and recovered from, for as long as it lasts and a while longer.
func (s *scene) watch(ctx context.Context, in drill.Injected, lasts time.Duration) (drill.Outcome, error) {
	var o drill.Outcome
	for deadline := time.Now().Add(lasts + s.patience()); time.Now().Before(deadline); {
		if err := rest(ctx, drillPoll); err != nil {
			return o, err
		}
		o = s.judge(in)
		over := time.Since(in.At) > lasts
		if over && o.Recovered && (o.Noticed || time.Since(in.At) > lasts+2*s.timeout) {
			break
		}
	}
	return o, nil
}

// load is the machine's load average of the last minute, 0 where it is not known.
func load() (one float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(strings.TrimSpace(string(text)), &one) // what it does not say stays 0
	}
	return one
}
