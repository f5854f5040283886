//go:build !linux

package cpu

import "unsafe"

// mapMemory returns size zero bytes of the Go heap at an aligned address.
func mapMemory(size int) ([]byte, error) {
	b := make([]byte, size+alignment)
	skip := -uintptr(unsafe.Pointer(&b[0])) % alignment
	return b[skip : int(skip)+size], nil
}

func unmapMemory([]byte) error { return nil }
