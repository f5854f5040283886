package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	pb "byol/proto"
)

// condition is what coordinator wait waits for.
type condition struct {
	text string
	// met reports whether a run has come so far, as its status says; first is the status that was seen first.
	met func(first, now *pb.Status) bool
}

// conditionsHelp says what may be waited for.
const conditionsHelp = "step=N, epoch=X, state=NAME, workers=N (at least so many are ready), gone=WORKER, " +
	"checkpoint (the next one) or checkpoint=N (of step N, or of a later one)"

// parseCondition reads what --for says.
func parseCondition(text string) (condition, error) {
	c := condition{text: text}
	kind, value, valued := strings.Cut(text, "=")
	n, notWhole := strconv.ParseInt(value, 10, 64)
	x, notNumber := strconv.ParseFloat(value, 64)
	whole := notWhole == nil && n >= 0
	state, known := stateOf(value)
	switch {
	case kind == "step" && whole:
		c.met = func(_, now *pb.Status) bool { return now.GetProgress().GetStep() >= n }
	case kind == "epoch" && notNumber == nil && x >= 0 && !math.IsInf(x, 0):
		c.met = func(_, now *pb.Status) bool { return now.GetProgress().GetEpoch() >= x }
	case kind == "state" && known:
		c.met = func(_, now *pb.Status) bool { return now.State == state }
	case kind == "workers" && whole:
		c.met = func(_, now *pb.Status) bool { return int64(now.GetCluster().GetWorkersReady()) >= n }
	case kind == "gone" && value != "":
		c.met = func(_, now *pb.Status) bool {
			return !slices.ContainsFunc(now.Workers, func(w *pb.Worker) bool { return w.Id == value })
		}
	case kind == "checkpoint" && whole:
		c.met = func(_, now *pb.Status) bool { return saved(now) && now.LastCheckpoint.Step >= n }
	case text == "checkpoint":
		c.met = func(first, now *pb.Status) bool {
			return saved(now) && (!saved(first) || now.LastCheckpoint.Step > first.LastCheckpoint.Step)
		}
	case kind == "state":
		return c, usage(fmt.Sprintf("--for cannot be %q: a run is never in state %q", text, value),
			"it is one of "+strings.Join(stateWords(), ", "), suggestion(value, stateWords(), "--for state=completed"))
	case valued:
		return c, usage(fmt.Sprintf("--for cannot be %q", text), "it is "+conditionsHelp, "--for step=1000")
	default:
		return c, usage(fmt.Sprintf("--for cannot be %q", text), "it is "+conditionsHelp,
			suggestion(text, conditionWords(), "--for step=1000"))
	}
	return c, nil
}

func saved(st *pb.Status) bool { return st.GetLastCheckpoint().GetPath() != "" }

// stateWords are the states of a run as --for takes them.
func stateWords() []string {
	var words []string
	for n := range len(pb.RunState_name) {
		if s := pb.RunState(n); s != pb.RunState_RUN_STATE_UNSPECIFIED {
			words = append(words, stateWord(s))
		}
	}
	return words
}

func stateWord(s pb.RunState) string { return strings.ReplaceAll(stateName(s), " ", "-") }

// stateOf is the state that a word names.
func stateOf(word string) (pb.RunState, bool) {
	for n := range pb.RunState_name {
		if s := pb.RunState(n); s != pb.RunState_RUN_STATE_UNSPECIFIED && stateWord(s) == word {
			return s, true
		}
	}
	return 0, false
}

// conditionWords are what completion offers.
func conditionWords() []string {
	words := []string{"step=", "epoch=", "workers=", "gone=", "checkpoint", "checkpoint="}
	for _, s := range stateWords() {
		words = append(words, "state="+s)
	}
	return words
}
