package failure

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestPrint(t *testing.T) {
	for _, c := range []struct {
		f    Failure
		want string
	}{
		{Failure{What: "cannot listen", Why: "port\n is taken", Try: "another  --listen", Code: Usage},
			"error: cannot listen\n  why: port is taken\n  try: another --listen   [exit 2]\n"},
		{Failure{What: "it broke", Code: Internal}, "error: it broke\n  [exit 1]\n"},
		{Failure{What: "no images", Try: "--data", Code: Data}, "error: no images\n  try: --data   [exit 5]\n"},
	} {
		var b strings.Builder
		c.f.Print(&b)
		if b.String() != c.want {
			t.Errorf("%+v\n got %q\nwant %q", c.f, b.String(), c.want)
		}
	}
}

func TestOf(t *testing.T) {
	inner := &Failure{What: "no images", Code: Data, Err: io.ErrUnexpectedEOF}
	if got := Of(fmt.Errorf("open: %w", inner), Failure{What: "other", Code: Internal}); got != inner {
		t.Errorf("a wrapped failure became %+v", got)
	}
	got := Of(fmt.Errorf("read: %w", io.EOF), Failure{What: "the worker broke", Try: "look", Code: Internal})
	if got.What != "the worker broke" || got.Why != "read: EOF" || got.Try != "look" || got.Code != Internal {
		t.Errorf("got %+v", got)
	}
	if !errors.Is(got, io.EOF) || !errors.Is(inner, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if got.Error() != "the worker broke: read: EOF" || (&Failure{What: "a"}).Error() != "a" {
		t.Errorf("text %q", got.Error())
	}
}

// What the system refuses has advice of its own, which does not replace better advice.
func TestOfRefusals(t *testing.T) {
	directory := os.NewSyscallError("getwd", syscall.ENOENT)
	memory := fmt.Errorf("allocate: %w", syscall.ENOMEM)
	for _, c := range []struct {
		err       error
		otherwise Failure
		try       string
		code      Code
	}{
		{directory, Failure{What: "something broke", Try: "look", Code: Internal}, "cd to one that is there", Usage},
		{memory, Failure{What: "cannot train", Code: Usage}, "ulimit -v", Usage},
		{memory, Failure{What: "cannot train", Try: "less", Code: Usage}, "less", Usage},
		{io.EOF, Failure{What: "something broke", Code: Internal}, "", Internal},
	} {
		got := Of(c.err, c.otherwise)
		if !strings.Contains(got.Try, c.try) || c.try == "" && got.Try != "" || got.Code != c.code || !errors.Is(got, c.err) {
			t.Errorf("%v with %+v: got %+v", c.err, c.otherwise, got)
		}
	}
}
