package failure

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// TestMain lets the test binary be a program that ends in one of the ways below.
func TestMain(m *testing.M) {
	end, ok := ends[os.Getenv("END")]
	if !ok {
		os.Exit(m.Run())
	}
	end()
}

var ends = map[string]func(){
	"panic": func() { panic("the ring is broken") },
	"panic of a goroutine": func() {
		go func() { panic(fmt.Errorf("read: %w", io.EOF)) }()
		select {}
	},
	"nil map": func() { none()["a"] = 1 },
	"unlock":  func() { new(sync.Mutex).Unlock() }, // a deadlock is not seen under the race detector
	"deep panic": func() {
		var down func(n int)
		down = func(n int) {
			if n == 0 {
				panic("deep")
			}
			down(n - 1)
		}
		down(90)
	},
	"usage":    func() { fmt.Fprintln(os.Stderr, "error: unknown flag --panic"); os.Exit(int(Usage)) },
	"data":     func() { os.Exit(int(Data)) },
	"internal": func() { os.Exit(1) },
	"strange":  func() { os.Exit(77) },
	"guarded": func() {
		err := Guard(os.Stderr, func() error { panic("the ring is broken") })
		os.Exit(int(Of(err, Failure{}).Code))
	},
}

func none() map[string]int { return nil }

// TestOfStatus runs programs that really end so, and looks at the last 4 KiB of what they wrote, as the launcher does.
func TestOfStatus(t *testing.T) {
	for _, c := range []struct {
		end    string
		status int
		want   Code
		line   string // "": no panic is told
	}{
		{"panic", 2, Internal, "panic: the ring is broken"},
		{"panic of a goroutine", 2, Internal, "panic: read: EOF"},
		{"nil map", 2, Internal, "panic: assignment to entry in nil map"},
		{"unlock", 2, Internal, "fatal error: sync: unlock of unlocked mutex"},
		{"deep panic", 2, Internal, ""}, // the line is further up than 4 KiB
		{"usage", 2, Usage, ""},
		{"data", 5, Data, ""},
		{"internal", 1, Internal, ""},
		{"strange", 77, Internal, ""},
		{"guarded", 1, Internal, "panic: the ring is broken"},
	} {
		t.Run(c.end, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "END="+c.end)
			out, _ := cmd.CombinedOutput()
			text := string(out[max(0, len(out)-4096):])
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d, want %d:\n%s", got, c.status, out)
			}
			if got := OfStatus(c.status, text); got != c.want {
				t.Errorf("kind %d, want %d, for:\n%s", got, c.want, text)
			}
			line, ok := Panic(text)
			if ok != (c.line != "") || !strings.HasPrefix(line, c.line) {
				t.Errorf("line %q, %v, want %q, for:\n%s", line, ok, c.line, text)
			}
		})
	}
}

// TestPanicInText: words about panics are none.
func TestPanicInText(t *testing.T) {
	for _, text := range []string{
		"", "panic: at the disco", `{"msg":"panic: x"}` + "\ngoroutine 1 [running]:\n",
		"goroutine 1 [running]:\npanic: backwards\n", "error: no panic: all is well\n",
	} {
		if line, ok := Panic(text); ok || OfStatus(2, text) != Usage {
			t.Errorf("%q: panic %q, kind %d, want none and usage", text, line, OfStatus(2, text))
		}
	}
}

func TestGuard(t *testing.T) {
	var log strings.Builder
	if err := Guard(&log, func() error { return io.EOF }); err != io.EOF || log.Len() > 0 {
		t.Errorf("got %v and %q, want the error of f and no text", err, &log)
	}
	err := Guard(&log, func() error { panic(fmt.Errorf("inner: %w", io.ErrUnexpectedEOF)) })
	f := Of(err, Failure{})
	if f.Code != Internal || f.Why != "inner: unexpected EOF" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %+v", f)
	}
	if !strings.Contains(log.String(), "panic: inner") || !strings.Contains(log.String(), "TestGuard") {
		t.Errorf("the log holds no stack: %q", log.String())
	}
}

func TestExit(t *testing.T) {
	other := Failure{What: "something broke", Try: "look", Code: Internal}
	for _, c := range []struct {
		f      func() error
		status int
		want   string
	}{
		{func() error { return nil }, 0, ""},
		{func() error { return io.EOF }, 1, "error: something broke\n  why: EOF\n  try: look   [exit 1]\n"},
		{func() error { return fmt.Errorf("train: %w", &Failure{What: "no images", Code: Data}) }, 5,
			"error: no images\n  [exit 5]\n"},
		{func() error { return &Failure{What: "forgotten"} }, 1, "error: forgotten\n  [exit 1]\n"},
	} {
		var b strings.Builder
		if got := Exit(&b, other, c.f); got != c.status || b.String() != c.want {
			t.Errorf("got %d and %q, want %d and %q", got, &b, c.status, c.want)
		}
	}
	var b strings.Builder
	if got := Exit(&b, other, func() error { panic("broken") }); got != 1 ||
		!strings.HasPrefix(b.String(), "panic: broken\n\ngoroutine ") ||
		!strings.Contains(b.String(), "error: the program broke\n  why: broken\n") {
		t.Errorf("a panic: got %d and %q", got, &b)
	}
}
