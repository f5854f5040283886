// Package admin is the port on which a worker is looked at: metrics for Prometheus, and an answer for probes. Metrics
// are what a worker tells of itself; a Handler serves them over HTTP.
//
// Ownership. Metrics may be used from any goroutine; nil Metrics take everything and show nothing. A Handler starts no
// goroutine. Serve owns those of the HTTP server and ends when its context does.
//
// When it fails: nothing here can hold up or end a worker. Serve's error is the listener's.
package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"byol/internal/network/secure"
)

// What a stranger can have of the port.
const (
	headerLimit  = 5 * time.Second
	requestLimit = 30 * time.Second
	idleLimit    = time.Minute
	headerBytes  = 16 << 10
	mostScrapes  = 4
	farewell     = time.Second // for requests that are under way at the end
)

// Handler serves metrics to whoever may look: over TLS who shows a certificate, else whoever has reached the port by an
// address or a name of this machine, and not by a name that a page somewhere points here.
func Handler(m *Metrics, hostname string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	metrics := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: mostScrapes,
		Timeout: requestLimit})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		_, known := secure.Visitor(r.TLS)
		switch {
		case r.TLS != nil && !known:
			say(w, http.StatusUnauthorized, "a certificate of an observer or operator is needed: "+
				"coordinator certs issue --role observer --name NAME -o DIR")
		case r.TLS == nil && !ours(r.Host, hostname):
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

// ours reports whether a Host header cannot have been made by a stranger to point here: it is an address, has no dot,
// or is this machine's name.
func ours(host, hostname string) bool {
	name := strings.Trim(host, "[]")
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	_, err := netip.ParseAddr(name)
	return name != "" && (err == nil || !strings.Contains(name, ".") || strings.EqualFold(name, hostname))
}

// Port is where a Handler is served: over TLS where there is a configuration of it. What the HTTP server has to say of
// strangers it says to Log, in detail for those who look for it.
type Port struct {
	Listener net.Listener
	TLS      *tls.Config
	Log      *zap.Logger
}

// Serve serves h until ctx ends.
func (p Port) Serve(ctx context.Context, h http.Handler) error {
	quiet, err := zap.NewStdLogAt(p.Log, zap.DebugLevel)
	if err != nil {
		return fmt.Errorf("serve admin port: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerLimit, ReadTimeout: requestLimit,
		WriteTimeout: requestLimit, IdleTimeout: idleLimit, MaxHeaderBytes: headerBytes, TLSConfig: p.TLS, ErrorLog: quiet,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		if server.Shutdown(limited) != nil {
			_ = server.Close()
		}
	})
	defer stop()
	if p.TLS != nil {
		err = server.ServeTLS(p.Listener, "", "")
	} else {
		err = server.Serve(p.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve admin port: %w", err)
}
