// Package web is a port that is looked at by browsers and by programs that collect figures: how long a request may
// take, how many connections there may be, and whether a request names this machine.
//
// Ownership. Serve owns the goroutines of the HTTP server and ends when its context does. The rest are functions of
// values.
//
// When it fails: Serve's error is the listener's. A connection too many is closed at once; of a request that is broken
// off, the log says so in detail for those who look for it.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// RequestLimit is how long a request may take to be read and, where it is no stream, to be answered.
const RequestLimit = 30 * time.Second

// MostConnections is how many there may be at a port.
const MostConnections = 256

// What else a stranger can have of a port.
const (
	headerLimit = 5 * time.Second
	idleLimit   = time.Minute
	headerBytes = 16 << 10
	farewell    = time.Second // for requests that are under way at the end
)

// Port is where a handler is served: over TLS where there is a configuration of it. What the HTTP server has to say of
// strangers it says to Log.
type Port struct {
	Listener net.Listener
	TLS      *tls.Config
	Log      *zap.Logger
	Streams  bool // answers may go on for as long as who reads them wishes
}

// Serve serves h until ctx ends.
func (p Port) Serve(ctx context.Context, h http.Handler) error {
	quiet, err := zap.NewStdLogAt(p.Log, zap.DebugLevel)
	if err != nil {
		return fmt.Errorf("serve web port: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerLimit, ReadTimeout: RequestLimit, IdleTimeout: idleLimit,
		MaxHeaderBytes: headerBytes, TLSConfig: p.TLS, ErrorLog: quiet,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	if !p.Streams {
		server.WriteTimeout = RequestLimit
	}
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		if server.Shutdown(limited) != nil {
			_ = server.Close()
		}
	})
	defer stop()
	l := &few{Listener: p.Listener}
	if p.TLS != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve web port: %w", err)
}

// few is a listener with so many connections at most: of more the newest is closed at once.
type few struct {
	net.Listener
	open atomic.Int64
}

// Accept implements net.Listener.
func (l *few) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= MostConnections {
			return &counted{Conn: c, open: &l.open}, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

// counted is a connection of few.
type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

// Close implements net.Conn.
func (c *counted) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// privateZones are ends of names that nobody can register.
var privateZones = []string{".svc", ".local", ".localhost", ".internal", ".home.arpa"}

// OwnHost reports whether a Host header cannot have been made by a stranger to point here: its name is an address, has
// no dot, is of a zone that nobody can register, or is one of own.
func OwnHost(host string, own ...string) bool {
	name := strings.Trim(host, "[]")
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return !strings.Contains(name, ".") ||
		slices.ContainsFunc(privateZones, func(zone string) bool { return strings.HasSuffix(name, zone) }) ||
		slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(name, strings.TrimSuffix(o, ".")) })
}
