package cpu

import "golang.org/x/sys/unix"

// mapMemory returns size zero bytes. Huge pages are asked for, not needed: a refusal is no error.
func mapMemory(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	return b, nil
}

func unmapMemory(b []byte) error { return unix.Munmap(b) }
