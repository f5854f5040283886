package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/spans"
)

// lastSpans is how long the end of a run waits for spans to be sent.
const lastSpans = 3 * time.Second

// openSpans begins to send spans to OpenTelemetry where the environment says so; end sends what is left. Whatever is
// wrong with it is in the log, and does not keep a run from training.
func openSpans(ctx context.Context, p *plan, log *zap.Logger) (s *spans.Spans, end func()) {
	s, err := spans.Open(ctx, spans.Options{Node: p.settings.NodeID, Version: buildName(), Log: log})
	if err != nil {
		log.Warn("no spans are sent to OpenTelemetry", zap.Error(err))
	}
	return s, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		s.Close(limited)
	}
}
