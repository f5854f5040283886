package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// interval is "every so often" in steps, in time, or both: whichever comes first.
type interval struct {
	steps int64
	time  time.Duration
}

// parseInterval reads 5ep, 500, 500ba, 500steps, 15m, 0, or several of them joined by commas. stepsPerEpoch
// turns epochs into steps.
func parseInterval(text string, stepsPerEpoch float64) (interval, error) {
	var result interval
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		number, unit := splitUnit(part)
		value, err := strconv.ParseFloat(number, 64)
		if err != nil || value < 0 {
			return interval{}, fmt.Errorf("%q is neither epochs (5ep), steps (500) nor a time (15m)", part)
		}
		switch unit {
		case "ep", "epoch", "epochs":
			result.addSteps(stepsOf(value*stepsPerEpoch), value)
		case "", "ba", "step", "steps":
			result.addSteps(int64(value), value)
		default:
			every, err := time.ParseDuration(part)
			if err != nil {
				return interval{}, fmt.Errorf("%q is neither epochs (5ep), steps (500) nor a time (15m)", part)
			}
			if every > 0 && (result.time == 0 || every < result.time) {
				result.time = every
			}
		}
	}
	return result, nil
}

// stepsOf is a length of epochs in whole steps, rounded up: the last of several that fill a run then comes with its
// end, and not a step before it. (A run's length is rounded down.) What multiplication adds does not count.
func stepsOf(steps float64) int64 { return max(1, int64(math.Ceil(steps-1e-6))) }

// parseShare reads 1/64, 1 or 0 as one of how many: 64, 1, and 0 for none.
func parseShare(text string) (every int64, err error) {
	text = strings.ReplaceAll(text, " ", "")
	if text == "0" || text == "1" {
		return int64(text[0] - '0'), nil
	}
	below, ok := strings.CutPrefix(text, "1/")
	every, err = strconv.ParseInt(below, 10, 64)
	if !ok || err != nil || every < 1 {
		return 0, fmt.Errorf("%q is neither a share such as 1/64, nor 1 for all or 0 for none", text)
	}
	return every, nil
}

func (i *interval) addSteps(steps int64, value float64) {
	if value > 0 && steps > 0 && (i.steps == 0 || steps < i.steps) {
		i.steps = steps
	}
}

func splitUnit(s string) (number, unit string) {
	for i, r := range s {
		if (r < '0' || r > '9') && r != '.' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}
