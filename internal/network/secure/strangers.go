package secure

import (
	"maps"
	"net"
	"net/netip"
	"time"
)

const (
	// strangersAtOnce and strangersPerSecond are how many connections an address may have had whose peers did not turn
	// out to be known: so many at first, and so many more each second. What comes beyond them is closed unheard. A
	// known peer's connection does not count.
	strangersAtOnce    = 4 * mostHandshakes
	strangersPerSecond = 5
	// mostAddresses bounds what is remembered.
	mostAddresses = 4096
)

// strangers counts, for each address, the connections whose peers are not known.
type strangers map[string]debt

// debt is how many there were at a time; it is paid off at strangersPerSecond.
type debt struct {
	n  float64
	at time.Time
}

// left is what remains of d.
func (d debt) left(now time.Time) float64 {
	return max(0, d.n-strangersPerSecond*now.Sub(d.at).Seconds())
}

// came counts a connection from an address, and reports whether it may be heard.
func (s strangers) came(from string, now time.Time) bool {
	n := s[from].left(now)
	if n+1 > strangersAtOnce {
		return false
	}
	if len(s) >= mostAddresses {
		maps.DeleteFunc(s, func(_ string, d debt) bool { return d.left(now) == 0 })
	}
	if len(s) >= mostAddresses { // so many that counting them by address is no use
		clear(s)
	}
	s[from] = debt{n + 1, now}
	return true
}

// known takes back what was counted for a connection whose peer is.
func (s strangers) known(from string, now time.Time) {
	if n := s[from].left(now) - 1; n > 0 {
		s[from] = debt{n, now}
	} else {
		delete(s, from)
	}
}

// origin is the address that strangers are counted by: a host's, of IPv6 the network of 64 bits that a host has to
// itself.
func origin(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
