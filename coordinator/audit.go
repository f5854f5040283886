package coordinator

import (
	"context"
	"fmt"

	"go.uber.org/zap"
	grpcstatus "google.golang.org/grpc/status"

	"byol/coordinator/lead"
)

// wish is something that an operator asked for.
type wish struct {
	kind    string // of its event
	request string // "" where it has none
	worker  string // whom it is about, "" for nobody
	text    string
	again   bool // it was asked for before, by the same request
	err     error
}

// audit writes down who asked for what, and whether it was done: in the log, always; as an event, where it is news. It
// names the place in the raft log behind which it holds.
func (c *Coordinator) audit(ctx context.Context, d wish) {
	who, index := callerName(ctx), c.node.Info().CommitIndex
	outcome := "done"
	if d.again {
		outcome = "done before"
	}
	if d.err != nil {
		outcome = "refused: " + lead.Plain(grpcstatus.Convert(d.err).Message(), maxShown)
	}
	request := lead.Plain(d.request, maxShown)
	c.scribe.do(func() {
		c.opts.Log.Info("audit", zap.String("who", who), zap.String("what", d.kind), zap.String("request", request),
			zap.Uint64("index", index), zap.String("outcome", outcome))
	})
	if d.err != nil || d.again {
		return
	}
	named := ""
	if request != "" {
		named = fmt.Sprintf("request %s, ", request)
	}
	c.tell(d.kind, d.worker, fmt.Sprintf("%s: asked by %s (%slog entry %d)", d.text, who, named, index))
}
