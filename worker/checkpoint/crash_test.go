package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"byol/internal/disk"
	"byol/internal/disk/crash"
	"byol/internal/safetensors"
)

// What a run does to its checkpoints, on a disk whose power fails: these tests look at what is left after every
// operation on the disk, with several shares of what was not flushed.

const (
	home   = "/runs/run/checkpoints"
	keep   = 2
	strays = "what is not ours"
)

// strangers are files beside the checkpoints that look a little like ours.
var strangers = []string{"notes.txt", ".step-notes", ".latest", ".step-000000010.safetensors-mine",
	"step-10.safetensors"}

// shares of what was not flushed that are found after a crash, in percent.
var shares = []int{0, 50, 100}

// sized is a state of about so many bytes.
func sized(step int64, n int) State {
	fill := func(name string, seed byte) safetensors.Tensor {
		data := bytes.Repeat([]byte{seed, byte(step), 7, 1}, n/8)
		return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{len(data) / 4}, Data: data}
	}
	return State{Step: step, Config: `{"seed":"1"}`,
		Tensors: []safetensors.Tensor{fill("online/a", 3), fill("target/a", 5)}}
}

// career is a run's life on a disk: what it saved, and was told that it is saved.
type career struct {
	home      string
	bytes     int
	strangers []string // that are there
	tried     []int64
	reported  []int64
}

