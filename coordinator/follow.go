package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"byol/coordinator/lead"
	"byol/coordinator/raftnode"
	"byol/coordinator/run"
	"byol/coordinator/status"
	"byol/internal/failure"
	"byol/internal/network"
	pb "byol/proto"
)

// errEnded says that the run ended under another leader; errHandOver that this coordinator is to go, and others lead.
var (
	errEnded    = errors.New("coordinator: the run has ended")
	errHandOver = errors.New("coordinator: hands over to another")
)

// endedFor is how long a run must have ended before a coordinator that does not lead believes it: it may be on its way
// to learn that another took it up again.
const endedFor = 2 * time.Second

// elected follows until this node leads and has applied the whole log, and returns its term.
func (c *Coordinator) elected(ctx context.Context) (term uint64, err error) {
	tick := time.NewTicker(c.period())
	defer tick.Stop()
	var ended time.Time
	led := time.Now() // when somebody did last
	asked := ctx.Done()
	letters := c.events
	if !c.opts.several() {
		letters = nil // they wait for the next term
	}
	for {
		failed, broken := c.node.Failed()
		if broken != nil {
			return 0, broken
		}
		view, news := c.node.View()
		if err := c.adopt(&view); err != nil {
			return 0, err
		}
		term, changed := c.node.Leadership()
		if term > 0 {
			if err := c.node.Barrier(); err == nil || !c.opts.several() {
				return term, err
			}
		}
		switch {
		case !c.node.Ended() && !c.complete():
			ended = time.Time{}
		case ended.IsZero():
			ended = time.Now()
		case time.Since(ended) >= endedFor:
			return 0, errEnded
		}
		now, info := time.Now(), c.node.Info()
		if info.LeaderID != "" || c.mayBeLetIn(info) {
			led = now
		}
		switch {
		case asked == nil && c.parted(now, partingLook), asked == nil && info.LeaderID == "" && now.Sub(led) > partingLook:
			return 0, fmt.Errorf("wait for leadership: %w", context.Cause(ctx))
		case c.opts.several() && now.Sub(led) >= c.leaderless():
			return 0, c.nobodyLeads(info)
		}
		select {
		case <-changed:
		case <-news:
			c.follow()
		case <-tick.C:
			c.follow()
		case letter := <-letters:
			c.answer(letter)
		case <-failed:
		case <-c.aborted:
			return 0, &failure.Failure{What: "interrupted while nobody led", Why: "asked to end at once",
				Try: "the same command again", Code: failure.Interrupted}
		case <-asked:
			if !c.opts.several() || !c.shared() {
				return 0, fmt.Errorf("wait for leadership: %w", context.Cause(ctx))
			}
			asked = nil
			c.leaving(time.Now())
		}
	}
}

// answer is what workers and operators hear from a coordinator that does not lead.
func (c *Coordinator) answer(l envelope) {
	defer close(l.done)
	switch l.event.(type) {
	case nil:
		c.follow()
	case lead.Joining:
		id, at := c.node.Leader()
		refused := &pb.Refused{Temporary: true, Leader: at, Reason: "this coordinator does not lead",
			Hint: "give --coordinator the addresses of all coordinators"}
		if id == "" {
			refused.Reason = NoLeader
		}
		l.from.refused = true
		l.from.outbox.push(parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: refused}}})
	}
}

// follow shows the status as far as this coordinator knows it.
func (c *Coordinator) follow() {
	if !c.opts.several() {
		return // nobody asks before it leads
	}
	info := c.node.Info()
	view, _ := c.node.View()
	now := time.Now()
	s := status.Message(status.Facts{Lead: lead.View{State: view}, Now: now, Started: c.started, Config: c.opts.Config,
		Rates: scheduleOf(c.opts.Config), Build: c.opts.Build, RunDir: c.runDir, Launcher: c.opts.Launcher,
		LeaderID: info.LeaderID, Term: info.Term, CommitIndex: info.CommitIndex})
	s.Stale = true
	if !info.Heard.IsZero() {
		s.Age = durationpb.New(now.Sub(info.Heard))
	}
	switch {
	case info.Waits != "":
		s.StateReason = info.Waits
	case info.LeaderID == "":
		s.StateReason = "no coordinator leads: " + c.tooFew(info)
	}
	if view.Phase == "" {
		s.State = pb.RunState_RUN_STATE_WAITING_FOR_WORKERS
	}
	c.protect(s)
	c.latest.Show(s)
	c.show(s, info, false)
	if c.opts.OnProgress != nil {
		c.opts.OnProgress(s)
	}
}

