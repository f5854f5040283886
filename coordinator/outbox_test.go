package coordinator

import (
	"errors"
	"testing"
	"testing/synctest"

	"byol/internal/vector"
	pb "byol/proto"
)

func planParcel(version int64) parcel {
	return parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: &pb.Plan{Version: version}}}}
}

// TestOutboxKeepsOrder sends plans and pieces of a target in the order in which they were pushed, a long piece in
// messages of at most a megabyte that are whole when put together, and ends after what was pushed before close.
func TestOutboxKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := make([]float32, 2*sliceElements+5)
		for i := range values {
			values[i] = float32(i)
		}
		o := newOutbox()
		var versions []int64
		var got []float32
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			o.deliver(func(m *pb.ToWorker) error {
				if s := m.GetSlice(); s != nil {
					if s.Generation != 4 || s.Step != 9 || s.Offset != int64(100+len(got)) || len(s.Data) > 4*sliceElements {
						t.Errorf("slice of generation %d step %d at %d, %d bytes", s.Generation, s.Step, s.Offset, len(s.Data))
					}
					got = append(got, vector.Floats(s.Data)...)
					versions = append(versions, -1)
				} else {
					versions = append(versions, m.GetPlan().Version)
				}
				return nil
			})
		}()
		o.push(planParcel(1))
		synctest.Wait() // it waits for more
		o.push(parcel{piece: &piece{generation: 4, step: 9, offset: 100, values: values}})
		o.push(planParcel(2))
		o.close()
		o.push(planParcel(3)) // too late
		<-ended
		if want := []int64{1, -1, -1, -1, 2}; len(versions) != len(want) || versions[0] != 1 || versions[4] != 2 {
			t.Errorf("sent %v, want %v", versions, want)
		}
		if vector.Digest(got) != vector.Digest(values) {
			t.Errorf("%d elements arrived, want the %d that were sent", len(got), len(values))
		}
	})
}

// TestOutboxOfADeadStream drops everything after the first error, and still ends when it is closed.
func TestOutboxOfADeadStream(t *testing.T) {
	o := newOutbox()
	for v := range int64(5) {
		o.push(planParcel(v))
	}
	o.close()
	calls := 0
	o.deliver(func(*pb.ToWorker) error {
		calls++
		return errors.New("dead")
	})
	if calls != 1 {
		t.Errorf("%d messages were sent on a dead stream", calls)
	}
}
