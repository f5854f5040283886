package trace

import (
	"cmp"
	"slices"
	"time"

	pb "byol/proto"
)

// Span is a time in which a worker did one thing, by the coordinator's clock.
type Span struct {
	Worker     string
	Rank       int
	Generation int64
	Step       int64 // as people count
	Name       string
	Begin      time.Time
	Length     time.Duration
}

// kind is what a worker can be seen at, in the order in which a step has it.
type kind struct {
	name  string // as workers say it
	title string
	// beside says that it goes on while the worker does something else.
	beside bool
}

var kinds = []kind{
	{name: "data", title: "waiting for data"},
	{name: "forward", title: "forward"},
	{name: "sync", title: "waiting for BN sums"},
	{name: "backward", title: "backward"},
	{name: "bucket", title: "summing a bucket", beside: true},
	{name: "ring", title: "waiting for buckets' sums"},
	{name: "update", title: "update"},
	{name: "committing", title: "commit, in all", beside: true},
	{name: "commit", title: "waiting for the commit"},
	{name: "sharing", title: "target round the ring", beside: true},
	{name: "broadcast", title: "waiting for the target"},
	{name: "evaluate", title: "evaluation"},
	{name: "checkpoint", title: "writing a checkpoint", beside: true},
}

// other is the kind of all that is none of kinds: forming a group, restoring, waiting for a plan.
var other = len(kinds)

func kindOf(name string) int {
	if i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }); i >= 0 {
		return i
	}
	return other
}

// title is what people read.
func title(name string) string {
	if i := kindOf(name); i < other {
		return kinds[i].title
	}
	return name
}

// spansOf are those of a record. Step 0 is what was done before the first.
func spansOf(r *pb.TraceRecord) []Span {
	t := r.GetTrace()
	begin := time.Unix(0, t.GetBeginUnixNanos()).Add(time.Duration(r.GetOffsetNanos()))
	out := make([]Span, 0, len(t.GetSpans()))
	for _, s := range t.GetSpans() {
		out = append(out, Span{Worker: r.GetWorker(), Rank: int(r.GetRank()), Generation: r.GetGeneration(),
			Step: r.GetStep() + s.GetAhead() + 1, Name: t.GetNames()[s.GetName()],
			Begin:  begin.Add(time.Duration(s.GetBeginMicros()) * time.Microsecond),
			Length: time.Duration(s.GetMicros()) * time.Microsecond})
	}
	return out
}

// attempt tells one trace from another: a result is said again on a new stream.
type attempt struct {
	worker           string
	generation, step int64
	begin            int64
}

// distinct are the spans of records, each once, in the order of their begins.
func distinct(records []*pb.TraceRecord) []Span {
	seen := map[attempt]bool{}
	var out []Span
	for _, r := range records {
		a := attempt{r.GetWorker(), r.GetGeneration(), r.GetStep(), r.GetTrace().GetBeginUnixNanos()}
		if !seen[a] {
			seen[a] = true
			out = append(out, spansOf(r)...)
		}
	}
	slices.SortStableFunc(out, func(a, b Span) int { return a.Begin.Compare(b.Begin) })
	return out
}

// Steps are the first and the last step of which there are records; ok is false where there is none.
func Steps(records []*pb.TraceRecord) (first, last int64, ok bool) {
	if len(records) == 0 {
		return 0, 0, false
	}
	byStep := func(a, b *pb.TraceRecord) int { return cmp.Compare(a.GetStep(), b.GetStep()) }
	return slices.MinFunc(records, byStep).GetStep() + 1, slices.MaxFunc(records, byStep).GetStep() + 1, true
}