// tooFew says why nobody is elected.
func (c *Coordinator) tooFew(info raftnode.Info) string {
	if len(info.Absent) == 0 {
		return "too few of them reach each other"
	}
	return "waiting for " + strings.Join(info.Absent, ", ")
}

// mayBeLetIn reports whether this coordinator waits for a person to let it in: that may take any time.
func (c *Coordinator) mayBeLetIn(info raftnode.Info) bool {
	_, founder := c.opts.Peers[c.opts.NodeID]
	return info.Waits != "" && !founder
}

// leaderless is how long a coordinator stays while nobody leads: as long as workers keep their state, and no shorter
// than it waits for workers.
func (c *Coordinator) leaderless() time.Duration {
	return max(c.opts.JoinTimeout, network.TimeoutsOf(c.opts.FailureTimeout).Coordinators)
}

// nobodyLeads ends the wait for a leader.
func (c *Coordinator) nobodyLeads(info raftnode.Info) error {
	why := info.Waits
	if why == "" {
		why = c.tooFew(info)
	}
	return &failure.Failure{What: fmt.Sprintf("no coordinator has led for %v", c.leaderless()), Why: why,
		Try:  "start the others; the same command brings this one back",
		Code: failure.Temporary}
}

// complete reports whether a run among several has nothing left to do.
func (c *Coordinator) complete() bool {
	view, _ := c.node.View()
	return c.opts.several() && view.Phase == run.Completed && view.Step >= c.opts.Config.EndStep() &&
		c.opts.Resume == ResumeAuto
}

// lingerLeast is how long whoever led the end of a run stays, so that the others learn of it: they may not be enough to
// elect another that would tell them. Where one that is there has not learnt it by then, it stays for lingerMost: one
// that was away gets entries again after up to ten seconds.
const (
	lingerLeast = time.Second
	lingerMost  = 12 * time.Second
	lingerLook  = 50 * time.Millisecond
)

// linger waits until the other coordinators know how the run ended.
func (c *Coordinator) linger() {
	start := time.Now()
	for term, _ := c.node.Leadership(); term > 0 && c.node.Ended() && c.shared(); term, _ = c.node.Leadership() {
		if took := time.Since(start); took >= lingerMost || took >= lingerLeast && c.node.Told() {
			return
		}
		time.Sleep(lingerLook)
	}
}

// outcome is the end of a run that another coordinator led.
func (c *Coordinator) outcome() error {
	view, _ := c.node.View()
	c.follow()
	c.lastReport()
	if view.Phase != run.Failed {
		return nil
	}
	return &failure.Failure{What: "the run failed at step " + fmt.Sprint(view.Step), Why: view.Reason,
		Try: "coordinator events of the one that led it tells more", Code: max(failure.Internal, view.FailCode)}
}

// left says why this coordinator takes part no more.
func (c *Coordinator) left(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if f := c.diskFailure(err); f != nil {
		return f
	}
	gone := ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err()))
	if errors.Is(err, errHandOver) || c.opts.several() && gone {
		return &failure.Failure{What: fmt.Sprintf("coordinator %s was asked to go", c.opts.NodeID),
			Why: "the others go on without it, while most of them are there", Try: "the same command brings it back; " +
				"coordinator stop ends the run", Code: failure.Temporary, Err: err}
	}
	return early(ctx, err)
}

// shared reports whether another coordinator can lead.
func (c *Coordinator) shared() bool { return len(c.node.Members()) > 1 }

// adopt leaves the configuration of a run that others began in this coordinator's directory, which is one of the run
// from then on, for whoever reads it and for its next start. It refuses settings of another run at once: this one would
// come to nothing once it leads.
func (c *Coordinator) adopt(state *run.State) error {
	if c.begun || c.adopted || !c.opts.several() || state.Phase == "" {
		return nil
	}
	if err := sameRun(state.Settings, c.opts.Config, c.opts.RunDir); err != nil {
		return err
	}
	c.adopted = true
	if err := writeConfig(c.runDir, &c.opts); err != nil {
		return unwritable(err)
	}
	return nil
}

// takeOver is how a run is taken up that others have led and that goes on, or has just ended: nothing is changed.
func takeOver(state run.State, o *Options) (beginning, error) {
	if err := sameRun(state.Settings, o.Config, o.RunDir); err != nil {
		return beginning{}, err
	}
	return beginning{step: state.Step}, nil
}
