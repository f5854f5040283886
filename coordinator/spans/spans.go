// Package spans tells OpenTelemetry what a run spends its time on: a span for each committed step, and below it one for
// the agreement of coordinators on it; one for each checkpoint; and one for each recovery, from the moment a group
// broke, or the leader was lost, to the next committed step. They come from the coordinator that leads, when the
// environment says where to (OTEL_EXPORTER_OTLP_ENDPOINT and what else OpenTelemetry's own variables say).
//
// # Ownership
//
// A Spans belongs to the goroutine that tells it of a run; a nil one takes everything and costs nothing. Its exporter
// and its queue have goroutines of OpenTelemetry's, which Close ends.
//
// # When it fails
//
// A collector that does not answer neither slows nor stops a run: what is not sent waits in a queue that is bounded
// (OTEL_BSP_MAX_QUEUE_SIZE), beyond which it is lost. That nobody takes spans is logged once until somebody does again,
// and at the end how many were lost.
package spans

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// Service is the name of the service that spans are of, where OTEL_SERVICE_NAME says none.
const Service = "byol-coordinator"

// Names of spans.
const (
	StepName       = "step"
	CommitName     = "commit"
	CheckpointName = "checkpoint"
	RecoveryName   = "recovery"
)

// Spans sends spans of one run.
type Spans struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	sent     *counting
	last     trace.SpanContext // of the last step
}

// Options say who tells.
type Options struct {
	Node, Version string
	Log           *zap.Logger
}

// Wanted reports whether the environment asks for spans, and how they are to be sent: "grpc" or "http".
func Wanted(env func(string) string) (how string, wanted bool, err error) {
	set := func(names ...string) string {
		for _, name := range names {
			if text := strings.TrimSpace(env(name)); text != "" {
				return text
			}
		}
		return ""
	}
	exporter := strings.ToLower(set("OTEL_TRACES_EXPORTER"))
	endpoint := set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if strings.EqualFold(set("OTEL_SDK_DISABLED"), "true") || exporter == "none" || exporter == "" && endpoint == "" {
		return "", false, nil
	}
	if exporter != "" && exporter != "otlp" {
		return "", false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: otlp and none are known here", exporter)
	}
	switch protocol := set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "grpc":
		return "grpc", true, nil
	case "", "http/protobuf", "http/json":
		return "http", true, nil
	default:
		return "", false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: it is grpc, http/protobuf or http/json", protocol)
	}
}

// Open begins to send spans where the environment asks for it; else it returns nil.
func Open(ctx context.Context, o Options) (*Spans, error) {
	how, wanted, err := Wanted(os.Getenv)
	if err != nil || !wanted {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", Service),
		attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Node)),
		resource.WithHost(), resource.WithProcessPID(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	client := otlptracehttp.NewClient()
	if how == "grpc" {
		client = otlptracegrpc.NewClient()
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("open exporter: %w", err)
	}
	sent := &counting{SpanExporter: exporter, log: o.Log}
	s := &Spans{sent: sent, provider: sdktrace.NewTracerProvider(sdktrace.WithResource(about),
		sdktrace.WithSpanProcessor(sdktrace.NewBatchSpanProcessor(sent)))}
	s.tracer = s.provider.Tracer("byol/coordinator")
	o.Log.Info("spans are sent to OpenTelemetry", zap.String("protocol", how))
	return s, nil
}

// Place is where in a run something is.
type Place struct {
	Run        string
	Step       int64 // as people count: 1 is the first
	Generation int64
	Ranks      int // processes that take part
}

func (p Place) about(more ...attribute.KeyValue) []attribute.KeyValue {
	return append([]attribute.KeyValue{attribute.String("byol.run_id", p.Run), attribute.Int64("byol.step", p.Step),
		attribute.Int64("byol.generation", p.Generation), attribute.Int("byol.ranks", p.Ranks)}, more...)
}

// Step is a committed step.
type Step struct {
	Place
	Images           int64
	Loss             float64
	Begin, End       time.Time
	Asked, Committed time.Time // when coordinators were asked to agree on it, and when they had
	Phases           map[string]float64
}

