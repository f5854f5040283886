package coordinator

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"byol/coordinator/launch"
	"byol/coordinator/lead"
	"byol/coordinator/run"
	"byol/internal/network"
)

// killAfter is how long a worker that was asked to end may take.
const killAfter = 3 * time.Second

// launch starts the workers of a local run.
func (c *Coordinator) launch() (*launch.Workers, error) {
	return launch.Start(launch.Options{Binary: c.opts.WorkerBinary, Args: c.opts.WorkerArgs,
		Processes: c.opts.processes(), Accelerators: c.opts.Accelerators,
		Coordinator: network.Dialable(c.Addr()), Threads: int(c.opts.Config.Threads),
		Logs: filepath.Join(c.runDir, "logs"), MaxRestarts: c.opts.MaxRestarts, Steps: c.worked.steps, Exited: c.exited,
		Keys: c.opts.WorkerKeys})
}

// exited tells people and the leader how a worker's process ended and what becomes of the worker.
func (c *Coordinator) exited(x launch.Exit) {
	if n := x.Next; n.Restart {
		name := fmt.Sprintf("worker-%d", x.Index)
		c.tell("worker-restarting", name, fmt.Sprintf("%s %s; restarting it in %v (%d of %d)",
			run.Named(name, c.opts.processes()[x.Index]), x.How(), n.After, n.Number, n.Limit))
	}
	e := lead.Exited{Index: x.Index, Code: x.Code, Restarting: x.Next.Restart, After: x.Next.After, Signalled: x.Signalled,
		Status: x.Status, Log: x.Log, Tail: x.Tail}
	_ = c.post(c.life, envelope{event: e}) // nobody listens any more when the run is over
}

// work counts in how many committed steps the worker of each index took part.
type work []atomic.Int64

// count adds a step for each of the group.
func (w work) count(group []run.Member) {
	for _, m := range group {
		if m.Wished >= 0 && m.Wished < len(w) {
			w[m.Wished].Add(1)
		}
	}
}

func (w work) steps(index int) int64 { return w[index].Load() }
