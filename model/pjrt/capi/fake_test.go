package capi

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// fake is a plugin of Go functions. A function gets the words of its arguments, behind the two of their head, and
// returns a PJRT_Error or 0; a slot without one is missing from the table.
type fake struct {
	table   []uintptr
	message string
	code    Code

	mu        sync.Mutex // guards destroyed
	destroyed map[slot]map[uintptr]int
}

const headWords = int(unsafe.Sizeof(head{})) / wordBytes

// newFake makes a plugin of functions that give errors and destroy handles.
func newFake(t testing.TB, version Version, functions int) *fake {
	const start = int(unsafe.Sizeof(tableHead{})) / wordBytes
	f := &fake{table: make([]uintptr, start+functions), destroyed: map[slot]map[uintptr]int{}}
	*(*tableHead)(unsafe.Pointer(&f.table[0])) = tableHead{size: uintptr(len(f.table) * wordBytes),
		major: int32(version.Major), minor: int32(version.Minor)}
	var pin runtime.Pinner
	pin.Pin(&f.table[0])
	t.Cleanup(pin.Unpin)
	f.set(errorMessage, func(a []uintptr) uintptr {
		b := []byte(f.message)
		a[1], a[2] = uintptr(pinned(&pin, b)), uintptr(len(b))
		return 0
	})
	f.set(errorGetCode, func(a []uintptr) uintptr { a[1] = uintptr(f.code); return 0 })
	for _, s := range []slot{errorDestroy, eventDestroy, bufferDestroy, clientDestroy, loadedDestroy, executableDestroy,
		topologyDestroy} {
		f.destroyed[s] = map[uintptr]int{}
		f.set(s, func(a []uintptr) uintptr {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.destroyed[s][a[0]]++
			return 0
		})
	}
	return f
}

// set puts a function into the table, if that is long enough.
func (f *fake) set(s slot, do func(a []uintptr) uintptr) {
	at := int(unsafe.Sizeof(tableHead{}))/wordBytes + int(s)
	if at < len(f.table) {
		f.table[at] = calls.entry(s, do)
	}
}

// calls are what the slots of the fake at hand do. A process has a limited number of entries from C, and never gives
// one back, so all fakes share one for each slot.
var calls entries

type entries struct {
	mu     sync.Mutex // guards both
	points map[slot]uintptr
	do     map[slot]func(a []uintptr) uintptr
}

func (e *entries) entry(s slot, do func(a []uintptr) uintptr) uintptr {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.points == nil {
		e.points, e.do = map[slot]uintptr{}, map[slot]func(a []uintptr) uintptr{}
	}
	e.do[s] = do
	if e.points[s] == 0 {
		e.points[s] = purego.NewCallback(func(args uintptr) uintptr {
			n := int(*(*uintptr)(address(args))) / wordBytes
			e.mu.Lock()
			do := e.do[s]
			e.mu.Unlock()
			return do(unsafe.Slice((*uintptr)(address(args)), n)[headWords:])
		})
	}
	return e.points[s]
}

func (f *fake) plugin() (*Plugin, error) {
	return newPlugin("fake.so", uintptr(unsafe.Pointer(&f.table[0])))
}

