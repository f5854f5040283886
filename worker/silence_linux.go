package worker

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// silence is how long the coordinator's machine may leave our heartbeats unacknowledged.
const silence = 10_000 // ms

// limitSilence has the kernel break a connection whose other end no longer acknowledges anything: a machine that
// lost its power or its network says no goodbye. Heartbeats make sure that there is always something to acknowledge.
func limitSilence(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, silence)
	})
	if err != nil {
		return err
	}
	return failed
}
