package pjrt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"byol/model/arch"
	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/share"
)

// lan is a network of machines that share programs, in memory.
type lan struct {
	mu       sync.Mutex // guards the rest
	shelves  map[string]share.Shelf
	fetched  map[string]int                                 // programs, by who gave them
	gives    func(host string, code []byte) ([]byte, error) // in place of what it has; nil: as it is
	together map[string]chan struct{}                       // who is asked answers once its plan has begun; nil: at once
}

// machine is one of them. It implements share.Exchange.
type machine struct {
	*lan
	name   string
	others []string
}

func newLAN() *lan { return &lan{shelves: map[string]share.Shelf{}, fetched: map[string]int{}} }

func (m machine) Offer(s share.Shelf) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shelves[m.name] = s
}

func (m machine) Hosts() (string, []string) {
	if begun := m.together[m.name]; begun != nil {
		close(begun)
	}
	return m.name, m.others
}

func (m machine) shelf(ctx context.Context, host string, p share.Platform) (share.Shelf, error) {
	if begun := m.together[host]; begun != nil {
		select {
		case <-begun:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shelves[host]
	switch {
	case s == nil:
		return nil, errors.New("nobody answers")
	case s.Platform() != p:
		return nil, fmt.Errorf("ask %s: %w", host, share.ErrOther)
	}
	return s, nil
}

func (m machine) Look(ctx context.Context, host string, p share.Platform, keys []share.Key) ([]share.Entry, error) {
	s, err := m.shelf(ctx, host, p)
	if err != nil {
		return nil, err
	}
	return s.Look(keys), nil
}

func (m machine) Fetch(ctx context.Context, host string, p share.Platform, k share.Key,
	seal share.Seal) ([]byte, error) {
	s, err := m.shelf(ctx, host, p)
	if err != nil {
		return nil, err
	}
	code := s.Code(k, seal)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched[host]++
	if m.gives != nil {
		return m.gives(host, code)
	}
	return code, nil
}

// patient has machines counted on however slow this one is.
func patient(t *testing.T) {
	before := limits
	limits = share.Limits{Silence: time.Hour, Patience: time.Hour, Whole: time.Hour}
	t.Cleanup(func() { limits = before })
}

// host opens an engine of a machine with a folder of its own.
func (l *lan) host(t *testing.T, name, dir string, note func(string), others ...string) *Engine {
	t.Helper()
	c, err := Plugin(t).NewClient(capi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(c, c.Devices()[0], Options{Cache: dir, Note: note, Exchange: machine{l, name, others}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// smallest has an engine plan the smallest network, and returns how many programs that are.
func smallest(t *testing.T, e *Engine) int {
	t.Helper()
	n := engine.Network{Encoder: arch.Encoder{Blocks: []int{1}, Base: 2, Stem: arch.CIFAR}, Padding: "symmetric",
		ImageSize: 4, ProjectorHidden: 4, ProjectorOut: 4, PredictorHidden: 4}
	if _, err := e.Plan(t.Context(), n, engine.Cut{Shards: 1, Local: 1, Images: 2}); err != nil {
		t.Error(err)
		return 0
	}
	return len(e.programs.known)
}

// files are the programs of a folder, by their names.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if all[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestTakesPrograms: a machine that has nothing takes every program from one that runs them, and one with others of its
// own takes those that run.
func TestTakesPrograms(t *testing.T) {
	patient(t)
	l, dir := newLAN(), t.TempDir()
	all := smallest(t, l.host(t, "a", Programs, nil))
	var notes []string
	e := l.host(t, "b", dir, func(text string) { notes = append(notes, text) }, "a")
	if n := smallest(t, e); n != all || l.fetched["a"] != all {
		t.Fatalf("%d programs, %d of them taken, want %d", n, l.fetched["a"], all)
	}
	want := fmt.Sprintf("%d of %d programs came from other machines", all, all)
	if !slices.Equal(notes, []string{want}) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	given := files(t, Programs)
	for name, content := range files(t, dir) {
		if !bytes.Equal(content, given[name]) {
			t.Errorf("%s is not what was given", name)
		}
	}
}

// TestCompilesOnce: of two machines that begin together with nothing, each compiles a part, and both run the same.
func TestCompilesOnce(t *testing.T) {
	patient(t)
	l, dirs := newLAN(), map[string]string{"a": t.TempDir(), "b": t.TempDir()}
	l.together = map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{})}
	engines := map[string]*Engine{"a": l.host(t, "a", dirs["a"], nil, "b"), "b": l.host(t, "b", dirs["b"], nil, "a")}
	var group sync.WaitGroup
	var total [2]int
	for i, name := range []string{"a", "b"} {
		group.Go(func() { total[i] = smallest(t, engines[name]) })
	}
	group.Wait()
	if total[0] != total[1] || l.fetched["a"]+l.fetched["b"] != total[0] || l.fetched["a"] == 0 || l.fetched["b"] == 0 {
		t.Errorf("of %v programs %v were taken", total, l.fetched)
	}
	a, b := files(t, dirs["a"]), files(t, dirs["b"])
	if len(a) != total[0] || len(b) != total[0] {
		t.Errorf("%d and %d files of %v programs", len(a), len(b), total)
	}
	for name, content := range a {
		if !bytes.Equal(content, b[name]) {
			t.Errorf("%s is not the same on both", name)
		}
	}
}

// TestUselessMachines: what is of another platform, damaged, or no program is not taken, with a line; the machine is
// left alone from then on, and everything is compiled here.
func TestUselessMachines(t *testing.T) {
	patient(t)
	for _, c := range []struct {
		name, want string
		most       int // programs that are fetched
		gives      func(string, []byte) ([]byte, error)
		platform   bool
	}{
		{"another platform", "it has another plugin, kind of device or options", 0, nil, true},
		{"damaged", "what it gave was damaged", 1,
			func(string, []byte) ([]byte, error) { return nil, share.ErrDamaged }, false},
		{"no program", "what came from a cannot be loaded", 1000,
			func(string, []byte) ([]byte, error) { return []byte("nonsense"), nil }, false},
		{"it breaks off", "", 3, func(string, []byte) ([]byte, error) { return nil, errors.New("cut") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLAN()
			a := l.host(t, "a", Programs, nil)
			all := smallest(t, a)
			if l.gives = c.gives; c.platform {
				a.programs.shelf.platform[0]++
			}
			var mu sync.Mutex
			var notes []string
			dir := t.TempDir()
			for name, content := range files(t, Programs) { // else the test compiles for long
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			e := l.host(t, "b", dir, func(text string) {
				mu.Lock()
				defer mu.Unlock()
				notes = append(notes, text)
			}, "a")
			removed := 0
			for k := range a.programs.shelf.runs {
				if removed++; removed > 3 {
					break
				}
				if err := os.Remove(e.programs.store.path(k)); err != nil {
					t.Fatal(err)
				}
			}
			if n := smallest(t, e); n != all || l.fetched["a"] > c.most {
				t.Errorf("%d programs, %d fetched, want %d", n, l.fetched["a"], all)
			}
			told := strings.Join(notes, "\n")
			if len(notes) > 1 || !strings.Contains(told, c.want) || (c.want == "") != (told == "") {
				t.Errorf("told %q, want %q", told, c.want)
			}
			if len(e.programs.shelf.wanted) > 0 {
				t.Error("something is still wanted")
			}
		})
	}
}

// TestShelf: what a machine says it has can be had, under its seal alone.
func TestShelf(t *testing.T) {
	s, _ := newStore(t.TempDir(), 0)
	shelf := newShelf(s, "about")
	stored, running, wanted, neither := key{1}, key{2}, key{3}, key{4}
	s.keep(stored, []byte("one"))
	s.keep(running, []byte("two"))
	shelf.begin(map[key]bool{wanted: true, running: true, stored: true})
	shelf.ran(running)
	got := shelf.Look([]key{stored, running, wanted, neither})
	want := []share.Entry{{State: share.Stored, Seal: share.SealOf([]byte("one"))},
		{State: share.Runs, Seal: share.SealOf([]byte("two"))}, {State: share.Working}, {}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if code := shelf.Code(running, want[1].Seal); string(code) != "two" {
		t.Errorf("got %q", code)
	}
	if shelf.Code(running, want[0].Seal) != nil || shelf.Code(wanted, want[0].Seal) != nil {
		t.Error("a program is given under another's seal")
	}
	s.keep(running, []byte("another")) // by another process of the machine
	if got := shelf.Look([]key{running})[0].State; got != share.Stored {
		t.Errorf("what is stored does not run, and is told as %v", got)
	}
	shelf.keep(nil)
	shelf.begin(nil)
	s.keep(running, []byte("two"))
	if got := shelf.Look([]key{running, wanted}); got[0].State != share.Stored || got[1].State != share.None {
		t.Errorf("after the end %v", got)
	}
	none := newShelf(&store{note: func(string) {}}, "about")
	if none.Code(running, want[1].Seal) != nil || none.Look([]key{running})[0].State != share.None {
		t.Error("a machine without a folder has a program")
	}
}
