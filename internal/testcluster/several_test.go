package testcluster

import (
	"fmt"
	"strings"
	"testing"
)

// TestSeveralWorkersInAProcess: eight workers in one, two, three and eight processes commit the same bits at every step
// and end with the same state, whether a process is killed or not; and what people read counts workers.
func TestSeveralWorkersInAProcess(t *testing.T) {
	want := undisturbed(t)
	for _, stands := range [][]int{{8}, {4, 4}, {2, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1}} {
		for _, script := range []string{"", "kill worker-0 at=bucket step=5 for=1s"} {
			t.Run(fmt.Sprintf("%v %s", stands, script), func(t *testing.T) {
				t.Parallel()
				d := scenario{script: script}.drama(t, 1)
				d.workers, d.stands = len(stands), stands
				inBubble(t, d, func(t *testing.T, p *play) {
					if differs := apart(want, p.prove(t)); differs != "" {
						t.Errorf("other bits than those of three workers: %s", differs)
					}
					p.counts(t, script != "")
				})
			})
		}
	}
}

// counts looks for the numbers of workers in what was told of a run of eight, in which perhaps the first process was
// killed.
func (p *play) counts(t *testing.T, killed bool) {
	t.Helper()
	name := "worker-0"
	if n := p.stands[0]; n > 1 {
		name = fmt.Sprintf("worker-0 (%d workers)", n)
	}
	wanted := []string{name + " joined", "8 workers hold the same state of step 0"}
	if left := 8 - p.stands[0]; killed && left > 0 {
		wanted = append(wanted, name+" was lost", fmt.Sprintf("%d workers hold the same state of step 5", left))
	}
	var all strings.Builder
	for _, e := range p.told(t) {
		fmt.Fprintln(&all, e.Text)
	}
	for _, text := range wanted {
		if !strings.Contains(all.String(), text) {
			t.Errorf("nobody was told %q:\n%s", text, all.String())
		}
	}
}
