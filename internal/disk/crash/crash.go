// Package crash is a disk in memory, for tests, that forgets what was not flushed: at any operation the power may fail,
// and what is left is what a real disk might hold then. It can also be full, and fail.
//
// What survives: of a file, the content at its last Sync and a share of what was written since, in sectors, the others
// zero; of a directory, the names at its last SyncDir and a share of what was made, renamed and removed since. A rename
// survives as a whole or not at all.
//
// Ownership. A Disk may be used from any goroutine. After its power has failed every operation on it fails, also those
// of files that were open; Left is the disk that is found after it.
//
// When it fails: as the operating system does, and with ErrPower.
package crash

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"byol/internal/disk"
)

// ErrPower fails everything after the power has failed.
var ErrPower = errors.New("crash: the power has failed")

// sector is how much of a file is written at once.
const sector = 512

// Disk implements disk.FS.
type Disk struct {
	mu         sync.Mutex // guards what follows, and all nodes
	root       *node
	operations int // so far, of those that change something
	last       int // the power fails after this one, 0 for never
	broken     int // this operation fails, with err; 0 for none
	err        error
	deaf       Flush
	room       int // bytes that files may have in all, −1 for any number
	next       int // number of the next temporary
}

// node is a file or a directory.
type node struct {
	// Of a file: the content now, and as it was flushed.
	data, flushed []byte
	held          bool
	// Of a directory: the names now and as they were flushed, and what was done since.
	names, durable map[string]*node
	changes        []change
}

// change is one thing that was done to the names of a directory: name is taken from who had it, and given to gives.
type change struct {
	name, from string // from is the name that was given up for it, "" for none
	gives      *node  // nil: removed
}

// New returns an empty disk with room for everything.
func New() *Disk { return &Disk{root: directory(), room: -1} }

func directory() *node { return &node{names: map[string]*node{}, durable: map[string]*node{}} }

// Flush is a kind of flushing.
type Flush int

// What a disk may not do although it says so.
const (
	NoFlush Flush = iota
	Content       // File.Sync
	Names         // FS.SyncDir
)

// Ignore has flushes of a kind do nothing.
func (d *Disk) Ignore(kind Flush) { d.set(func() { d.deaf = kind }) }

// CrashAfter has the power fail after so many operations from the beginning.
func (d *Disk) CrashAfter(operations int) { d.set(func() { d.last = operations }) }

// FailAt has one operation fail with err, having done nothing, or half of a write.
func (d *Disk) FailAt(operation int, err error) { d.set(func() { d.broken, d.err = operation, err }) }

// Limit bounds the bytes of all files together.
func (d *Disk) Limit(room int) { d.set(func() { d.room = room }) }

func (d *Disk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// Operations counts what has changed something so far.
func (d *Disk) Operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.operations
}

// Off reports whether the power has failed.
func (d *Disk) Off() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.offLocked()
}

func (d *Disk) offLocked() bool { return d.last > 0 && d.operations >= d.last }

// Left is the disk as it is found after the power has failed now: everything that was flushed, and share percent of
// the rest, which the seed chooses. Nobody holds a file there.
func (d *Disk) Left(share int, seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := New()
	left.next = d.next
	left.root = d.root.left(share, rand.New(rand.NewPCG(seed, uint64(share))), map[*node]*node{})
	return left
}

// left is what remains of a node; known are those that were seen before, under another name.
func (n *node) left(share int, rng *rand.Rand, known map[*node]*node) *node {
	if known[n] != nil {
		return known[n]
	}
	out := &node{}
	known[n] = out
	if n.names == nil {
		out.flushed = torn(n.flushed, n.data, share, rng)
		out.data = bytes.Clone(out.flushed)
		return out
	}
	survives := func() bool { return share >= 100 || share > 0 && rng.IntN(100) < share }
	names := maps.Clone(n.durable)
	for _, c := range n.changes {
		if !survives() {
			continue
		}
		if c.from != "" {
			delete(names, c.from)
		}
		if c.gives == nil {
			delete(names, c.name)
		} else {
			names[c.name] = c.gives
		}
	}
	out.names = map[string]*node{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out.names[name] = names[name].left(share, rng, known)
	}
	out.durable = maps.Clone(out.names)
	return out
}