// begin leaves on a new disk what was there before the run.
func begin(t *testing.T) *crash.Disk {
	t.Helper()
	d := crash.New()
	if err := disk.MkdirAll(d, home); err != nil {
		t.Fatal(err)
	}
	for _, name := range strangers {
		f, err := d.Create(home, name, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write([]byte(strays))
		if err := errors.Join(err, f.Sync(), f.Close(), d.SyncDir(home)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// save saves one step and prunes, as a worker and its coordinator do. It returns false when something failed.
func (c *career) save(files disk.FS, step int64) bool {
	c.tried = append(c.tried, step)
	info, err := SaveOn(files, c.home, sized(step, c.bytes))
	if err != nil {
		return false
	}
	if found, _, err := header(files, info.Path); err != nil || found.StateSHA256 != info.StateSHA256 {
		return false
	}
	c.reported = append(c.reported, step)
	return prune(files, c.home, keep) == nil
}

// live saves steps one after the other until something fails.
func (c *career) live(files disk.FS, steps ...int64) {
	for _, step := range steps {
		if !c.save(files, step) {
			return
		}
	}
}

// check says what is wrong with a directory that is found after a crash, "" for nothing.
func (c *career) check(files disk.FS) string {
	all, err := list(files, c.home)
	if err != nil {
		return fmt.Sprint("list: ", err)
	}
	var found []int64
	for _, i := range all {
		info, err := verify(files, i.Path)
		if err != nil {
			return fmt.Sprintf("step %d is listed and does not verify: %v", i.Step, err)
		}
		if !slices.Contains(c.tried, i.Step) || info.StateSHA256 != Digest(sized(i.Step, c.bytes)) {
			return fmt.Sprintf("step %d holds what nobody saved", i.Step)
		}
		found = append(found, i.Step)
	}
	for _, step := range c.reported {
		newer := len(found) - len(slices.DeleteFunc(slices.Clone(found), func(s int64) bool { return s > step }))
		if !slices.Contains(found, step) && newer < keep {
			return fmt.Sprintf("step %d was reported as saved and is lost: steps %v are there", step, found)
		}
	}
	best, problems, err := newest(files, c.home)
	switch {
	case len(problems) > 0:
		return fmt.Sprintf("newest: passed over %v", problems)
	case len(found) == 0 && !errors.Is(err, ErrNone):
		return fmt.Sprintf("newest: %v, of nothing", err)
	case len(found) > 0 && (err != nil || best.Step != found[len(found)-1]):
		return fmt.Sprintf("newest: step %d, %v, of %v", best.Step, err, found)
	}
	if n := len(c.reported); n > 0 {
		path, err := latest(files, c.home)
		if err != nil {
			return fmt.Sprint("latest: ", err)
		}
		if info, err := verify(files, path); err != nil || info.Step < c.reported[n-1] {
			return fmt.Sprintf("latest names step %d (%v), %d was reported", info.Step, err, c.reported[n-1])
		}
	}
	for _, name := range c.strangers {
		if text, err := disk.ReadFile(files, filepath.Join(c.home, name)); err != nil || string(text) != strays {
			return fmt.Sprintf("%s, which is not ours: %q, %v", name, text, err)
		}
	}
	return ""
}

// goOn says what is wrong when the run goes on after a crash: a save works, and what was half written goes with it.
func (c *career) goOn(files disk.FS, step int64) string {
	next := career{home: c.home, bytes: c.bytes, strangers: c.strangers, tried: c.tried, reported: c.reported}
	if !next.save(files, step) {
		return fmt.Sprintf("step %d cannot be saved", step)
	}
	entries, err := files.ReadDir(c.home)
	if err != nil {
		return err.Error()
	}
	for _, e := range entries {
		_, ours := stepOf(e.Name())
		if !ours && e.Name() != latestName && !slices.Contains(strangers, e.Name()) {
			return e.Name() + " is left"
		}
	}
	return next.check(files)
}

// crashes has the power fail after every operation of a life, and gives every disk that may be left to look, until it
// says what is wrong.
func crashes(t *testing.T, bytes int, ignore crash.Flush, look func(c *career, left *crash.Disk) string) (examined int,
	wrong string) {
	t.Helper()
	steps := []int64{10, 20, 30, 40, 50}
	run := func(last int) (*crash.Disk, *career) {
		d, c := begin(t), &career{home: home, bytes: bytes, strangers: strangers}
		d.Ignore(ignore)
		if last > 0 {
			d.CrashAfter(last)
		}
		c.live(d, steps...)
		return d, c
	}
	before := begin(t).Operations()
	whole, c := run(0)
	if len(c.reported) != len(steps) || whole.Off() {
		t.Fatalf("without a crash %v of %v are saved", c.reported, steps)
	}
	for last := before + 1; last <= whole.Operations(); last++ {
		d, c := run(last)
		for _, share := range shares {
			examined++
			if wrong := look(c, d.Left(share, uint64(last))); wrong != "" {
				return examined, fmt.Sprintf("power failed after operation %d of %d, %d %% of what was not flushed is left, "+
					"reported %v: %s", last-before, whole.Operations()-before, share, c.reported, wrong)
			}
		}
	}
	return examined, ""
}

// TestCrash has the power fail after every operation of a run that saves and prunes: what is listed verifies, what was
// reported is there, nothing that is not ours was touched, and the next save works and cleans up.
func TestCrash(t *testing.T) {
	examined, wrong := crashes(t, 150_000, crash.NoFlush, func(c *career, left *crash.Disk) string {
		if wrong := c.check(left); wrong != "" {
			return wrong
		}
		return c.goOn(left, 60)
	})
	if wrong != "" {
		t.Error(wrong)
	}
	t.Logf("%d operations × %d shares: %d disks examined", examined/len(shares), len(shares), examined)
}

// TestNewDirectory: the first checkpoint outlives a crash right after it, with the directories that were made for it.
func TestNewDirectory(t *testing.T) {
	d, c := crash.New(), &career{home: home, bytes: 1000}
	c.live(d, 10)
	if all, err := list(d.Left(0, 0), home); err != nil || len(all) != 1 {
		t.Errorf("%v, %v, want the checkpoint that was reported", all, err)
	}
}

// TestCrashAgain has the power fail a second time, after every operation of the first save that follows a crash.
func TestCrashAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: some ten thousand crashes; make unit runs it")
	}
	examined := 0
	_, wrong := crashes(t, 2_000, crash.NoFlush, func(c *career, left *crash.Disk) string {
		for last := 1; ; last++ {
			d, again := left.Left(100, 0), &career{home: home, bytes: c.bytes, strangers: strangers,
				tried: slices.Clone(c.tried), reported: slices.Clone(c.reported)}
			d.CrashAfter(last)
			again.save(d, 60)
			for _, share := range shares {
				examined++
				found := d.Left(share, uint64(last))
				if wrong := again.check(found); wrong != "" {
					return fmt.Sprintf("and again after operation %d, %d %%: %s", last, share, wrong)
				}
				if wrong := again.goOn(found, 70); wrong != "" {
					return fmt.Sprintf("and again after operation %d, %d %%: %s", last, share, wrong)
				}
			}
			if !d.Off() {
				return ""
			}
		}
	})
	if wrong != "" {
		t.Error(wrong)
	}
	t.Logf("%d disks examined", examined)
}

// TestFlushesAreNeeded: on a disk that does not flush contents, or names, the crash test finds a loss.
func TestFlushesAreNeeded(t *testing.T) {
	for _, kind := range []crash.Flush{crash.Content, crash.Names} {
		look := func(c *career, left *crash.Disk) string { return c.check(left) }
		if _, wrong := crashes(t, 20_000, kind, look); wrong == "" {
			t.Errorf("flushes of kind %d do nothing, and no crash shows it", kind)
		}
	}
}

// TestEveryError has each operation of a save fail once, as a bad or full disk does: the save says so or the state is
// stored, what was stored before is there, nothing half written is left, and the next save works.
func TestEveryError(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		for at := 1; ; at++ {
			d, c := begin(t), &career{home: home, bytes: 150_000, strangers: strangers}
			c.live(d, 10, 20)
			d.FailAt(d.Operations()+at, fault)
			before := d.Operations()
			info, err := SaveOn(d, home, sized(30, c.bytes))
			c.tried = append(c.tried, 30)
			if d.Operations() < before+at {
				if err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				t.Logf("%d operations, %v", at-1, fault)
				break
			}
			if err != nil && !errors.Is(err, fault) || err == nil && info.Step != 30 {
				t.Errorf("operation %d fails with %v: %v, %+v", at, fault, err, info)
			}
			if wrong := c.check(d); wrong != "" {
				t.Errorf("operation %d fails with %v: %s", at, fault, wrong)
			}
			if wrong := c.goOn(d, 40); wrong != "" {
				t.Errorf("operation %d fails with %v, afterwards: %s", at, fault, wrong)
			}
		}
	}
}

// TestFullDisk saves on disks of any size: what does not fit is refused whole, and fits once there is room.
func TestFullDisk(t *testing.T) {
	const size = 20_000
	for room := size / 2; room < 5*size; room += 1009 {
		d, c := begin(t), &career{home: home, bytes: size, strangers: strangers}
		d.Limit(room)
		for step := int64(10); step <= 50; step += 10 {
			c.save(d, step)
			if wrong := c.check(d); wrong != "" {
				t.Fatalf("room for %d bytes, step %d: %s", room, step, wrong)
			}
		}
		if room > 4*size && len(c.reported) != 5 {
			t.Errorf("room for %d bytes, and only %v of 5 were saved", room, c.reported)
		}
		d.Limit(-1)
		if wrong := c.goOn(d, 60); wrong != "" {
			t.Fatalf("room for %d bytes, then for more: %s", room, wrong)
		}
	}
}

// TestWritersAtATime: a save leaves the temporary of another that is still writing alone, and removes it when its
// writer has gone.
func TestWritersAtATime(t *testing.T) {
	dir := t.TempDir()
	system := disk.System{}
	other, err := system.Create(dir, "."+Name(10)+"-*", 0o644)
	if err != nil {
		t.Fatal(err)
	}
	mustSave(t, dir, sample(20))
	if _, err := disk.ReadFile(system, other.Name()); err != nil {
		t.Errorf("another's temporary: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	mustSave(t, dir, sample(30))
	for _, name := range names(t, dir) {
		if strings.HasPrefix(name, ".step") {
			t.Errorf("%s is left", name)
		}
	}
}
