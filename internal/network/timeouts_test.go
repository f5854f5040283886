package network

import (
	"strings"
	"testing"
	"time"
)

// TestTimeoutsFollowFromOne, in an order that detection rests on: several signs of life fit into the timeout, and
// whoever looks for a coordinator outlives its start.
func TestTimeoutsFollowFromOne(t *testing.T) {
	for _, failure := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second, time.Minute} {
		d := TimeoutsOf(failure)
		if d.Failure != failure || d.Line != failure || d.Form != failure || d.Fetch != failure || d.Plan != failure ||
			d.Coordinators != 12*failure || d.Stall != failure/2 {
			t.Errorf("%v: got %+v", failure, d)
		}
		if d.Heartbeat <= 0 || d.Heartbeat > time.Second || d.Heartbeat*signs > failure || 2*d.Heartbeat > d.Stall {
			t.Errorf("%v: a heartbeat each %v", failure, d.Heartbeat)
		}
	}
}

func TestTheTableSaysThemAll(t *testing.T) {
	var lines []string
	for _, line := range TimeoutsOf(5 * time.Second).Table() {
		lines = append(lines, line.String())
	}
	text := strings.Join(lines, "\n")
	want := `a worker or coordinator says that it lives, each           1s
a worker that says nothing is lost after                   5s
a worker leaves a coordinator that says nothing after      3s
a line that acknowledges nothing is dead after             5s
a peer that cannot be reached breaks the group after       5s
a peer that gives nothing of its state is left after       5s
a broken group, or a new leader, waits for workers         5s
a worker without a coordinator keeps its state for         1m0s
who stood still gives everybody a new timeout after        2.5s`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
