package secure

import (
	"context"
	"net"

	"byol/internal/failure"
	"byol/internal/network"
)

// Loopback is the system's network for those without certificates: what listens on it is reached by this machine alone.
type Loopback struct{ network.System }

// Listen implements network.Network.
func (l Loopback) Listen(ctx context.Context, address string) (net.Listener, error) {
	if !IsLoopback(address) {
		return nil, &failure.Failure{What: "refusing to listen on " + address + " without TLS",
			Why: "whoever reaches that address could control the run and change what it learns",
			Try: "--tls-dir (coordinator certs init makes one), --token-file with a word that all know, or --insecure " +
				"to accept that", Code: failure.Usage}
	}
	return l.System.Listen(ctx, address)
}

// IsLoopback reports whether nobody but this machine reaches what listens on an address.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
