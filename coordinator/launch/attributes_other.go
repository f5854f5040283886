//go:build !linux

package launch

import "syscall"

// childAttributes keeps a child out of the terminal's process group, so that Ctrl-C reaches the coordinator alone. It
// finds the death of the coordinator by itself, when its line to it has been broken for too long.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// residentBytes is a maximum as the system counts it here: in bytes on Darwin; others are not asked.
func residentBytes(maximum int64) int64 { return maximum }
