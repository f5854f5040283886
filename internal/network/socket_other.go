//go:build !linux

package network

import (
	"net"
	"syscall"
	"time"
)

func control(_, _ string, _ syscall.RawConn) error { return nil }

func limitSilence(net.Conn, time.Duration) error { return nil }
