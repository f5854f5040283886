package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"byol/coordinator"
	"byol/coordinator/drill"
	"byol/coordinator/report"
	"byol/coordinator/steplog"
	"byol/internal/failure"
	pb "byol/proto"
)

// saying tells the person a line.
type saying func(format string, a ...any)

// scene is a run that is being drilled, as seen by its files, its status and its processes.
type scene struct {
	endpoint
	dir     string
	timeout time.Duration
	say     saying
	demo    *demo // nil for a run that somebody else has started
}

// Bounds of what a drill waits for, and its steps.
const (
	drillPoll     = 20 * time.Millisecond
	drillPatience = time.Minute
	slowFor       = 5 * time.Second
	slowSlice     = 20 * time.Millisecond
	stepsBetween  = 5
	tailBytes     = 256 << 10
)

// ask puts a question to the coordinator, wherever it is now.
func (s *scene) ask(ctx context.Context, f func(context.Context, pb.CoordinatorClient) error) error {
	addr, err := s.address()
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := f(ctx, pb.NewCoordinatorClient(conn)); err != nil {
		return fromRPC(addr, err)
	}
	return nil
}

func (s *scene) status(ctx context.Context) (st *pb.Status, err error) {
	err = s.ask(ctx, func(ctx context.Context, c pb.CoordinatorClient) error {
		st, err = c.GetStatus(ctx, &pb.GetStatusRequest{})
		return err
	})
	return st, err
}

func (s *scene) failureTimeout(ctx context.Context) (time.Duration, error) {
	st, err := s.status(ctx)
	if err != nil {
		return 0, err
	}
	return time.Duration(st.GetConfig().GetFailureTimeoutSeconds() * float64(time.Second)), nil
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

// tail reads the end of a file of the run directory, from a line's beginning on.
func (s *scene) tail(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	from := max(0, size-tailBytes)
	text := make([]byte, size-from)
	n, err := f.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text = text[:n]
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, nil
}

// events are the newest of the run.
func (s *scene) events() []drill.Event {
	text, err := s.tail(report.EventsFile)
	if err != nil {
		return nil // not yet there, or being replaced: the next look finds it
	}
	var all []drill.Event
	for line := range bytes.Lines(text) {
		var e report.Event
		if json.Unmarshal(line, &e) == nil {
			all = append(all, drill.Event{At: e.Time, Kind: e.Type, Worker: e.Worker, Text: e.Text})
		}
	}
	return all
}

// commits are the newest of the run.
func (s *scene) commits() []drill.Commit {
	text, err := s.tail(steplog.File)
	if err != nil {
		return nil
	}
	log, err := steplog.Read(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	return commitsOf(log)
}

// until polls for a condition, for as long as a drill has patience.
func (s *scene) until(ctx context.Context, what string, met func() bool) error {
	deadline := time.Now().Add(drillPatience)
	for !met() {
		if time.Now().After(deadline) {
			return &failure.Failure{What: fmt.Sprintf("after %v there is still no %s", drillPatience, what),
				Why: "the drill waits no longer", Try: "coordinator status --run-dir " + s.dir + ", and the logs there",
				Code: failure.Training}
		}
		if err := rest(ctx, drillPoll); err != nil {
			return err
		}
	}
	return nil
}

// rest waits for a while, or until the drill is to end.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &failure.Failure{What: "the drill was stopped", Why: "a signal asked to", Code: failure.Interrupted}
	}
}

// settled waits until all workers work together and have taken a few steps.
func (s *scene) settled(ctx context.Context) error {
	from := int64(-1)
	return s.until(ctx, "group of all workers that trains", func() bool {
		st, err := s.status(ctx)
		wished := int(st.GetCluster().GetWorkersExpected()) - len(st.GetFaults().GetQuarantined())
		if err != nil || st.State != pb.RunState_RUN_STATE_RUNNING || len(working(st)) < wished {
			from = -1
			return false
		}
		if from < 0 {
			from = st.Progress.GetStep()
		}
		return st.Progress.GetStep() >= from+stepsBetween
	})
}

