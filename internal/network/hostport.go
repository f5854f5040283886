package network

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// HostPort is text with the brackets that an IPv6 host needs where a port follows: fd77::2:7071 is [fd77::2]:7071, as
// pods write it that put their address before a port. Any other text is returned as it is.
func HostPort(text string) string {
	last := strings.LastIndexByte(text, ':')
	if last < 0 || strings.ContainsAny(text, "[]") {
		return text
	}
	host, port := text[:last], text[last+1:]
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() || port == "" {
		return text
	}
	return net.JoinHostPort(host, port)
}

// Named is address as a person of any machine can copy it: a listener on all interfaces is called by the host's name,
// where n knows that name, and by what reaches it on this machine where it does not.
func Named(ctx context.Context, n Network, address, hostname string) string {
	near := Dialable(address)
	_, port, err := net.SplitHostPort(address)
	names, ok := n.(resolver)
	if near == address || err != nil || hostname == "" || !ok {
		return near
	}
	if hosts, err := names.LookupHost(ctx, hostname); err != nil || len(hosts) == 0 {
		return near
	}
	return net.JoinHostPort(hostname, port)
}
