package admin

import (
	"fmt"
	"time"

	pb "byol/proto"
)

// staleAfter is how old the newest status of a coordinator that is well can be: it makes one each time it looks at the
// clock, four times a second.
const staleAfter = 10 * time.Second

// notReady says why a coordinator should not be asked anything at present, "" for one that is fine: it or another
// leads, it has what that one has said, and it goes on. That a step takes long is no reason: whoever wants to know why
// must reach it.
func notReady(s *pb.Status, now time.Time) string {
	age := time.Duration(0)
	if s.GetAsOf().IsValid() {
		age = now.Sub(s.GetAsOf().AsTime())
	}
	switch {
	case s.GetState() == pb.RunState_RUN_STATE_UNSPECIFIED:
		return "the run has not begun"
	case s.GetCluster().GetLeaderId() == "":
		return "no coordinator leads: " + s.GetStateReason()
	case s.GetStale() && s.GetAge().AsDuration() > staleAfter:
		return fmt.Sprintf("nothing was heard of the leader for %v", s.GetAge().AsDuration().Round(time.Second))
	case age > staleAfter && !over(s.GetState()):
		return fmt.Sprintf("this coordinator has stood still for %v", age.Round(time.Second))
	}
	return ""
}

// over reports whether a run in that state has ended.
func over(s pb.RunState) bool {
	switch s {
	case pb.RunState_RUN_STATE_COMPLETED, pb.RunState_RUN_STATE_STOPPED, pb.RunState_RUN_STATE_FAILED:
		return true
	}
	return false
}