// Stepped tells of a step.
func (s *Spans) Stepped(ctx context.Context, c Step) {
	if s == nil {
		return
	}
	about := c.about(attribute.Int64("byol.images", c.Images), attribute.Float64("byol.loss", c.Loss))
	for name, seconds := range c.Phases {
		about = append(about, attribute.Float64("byol.phase."+name+".seconds", seconds))
	}
	ctx, step := s.begin(ctx, StepName, c.Begin, about)
	_, commit := s.tracer.Start(ctx, CommitName, trace.WithTimestamp(c.Asked))
	s.end(commit, c.Committed)
	s.last = step.SpanContext()
	s.end(step, c.End)
}

// Checkpoint is one that was written, or that could not be. Its step is how many are in it.
type Checkpoint struct {
	Place
	Worker     string // that wrote it
	Path       string
	Bytes      uint64
	Begin, End time.Time
	Problem    string // why it is not there, "" where it is
}

// Saved tells of a checkpoint.
func (s *Spans) Saved(ctx context.Context, c Checkpoint) {
	if s == nil {
		return
	}
	_, span := s.begin(ctx, CheckpointName, c.Begin, c.about(attribute.String("byol.worker", c.Worker),
		attribute.String("byol.checkpoint.path", c.Path), attribute.Int64("byol.checkpoint.bytes", int64(c.Bytes))))
	s.link(span)
	if c.Problem != "" {
		span.SetStatus(codes.Error, c.Problem)
	}
	s.end(span, c.End)
}

// Recovery is the time from when a group broke, or the leader before was heard last, to the next step that was
// committed, of which Place speaks.
type Recovery struct {
	Place
	Term       uint64 // of whoever leads
	Cause      string
	Begin, End time.Time
}

// Recovered tells of a recovery, behind the step that ended it.
func (s *Spans) Recovered(ctx context.Context, c Recovery) {
	if s == nil {
		return
	}
	_, span := s.begin(ctx, RecoveryName, c.Begin, c.about(attribute.String("byol.cause", c.Cause),
		attribute.Int64("byol.term", int64(c.Term))))
	s.link(span)
	s.end(span, c.End)
}

// begin begins a trace.
func (s *Spans) begin(ctx context.Context, name string, at time.Time, about []attribute.KeyValue) (context.Context,
	trace.Span) {
	return s.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithTimestamp(at), trace.WithAttributes(about...))
}

func (s *Spans) end(span trace.Span, at time.Time) {
	if span.SpanContext().IsSampled() {
		s.sent.ended.Add(1)
	}
	span.End(trace.WithTimestamp(at))
}

// link leads from a span to the last step, if there is one.
func (s *Spans) link(span trace.Span) {
	if s.last.IsValid() {
		span.AddLink(trace.Link{SpanContext: s.last})
	}
}

// Close sends what waits, for as long as ctx lasts, and says what was lost.
func (s *Spans) Close(ctx context.Context) {
	if s == nil {
		return
	}
	err := s.provider.Shutdown(ctx)
	if lost := s.sent.ended.Load() - s.sent.taken.Load(); lost > 0 {
		s.sent.log.Warn("spans were lost", zap.Int64("lost", lost), zap.Int64("of", s.sent.ended.Load()), zap.Error(err))
	}
}

// counting counts what an exporter sends. Its errors are told once until it sends something again; nobody else hears
// of them.
type counting struct {
	sdktrace.SpanExporter
	log          *zap.Logger
	ended, taken atomic.Int64 // spans
	failing      atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (c *counting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := c.SpanExporter.ExportSpans(ctx, spans); err != nil {
		if !c.failing.Swap(true) {
			c.log.Warn("spans cannot be sent; the run goes on without", zap.Error(err))
		}
		return nil
	}
	c.taken.Add(int64(len(spans)))
	if c.failing.Swap(false) {
		c.log.Info("spans are sent again")
	}
	return nil
}
