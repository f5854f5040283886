package tcplink

import (
	"net"
	"syscall"
)

// Control prepares a socket before it connects or listens; it fits net.Dialer and net.ListenConfig.
//
// On loopback the host's default congestion control may be one that paces (BBR), which costs a third of the
// throughput and stays on for the life of the connection; reno is in every kernel and does not pace.
// Other addresses keep the host's default.
func Control(_, address string, raw syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil
	}
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
}
