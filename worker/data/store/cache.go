package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"byol/internal/atomicfile"
	"byol/internal/pause"
)

const (
	// chunk is how many bytes one checksum is of: what is read from the cache is read by whole ones and compared.
	chunk = 64 << 10
	// fetchers is how many objects are fetched at a time.
	fetchers = 4
	// rest is how long no object is fetched after the disk refused one.
	rest = time.Minute
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cache keeps whole objects on disk, several processes one folder: NAME.data, and NAME.meta with what it is, which is
// written when the object is whole. NAME.part is one that is being fetched, by the process that holds its lock.
type cache struct {
	store *Store
	dir   string
	most  int64
	jobs  sync.WaitGroup

	chunks sync.Pool // of *[chunk]byte

	mu      sync.Mutex // guards all below
	kept    map[string]*entry
	asked   map[string]bool // objects that are in the queue, or that cannot be kept
	queue   []*object
	working int
	idle    time.Time // no fetching before
	told    map[string]bool
	closed  bool
}

// entry is an object that is kept.
type entry struct {
	path string // without its ending
	sums []uint32
	size int64
}

// record is the content of NAME.meta.
type record struct {
	Name  string `json:"name"`
	ETag  string `json:"etag"`
	Size  int64  `json:"size"`
	Time  int64  `json:"time"`
	Sums  string `json:"crc32c"`
	Check string `json:"check"` // of all before
}

func (r *record) check() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d %s", r.Name, r.ETag, r.Size, r.Time, r.Sums))
	return hex.EncodeToString(sum[:8])
}

func newCache(s *Store, dir string, most int64) *cache {
	c := &cache{store: s, dir: filepath.Join(dir, "objects"), most: most, kept: map[string]*entry{},
		asked: map[string]bool{}, told: map[string]bool{}, chunks: sync.Pool{New: func() any { return new([chunk]byte) }}}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		c.refused(err)
	}
	c.tidy()
	return c
}

// close waits for those who fetch, whose context has ended.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.jobs.Wait()
}

// path is where an object is kept, without its ending: one for each object and each content of it.
func (c *cache) path(o *object) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", o.name, o.meta.version()))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16]))
}

// note tells something once.
func (c *cache) note(text string) {
	c.mu.Lock()
	first := !c.told[text]
	c.told[text] = true
	c.mu.Unlock()
	if first {
		c.store.cfg.Note(text)
	}
}

// refused notes that the disk takes nothing, and leaves it alone for a while.
func (c *cache) refused(err error) {
	c.mu.Lock()
	c.idle = time.Now().Add(rest)
	c.mu.Unlock()
	var p *fs.PathError
	var renamed *os.LinkError
	switch { // the paths differ for each object, and one word for all of them is enough
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &renamed):
		err = renamed.Err
	}
	c.note(fmt.Sprintf("the cache in %s takes nothing (%v): objects are read from the server", c.dir, err))
}

// read reads a part of a kept object, and says whether it could.
func (c *cache) read(o *object, p []byte, off int64) bool {
	e := c.look(o)
	if e == nil {
		return false
	}
	buf := c.chunks.Get().(*[chunk]byte)
	err := e.read(p, off, buf)
	c.chunks.Put(buf)
	if err == nil {
		return true
	}
	c.mu.Lock()
	if c.kept[o.name] == e {
		delete(c.kept, o.name)
		delete(c.asked, o.name)
	}
	c.mu.Unlock()
	if errors.Is(err, errSum) {
		_ = os.Remove(e.path + ".meta")
		c.note(fmt.Sprintf("%s is damaged in the cache (%v): it is fetched again", o.name, err))
	}
	return false
}

// look gives an object if it is kept whole.
func (c *cache) look(o *object) *entry {
	c.mu.Lock()
	e := c.kept[o.name]
	c.mu.Unlock()
	if e != nil {
		return e
	}
	path := c.path(o)
	r, sums, err := readRecord(path + ".meta")
	if err != nil || r.Name != o.name || r.ETag != o.meta.etag || r.Size != o.meta.size {
		return nil
	}
	if info, err := os.Stat(path + ".data"); err != nil || info.Size() != r.Size {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path+".meta", now, now) // what was used last goes last
	e = &entry{path: path, sums: sums, size: r.Size}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[strings.Clone(o.name)] = e
	return e
}

func readRecord(path string) (r record, sums []uint32, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, nil, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, nil, err
	}
	b, err := base64.StdEncoding.DecodeString(r.Sums)
	if err != nil || r.Check != r.check() || int64(len(b)) != 4*((r.Size+chunk-1)/chunk) {
		return r, nil, errors.New("damaged record")
	}
	for ; len(b) > 0; b = b[4:] {
		sums = append(sums, binary.LittleEndian.Uint32(b))
	}
	return r, sums, nil
}

var errSum = errors.New("its checksum is another")

// read fills p from off on, and compares each chunk that it is in. The file is opened each time: any number of objects
// may be kept.
func (e *entry) read(p []byte, off int64, buf *[chunk]byte) error {
	f, err := os.Open(e.path + ".data")
	if err != nil {
		return err
	}
	defer f.Close()
	for at := off / chunk * chunk; at < off+int64(len(p)); at += chunk {
		b := buf[:min(chunk, e.size-at)]
		if n, err := f.ReadAt(b, at); n < len(b) {
			return err
		}
		if crc32.Checksum(b, castagnoli) != e.sums[at/chunk] {
			return errSum
		}
		to, from := max(at-off, 0), max(off-at, 0)
		copy(p[to:], b[from:])
	}
	return nil
}