// torn is what a disk holds of data, of which flushed is safe and a share of the other sectors was written.
func torn(flushed, data []byte, share int, rng *rand.Rand) []byte {
	switch {
	case share >= 100:
		return bytes.Clone(data)
	case share <= 0:
		return bytes.Clone(flushed)
	}
	length := len(flushed) + rng.IntN(len(data)-len(flushed)+1)
	if rng.IntN(2) == 0 {
		length = len(data) // the length may be there before the content
	}
	out := make([]byte, length)
	copy(out, flushed)
	for at := len(flushed); at < length; at += sector {
		if rng.IntN(100) < share {
			copy(out[at:min(at+sector, length)], data[at:])
		}
	}
	return out
}

// begin counts an operation that changes something; it is the caller's to finish when there is no error.
func (d *Disk) begin() error {
	if d.offLocked() {
		return ErrPower
	}
	d.operations++
	if d.operations == d.broken {
		return d.err
	}
	return nil
}

// find returns the node of a path.
func (d *Disk) find(name string) (*node, error) {
	n := d.root
	for _, part := range strings.Split(filepath.Clean(name), "/") {
		if part == "" || part == "." {
			continue
		}
		if n.names == nil {
			return nil, syscall.ENOTDIR
		}
		next := n.names[part]
		if next == nil {
			return nil, fs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// parent returns the directory of a path, and the name in it.
func (d *Disk) parent(name string) (*node, string, error) {
	n, err := d.find(filepath.Dir(name))
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	return n, filepath.Base(name), err
}

func (n *node) change(c change) {
	if c.from != "" {
		delete(n.names, c.from)
	}
	if c.gives == nil {
		delete(n.names, c.name)
	} else {
		n.names[c.name] = c.gives
	}
	n.changes = append(n.changes, c)
}

func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Open implements disk.FS.
func (d *Disk) Open(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	switch {
	case d.offLocked():
		err = ErrPower
	case err == nil && n.names != nil:
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, failed("open", name, err)
	}
	return &file{disk: d, node: n, name: name}, nil
}

// Create implements disk.FS.
func (d *Disk) Create(dir, pattern string, _ fs.FileMode) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.begin()
	d.next++
	name := filepath.Join(dir, strings.Replace(pattern, "*", fmt.Sprint(d.next), 1))
	if err != nil {
		return nil, failed("create", name, err)
	}
	in, base, err := d.parent(name)
	if err != nil {
		return nil, failed("create", name, err)
	}
	n := &node{held: true}
	in.change(change{name: base, gives: n})
	return &file{disk: d, node: n, name: name, writes: true}, nil
}

// Abandoned implements disk.FS.
func (d *Disk) Abandoned(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	return err == nil && !n.held
}

// Rename implements disk.FS. Both names are in one directory.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.begin()
	if err == nil && filepath.Dir(from) != filepath.Dir(to) {
		err = syscall.EXDEV
	}
	if err != nil {
		return failed("rename", from, err)
	}
	in, base, err := d.parent(from)
	if err == nil && in.names[base] == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return failed("rename", from, err)
	}
	if had := in.names[filepath.Base(to)]; had != nil && had.names != nil {
		return failed("rename", to, syscall.EISDIR)
	}
	in.change(change{name: filepath.Base(to), from: base, gives: in.names[base]})
	return nil
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin(); err != nil {
		return failed("remove", name, err)
	}
	in, base, err := d.parent(name)
	switch {
	case err != nil:
	case in.names[base] == nil:
		err = fs.ErrNotExist
	case len(in.names[base].names) > 0:
		err = syscall.ENOTEMPTY
	default:
		in.change(change{name: base})
	}
	return failed("remove", name, err)
}

// Mkdir implements disk.FS.
func (d *Disk) Mkdir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	in, base, err := d.parent(name)
	if err == nil && (in.names[base] != nil || filepath.Clean(name) == "/") {
		err = fs.ErrExist
	}
	if err == nil {
		err = d.begin()
	}
	if err == nil {
		in.change(change{name: base, gives: directory()})
	}
	return failed("mkdir", name, err)
}

// ReadDir implements disk.FS.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	switch {
	case d.offLocked():
		err = ErrPower
	case err == nil && n.names == nil:
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, failed("open", name, err)
	}
	var all []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(n.names)) {
		all = append(all, fs.FileInfoToDirEntry(stat(base, n.names[base])))
	}
	return all, nil
}

// SyncDir implements disk.FS.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = d.begin()
	}
	if err == nil && d.deaf != Names {
		n.durable, n.changes = maps.Clone(n.names), nil
	}
	return failed("sync", name, err)
}

// used is the bytes of all files below n.
func (n *node) used() int {
	sum := len(n.data)
	for _, below := range n.names {
		sum += below.used()
	}
	return sum
}
