package pjrt

import (
	"encoding/binary"
	"os"
	"syscall"
)

// setOpenFileLock is F_OFD_SETLK: the lock is of what was opened, not of the process, and ends with it.
const setOpenFileLock = 37

// lock takes one byte of the file for a key, and reports whether nobody else has it. Where files cannot be locked,
// nobody has.
func lock(f *os.File, k key) bool {
	err := set(f, k, syscall.F_WRLCK)
	return err != syscall.EAGAIN && err != syscall.EACCES
}

func unlock(f *os.File, k key) { _ = set(f, k, syscall.F_UNLCK) } // it ends with the process

func set(f *os.File, k key, kind int16) error {
	at := binary.LittleEndian.Uint64(k[:]) >> 2 // two keys at one byte wait for each other, no more
	return syscall.FcntlFlock(f.Fd(), setOpenFileLock, &syscall.Flock_t{Type: kind, Start: int64(at), Len: 1})
}
