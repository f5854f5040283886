package admin

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/zap"

	"byol/internal/network/web"

	pb "byol/proto"
)

// carried is traffic of a fixed size.
type carried struct{}

func (carried) Sent() int64     { return 5 }
func (carried) Received() int64 { return 7 }

// worked are the metrics of a worker that has done something of everything.
func worked() *Metrics {
	m := New("v1")
	m.Carries(carried{})
	m.Queues(func() int { return 12 })
	for range 2 {
		m.Committed(&pb.StepResult{Shards: []*pb.ShardResult{{Images: 4}, {Images: 4}},
			Phases: []*pb.PhaseSeconds{{Phase: "data", Seconds: 0.5}, {Phase: "forward", Seconds: 0.25}}})
	}
	m.Unreadable(false)
	m.Unreadable(true)
	m.Unreadable(true)
	return m
}

// TestMetrics has the values of what was done; names and helps are as Prometheus wants them.
func TestMetrics(t *testing.T) {
	m := worked()
	want := `
# HELP byol_worker_allreduce_bytes_total Bytes between workers over sockets; in common memory none go.
# TYPE byol_worker_allreduce_bytes_total counter
byol_worker_allreduce_bytes_total{direction="received"} 7
byol_worker_allreduce_bytes_total{direction="sent"} 5
# HELP byol_worker_data_errors_total Images that could not be used.
# TYPE byol_worker_data_errors_total counter
byol_worker_data_errors_total{reason="unreadable"} 1
byol_worker_data_errors_total{reason="unreadable_evaluation"} 2
# HELP byol_worker_data_queue_samples Images that are decoded and not yet used.
# TYPE byol_worker_data_queue_samples gauge
byol_worker_data_queue_samples 12
# HELP byol_worker_images_total Images of this worker's shards in steps that were committed.
# TYPE byol_worker_images_total counter
byol_worker_images_total 16
# HELP byol_worker_steps_total Committed steps that this worker took part in.
# TYPE byol_worker_steps_total counter
byol_worker_steps_total 2
`
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), "byol_worker_allreduce_bytes_total",
		"byol_worker_data_errors_total", "byol_worker_data_queue_samples", "byol_worker_images_total",
		"byol_worker_steps_total"); err != nil {
		t.Error(err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	docs, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "byol_") {
			ours++
			if !strings.Contains(string(docs), "`"+f.GetName()) {
				t.Errorf("docs/monitoring.md does not have %s", f.GetName())
			}
		}
	}
	if ours != 7 {
		t.Errorf("%d metrics of ours", ours)
	}
	m.Queues(nil)
	if got := m.queued(); got != 0 {
		t.Errorf("%v images are ready where nobody loads", got)
	}
}

// TestNobodyLooks: nil takes everything.
func TestNobodyLooks(*testing.T) {
	var m *Metrics
	m.Carries(carried{})
	m.Queues(nil)
	m.Committed(&pb.StepResult{})
	m.Unreadable(true)
}

// TestWhoMayLook at a port without TLS by its own names, and with TLS by a certificate; probes always.
func TestWhoMayLook(t *testing.T) {
	h := Handler(worked(), "node-3.lab.example")
	for _, c := range []struct {
		host, path string
		tls        bool
		want       int
	}{
		{"127.0.0.1:9091", "/metrics", false, 200},
		{"[::1]:9091", "/metrics", false, 200},
		{"localhost", "/metrics", false, 200},
		{"Node-3.lab.example:9091", "/metrics", false, 200},
		{"evil.example:9091", "/metrics", false, 421},
		{"", "/metrics", false, 421},
		{"127.0.0.1", "/metrics", true, 401},
		{"evil.example", "/healthz", false, 200},
		{"127.0.0.1", "/healthz", true, 200},
		{"127.0.0.1", "/", false, 404},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		if r.Host = c.host; c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

// TestServe answers over a socket until its context ends.
func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- web.Port{Listener: l, Log: zap.NewNop()}.Serve(ctx, Handler(worked(), "")) }()
	r, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil || !strings.Contains(string(text), "byol_worker_images_total 16\n") {
		t.Errorf("%v\n%s", err, text)
	}
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it goes on")
	}
}
