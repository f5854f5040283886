package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"byol/internal/failure"
	"byol/model/device/cpu"
	"byol/worker"
)

// asProgram in the environment makes the test binary the worker program.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if facts := os.Getenv(asPlugins); facts != "" && os.Args[1] == tryCommand {
			os.Exit(tryFake(facts, os.Args[2]))
		}
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestSignalAtAnyMoment sends the real program a signal at many moments of its start. It ends with the code for it and
// says so. Only before the program has come to its first line may the system end it; then it has written nothing.
func TestSignalAtAnyMoment(t *testing.T) {
	t.Parallel()
	told := 0
	const tries = 14
	for i := range tries {
		after := time.Duration(i*i) * time.Millisecond
		cmd := exec.CommandContext(t.Context(), os.Args[0], "--coordinator", "127.0.0.1:1")
		cmd.Env = append(os.Environ(), asProgram+"=1")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		switch got := cmd.ProcessState.ExitCode(); {
		case got == -1 && out.Len() == 0:
		case got != failure.Temporary || !strings.Contains(out.String(), "error: stopped"):
			t.Errorf("after %v: %v, want status %d and a reason:\n%s", after, err, failure.Temporary, &out)
		default:
			told++
		}
	}
	if told < tries/3 {
		t.Errorf("only %d of %d signals came after the first line: nothing is tested", told, tries)
	}
}

// TestUntilSignal: the first signal ends the context with its name, and the end of the program gives signals back.
func TestUntilSignal(t *testing.T) {
	ctx, stop := untilSignal(t.Context(), &bytes.Buffer{})
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); cause == nil || cause.Error() != "signal: terminated" {
		t.Errorf("cause %v", cause)
	}
	stop()
	ctx, stop = untilSignal(t.Context(), &bytes.Buffer{})
	stop()
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		t.Errorf("without a signal: cause %v", cause)
	}
}

// TestFlags parses each of the worker's own settings to its field.
func TestFlags(t *testing.T) {
	t.Setenv("BYOL_COORDINATOR", "from-env:1")
	var s settings
	f := pflag.NewFlagSet("worker", pflag.ContinueOnError)
	s.register(f)
	defaults := settings{coordinator: "from-env:1", index: -1, device: "auto", isa: "auto", joinTimeout: 30 * time.Second,
		grace:    90 * time.Second,
		logLevel: "info", logFormat: "auto", workers: 1,
		accelerator: accelerator{index: -1, kept: 8}}
	if !reflect.DeepEqual(s, defaults) {
		t.Errorf("defaults %+v, want %+v", s, defaults)
	}
	if err := f.Parse([]string{"--coordinator=a:1", "--index=3", "--id=w", "--listen=b:2", "--device=cpu", "--threads=4",
		"--join-timeout=2m", "--grace=9s", "--log-level=debug", "--log-format=console",
		"--admin-listen=c:3", "--workers=2", "--pjrt-plugin=p.so", "--device-index=2",
		"--memory-fraction=0.5", "--preallocate", "--isa=avx2",
		"--data-root=/a=/b", "--data-root=/c,d"}); err != nil {
		t.Fatal(err)
	}
	want := settings{coordinator: "a:1", index: 3, id: "w", listen: "b:2", device: "cpu", isa: "avx2", threads: 4,
		joinTimeout: 2 * time.Minute, grace: 9 * time.Second, logLevel: "debug", logFormat: "console",
		adminListen: "c:3", workers: 2, roots: []string{"/a=/b", "/c,d"},
		accelerator: accelerator{plugin: "p.so", index: 2, fraction: 0.5, preallocate: true, kept: 8}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Usage == "" {
			t.Errorf("--%s has no help", flag.Name)
		}
	})
}

// TestOpenEngine opens each device by name, and explains those that cannot be.
func TestOpenEngine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv(asProgram, "1") // of what tries plugins
	best := "device cpu: " + cpu.ISAs()[0] + " kernels, 1 threads"
	for _, c := range []struct {
		name, kernels, isa string
		note, problem      string
	}{
		{"", "", "", best, ""},
		{"auto", "auto", "auto", best, ""},
		{"cpu", "direct", "generic", "device cpu: generic kernels, 1 threads", ""},
		{"reference", "", "", "", ""},
		{"reference64", "", "", "", ""},
		{"cuda", "", "", "", "device cuda cannot be used"},
		{"rocm", "", "", "", "device rocm cannot be used"},
		{"tpu", "", "", "", "device tpu cannot be used"},
		{"pjrt", "", "", "", "device pjrt cannot be used"},
		{"pjrt:/none/p.so", "", "", "", "device pjrt:/none/p.so cannot be used"},
		{"gpu", "", "", "", `device "gpu" is not known`},
		{"cpu", "fast", "", "", `kernels "fast" are not known`},
		{"cpu", "", "mmx", "", "device cpu cannot be used"},
	} {
		var note string
		open := opener{&accelerator{index: -1}, -1, func(s string) { note = s }}
		d, err := open.open(t.Context(), worker.EngineOptions{Name: c.name, Kernels: c.kernels, Threads: 1, ISA: c.isa})
		if c.problem != "" {
			var f *failure.Failure
			if !errors.As(err, &f) || f.What != c.problem || f.Code != failure.Usage || f.Try == "" {
				t.Errorf("%+v: got %v", c, err)
			}
			continue
		}
		if err != nil || note != c.note {
			t.Errorf("%+v: note %q, %v", c, note, err)
			continue
		}
		if err := d.Close(); err != nil {
			t.Errorf("%+v: close: %v", c, err)
		}
	}
}

// TestOpenEngineInBF16: devices of this program's own compute in fp32 alone, and where there is no accelerator, auto
// doesn't take one of them instead.
func TestOpenEngineInBF16(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv(asProgram, "1") // of what tries plugins
	for _, c := range []struct{ name, precision, problem, why string }{
		{"cpu", "bf16", "device cpu cannot be used with --precision bf16", "it computes in fp32 alone"},
		{"reference", "bf16", "device reference cannot be used with --precision bf16", "it computes in fp32 alone"},
		{"gpu", "bf16", `device "gpu" is not known`, ""},
		{"auto", "bf16", "there is no accelerator for --precision bf16", "no PJRT plugin was found on this machine"},
		{"", "bf16", "there is no accelerator for --precision bf16", "no PJRT plugin was found on this machine"},
		{"cuda", "bf16", "device cuda cannot be used", "no plugin was found"},
		{"auto", "fp8", `--precision "fp8" is not known`, ""},
	} {
		open := opener{&accelerator{index: -1}, -1, func(string) {}}
		_, err := open.open(t.Context(), worker.EngineOptions{Name: c.name, Threads: 1, Precision: c.precision})
		var f *failure.Failure
		if !errors.As(err, &f) || f.What != c.problem || !strings.HasPrefix(f.Why, c.why) || f.Try == "" ||
			f.Code != failure.Usage {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	open := opener{&accelerator{plugin: "/none/p.so", index: -1}, -1, func(string) {}}
	_, err := open.open(t.Context(), worker.EngineOptions{Name: "auto", Threads: 1, Precision: "bf16"})
	if err == nil || !strings.Contains(err.Error(), "the plugin /none/p.so cannot be loaded") {
		t.Errorf("of a plugin that cannot be loaded: %v", err)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/somewhere")
	if got := cacheDir("programs"); got != filepath.Join("/somewhere", "byol", "programs") {
		t.Errorf("got %q", got)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if got := cacheDir("programs"); got != "" {
		t.Errorf("of a user without a home: %q", got)
	}
}
