//go:build !linux

package launch

import "syscall"

// childAttributes keeps a child out of the terminal's process group, so that Ctrl-C reaches the coordinator alone.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
