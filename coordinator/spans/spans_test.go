package spans

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"
)

// TestWanted: which variables ask for spans, and how they go.
func TestWanted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ env, how, err string }{
		{"", "", ""},
		{"OTEL_SERVICE_NAME=x OTEL_RESOURCE_ATTRIBUTES=a=b", "", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "http", ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/v1/traces", "http", ""},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c:4318", "", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "grpc", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json",
			"http", ""},
		{"OTEL_TRACES_EXPORTER=otlp", "http", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_TRACES_EXPORTER=none", "", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_SDK_DISABLED=TRUE", "", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_SDK_DISABLED=false", "http", ""},
		{"OTEL_TRACES_EXPORTER=zipkin", "", "otlp and none"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=udp", "", "http/protobuf"},
	} {
		env := map[string]string{}
		for _, word := range strings.Fields(c.env) {
			key, value, _ := strings.Cut(word, "=")
			env[key] = value
		}
		how, wanted, err := Wanted(func(name string) string { return env[name] })
		if how != c.how || wanted != (c.how != "") || (err != nil) != (c.err != "") ||
			err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v, %v", c.env, how, wanted, err)
		}
	}
}

// quietly clears OpenTelemetry's variables.
func quietly(t *testing.T) {
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
}

// TestNobodyAsks: without the variables there is nothing, which takes everything.
func TestNobodyAsks(t *testing.T) {
	quietly(t)
	before := runtime.NumGoroutine()
	s, err := Open(t.Context(), Options{Log: zap.NewNop()})
	if s != nil || err != nil || runtime.NumGoroutine() != before {
		t.Errorf("%v, %v, %d goroutines, %d before", s, err, runtime.NumGoroutine(), before)
	}
	if n := testing.AllocsPerRun(10, func() {
		s.Stepped(context.Background(), Step{})
		s.Saved(context.Background(), Checkpoint{})
		s.Recovered(context.Background(), Recovery{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	s.Close(t.Context())
}

// TestOverHTTP sends spans by the protocol that is the default, to a collector that first is busy.
func TestOverHTTP(t *testing.T) {
	quietly(t)
	var calls, got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m collectorpb.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &m) != nil {
			t.Errorf("%s, %v", r.URL.Path, err)
		}
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusBadRequest) // which is not tried again
			return
		}
		for _, of := range m.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				got.Add(int64(len(scope.Spans)))
			}
		}
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	seen, log := told()
	s, err := Open(t.Context(), Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // with their commits twenty spans
		s.Stepped(t.Context(), Step{})
	}
	for range 6000 {
		if calls.Load() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.Recovered(t.Context(), Recovery{})
	s.Close(t.Context())
	want := "spans are sent to OpenTelemetry|spans cannot be sent; the run goes on without|spans are sent again|" +
		"spans were lost"
	if text := seen(); text != want || got.Load()+lost(t, s) != 21 || lost(t, s) == 0 {
		t.Errorf("%d of 21 spans came, %d are lost; told %s", got.Load(), lost(t, s), text)
	}
}

func lost(t *testing.T, s *Spans) int64 {
	t.Helper()
	return s.sent.ended.Load() - s.sent.taken.Load()
}

// told is a log, and what it says.
func told() (func() string, *zap.Logger) {
	core, logs := observer.New(zap.InfoLevel)
	return func() string {
		var lines []string
		for _, e := range logs.All() {
			lines = append(lines, e.Message)
		}
		return strings.Join(lines, "|")
	}, zap.New(core)
}

// TestNobodyCollects: a collector that takes calls and never answers holds nobody up; what waits is bounded, the rest
// is lost and counted, and the end comes when it has to.
func TestNobodyCollects(t *testing.T) {
	quietly(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // connections are taken, and nobody speaks
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
		t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
		seen, log := told()
		s, err := Open(t.Context(), Options{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		for range 10_000 {
			s.Stepped(t.Context(), Step{})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		s.Close(ctx)
		if ctx.Err() == nil {
			t.Errorf("%s: it ended before it had to", protocol)
		}
		cancel()
		if n := lost(t, s); n != 20_000 || !strings.HasSuffix(seen(), "spans were lost") {
			t.Errorf("%s: %d spans are lost; told %s", protocol, n, seen())
		}
	}
}
