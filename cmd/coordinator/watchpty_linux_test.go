package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	pb "byol/proto"
)

// terminal is a pseudo-terminal: a program has its one end, a test sees and types at the other.
type terminal struct {
	tester, program *os.File

	mu   sync.Mutex // guards what follows
	out  bytes.Buffer
	seen int // of it
}

func control(t *testing.T, f *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument)); errno != 0 {
		t.Fatalf("ioctl %#x: %v", request, errno)
	}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	tester, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	var number, locked int32
	control(t, tester, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	control(t, tester, syscall.TIOCGPTN, unsafe.Pointer(&number))
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	x := &terminal{tester: tester, program: program}
	x.resize(t, 80, 24)
	var reading sync.WaitGroup
	reading.Go(func() {
		_, _ = io.Copy(x, tester) // it ends with the terminal
	})
	t.Cleanup(func() {
		_ = program.Close()
		_ = tester.Close()
		reading.Wait()
	})
	return x
}

func (x *terminal) resize(t *testing.T, width, height uint16) {
	t.Helper()
	size := [4]uint16{height, width}
	control(t, x.tester, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	// A window tells whom it controls; the test is nobody's.
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.Write(p)
}

// shows waits until the program has written text, since the last time.
func (x *terminal) shows(t *testing.T, text string) {
	t.Helper()
	found := func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		at := strings.Index(x.out.String()[x.seen:], text)
		x.seen += max(0, at)
		return at >= 0
	}
	for limit := time.Now().Add(time.Minute); !found(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("the terminal has no %q in\n%q", text, x.written())
		}
	}
}

// written is all that the program wrote.
func (x *terminal) written() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.String()
}

func (x *terminal) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := x.tester.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*[0-9]m`)

// TestWatchOnTerminal has a person at a terminal look at a run, pause it and leave, with colours and without.
func TestWatchOnTerminal(t *testing.T) {
	for _, noColour := range []string{"", "yes"} {
		t.Run("NO_COLOR="+noColour, func(t *testing.T) {
			t.Setenv("NO_COLOR", noColour)
			t.Setenv("TERM", "xterm-256color")
			c := &lively{step: 500}
			c.statuses = []*pb.Status{at(499)}
			c.events = []*pb.Event{{Id: 1, Type: "worker-lost", Text: "worker-3 \x1b[2J is lost"}}
			x := newTerminal(t)
			root := rootCommand()
			root.SetArgs([]string{"watch", "-s", serveCoordinator(t, c), "--interval", "50ms"})
			root.SetIn(x.program)
			root.SetOut(x.program)
			ended := make(chan error, 1)
			go func() { ended <- root.ExecuteContext(t.Context()) }()
			x.shows(t, "\x1b[?1049h") // the screen is kept for later
			x.shows(t, "EVENTS")
			x.shows(t, `worker-3 \x1b[2J is lost`)
			for _, c := range []struct{ keys, want string }{
				{"?", "save a checkpoint at the next step"}, {"x", "EVENTS"}, {"p", "Pause the training at the next step?"},
				{"y", "pausing at step 1 234"}, {"x", "q quit"},
			} {
				x.types(t, c.keys)
				time.Sleep(50 * time.Millisecond) // so that another size has all of it drawn once more
				width := uint16(60 + len(c.want))
				for limit := time.Now().Add(time.Minute); !strings.Contains(x.written()[x.seen:], c.want); width ^= 1 {
					if time.Now().After(limit) {
						break
					}
					x.resize(t, width, 20)
					time.Sleep(50 * time.Millisecond)
				}
				x.shows(t, c.want)
			}
			x.types(t, "q")
			x.shows(t, "\x1b[?1049l") // and there again
			x.shows(t, "RUN r   running")
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if coloured := colours.MatchString(x.written()); coloured == (noColour != "") {
				t.Errorf("colours: %v, in %q", coloured, x.written())
			}
		})
	}
}

// TestWatchOnDumbTerminals writes lines.
func TestWatchOnDumbTerminals(t *testing.T) {
	end := with(at(1000), func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_COMPLETED })
	for _, c := range []struct{ term, flag string }{{"dumb", "--interval=1s"}, {"xterm", "--plain"}} {
		t.Setenv("TERM", c.term)
		x := newTerminal(t)
		root := rootCommand()
		root.SetArgs([]string{"watch", "-s", (&operated{statuses: []*pb.Status{end}}).serve(t), c.flag})
		root.SetIn(x.program)
		root.SetOut(x.program)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.shows(t, progressLine(end)+"\r\n")
		if text := x.written(); strings.Contains(text, "\x1b") {
			t.Errorf("%+v: %q", c, text)
		}
	}
}
