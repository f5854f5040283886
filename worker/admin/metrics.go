package admin

import (
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	pb "byol/proto"
)

// Metrics are a worker's, since its process began.
type Metrics struct {
	registry *prometheus.Registry
	images   prometheus.Counter
	steps    prometheus.Counter
	phases   *prometheus.HistogramVec
	errors   *prometheus.CounterVec

	mu      sync.Mutex // guards what follows
	traffic traffic
	queue   func() int
}

// traffic counts the bytes of gradients and sums that go and come over sockets.
type traffic interface {
	Sent() int64
	Received() int64
}

// Why an image could not be used, as a label.
const (
	reasonTraining   = "unreadable"
	reasonEvaluation = "unreadable_evaluation"
)

// New returns those of a worker that has done nothing yet. build is this program's version.
func New(build string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(),
		images: prometheus.NewCounter(prometheus.CounterOpts{Name: "byol_worker_images_total",
			Help: "Images of this worker's shards in steps that were committed."}),
		steps: prometheus.NewCounter(prometheus.CounterOpts{Name: "byol_worker_steps_total",
			Help: "Committed steps that this worker took part in."}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "byol_worker_step_duration_seconds",
			Help:    "Time of a committed step by what this worker did, and did nothing else.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"phase"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "byol_worker_data_errors_total",
			Help: "Images that could not be used."}, []string{"reason"}),
	}
	for _, reason := range []string{reasonTraining, reasonEvaluation} {
		m.errors.WithLabelValues(reason)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "byol_worker_build_info", Help: "The program.",
		ConstLabels: prometheus.Labels{"version": build, "goversion": runtime.Version()}})
	info.Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info, m.images, m.steps, m.phases, m.errors,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "byol_worker_data_queue_samples",
			Help: "Images that are decoded and not yet used."}, m.queued))
	for direction, count := range map[string]func(traffic) int64{"sent": traffic.Sent, "received": traffic.Received} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "byol_worker_allreduce_bytes_total",
			Help:        "Bytes between workers over sockets; in common memory none go.",
			ConstLabels: prometheus.Labels{"direction": direction}}, func() float64 { return m.bytes(count) }))
	}
	return m
}

func (m *Metrics) queued() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue == nil {
		return 0
	}
	return float64(m.queue())
}

func (m *Metrics) bytes(count func(traffic) int64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.traffic == nil {
		return 0
	}
	return float64(count(m.traffic))
}

// Carries says what counts the bytes that this worker sends and receives.
func (m *Metrics) Carries(t interface {
	Sent() int64
	Received() int64
}) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.traffic = t
}

// Queues says what counts the images that are ready; nil: there are none.
func (m *Metrics) Queues(ready func() int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = ready
}

// Committed counts a step by the result that was committed.
func (m *Metrics) Committed(r *pb.StepResult) {
	if m == nil {
		return
	}
	m.steps.Inc()
	for _, s := range r.GetShards() {
		m.images.Add(float64(s.GetImages()))
	}
	for _, p := range r.GetPhases() {
		m.phases.WithLabelValues(p.GetPhase()).Observe(p.GetSeconds())
	}
}

// Unreadable counts an image that could not be decoded.
func (m *Metrics) Unreadable(evaluation bool) {
	if m == nil {
		return
	}
	reason := reasonTraining
	if evaluation {
		reason = reasonEvaluation
	}
	m.errors.WithLabelValues(reason).Inc()
}
