package network

import (
	"fmt"
	"time"
)

// Timeouts are all limits on failures, derived from the one that people set: how long something that lives may be
// silent.
type Timeouts struct {
	// Failure is --failure-timeout itself.
	Failure time.Duration
	// Heartbeat is the period in which everybody says that they live.
	Heartbeat time.Duration
	// Line is how long a connection may leave unacknowledged what was sent on it.
	Line time.Duration
	// Form is how long a worker tries to reach another one when a group forms.
	Form time.Duration
	// Fetch is how long all peers may give nothing of a state that is fetched.
	Fetch time.Duration
	// Plan is how long a worker whose group broke waits for a plan, and attached workers have to find a new leader.
	Plan time.Duration
	// Leader is how long one of several coordinators may say nothing before a worker asks the others: they lead sooner
	// than it is given up as lost, and give workers no longer than Plan.
	Leader time.Duration
	// Coordinators is how long a worker keeps its state and looks for a coordinator.
	Coordinators time.Duration
	// Stall is how long who judges others may have stood still itself before it gives all of them a new timeout.
	Stall time.Duration
}

const (
	// signs is how many heartbeats fit into the failure timeout: one may be late, and others be lost.
	signs = 5
	// patience is how many failure timeouts a worker looks for a coordinator: one takes some to start again.
	patience = 12
)

// TimeoutsOf derives all limits from the failure timeout.
func TimeoutsOf(failure time.Duration) Timeouts {
	return Timeouts{Failure: failure, Heartbeat: min(failure/signs, longestHeartbeat), Line: failure, Form: failure,
		Fetch: failure, Plan: failure, Leader: failure * 3 / signs,
		Coordinators: patience * failure, Stall: failure / 2}
}

// Timeout is a line of the table that people see.
type Timeout struct {
	Is    string
	After time.Duration
}

// String is the line in words.
func (t Timeout) String() string { return fmt.Sprintf("%-58s %v", t.Is, t.After) }

// Table lists what follows from the failure timeout, in words.
func (t Timeouts) Table() []Timeout {
	return []Timeout{
		{"a worker or coordinator says that it lives, each", t.Heartbeat},
		{"a worker that says nothing is lost after", t.Failure},
		{"a worker leaves a coordinator that says nothing after", t.Leader},
		{"a line that acknowledges nothing is dead after", t.Line},
		{"a peer that cannot be reached breaks the group after", t.Form},
		{"a peer that gives nothing of its state is left after", t.Fetch},
		{"a broken group, or a new leader, waits for workers", t.Plan},
		{"a worker without a coordinator keeps its state for", t.Coordinators},
		{"who stood still gives everybody a new timeout after", t.Stall},
	}
}
