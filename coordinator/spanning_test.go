package coordinator

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"byol/coordinator/spans"
	pb "byol/proto"
)

// collector receives spans as OpenTelemetry's do.
type collector struct {
	collectorpb.UnimplementedTraceServiceServer
	mu    sync.Mutex // guards what follows
	about map[string]string
	spans []*tracepb.Span
}

func (c *collector) Export(_ context.Context, r *collectorpb.ExportTraceServiceRequest) (
	*collectorpb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.ResourceSpans {
		c.about = attributes(of.GetResource().GetAttributes())
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

func attributes(all []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range all {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			m[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[a.Key] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_DoubleValue:
			m[a.Key] = fmt.Sprint(v.DoubleValue)
		}
	}
	return m
}

// collect starts a collector, and has the environment say where it is.
func collect(t *testing.T) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server, ended := &collector{}, grpc.NewServer(), make(chan error)
	collectorpb.RegisterTraceServiceServer(server, c)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	return c
}

// TestSpansOfARun has a collector hear of a run of which a worker dies at step 8 (as people count: 9).
func TestSpansOfARun(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	began := time.Now()
	s, err := spans.Open(t.Context(), spans.Options{Node: "coordinator-0", Version: "b1", Log: zap.NewNop()})
	if err != nil || s == nil {
		t.Fatalf("%v, %v", s, err)
	}
	opts := options(t, 2)
	opts.Spans = s
	w := full(t, opts, 1, deed{step: 8, die: true})
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	ended := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.about["service.name"] != spans.Service || c.about["deployment.environment.name"] != "test" ||
		c.about["service.instance.id"] != "coordinator-0" {
		t.Errorf("they are of %v", c.about)
	}
	steps, found := map[string]*tracepb.Span{}, map[string][]string{}
	for _, span := range c.spans {
		begin, end := time.Unix(0, int64(span.StartTimeUnixNano)), time.Unix(0, int64(span.EndTimeUnixNano))
		if begin.Before(began.Add(-time.Second)) || end.After(ended) || end.Before(begin) {
			t.Errorf("%s from %v to %v", span.Name, begin, end)
		}
		about := attributes(span.Attributes)
		if span.Name != spans.CommitName && about["byol.run_id"] != "test" {
			t.Errorf("%s of run %q", span.Name, about["byol.run_id"])
		}
		if span.Name == spans.StepName {
			steps[about["byol.step"]] = span
		}
		found[span.Name] = append(found[span.Name], about["byol.step"])
	}
	if len(steps) != 20 || len(found[spans.StepName]) != 20 || len(found[spans.CommitName]) != 20 {
		t.Errorf("steps %v, %d commits", found[spans.StepName], len(found[spans.CommitName]))
	}
	for _, step := range []string{"5", "10", "15", "20"} { // and one where only one worker holds the state
		if !slices.Contains(found[spans.CheckpointName], step) {
			t.Errorf("checkpoints of steps %v", found[spans.CheckpointName])
		}
	}
	if got := strings.Join(found[spans.RecoveryName], " "); got != "9" {
		t.Errorf("recoveries to steps %s", got)
	}
	c.related(t, steps)
	if a, b := attributes(steps["8"].GetAttributes()), attributes(steps["9"].GetAttributes()); a["byol.ranks"] != "2" ||
		b["byol.ranks"] != "1" || a["byol.generation"] >= b["byol.generation"] {
		t.Errorf("before the loss %v, after it %v", a, b)
	}
}

// TestSpansOfANewLeader has a coordinator lead, lose its office amid step 5 (as people count: 6), and get it back: the
// time from when another leader was heard last to the first step of the new term is one recovery.
func TestSpansOfANewLeader(t *testing.T) {
	c := collect(t)
	s, err := spans.Open(t.Context(), spans.Options{Node: "coordinator-0", Log: zap.NewNop()})
	if err != nil || s == nil {
		t.Fatalf("%v, %v", s, err)
	}
	opts := options(t, 2)
	opts.Spans = s
	amid, elected := make(chan struct{}), make(chan struct{})
	p := newPaper()
	p.elect()
	w := onPaper(t, opts, p)
	w.worker(0, deed{step: 5, stay: true, result: func(*pb.StepResult) {
		close(amid)
		<-elected
	}})
	w.worker(1, deed{step: -1, stay: true})
	<-amid
	p.depose()
	p.mu.Lock()
	p.heard = time.Now()
	p.mu.Unlock()
	p.elect()
	close(elected)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	steps := map[string]*tracepb.Span{}
	var recoveries []*tracepb.Span
	for _, span := range c.spans {
		switch span.Name {
		case spans.StepName:
			steps[attributes(span.Attributes)["byol.step"]] = span
		case spans.RecoveryName:
			recoveries = append(recoveries, span)
		}
	}
	if len(steps) != 20 || len(recoveries) != 1 {
		t.Fatalf("%d steps, recoveries %v", len(steps), recoveries)
	}
	got, first := recoveries[0], steps["6"]
	about := attributes(got.Attributes)
	if about["byol.cause"] != "leader-changed" || about["byol.term"] != "2" || about["byol.step"] != "6" ||
		about["byol.generation"] != attributes(first.Attributes)["byol.generation"] || about["byol.run_id"] != "test" {
		t.Errorf("a recovery of %v before step %v", about, attributes(first.Attributes))
	}
	if int64(got.StartTimeUnixNano) != p.heard.UnixNano() || got.EndTimeUnixNano != first.EndTimeUnixNano ||
		len(got.Links) != 1 || string(got.Links[0].SpanId) != string(first.SpanId) {
		t.Errorf("heard at %d, recovered %v with step %v", p.heard.UnixNano(), got, first)
	}
}

// related looks at what spans are below and linked to: a commit is part of its step, all else stands for itself.
func (c *collector) related(t *testing.T, steps map[string]*tracepb.Span) {
	t.Helper()
	byID := map[string]*tracepb.Span{}
	for _, span := range c.spans {
		byID[string(span.SpanId)] = span
	}
	for _, span := range c.spans {
		about := attributes(span.Attributes)
		parent, link := byID[string(span.ParentSpanId)], (*tracepb.Span)(nil)
		if len(span.Links) == 1 {
			link = byID[string(span.Links[0].SpanId)]
		}
		switch span.Name {
		case spans.CommitName:
			if parent.GetName() != spans.StepName || string(parent.TraceId) != string(span.TraceId) ||
				span.StartTimeUnixNano < parent.StartTimeUnixNano || span.EndTimeUnixNano > parent.EndTimeUnixNano {
				t.Errorf("commit of %v to %v under %v", span.StartTimeUnixNano, span.EndTimeUnixNano, parent)
			}
		case spans.RecoveryName:
			if parent != nil || about["byol.cause"] != "worker-lost" || about["byol.ranks"] != "1" ||
				about["byol.term"] == "" || link != steps["9"] ||
				span.StartTimeUnixNano > link.StartTimeUnixNano || span.EndTimeUnixNano != link.EndTimeUnixNano {
				t.Errorf("recovery %v under %v, linked to %v", span, parent, link)
			}
		case spans.CheckpointName:
			if parent != nil || link == nil || about["byol.checkpoint.path"] == "" || about["byol.worker"] == "" {
				t.Errorf("checkpoint %v under %v", about, parent)
			}
		default:
			if parent != nil || about["byol.images"] != "8" {
				t.Errorf("%s %v under %v", span.Name, slices.Sorted(maps.Keys(about)), parent)
			}
		}
	}
}
