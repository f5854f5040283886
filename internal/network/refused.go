package network

import (
	"errors"
	"net"
	"syscall"
)

// ListenHint is what to try where err kept a program from listening on address.
func ListenHint(address string, err error) string {
	_, port, _ := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && port == "0":
		return "wait until connections that have ended are forgotten: no port is free (net.ipv4.ip_local_port_range)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "--listen with an address that this machine has, or :PORT for all of them"
	case errors.Is(err, syscall.EACCES):
		return "--listen with a port above 1023, or port 0 for a free one"
	}
	return "--listen with another port, or port 0 for a free one"
}
