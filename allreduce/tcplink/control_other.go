//go:build !linux

package tcplink

import "syscall"

// Control prepares a socket before it connects or listens; it fits net.Dialer and net.ListenConfig.
func Control(_, _ string, _ syscall.RawConn) error { return nil }
