// Package network is the one place that listens and dials. Everything above it (the coordinator's server, the worker's
// stream, the ring's connections, operators' commands) is handed a Network, so that a test can run the whole system
// without sockets, and a deployment can put encryption between.
//
// How long everybody waits for others follows from one number: TimeoutsOf.
//
// Ownership. A Network owns nothing; listeners and connections belong to whoever asked for them and closes them.
//
// When it fails: Listen and Dial return the system's errors, which name the address. Dial ends when its context does.
package network

import (
	"context"
	"net"
	"time"
)

// Network makes stream connections between addresses of the form host:port.
type Network interface {
	// Listen takes connections on address; port 0 takes a free one, which Addr of the listener tells. Accept returns
	// net.ErrClosed once the listener is closed.
	Listen(ctx context.Context, address string) (net.Listener, error)
	// Dial connects to address. ctx bounds the dialling, not the life of the connection. The connection's LocalAddr is
	// host:port as the other end sees it. A connection whose Write timed out may be torn: it can only be closed, and the
	// other end may then read an error behind what came.
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// System is the host's own network: TCP.
type System struct{}

// Listen implements Network.
func (System) Listen(ctx context.Context, address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: control}
	return lc.Listen(ctx, "tcp", address)
}

// Dial implements Network.
func (System) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Control: control}
	return d.DialContext(ctx, "tcp", address)
}

// LookupHost finds what a name stands for.
func (System) LookupHost(ctx context.Context, host string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, host)
}

// resolver is a network that knows what names stand for.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// Resolve is address, or what its host stands for where n knows several of that name: each may be another machine. A
// name that is not known is left for Dial to complain of.
func Resolve(ctx context.Context, n Network, address string) []string {
	names, ok := n.(resolver)
	host, port, err := net.SplitHostPort(address)
	if !ok || err != nil || host == "" || net.ParseIP(host) != nil {
		return []string{address}
	}
	hosts, err := names.LookupHost(ctx, host)
	if err != nil || len(hosts) < 2 {
		return []string{address}
	}
	var all []string
	for _, h := range hosts {
		all = append(all, net.JoinHostPort(h, port))
	}
	return all
}

// Host is the host of a connection's or listener's address, "" where there is none.
func Host(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return host
}

// Dialable is address as a process of this machine dials it: a listener on all interfaces is reached on loopback.
func Dialable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		return net.JoinHostPort("127.0.0.1", port)
	case ip != nil && ip.IsUnspecified():
		return net.JoinHostPort("::1", port)
	}
	return address
}

// LimitSilence has the kernel break c when what was sent stays unacknowledged for limit: a machine that lost its power
// or its line says no goodbye. A connection of another network does it by a method of that name; it does nothing where
// neither has such a thing.
func LimitSilence(c net.Conn, limit time.Duration) error {
	if own, ok := c.(interface{ LimitSilence(time.Duration) error }); ok {
		return own.LimitSilence(limit)
	}
	return limitSilence(c, limit)
}
