package shm

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Segment is a mapped anonymous file.
type Segment struct {
	mem   []byte
	fd    int // −1 once dropped
	nonce [16]byte
}

// Create makes a segment of size zero bytes. It can neither shrink nor grow, so no rank can take it from under
// another.
func Create(size int) (*Segment, error) {
	fd, err := unix.MemfdCreate("byol", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create shared memory: %w", err)
	}
	s := &Segment{fd: fd}
	if err := s.fill(size); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("create %d bytes of shared memory: %w", size, err)
	}
	return s, nil
}

func (s *Segment) fill(size int) error {
	if err := unix.Ftruncate(s.fd, int64(size)); err != nil {
		return err
	}
	seals := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(s.fd), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	if _, err := rand.Read(s.nonce[:]); err != nil {
		return err
	}
	mem, err := unix.Mmap(s.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	s.mem = mem
	mark(mem, s.nonce)
	return nil
}

// Bytes is the memory. Bytes that were neither written nor committed cost nothing.
func (s *Segment) Bytes() []byte { return s.mem }

// Commit takes bytes [off, off+n) from the host now. Without it they are taken when they are first written, and a host
// that has no more kills the process.
func (s *Segment) Commit(off, n int) error {
	if err := unix.Fallocate(s.fd, 0, int64(off), int64(n)); err != nil {
		return fmt.Errorf("take %d bytes of shared memory: %w", n, err)
	}
	return nil
}

// Renew puts other memory with the same contents in the place of the segment's, whose first used bytes were committed.
// Processes that opened the segment keep what was there, and reach this process no longer.
func (s *Segment) Renew(used int) error {
	fresh, err := Create(len(s.mem))
	if err != nil {
		return fmt.Errorf("renew shared memory: %w", err)
	}
	defer func() { _ = fresh.Close() }()
	if err := fresh.Commit(0, used); err != nil {
		return fmt.Errorf("renew shared memory: %w", err)
	}
	copy(fresh.mem[page:used], s.mem[page:used]) // behind the mark
	_, err = unix.MmapPtr(fresh.fd, 0, unsafe.Pointer(unsafe.SliceData(s.mem)), uintptr(len(s.mem)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED)
	if err != nil {
		return fmt.Errorf("renew shared memory: %w", err)
	}
	s.fd, fresh.fd, s.nonce = fresh.fd, s.fd, fresh.nonce
	return nil
}

// Offer is what another process of this host needs to Open the segment, until Drop.
func (s *Segment) Offer() string {
	nonce := hex.EncodeToString(s.nonce[:])
	return fmt.Sprintf("%s %d %d %d %d %s", bootID(), os.Getuid(), os.Getpid(), s.fd, len(s.mem), nonce)
}

// Open maps the segment of an offer.
func Open(offer string) (*Segment, error) {
	var boot, nonce string
	var uid, pid, fd, size int
	if _, err := fmt.Sscanf(offer, "%s %d %d %d %d %s", &boot, &uid, &pid, &fd, &size, &nonce); err != nil {
		return nil, fmt.Errorf("read offer of shared memory %q: %w", offer, err)
	}
	if boot != bootID() {
		return nil, errors.New("the ranks are not on one host")
	}
	if uid != os.Getuid() {
		return nil, fmt.Errorf("the ranks run as different users: %d and %d", uid, os.Getuid())
	}
	s := &Segment{}
	if n, err := hex.Decode(s.nonce[:], []byte(nonce)); err != nil || n != len(s.nonce) {
		return nil, fmt.Errorf("read offer of shared memory %q: bad nonce", offer)
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
	var err error
	if s.fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
		return nil, fmt.Errorf("open %s (does each rank have a process namespace of its own?): %w", path, err)
	}
	defer s.Drop()
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != int64(size) {
		return nil, fmt.Errorf("open %s: not the memory offered (process namespaces differ)", path)
	}
	if err := s.trusted(&st); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	mem, err := unix.Mmap(s.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	s.mem = mem
	if !marked(mem, s.nonce) {
		_ = s.Close()
		return nil, fmt.Errorf("map %s: not the memory offered (process namespaces differ)", path)
	}
	return s, nil
}

// trusted checks, by the kernel's word rather than the peer's, that what was opened is memory of this user, and such
// as cannot be taken away: an offer may name any file of any process.
func (s *Segment) trusted(st *unix.Stat_t) error {
	if st.Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("it belongs to user %d, and this is user %d", st.Uid, os.Geteuid())
	}
	const fixed = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW
	if seals, err := unix.FcntlInt(uintptr(s.fd), unix.F_GET_SEALS, 0); err != nil || seals&fixed != fixed {
		return errors.New("it is no memory that a worker made")
	}
	return nil
}

// Drop ends the offer. The memory stays mapped.
func (s *Segment) Drop() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

// Close unmaps the memory. Nobody may use it or what was made of it any more.
func (s *Segment) Close() error {
	s.Drop()
	mem := s.mem
	s.mem = nil
	if mem == nil {
		return nil
	}
	return unix.Munmap(mem)
}

// bootID tells one boot of one machine from all others.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// Operations of futex(2). The words are in memory of several processes, so the private variants do not do.
const (
	futexWaitBitset = 9
	futexWakeBitset = 10
)

// sleep waits until wake is called on addr with a mask that has a bit of ours, at most limit, and not at all if addr no
// longer holds old. It may also return for no reason.
func sleep(addr *uint32, old, mask uint32, limit time.Duration) {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return
	}
	until := unix.NsecToTimespec(now.Nano() + int64(limit)) // the bitset variant takes a point in time
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWaitBitset, uintptr(old),
		uintptr(unsafe.Pointer(&until)), 0, uintptr(mask))
}

// wake ends the sleeps on addr whose mask has a bit of mask.
func wake(addr *uint32, mask uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWakeBitset, 1<<30, 0, 0, uintptr(mask))
}