// inject carries out a plan, fault after fault.
func (s *scene) inject(ctx context.Context, plan []drill.Fault) ([]drill.Outcome, error) {
	var all []drill.Outcome
	for i, f := range plan {
		if err := s.settled(ctx); err != nil {
			return all, err
		}
		if err := rest(ctx, f.Pause); err != nil {
			return all, err
		}
		o, err := s.one(ctx, f)
		if err != nil {
			return all, err
		}
		s.say("%d/%d %s of %s at step %d: noticed after %v (%s), next step after %v", i+1, len(plan), o.Kind, o.Who, o.Step,
			o.After.Round(time.Millisecond), o.By, o.Out.Round(time.Millisecond))
		all = append(all, o)
	}
	return all, s.settled(ctx)
}

// one carries out a fault and watches what becomes of it.
func (s *scene) one(ctx context.Context, f drill.Fault) (drill.Outcome, error) {
	st, err := s.status(ctx)
	if err != nil {
		return drill.Outcome{}, err
	}
	victims := working(st)
	if len(victims) == 0 {
		return drill.Outcome{}, &failure.Failure{What: "no worker of the run is a process of this machine",
			Code: failure.Usage, Try: "drill a run where its workers are, or --demo"}
	}
	w := victims[f.Victim%len(victims)]
	in := drill.Injected{Fault: f, Who: w.Id}
	if f.Kind == drill.KillLeader {
		in.Who = st.GetCluster().GetLeaderId()
	}
	if all := s.commits(); len(all) > 0 {
		in.Step, in.Generation = all[len(all)-1].Step, all[len(all)-1].Generation
	}
	in.At = time.Now()
	back, lasts, err := s.strike(ctx, f.Kind, int(w.Pid))
	if err != nil {
		return drill.Outcome{}, err
	}
	o, err := s.watch(ctx, in, lasts)
	back()
	if err != nil {
		return o, err
	}
	if o.Recovered {
		_ = s.settled(ctx) // the next fault waits for it as well, and says if it does not come
	}
	if after, err := s.status(ctx); err == nil {
		o.Rerun = max(0, after.GetFaults().GetRerunSteps()-st.GetFaults().GetRerunSteps())
	}
	return o, nil
}

// watch waits until a fault was noticed and recovered from, for as long as it lasts and a while longer.
func (s *scene) watch(ctx context.Context, in drill.Injected, lasts time.Duration) (drill.Outcome, error) {
	var o drill.Outcome
	for deadline := in.At.Add(lasts + drillPatience); time.Now().Before(deadline); {
		if err := rest(ctx, drillPoll); err != nil {
			return o, err
		}
		o = drill.Judge(in, s.events(), s.commits())
		over := time.Since(in.At) > lasts
		if over && o.Recovered && (o.Noticed || time.Since(in.At) > lasts+2*s.timeout) {
			break
		}
	}
	return o, nil
}

// strike begins a fault; back takes it back, where it lasts.
func (s *scene) strike(ctx context.Context, kind drill.Kind, pid int) (back func(), lasts time.Duration, err error) {
	long := s.timeout + 2*time.Second
	nothing := func() {}
	switch kind {
	case drill.KillWorker:
		return nothing, 0, syscall.Kill(pid, syscall.SIGKILL)
	case drill.KillLeader:
		card, err := coordinator.ReadCard(s.dir)
		if err != nil {
			return nothing, 0, err
		}
		return nothing, 0, syscall.Kill(card.PID, syscall.SIGKILL)
	case drill.Stop:
		return func() { _ = syscall.Kill(pid, syscall.SIGCONT) }, long, syscall.Kill(pid, syscall.SIGSTOP)
	case drill.Slow:
		return nothing, 0, slow(ctx, pid)
	}
	r := s.demo.relayOf(pid)
	if r == nil {
		return nothing, 0, &failure.Failure{What: fmt.Sprintf("process %d is no worker of the demo", pid),
			Code: failure.Internal}
	}
	switch kind {
	case drill.Partition:
		r.Cut()
		return r.Mend, long, nil
	case drill.Corrupt:
		r.Corrupt()
	}
	return nothing, 0, nil
}

// slow gives a process half of its time, for a while.
func slow(ctx context.Context, pid int) error {
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }() // it may have ended by itself
	for end := time.Now().Add(slowFor); time.Now().Before(end); {
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			if err := syscall.Kill(pid, sig); err != nil {
				return err
			}
			if err := rest(ctx, slowSlice); err != nil {
				return err
			}
		}
	}
	return nil
}
