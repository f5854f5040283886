// Package admin is the port on which a worker is looked at: metrics for Prometheus, and an answer for probes. Metrics
// are what a worker tells of itself; a Handler serves them over HTTP.
//
// Ownership. Metrics may be used from any goroutine; nil Metrics take everything and show nothing. A Handler starts no
// goroutine; who serves it (internal/network/web) bounds connections and times.
//
// When it fails: nothing here can hold up or end a worker.
package admin

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"byol/internal/network/secure"
	"byol/internal/network/web"
)

// mostScrapes is how many may be answered at the same time.
const mostScrapes = 4

// Handler serves metrics to whoever may look: over TLS who shows a certificate, else whoever has reached the port by an
// address or a name of this machine, and not by a name that a page somewhere points here.
func Handler(m *Metrics, hostname string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	metrics := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: mostScrapes,
		Timeout: web.RequestLimit})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		_, known := secure.Visitor(r.TLS)
		switch {
		case r.TLS != nil && !known:
			say(w, http.StatusUnauthorized, "a certificate of an observer or operator is needed: "+
				"coordinator certs issue --role observer --name NAME -o DIR")
		case r.TLS == nil && !web.OwnHost(r.Host, hostname):
			say(w, http.StatusMisdirectedRequest, "no worker of that name is here: use its address, or localhost")
		default:
			metrics.ServeHTTP(w, r)
		}
	})
	return mux
}

// say answers with a line.
func say(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, line+"\n") // who reads has gone
}
