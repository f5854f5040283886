package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/internal/disk"
)

// These tests run saves in processes of their own, which are killed, or find that there is no room.

// saverVariable has the test binary be such a process: its value is what to do, and where.
const saverVariable = "BYOL_TEST_SAVER"

const processBytes = 200_000

func TestMain(m *testing.M) {
	if what, dir, ok := strings.Cut(os.Getenv(saverVariable), " "); ok {
		os.Exit(saverProcess(what, dir))
	}
	os.Exit(m.Run())
}

// saverProcess saves step after step and prints those that are saved, until it is killed; or it looks at a full disk.
func saverProcess(what, dir string) int {
	c := &career{home: dir, bytes: processBytes}
	switch what {
	case "save":
		last := int64(0)
		if all, err := List(dir); err == nil && len(all) > 0 {
			last = all[len(all)-1].Step
		}
		for step := last + 1; c.save(disk.System{}, step); step++ {
			fmt.Println(step)
		}
	case "limited": // as under ulimit -f
		limit := syscall.Rlimit{Cur: processBytes / 2, Max: processBytes * 4}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println(err)
			return 1
		}
		_, err := Save(dir, sized(10, processBytes))
		fmt.Println(err)
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println(err)
			return 1
		}
		if wrong := c.goOn(disk.System{}, 20); wrong != "" {
			fmt.Println(wrong)
			return 1
		}
		return 0
	case "full":
		if err := fullDisk(dir); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	return 1
}

func saver(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), saverVariable+"="+what+" "+dir)
	return cmd
}

// TestKilled kills a process that saves, again and again: what it had told of is there, and what it was writing goes
// with the next save.
func TestKilled(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir := filepath.Join(t.TempDir(), "checkpoints")
	rng := rand.New(rand.NewPCG(1, 2))
	c := &career{home: dir, bytes: processBytes}
	for step := range int64(10_000) {
		c.tried = append(c.tried, step) // how far they come nobody knows
	}
	for round := range rounds {
		cmd := saver(t, "save", dir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(20+rng.IntN(80))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var step int64
			if _, err := fmt.Sscan(lines.Text(), &step); err != nil {
				t.Fatalf("the process says %q", lines.Text())
			}
			c.reported = append(c.reported, step)
		}
		_ = cmd.Wait() // killed
		if wrong := c.check(disk.System{}); wrong != "" {
			t.Fatalf("round %d: %s", round, wrong)
		}
	}
	if len(c.reported) == 0 {
		t.Error("no process lived to save anything")
	}
	if wrong := c.goOn(disk.System{}, c.reported[len(c.reported)-1]+10); wrong != "" {
		t.Error(wrong)
	}
	t.Logf("%d processes killed, %d checkpoints saved by them", rounds, len(c.reported))
}

// TestFileSizeLimit: a process that may not write files as large as a checkpoint says so, and leaves nothing.
func TestFileSizeLimit(t *testing.T) {
	out, err := saver(t, "limited", filepath.Join(t.TempDir(), "checkpoints")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), syscall.EFBIG.Error()) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTmpfs fills a file system of 1 MiB, in a mount namespace of its own.
func TestTmpfs(t *testing.T) {
	cmd := saver(t, "full", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), errNoMount.Error()) {
		t.Skip("mounting needs root")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

var errNoMount = errors.New("cannot mount here")

// fullDisk saves on a small file system until it is full, makes room, and saves again.
func fullDisk(dir string) error {
	if err := errors.Join(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	c := &career{home: filepath.Join(dir, "checkpoints"), bytes: processBytes}
	hog, err := os.Create(filepath.Join(dir, "hog"))
	if err != nil {
		return err
	}
	c.live(disk.System{}, 10, 20)
	if len(c.reported) != 2 {
		return fmt.Errorf("%v were saved while there was room", c.reported)
	}
	if _, err := io.Copy(hog, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill the disk: %w", err)
	}
	for step := int64(30); step < 60; step += 10 {
		if _, err := Save(c.home, sized(step, processBytes)); !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("step %d on a full disk: %w", step, err)
		}
		if wrong := c.check(disk.System{}); wrong != "" {
			return errors.New("on a full disk: " + wrong)
		}
	}
	if err := errors.Join(hog.Close(), os.Remove(hog.Name())); err != nil {
		return err
	}
	if wrong := c.goOn(disk.System{}, 60); wrong != "" {
		return errors.New("when there is room again: " + wrong)
	}
	return nil
}

// zeros is read without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
