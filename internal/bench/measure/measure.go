// Package measure is what the measuring programs share: how they begin and end, a stopwatch, and samples summed up.
//
// Nothing is owned or shared.
//
// When it fails: Main prints the error after the program's name and returns the exit code, 1, or 2 for flags that make
// no sense (Usage). The stopwatch counts no processor time where the system does not tell it.
package measure

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// usage is an error of the flags.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// Usage is an error about the flags that a program was given.
func Usage(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// Parse reads flags and allows no other arguments. Its errors are Usage's, or flag.ErrHelp.
func Parse(f *flag.FlagSet, args []string, help io.Writer) error {
	f.SetOutput(help)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return usage{err}
	case f.NArg() > 0:
		return Usage("unknown argument %q", f.Arg(0))
	}
	return nil
}

// Main runs a program until it ends or is interrupted, and returns its exit code. errs is where its error goes.
func Main(ctx context.Context, name string, errs io.Writer, run func(context.Context) error) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	var flags usage
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &flags):
		fmt.Fprintf(errs, "%s: %v\n", name, err)
		return 2
	}
	fmt.Fprintf(errs, "%s: %v\n", name, err)
	return 1
}

// Cost of some work, by the clock and in processor time of this process.
type Cost struct{ Clock, CPU time.Duration }

// Stopwatch starts measuring; the function it returns says what was spent since.
func Stopwatch() func() Cost {
	start, cpu := time.Now(), processorTime()
	return func() Cost { return Cost{Clock: time.Since(start), CPU: processorTime() - cpu} }
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Summary of a sample: its median and range.
type Summary struct{ Median, Low, High float64 }

// Summarise returns the summary of x; of an empty one, NaNs.
func Summarise(x []float64) Summary {
	if len(x) == 0 {
		return Summary{math.NaN(), math.NaN(), math.NaN()}
	}
	s := slices.Sorted(slices.Values(x))
	return Summary{Median: (s[(len(s)-1)/2] + s[len(s)/2]) / 2, Low: s[0], High: s[len(s)-1]}
}

// Seconds are durations as numbers.
func Seconds(list []time.Duration) []float64 {
	x := make([]float64, len(list))
	for i, d := range list {
		x[i] = d.Seconds()
	}
	return x
}
