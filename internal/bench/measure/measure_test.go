package measure

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSummarise(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want Summary
	}{
		{[]float64{3}, Summary{3, 3, 3}},
		{[]float64{9, 1, 5}, Summary{5, 1, 9}},
		{[]float64{4, 1, 2, 9}, Summary{3, 1, 9}},
	} {
		if got := Summarise(c.x); got != c.want {
			t.Errorf("summarise %v: got %v, want %v", c.x, got, c.want)
		}
	}
	if got := Summarise(nil); !math.IsNaN(got.Median) || !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("summarise nothing: got %v, want NaNs", got)
	}
}

// TestSummariesDoNotDependOnOrder: as many samples lie on either side of the median, whatever the order, and the
// sample is left as it was.
func TestSummariesDoNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 50).Draw(t, "x")
		kept := slices.Clone(x)
		got := Summarise(x)
		if !slices.Equal(x, kept) {
			t.Fatalf("the sample became %v", x)
		}
		below, above := 0, 0
		for _, v := range x {
			if v < got.Median {
				below++
			}
			if v > got.Median {
				above++
			}
			if v < got.Low || v > got.High {
				t.Fatalf("%v is outside of %+v", v, got)
			}
		}
		if 2*below > len(x) || 2*above > len(x) {
			t.Fatalf("%d below and %d above %+v of %v", below, above, got, x)
		}
		slices.Reverse(x)
		if again := Summarise(x); again != got {
			t.Fatalf("backwards: %+v, want %+v", again, got)
		}
	})
}

func TestMainTellsErrorsByExitCode(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code int
		said string
	}{
		{"nothing", nil, 0, ""},
		{"help", fmt.Errorf("flags: %w", flag.ErrHelp), 0, ""},
		{"a failure", errors.New("no room"), 1, "prog: no room\n"},
		{"flags", fmt.Errorf("-np: %w", Usage("%d is too many", 9)), 2, "prog: -np: 9 is too many\n"},
	} {
		var errs bytes.Buffer
		code := Main(context.Background(), "prog", &errs, func(context.Context) error { return c.err })
		if code != c.code || errs.String() != c.said {
			t.Errorf("%s: exit code %d and %q, want %d and %q", c.name, code, &errs, c.code, c.said)
		}
	}
}

func TestASignalEndsTheContext(t *testing.T) {
	code := Main(context.Background(), "prog", &bytes.Buffer{}, func(ctx context.Context) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args  string
		want  string // of the error
		usage bool
	}{
		{"-n 3", "", false},
		{"--n=3", "", false},
		{"-n x", "invalid value", true},
		{"-m 3", "not defined", true},
		{"-n 3 more", `unknown argument "more"`, true},
		{"-h", "help requested", false},
	} {
		f := flag.NewFlagSet("prog", flag.ContinueOnError)
		n := f.Int("n", 0, "a number")
		err := Parse(f, strings.Fields(c.args), &bytes.Buffer{})
		var u usage
		switch {
		case c.want == "" && (err != nil || *n != 3):
			t.Errorf("%q: n is %d, error %v", c.args, *n, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &u) != c.usage):
			t.Errorf("%q: got %v, want %q, of usage %v", c.args, err, c.want, c.usage)
		}
	}
}

func TestStopwatchCountsWorkAndTime(t *testing.T) {
	spent := Stopwatch()
	x := 1.0
	for spent().CPU < 20*time.Millisecond {
		x = math.Sqrt(x + 1)
	}
	got := spent()
	if got.CPU < 20*time.Millisecond || got.Clock <= 0 {
		t.Errorf("got %+v (%v), want at least 20ms of processor time", got, x)
	}
	if s := Seconds([]time.Duration{1500 * time.Millisecond, 0}); !slices.Equal(s, []float64{1.5, 0}) {
		t.Errorf("got %v", s)
	}
}
