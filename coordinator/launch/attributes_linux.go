package launch

import "syscall"

// childAttributes has a child end when the coordinator dies, however that died, and keeps it out of the terminal's
// process group, so that Ctrl-C reaches the coordinator alone. The child is killed: a worker that was asked to go would
// wait for a coordinator that is no more.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// residentBytes is a maximum as the system counts it here: in KiB.
func residentBytes(maximum int64) int64 { return maximum << 10 }
