package control

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"byol/internal/vector"
	pb "byol/proto"
)

// Statement is something the run needs to hear.
type Statement struct {
	// Messages are sent in this order. The memory they point to must stay as it is while the statement stands.
	Messages []*pb.FromWorker
	// Settled reports whether a plan shows that the coordinator has heard the statement, or has no use for it any
	// more.
	Settled func(*pb.Plan) bool
}

// standing is a statement that has not been settled.
type standing struct {
	Statement
	said *stream // the newest stream it was said on
}

// outbox serialises what goes to the coordinator.
type outbox struct {
	sending sync.Mutex // held while a message or a statement is being sent

	mu       sync.Mutex // guards what follows; never held while sending
	stream   *stream    // nil: none now
	finished bool       // there will be none
	standing []*standing
}

// attach has s carry what is said from now on, unless all has been said.
func (o *outbox) attach(s *stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.finished {
		o.stream = s
	}
	return !o.finished
}

func (o *outbox) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream = nil
}

func (o *outbox) current() *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stream
}

// Say makes a statement: now, where there is a stream, and again on each new one until it is settled or withdrawn.
// After withdraw has returned, its memory is the caller's again.
func (l *Line) Say(s Statement) (withdraw func()) {
	for _, m := range s.Messages {
		bound(m)
	}
	o, st := &l.outbox, &standing{Statement: s}
	o.mu.Lock()
	o.standing = append(o.standing, st)
	o.mu.Unlock()
	if now := o.current(); now != nil {
		o.say(st, now)
	}
	return func() {
		o.drop(func(x *standing) bool { return x == st })
		o.sending.Lock() // who is saying it has finished
		defer o.sending.Unlock()
	}
}

// say says st on s, unless it was said there or does not stand any more. That s breaks is noticed by who receives.
func (o *outbox) say(st *standing, s *stream) {
	o.sending.Lock()
	defer o.sending.Unlock()
	o.mu.Lock()
	due := st.said != s && o.stream == s && slices.Contains(o.standing, st)
	if due {
		st.said = s
	}
	o.mu.Unlock()
	if !due {
		return
	}
	for _, m := range st.Messages {
		if s.Send(m) != nil {
			return
		}
	}
}

// repeat says on s what stands.
func (o *outbox) repeat(s *stream) {
	o.mu.Lock()
	all := slices.Clone(o.standing)
	o.mu.Unlock()
	for _, st := range all {
		o.say(st, s)
	}
}

// settle drops what plan p shows to have been heard.
func (o *outbox) settle(p *pb.Plan) { o.drop(func(st *standing) bool { return st.Settled(p) }) }

func (o *outbox) drop(which func(*standing) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.standing = slices.DeleteFunc(o.standing, which)
}

// Tell sends m where there is a stream. It may be lost.
func (l *Line) Tell(m *pb.FromWorker) {
	bound(m)
	l.outbox.tell(m)
}

func (o *outbox) tell(m *pb.FromWorker) {
	o.sending.Lock()
	defer o.sending.Unlock()
	if s := o.current(); s != nil {
		_ = s.Send(m) // who receives notices that the stream broke
	}
}

// finish sends a last message, and lets nothing follow it.
func (o *outbox) finish(m *pb.FromWorker) {
	bound(m)
	o.sending.Lock()
	defer o.sending.Unlock()
	o.mu.Lock()
	s := o.stream
	o.stream, o.finished = nil, true
	o.mu.Unlock()
	if s != nil {
		_ = s.Send(m)
		_ = s.CloseSend()
	}
}

// sliceBytes is the most data in one Slice message.
const sliceBytes = 1 << 20

// Slices are elements [off, off+len(x)) of a flat vector of step as messages. x is not copied.
func Slices(generation, step int64, off int, x []float32) []*pb.FromWorker {
	var out []*pb.FromWorker
	for len(x) > 0 {
		n := min(len(x), sliceBytes/4)
		s := &pb.Slice{Generation: generation, Step: step, Offset: int64(off), Data: vector.Bytes(x[:n])}
		out = append(out, &pb.FromWorker{Message: &pb.FromWorker_Slice{Slice: s}})
		off, x = off+n, x[n:]
	}
	return out
}

// textBytes is how long a text in a message may be: texts from outside (names of files, errors of libraries) know no
// bounds, and a message must not be refused for them.
const textBytes = 2000

// Text is s as it may be sent and logged: valid UTF-8, and not longer than anybody reads.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= textBytes {
		return s
	}
	cut := textBytes - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// bound bounds the texts of m that come from outside.
func bound(m *pb.FromWorker) {
	switch m := m.Message.(type) {
	case *pb.FromWorker_Leave:
		m.Leave.Reason, m.Leave.Hint = Text(m.Leave.Reason), Text(m.Leave.Hint)
	case *pb.FromWorker_ImageUnreadable:
		m.ImageUnreadable.Name, m.ImageUnreadable.Error = Text(m.ImageUnreadable.Name), Text(m.ImageUnreadable.Error)
	case *pb.FromWorker_EvalResult:
		m.EvalResult.Error = Text(m.EvalResult.Error)
	case *pb.FromWorker_CheckpointSaved:
		m.CheckpointSaved.Error = Text(m.CheckpointSaved.Error)
	case *pb.FromWorker_Ready:
		m.Ready.Problem = Text(m.Ready.Problem)
	case *pb.FromWorker_Complaint:
		m.Complaint.Reason, m.Complaint.Phase = Text(m.Complaint.Reason), Text(m.Complaint.Phase)
		m.Complaint.Address, m.Complaint.Hint = Text(m.Complaint.Address), Text(m.Complaint.Hint)
	case *pb.FromWorker_Leaving:
		m.Leaving.Reason = Text(m.Leaving.Reason)
	case *pb.FromWorker_TooLarge:
		m.TooLarge.Reason = Text(m.TooLarge.Reason)
	case *pb.FromWorker_Heartbeat:
		m.Heartbeat.Phase = Text(m.Heartbeat.Phase)
		m.Heartbeat.WaitingFor, m.Heartbeat.Device = Text(m.Heartbeat.WaitingFor), Text(m.Heartbeat.Device)
	}
}
