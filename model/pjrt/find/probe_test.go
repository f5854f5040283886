package find

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/model/pjrt/pjrttest"
)

// behaviour in the environment makes the test binary a process that tries a plugin, and behaves like that.
const behaviour = "TEST_BEHAVIOUR"

func TestMain(m *testing.M) {
	report := os.NewFile(ReportFile, "report")
	switch os.Getenv(behaviour) {
	case "":
		os.Exit(m.Run())
	case "try":
		var c Candidate
		if err := json.Unmarshal([]byte(os.Args[1]), &c); err != nil {
			panic(err)
		}
		if err := Try(c, report); err != nil {
			panic(err)
		}
	case "signal":
		fmt.Fprintln(os.Stderr, "about to end")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "damage": // as a library does that writes where it must not
		*(*int)(nil) = 1
	case "exit":
		fmt.Fprintln(os.Stderr, "first words\nCheck failed: devices > 0\nlast words")
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "nonsense":
		fmt.Fprintln(report, "no report")
	case "nothing":
	}
	os.Exit(0)
}

func probe(t *testing.T, how string, c Candidate, limit time.Duration) Report {
	p := Prober{Limit: limit, Command: func(ctx context.Context, c Candidate) *exec.Cmd {
		candidate, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(ctx, os.Args[0], string(candidate))
		cmd.Env = append(os.Environ(), behaviour+"="+how)
		return cmd
	}}
	return p.Probe(t.Context(), c)
}

// TestProbe: whatever a plugin does to the process that tries it, a line says so.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		how, path, want string
		limit           time.Duration
	}{
		{"signal", "/p.so", "ended the process that tried it (signal: killed): about to end", 0},
		{"damage", "/p.so", "SIGSEGV", 0},
		{"exit", "/p.so", "ended the process that tried it (exit status 3): Check failed: devices > 0", 0},
		{"hang", "/p.so", "did not answer within 50ms", 50 * time.Millisecond},
		{"nonsense", "/p.so", "its report cannot be read", 0},
		{"nothing", "/p.so", "its report cannot be read", 0},
		{"try", "/none/p.so", "cannot be loaded: cannot open shared object file", 0},
		{"try", "libc.so.6", "is a library, but no PJRT plugin", 0},
	} {
		r := probe(t, c.how, Candidate{Path: c.path, Kind: Other}, c.limit)
		if !strings.Contains(r.Refused, c.want) {
			t.Errorf("%s %s: %q, want %q", c.how, c.path, r.Refused, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := Prober{Command: func(ctx context.Context, _ Candidate) *exec.Cmd { return exec.CommandContext(ctx, os.Args[0]) }}
	if r := p.Probe(ctx, Candidate{}); !strings.Contains(r.Refused, "was not tried") {
		t.Errorf("after the end: %q", r.Refused)
	}
	p.Command = func(ctx context.Context, _ Candidate) *exec.Cmd { return exec.CommandContext(ctx, "/none/program") }
	if r := p.Probe(t.Context(), Candidate{}); !strings.Contains(r.Refused, "was not tried") {
		t.Errorf("without a program: %q", r.Refused)
	}
}

// TestProbeCPU tries real plugins.
func TestProbeCPU(t *testing.T) {
	for name, api := range map[string]string{pjrttest.CPU115: "0.115", pjrttest.CPU106: "0.106"} {
		r := probe(t, "try", Candidate{Path: pjrttest.Path(t, name), Kind: CPU}, 0)
		if r.Refused != "" || r.API != api || r.Name != "cpu" || len(r.Devices) == 0 || r.Devices[0].Kind != "cpu" {
			t.Errorf("%+v", r)
		}
	}
}

// TestProbeCUDA tries the real plugin for NVIDIA's GPUs where there is none.
func TestProbeCUDA(t *testing.T) {
	path := pjrttest.Path(t, pjrttest.CUDA)
	if found, err := filepath.Glob("/dev/nvidia[0-9]*"); err != nil || len(found) > 0 {
		t.Skipf("there are GPUs: %v %v", found, err)
	}
	r := probe(t, "try", Candidate{Path: path, Kind: CUDA}, 0)
	if !strings.HasPrefix(r.Refused, "is there, and sees no GPU: ") || r.API != "0.115" {
		t.Errorf("%+v", r)
	}
}
