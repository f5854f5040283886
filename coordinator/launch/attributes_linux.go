package launch

import "syscall"

// childAttributes has a child end when the coordinator dies, and keeps it out of the terminal's process group, so
// that Ctrl-C reaches the coordinator alone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
