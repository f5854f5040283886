package lead

import (
	"fmt"
	"slices"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// A straggler is a worker whose own work on a shard takes stragglesAt times the median's, straggleSteps steps in a row.
// Phases in which workers wait for one another say nothing: there it is the others that are slow.
const (
	stragglesAt   = 2
	straggleSteps = 3
	// straggleLeast is a difference that nobody cares about.
	straggleLeast = 20 * time.Millisecond
)

// ownWork are the phases in which a worker waits for nobody.
var ownWork = []string{"data", "forward", "backward", "update"}

// work is what a worker took for each of its shards, and which phase took it most.
type work struct {
	m     *member
	spent time.Duration
	most  Phase
}

// stragglers looks at the results of the step that is being committed.
func (l *Lead) stragglers() {
	var all []work
	for _, m := range l.group() {
		w := work{m: m}
		for _, p := range m.result.Phases {
			if !slices.Contains(ownWork, p.Name) {
				continue
			}
			w.spent += time.Duration(p.Seconds / float64(max(1, len(m.result.Shards))) * float64(time.Second))
			if p.Seconds > w.most.Seconds {
				w.most = p
			}
		}
		all = append(all, w)
	}
	l.paces(all)
	sorted := slices.SortedFunc(slices.Values(all), func(a, b work) int { return int(a.spent - b.spent) })
	median := sorted[(len(sorted)-1)/2].spent
	for _, w := range all {
		if slow := w.spent > stragglesAt*median && w.spent-median > straggleLeast; !slow {
			w.m.slow = 0
			continue
		}
		w.m.slow++
		if w.m.slow == straggleSteps {
			l.straggles(w, median)
		}
	}
}

// straggles names a slow worker, and sends it off for a while where that was asked for and others can go on.
func (l *Lead) straggles(w work, median time.Duration) {
	text := fmt.Sprintf("%s takes %v for a shard, the median is %v, for %d steps; most of it in phase %s", w.m.named(),
		w.spent.Round(time.Millisecond), median.Round(time.Millisecond), straggleSteps, w.most.Name)
	l.tell("straggler", string(w.m.id), "%s", text)
	staying := run.Together(l.view.Group()) - max(1, w.m.join.Workers)
	if !l.set.EvictStragglers || staying < max(1, l.view.Settings.MinWorkers) {
		return
	}
	l.bench(w.m.id)
	l.tell("worker-evicted", string(w.m.id), "%s is left out for now: it holds up the others", w.m.id)
	l.later(run.Leave{Worker: w.m.id, Reason: Plain((&failure.Failure{What: text}).Error(), run.MaxText)})
}

// Shards are dealt out by speed where that was asked for and the slowest member would be done in balanceAt of the time.
const (
	balanceSteps = 10 // that a member's speed is taken over
	balanceAt    = 0.9
)

// paces notes what each member of the group takes for a shard, and has shards dealt out again where that is worth it.
func (l *Lead) paces(all []work) {
	if !l.set.BalanceSpeed || l.view.DealWanted {
		return
	}
	now, wished := slices.Clone(l.view.Group()), slices.Clone(l.view.Group())
	c := run.Balance{Generation: l.view.Generation}
	for _, w := range all {
		w.m.paced = append(w.m.paced, w.spent)
		if n := len(w.m.paced); n > balanceSteps {
			w.m.paced = w.m.paced[n-balanceSteps:]
		}
	}
	for i, w := range all {
		if len(w.m.paced) < balanceSteps {
			return
		}
		sorted := slices.Sorted(slices.Values(w.m.paced))
		speed := int64(1000 / max(sorted[len(sorted)/2].Seconds(), 1e-6))
		wished[i].Speed = max(1, speed)
		now[i].Speed = wished[i].Speed
		c.Speeds = append(c.Speeds, run.Speed{Worker: w.m.id, Speed: wished[i].Speed})
	}
	before := 0.0
	for _, o := range now {
		before = max(before, float64(o.ShardEnd-o.ShardBegin)/float64(o.Speed))
	}
	if run.Slowest(l.view.Settings.Shards, wished) < balanceAt*before {
		l.tell("shards-balanced", "", "shards are dealt out by speed: the slowest worker is expected to take %.2f "+
			"of its time",
			run.Slowest(l.view.Settings.Shards, wished)/before)
		l.later(c)
	}
}