// want has an object fetched, behind those that were wanted before.
func (c *cache) want(o *object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.asked[o.name] {
		return
	}
	c.asked[o.name] = true
	c.queue = append(c.queue, o)
	if c.working < fetchers {
		c.working++
		c.jobs.Go(c.work)
	}
}

// work fetches what is in the queue, and ends when there is no more.
func (c *cache) work() {
	for o := c.next(); o != nil; o = c.next() {
		if c.fetch(c.store.ctx, o) || c.store.ctx.Err() != nil {
			continue
		}
		// Another process fetches it, or there is no room: it may be asked for again in a while.
		pause.For(c.store.ctx, time.Second)
		c.mu.Lock()
		delete(c.asked, o.name)
		c.mu.Unlock()
	}
}

func (c *cache) next() *object {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 || c.closed || time.Now().Before(c.idle) {
		for _, o := range c.queue {
			delete(c.asked, o.name)
		}
		c.queue = nil
		c.working--
		return nil
	}
	o := c.queue[0]
	c.queue = c.queue[1:]
	return o
}

// fetch brings an object into the cache, and says whether it is there.
func (c *cache) fetch(ctx context.Context, o *object) bool {
	if c.look(o) != nil {
		return true
	}
	c.mu.Lock()
	resting := time.Now().Before(c.idle) || c.closed
	c.mu.Unlock()
	if resting || o.meta.size == 0 {
		return false
	}
	path := c.path(o)
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		c.refused(err)
		return false
	}
	defer part.Close()
	if !lock(part) || !stillNamed(part) {
		return c.look(o) != nil
	}
	if c.look(o) != nil { // it has come meanwhile
		_ = os.Remove(part.Name())
		return true
	}
	if !c.reserve(part, o.meta.size, path) {
		_ = os.Remove(part.Name())
		c.full()
		return false
	}
	sums, err := c.download(ctx, o, part)
	if err == nil {
		err = c.keep(o, path, sums)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		var disk diskError
		if errors.As(err, &disk) && !errors.Is(err, fs.ErrNotExist) {
			c.refused(disk.error)
		}
		return false
	}
	return c.look(o) != nil
}

// stillNamed reports whether a file still has the name by which it was opened: who had its lock before may have given
// it another.
func stillNamed(f *os.File) bool {
	mine, err := f.Stat()
	now, errNow := os.Stat(f.Name())
	return err == nil && errNow == nil && os.SameFile(mine, now)
}

// full notes that there is no room, and asks for none for a while.
func (c *cache) full() {
	c.mu.Lock()
	c.idle = time.Now().Add(rest)
	c.mu.Unlock()
	c.note(fmt.Sprintf("the cache of %d MiB in %s has no room for all objects: some are read from the server each time",
		c.most>>20, c.dir))
}

// diskError is an error of this machine's, not of the server's.
type diskError struct{ error }

// Unwrap is what the system said.
func (e diskError) Unwrap() error { return e.error }

// summing writes to a file and keeps a checksum of each chunk.
type summing struct {
	f    *os.File
	at   int64
	sum  uint32
	sums []uint32
}

// Write implements io.Writer.
func (w *summing) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	for b := p[:n]; len(b) > 0; {
		part := b[:min(int64(len(b)), chunk-w.at%chunk)]
		w.sum = crc32.Update(w.sum, castagnoli, part)
		if w.at += int64(len(part)); w.at%chunk == 0 {
			w.sums, w.sum = append(w.sums, w.sum), 0
		}
		b = b[len(part):]
	}
	if err != nil {
		return n, diskError{err}
	}
	return n, nil
}

func (c *cache) download(ctx context.Context, o *object, part *os.File) ([]uint32, error) {
	b, key, err := c.store.of(o.name)
	if err != nil {
		return nil, err
	}
	w := &summing{f: part}
	var disk diskError
	err = c.store.retry(ctx, "read", o.name, func(context.Context) (bool, error) {
		ctx, end := context.WithCancel(ctx) // it may take as long as something comes
		defer end()
		body, err := b.get(ctx, key, o.meta, w.at, o.meta.size-w.at)
		if err != nil {
			return false, err
		}
		body = watch(body, end, stall(c.store.cfg.Patience))
		before := w.at
		_, err = io.Copy(w, io.LimitReader(body, o.meta.size-w.at))
		_ = body.Close()
		if errors.As(err, &disk) {
			return true, nil
		}
		if err == nil && w.at < o.meta.size {
			err = io.ErrUnexpectedEOF
		}
		return w.at > before, err
	})
	if disk.error != nil {
		return nil, disk
	}
	if w.at%chunk != 0 {
		w.sums = append(w.sums, w.sum)
	}
	return w.sums, err
}

// keep gives a whole object its name. Nobody believes in it before its record is there.
func (c *cache) keep(o *object, path string, sums []uint32) error {
	var b []byte
	for _, s := range sums {
		b = binary.LittleEndian.AppendUint32(b, s)
	}
	r := record{Name: o.name, ETag: o.meta.etag, Size: o.meta.size, Time: o.meta.modified.UnixNano(),
		Sums: base64.StdEncoding.EncodeToString(b)}
	r.Check = r.check()
	text, err := json.Marshal(r)
	if err == nil {
		err = os.Rename(path+".part", path+".data")
	}
	if err == nil {
		if err = atomicfile.Write(path+".meta", text); err != nil {
			_ = os.Remove(path + ".data") // nobody could believe in it, and it would take room
		}
	}
	if err != nil {
		return diskError{err}
	}
	return nil
}