// client adds what a client with one device needs, and opens it.
func (f *fake) client(t testing.TB) *Client {
	t.Helper()
	var pin runtime.Pinner
	t.Cleanup(pin.Unpin)
	devices := uintptr(pinned(&pin, []uintptr{42}))
	f.set(clientCreate, func(a []uintptr) uintptr { a[6] = 7; return 0 })
	f.set(clientDevices, func(a []uintptr) uintptr { a[1], a[2] = devices, 1; return 0 })
	for _, s := range []slot{deviceDescription, descriptionID, descriptionKind, descriptionToString} {
		f.set(s, func([]uintptr) uintptr { return 0 })
	}
	p, err := f.plugin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVersions opens tables of many versions and sizes.
func TestVersions(t *testing.T) {
	const whole = 113
	for _, c := range []struct {
		version   Version
		functions int
		want      string
	}{
		{Version{0, 57}, 98, ""},
		{Version{0, 115}, whole + 20, ""},
		{Version{0, 56}, whole, "version 0.56 of the interface: this program speaks 0.57 and later ones of 0"},
		{Version{1, 0}, whole, "version 1.0 of the interface"},
		{Version{1, 200}, whole, "version 1.200 of the interface"},
		{Version{-1, 80}, whole, "version -1.80 of the interface"},
		{Version{0, 80}, 12, "has 12 functions: it is damaged"},
		{Version{0, 80}, 0, "has 0 functions: it is damaged"},
	} {
		p, err := newFake(t, c.version, c.functions).plugin()
		switch {
		case c.want == "" && (err != nil || p.Version() != c.version):
			t.Errorf("%v with %d functions: %v", c.version, c.functions, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v with %d functions: %v, want %q", c.version, c.functions, err, c.want)
		}
	}
	if _, err := newPlugin("x.so", 0); err == nil {
		t.Error("a plugin without a table opens")
	}
}

// TestShortTable: what an older table lacks is an error with its name, and what can be done without is.
func TestShortTable(t *testing.T) {
	f := newFake(t, Version{0, 60}, int(clientDMAMap))
	c := f.client(t)
	m, err := c.NewHostMemory(100)
	if err != nil || m.Pinned() {
		t.Errorf("host memory: %v, pinned %t", err, m.Pinned())
	}
	ended(t, m.Free())
	_, err = c.p.get(clientDMAMap, 1)
	if err == nil || !strings.Contains(err.Error(), "of version 0.60 has no PJRT_Client_DmaMap") {
		t.Errorf("behind the table: %v", err)
	}
	_, err = c.Load([]byte("x"))
	if err == nil || !strings.Contains(err.Error(), "no PJRT_Executable_DeserializeAndLoad") {
		t.Errorf("a hole in the table: %v", err)
	}
	ended(t, c.Close())
}

// TestPinned maps memory to the device and unmaps it before it is gone.
func TestPinned(t *testing.T) {
	f := newFake(t, Version{0, 115}, 113)
	var mapped, unmapped []uintptr
	f.set(clientDMAMap, func(a []uintptr) uintptr { mapped = append(mapped, a[:3]...); return 0 })
	f.set(clientDMAUnmap, func(a []uintptr) uintptr { unmapped = append(unmapped, a[:2]...); return 0 })
	c := f.client(t)
	m, err := c.NewHostMemory(100)
	if err != nil || !m.Pinned() {
		t.Fatalf("%v, pinned %t", err, m.Pinned())
	}
	at := uintptr(unsafe.Pointer(&m.Bytes()[0]))
	if err := c.Close(); err == nil || !strings.Contains(err.Error(), "1 host memories are alive") {
		t.Errorf("closed with memory alive: %v", err)
	}
	ended(t, m.Free())
	if len(mapped) != 3 || mapped[0] != 7 || mapped[1] != at || mapped[2] != 100 {
		t.Errorf("mapped %x, want 7, %x and 100", mapped, at)
	}
	if len(unmapped) != 2 || unmapped[0] != 7 || unmapped[1] != at {
		t.Errorf("unmapped %x, want 7 and %x", unmapped, at)
	}
	ended(t, c.Close())
}

// TestErrorsOnce frees each error once, and keeps its code and words.
func TestErrorsOnce(t *testing.T) {
	f := newFake(t, Version{0, 90}, 113)
	f.set(clientCreate, func([]uintptr) uintptr { return 99 })
	p, err := f.plugin()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		message string
		code    Code
		want    string
		memory  bool
	}{
		{"no room", ResourceExhausted, "open PJRT client: no room (out of memory)", true},
		{"no GPU", FailedPrecondition, "open PJRT client: no GPU (failed precondition)", false},
		{"", Internal, "open PJRT client: internal error", false},
		{"new", 77, "open PJRT client: new (code 77)", false},
	} {
		f.message, f.code = c.message, c.code
		_, err := p.NewClient(ClientOptions{})
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || err.Error() != c.want || errors.Is(err, ErrOutOfMemory) != c.memory {
			t.Errorf("%+v: %v", c, err)
		}
		if n := f.destroyed[errorDestroy][99]; n != i+1 {
			t.Errorf("%d errors, %d freed", i+1, n)
		}
	}
}

// TestAwaitEnds: a wait ends with its context, and a client does not close over the work that goes on; when the device
// is done, what was given up ends by itself, and everything is destroyed once.
func TestAwaitEnds(t *testing.T) {
	f := newFake(t, Version{0, 115}, 113)
	done := make(chan struct{})
	var next uintptr = 100
	f.set(bufferToHost, func(a []uintptr) uintptr { next++; a[4] = next; return 0 })
	f.set(eventIsReady, func(a []uintptr) uintptr { a[1] = 0xff00; return 0 }) // false; what is behind a bool is anything
	f.set(eventAwait, func(a []uintptr) uintptr { <-done; return 0 })
	c := f.client(t)
	b := c.buffer(55, Shape{F32, []int64{2}})

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("nobody waits"))
	if err := b.Download(ctx, make([]byte, 8)); err == nil || !strings.Contains(err.Error(), "nobody waits") {
		t.Errorf("a download that was given up: %v", err)
	}
	m, err := c.NewHostMemory(8)
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.DownloadTo(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Await(ctx); err == nil || !strings.Contains(err.Error(), "nobody waits") {
		t.Errorf("a wait that was given up: %v", err)
	}
	if err := m.Free(); err == nil || !strings.Contains(err.Error(), "1 copies are under way") {
		t.Errorf("memory that is freed under a copy: %v", err)
	}
	ended(t, b.Destroy())
	if live := c.Live(); live != (Live{Events: 2, Memories: 2}) {
		t.Errorf("alive: %+v", live)
	}
	if err := c.Close(); err == nil || !strings.Contains(err.Error(), "2 events and 2 host memories") {
		t.Errorf("closed with work under way: %v", err)
	}
	close(done)
	for c.Live().Events > 0 {
		runtime.Gosched()
	}
	if live := c.Live(); live != (Live{Memories: 1}) {
		t.Errorf("alive after the device was done: %+v", live)
	}
	ended(t, m.Free())
	ended(t, c.Close())
	ended(t, c.Close())
	for s, handles := range f.destroyed {
		for h, n := range handles {
			if n != 1 {
				t.Errorf("%v of %d ran %d times", s, h, n)
			}
		}
	}
	for s, want := range map[slot]int{eventDestroy: 2, bufferDestroy: 1, clientDestroy: 1} {
		if got := len(f.destroyed[s]); got != want {
			t.Errorf("%v ran for %d handles, want %d", s, got, want)
		}
	}
	if _, _, err := c.Platform(); !errors.Is(err, ErrDestroyed) {
		t.Errorf("a client that is closed: %v", err)
	}
}

// TestOptions passes each kind of option by its name, in one order.
func TestOptions(t *testing.T) {
	f := newFake(t, Version{0, 115}, 113)
	var got Values
	f.set(clientCreate, func(a []uintptr) uintptr { got = readValues(a[0], a[1]); return 1 })
	p, err := f.plugin()
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	_, _ = p.NewClient(ClientOptions{MemoryFraction: 0.5, Preallocate: &yes, VisibleDevices: []int{3, 1},
		Other: Values{"platform": "x", "empty": "", "n": int64(-1)}})
	want := Values{"memory_fraction": float32(0.5), "preallocate": true, "visible_devices": []int64{3, 1}, "platform": "x",
		"empty": "", "n": int64(-1)}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, v := range want {
		if list, ok := v.([]int64); ok {
			if g, _ := got[name].([]int64); len(g) != 2 || g[0] != list[0] || g[1] != list[1] {
				t.Errorf("%s: got %v, want %v", name, got[name], v)
			}
		} else if got[name] != v {
			t.Errorf("%s: got %v, want %v", name, got[name], v)
		}
	}
	_, err = p.NewClient(ClientOptions{Other: Values{"x": 1}})
	if err == nil || !strings.Contains(err.Error(), "option x") {
		t.Errorf("an option of a type that C lacks: %v", err)
	}
}
