// Package capi is a binding of PJRT, the C interface of OpenXLA to accelerators, without cgo: a plugin is one shared
// library that is loaded at run time, takes programs as StableHLO text, and runs them on its devices.
//
// A Plugin opens a Client, which has Devices. A Client compiles an Executable, a Device takes Buffers, and running an
// Executable gives more Buffers. Work is asynchronous: Run and the copies return at once, in order, and an Event comes
// when one is done.
//
// # Versions
//
// A plugin has one symbol, GetPjrtApi, which gives a table of functions. Every function takes one pointer to a struct
// of arguments. Tables and structs only grow at their ends, and begin with their size. A plugin refuses structs shorter
// than those it was built with and ignores what is behind, so ours are longer than any that is known, with zeros
// behind: what a later version added is not set. A function that a table is too short for is an error with its name.
// Another major version, or a minor one from before the table took its order of today (0.57), is refused.
//
// # Memory
//
// The plugin keeps no address of Go memory behind a call: what it may read or write later is HostMemory, outside the
// collector's reach. What a call's arguments point to is pinned while the call lasts.
//
// # Ownership
//
// Whoever gets a Buffer, an Executable, an Event, HostMemory, a Topology or a Client ends it: Destroy, Await, Free or
// Close, once. A second time does nothing, and a use after that is ErrDestroyed. A Client counts what it has given out,
// and refuses to close while something of it lives. A Client, its Devices and Executables may be used by several
// goroutines; one Buffer, Event or HostMemory by one at a time.
//
// # When it fails
//
// What the plugin reports is an *Error with its code, and is ErrOutOfMemory where it says so; the Client stays usable.
// What a device reports later comes with the Event of the work, or with every later use of the Buffer that it spoilt. A
// wait that its context ends leaves a goroutine and a thread behind until the device is done, and the Client cannot be
// closed before. A plugin that is no plugin may end the process: try an unknown one in another process (package find).
package capi

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Version is that of a plugin's interface.
type Version struct{ Major, Minor int }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Oldest is the first version whose table is in the order of this package.
var Oldest = Version{0, 57}

// ErrDestroyed is returned where a handle is used that was ended before.
var ErrDestroyed = errors.New("capi: used after it was destroyed")

// Plugin is a loaded library. It stays loaded until the process ends, because XLA cannot be unloaded.
type Plugin struct {
	path    string
	version Version
	table   uintptr // PJRT_Api, in the library
	slots   int     // functions that the table has
	digest  func() ([sha256.Size]byte, error)
	fail    func(function string) *Error // see Faulty; nil: nothing fails by itself
}

// Open loads a plugin and initialises it, which a process does once for each. The error has the path, and wraps one in
// words that has it not.
func Open(path string) (*Plugin, error) {
	p, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open PJRT plugin %s: %w", path, err)
	}
	return p, nil
}

func open(path string) (*Plugin, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("cannot be loaded: %s", strings.TrimPrefix(err.Error(), path+": "))
	}
	get, err := purego.Dlsym(lib, "GetPjrtApi")
	if err != nil {
		return nil, errors.New("is a library, but no PJRT plugin: it has no GetPjrtApi")
	}
	table, _, _ := purego.SyscallN(get)
	p, err := newPlugin(path, table)
	if err != nil {
		return nil, err
	}
	var a struct {
		head
		tail
	}
	if err := call(p, pluginInitialize, &a); err != nil {
		return nil, fmt.Errorf("cannot be initialised: %w", err)
	}
	return p, nil
}

// newPlugin reads the head of a table.
func newPlugin(path string, table uintptr) (*Plugin, error) {
	if table == 0 {
		return nil, errors.New("gives no table of functions")
	}
	t := (*tableHead)(address(table))
	v := Version{int(t.major), int(t.minor)}
	if v.Major != Oldest.Major || v.Minor < Oldest.Minor {
		return nil, fmt.Errorf("has version %v of the interface: this program speaks %v and later ones of %d", v, Oldest,
			Oldest.Major)
	}
	slots := (int(t.size) - int(unsafe.Sizeof(*t))) / wordBytes
	if slots <= int(executableMemoryStats) { // what 0.57 has
		return nil, fmt.Errorf("says version %v of the interface and has %d functions: it is damaged", v, max(slots, 0))
	}
	p := &Plugin{path: path, version: v, table: table, slots: slots}
	p.digest = sync.OnceValues(p.read)
	return p, nil
}

// Path is where the library was loaded from.
func (p *Plugin) Path() string { return p.path }

// Version is that of the interface it was built with.
func (p *Plugin) Version() Version { return p.version }

// Digest is that of the library's file, which is read once: builds of one version compute different bits.
func (p *Plugin) Digest() ([sha256.Size]byte, error) { return p.digest() }

func (p *Plugin) read() (d [sha256.Size]byte, err error) {
	f, err := os.Open(p.path)
	if err != nil {
		return d, fmt.Errorf("read PJRT plugin: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return d, fmt.Errorf("read PJRT plugin: %w", err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// Attributes are what the plugin says of itself: xla_version, stablehlo_current_version and others.
func (p *Plugin) Attributes() (Values, error) {
	var a struct {
		head
		list, n uintptr
		tail
	}
	if err := call(p, pluginAttributes, &a); err != nil {
		return nil, fmt.Errorf("ask PJRT plugin for attributes: %w", err)
	}
	return readValues(a.list, a.n), nil
}
