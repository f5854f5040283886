package coordinator

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/failure"
	"byol/internal/network/memory"
)

// inBubble runs a coordinator and its workers in fake time, over a network in memory, and returns what Run did and how
// long it took.
func inBubble(t *testing.T, opts Options, bad int, d deed) (took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	opts.Network = memory.New().Host("127.0.0.1")
	w := full(t, opts, bad, d)
	err = w.end()
	return time.Since(began), err
}

// TestRunInFakeTime runs 20 steps, of which one takes ten minutes, in a moment.
func TestRunInFakeTime(t *testing.T) {
	opts := options(t, 3)
	synctest.Test(t, func(t *testing.T) {
		took, err := inBubble(t, opts, 1, deed{step: 7, delay: 10 * time.Minute})
		if err != nil {
			t.Errorf("the run ended with %v", err)
		}
		if took < 10*time.Minute || took > 11*time.Minute {
			t.Errorf("it took %v of fake time, want a little more than ten minutes", took)
		}
	})
	if n := len(digests(t, opts.RunDir)); n != 20 {
		t.Errorf("%d steps, want 20", n)
	}
	if text := read(t, opts.RunDir+"/events.jsonl"); strings.Count(text, `"no-progress"`) != 1 ||
		!strings.Contains(text, "step 7 waits for worker-1 for 1m0s") {
		t.Errorf("one complaint about worker-1 at step 7 is wanted:\n%s", text)
	}
}

// TestSilenceInFakeTime has a worker fall silent at step 3: it is found after the failure timeout, of which each value
// is kept to, and the other goes on alone.
func TestSilenceInFakeTime(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, 5 * time.Second, 10 * time.Minute} {
		opts := options(t, 2)
		opts.FailureTimeout = limit
		synctest.Test(t, func(t *testing.T) {
			took, err := inBubble(t, opts, 1, deed{step: 3, mute: true})
			if err != nil {
				t.Errorf("the run ended with %v", err)
			}
			if events := read(t, opts.RunDir+"/events.jsonl"); !strings.Contains(events, "worker-1 was not heard for") {
				t.Errorf("worker-1 is not named:\n%s", events)
			}
			if took < limit || took > limit+3*time.Second {
				t.Errorf("with a failure timeout of %v it took %v", limit, took)
			}
		})
	}
}

// TestJoinTimeoutInFakeTime waits ten minutes for a worker that never comes.
func TestJoinTimeoutInFakeTime(t *testing.T) {
	opts := options(t, 2)
	opts.JoinTimeout, opts.MinWorkers = 10*time.Minute, 2
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		opts.Network = memory.New().Host("127.0.0.1")
		w := begin(t, opts)
		w.worker(0, deed{step: -1})
		w.failed(failure.TooFew, "only 1 of 2 workers joined within 10m0s (missing: 1)")
		if took := time.Since(began); took < 10*time.Minute || took > 11*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
