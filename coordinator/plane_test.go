package coordinator

import (
	"testing"

	"byol/coordinator/lead"
	"byol/coordinator/target"
	"byol/internal/vector"
	pb "byol/proto"
)

// TestIntakeResumes has stream 2 of ranks 0 and 1 (streams 1 and 2) break off after some slices, and stream 3 take its
// place: what is told of the slices that it sends, from its start.
func TestIntakeResumes(t *testing.T) {
	const half = vector.Block / 2 * 4 // bytes
	whole := lead.Whole{Stream: 3, Generation: 5, Step: 7}
	misplaced := lead.Misplaced{Stream: 3, Generation: 5, Step: 7}
	for _, c := range []struct {
		name   string
		before int // halves of the span
		shut   bool
		was    lead.Stream
		want   [2]lead.Event
	}{
		{"nothing had come", 0, false, 2, [2]lead.Event{nil, whole}},
		{"half had come", 1, false, 2, [2]lead.Event{nil, whole}},
		{"all had come", 2, false, 2, [2]lead.Event{nil, nil}},
		{"all had come, and is weighed", 2, true, 2, [2]lead.Event{misplaced, misplaced}},
		{"half had come, and is dropped", 1, true, 2, [2]lead.Event{misplaced, misplaced}},
		{"it had no place", 1, false, 9, [2]lead.Event{misplaced, misplaced}},
	} {
		tg, err := target.New(2*vector.Block, 2)
		if err != nil {
			t.Fatal(err)
		}
		tg.BeginRestore()
		var in intake
		in.admit(tg, 5, 7, map[lead.Stream]int{1: 0, 2: 1})
		send := func(from lead.Stream, i int) lead.Event {
			return in.put(from, &pb.Slice{Generation: 5, Step: 7, Offset: vector.Block + int64(i)*half/4,
				Data: make([]byte, half)})
		}
		for i := range c.before {
			send(2, i)
		}
		if c.shut {
			in.shut()
		}
		in.resume(c.was, 3)
		for i, want := range c.want {
			if got := send(3, i); got != want {
				t.Errorf("%s: half %d again: got %+v, want %+v", c.name, i, got, want)
			}
		}
		if got := send(2, 0); c.was == 2 && got != (lead.Misplaced{Stream: 2, Generation: 5, Step: 7}) {
			t.Errorf("%s: a slice of the stream that broke: got %+v, want it misplaced", c.name, got)
		}
	}
}
