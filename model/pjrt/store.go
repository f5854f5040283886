package pjrt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"byol/internal/atomicfile"
	"byol/model/pjrt/share"
)

// store keeps compiled programs in a folder, which several processes share: what one compiles the others load. All its
// faults are of the kind that a program is compiled once more, so they end in a line for people.
type store struct {
	dir   string       // empty: nothing is kept
	limit int64        // bytes of all programs, of which those that were used longest ago go; 0: none
	note  func(string) // never nil

	mu    sync.Mutex // guards the rest
	locks *os.File   // nil before it is needed, and where files cannot be locked
	told  bool       // that nothing can be kept
}

// key names a program in the store.
type key = share.Key

const suffix = ".program"

func (s *store) path(k key) string { return filepath.Join(s.dir, fmt.Sprintf("%x%s", k[:], suffix)) }

// A file is a digest and what it is of: plugins need not survive a damaged program.

// load is a program, nil where there is none or it is damaged.
func (s *store) load(k key) []byte {
	path := s.path(k)
	all, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	if n := sha256.Size; len(all) > n {
		if seal := sha256.Sum256(all[n:]); bytes.Equal(all[:n], seal[:]) {
			now := time.Now()
			_ = os.Chtimes(path, now, now) // it goes a little sooner
			return all[n:]
		}
	}
	s.drop(k, "it is damaged")
	return nil
}

// seal is of a program that the store seems to have.
func (s *store) seal(k key) (seal share.Seal, ok bool) {
	if s.dir == "" {
		return seal, false
	}
	f, err := os.Open(s.path(k))
	if err != nil {
		return seal, false
	}
	defer f.Close()
	_, err = io.ReadFull(f, seal[:])
	return seal, err == nil
}

// drop gives a program up that cannot be used.
func (s *store) drop(k key, why string) {
	s.note(fmt.Sprintf("the program %s is compiled again: %s", s.path(k), why))
	_ = os.Remove(s.path(k)) // else the next one to find it drops it
}

// keep keeps a program. Where it cannot, it says so once.
func (s *store) keep(k key, code []byte) {
	err := os.MkdirAll(s.dir, 0o700)
	if err == nil {
		seal := sha256.Sum256(code)
		err = atomicfile.Write(s.path(k), slices.Concat(seal[:], code))
	}
	if err != nil {
		s.lacks(err)
	}
}

// lacks says that programs are not kept, once.
func (s *store) lacks(err error) {
	s.mu.Lock()
	told := s.told
	s.told = true
	s.mu.Unlock()
	if !told {
		s.note(fmt.Sprintf("compiled programs are not kept in %s, and the next start compiles them again: %v", s.dir, err))
	}
}

// claim makes this process the one that compiles a program, until release. It is false while another one is. Where
// files cannot be locked everybody compiles.
func (s *store) claim(k key) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks == nil {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return func() {}, true
		}
		f, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return func() {}, true
		}
		s.locks = f
	}
	if !lock(s.locks, k) {
		return nil, false
	}
	return func() { unlock(s.locks, k) }, true
}

func (s *store) close() {
	if s.locks != nil {
		_ = s.locks.Close() // nothing was written
	}
}

// prune removes what was used longest ago until the rest is within the limit, but nothing of what is in use.
func (s *store) prune(used map[key]bool) {
	if s.dir == "" || s.limit <= 0 {
		return
	}
	type program struct {
		path string
		fs.FileInfo
	}
	inUse := map[string]bool{}
	for k := range used {
		inUse[s.path(k)] = true
	}
	names, err := filepath.Glob(filepath.Join(s.dir, "*"+suffix))
	if err != nil { // the folder's name is a pattern: then nothing is removed
		return
	}
	var all []program
	total := int64(0)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil { // else another process removed it
			all, total = append(all, program{name, info}), total+info.Size()
		}
	}
	slices.SortFunc(all, func(a, b program) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.path, b.path))
	})
	removed := 0
	for _, p := range all {
		if total <= s.limit {
			break
		}
		if !inUse[p.path] && os.Remove(p.path) == nil {
			total, removed = total-p.Size(), removed+1
		}
	}
	if removed > 0 {
		s.note(fmt.Sprintf("%d compiled programs were removed from %s, so that it stays within %d MiB", removed, s.dir,
			s.limit>>20))
	}
}
