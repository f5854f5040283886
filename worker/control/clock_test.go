package control

import (
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/network/memory"
	pb "byol/proto"
)

// TestHeartbeatsTellOfClocks: how much later the worker hears the coordinator than that says to have spoken, on this
// stream; in fake time nothing takes any.
func TestHeartbeatsTellOfClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		a := serve(t, n, "a")
		defer a.stop()
		r, at := attached(t, n, a, "a:7000")
		if b := <-at.beats; b.SentUnixNanos != time.Now().UnixNano() || b.AliveLagNanos != 0 {
			t.Errorf("at first: %v", b)
		}
		const ahead = 7 * time.Second
		_ = at.stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Alive{
			Alive: &pb.Alive{SentUnixNanos: time.Now().Add(ahead).UnixNano()}}})
		if b := <-at.beats; b.SentUnixNanos != time.Now().UnixNano() || b.AliveLagNanos != -ahead.Nanoseconds() {
			t.Errorf("then: %v", b)
		}
		r.Close(&pb.Leave{})
	})
}
