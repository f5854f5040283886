package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
)

func TestMessages(t *testing.T) {
	t.Setenv("BYOL_COORDINATOR", "")
	for _, name := range indexVariables {
		t.Setenv(name, "")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	missing := filepath.Join(t.TempDir(), "none.safetensors")
	t.Setenv("PATH", t.TempDir()) // no plugin is found
	t.Setenv("HOME", t.TempDir())
	cases := []struct {
		args []string
		env  map[string]string
		code int
		want []string
	}{
		{nil, nil, failure.Usage, []string{"error: no coordinator was named", "why: ", "try: ", "exit 2"}},
		{[]string{"--colour"}, nil, failure.Usage, []string{"unknown flag: --colour", "worker --help"}},
		{[]string{"dance"}, nil, failure.Usage, []string{`unknown command "dance"`}},
		{[]string{"--coordinator", closed, "--join-timeout", "100ms"}, nil, failure.Unreachable,
			[]string{"no coordinator answers at " + closed, "exit 3"}},
		{[]string{"verify-goldne"}, nil, failure.Usage, []string{"did you mean verify-golden?"}},
		{[]string{"--coordinator", "x"}, nil, failure.Usage, []string{"is not HOST:PORT"}},
		{[]string{"--coordinator", closed, "--index", "-2"}, nil, failure.Usage, []string{"--index must not be negative"}},
		{[]string{"--coordinator", closed, "--index", "4294967296"}, nil, failure.Usage,
			[]string{"--index 4294967296 is too large"}},
		{[]string{"--coordinator", closed}, map[string]string{"RANK": "4294967296"}, failure.Usage,
			[]string{`RANK="4294967296"`}},
		{[]string{"version", "x"}, nil, failure.Usage, []string{"worker version takes no argument x"}},
		{[]string{"--coordinator", closed, "--threads", "-2"}, nil, failure.Usage, []string{"--threads"}},
		{[]string{"--coordinator", closed, "--admin-listen", "0.0.0.0:0"}, nil, failure.Usage,
			[]string{"refusing to listen on 0.0.0.0:0 without TLS"}},
		{[]string{"--coordinator", closed, "--admin-listen", "127.0.0.1:x"}, nil, failure.Usage, []string{"--admin-listen"}},
		{[]string{"--coordinator", closed, "--log-format", "xml"}, nil, failure.Usage, []string{`"xml"`, "console or json"}},
		{[]string{"--coordinator", closed, "--log-level", "loud"}, nil, failure.Usage, []string{`"loud"`}},
		{[]string{"--coordinator", closed}, map[string]string{"RANK": "first"}, failure.Usage, []string{`RANK="first"`}},
		{[]string{"--coordinator", closed}, map[string]string{"BYOL_FAULTS": "burn"}, failure.Usage,
			[]string{"BYOL_FAULTS is not a fault plan"}},
		{[]string{"--coordinator", closed}, map[string]string{"BYOL_FAULTS": "kill step=1; cut a->b"}, failure.Usage,
			[]string{"BYOL_FAULTS has faults that a worker cannot carry out", "cut a->b is of lines"}},
		{[]string{"verify-golden"}, nil, failure.Usage, []string{"wants golden files"}},
		{[]string{"verify-golden", missing}, nil, failure.Usage, []string{missing, "no such file"}},
		{[]string{"verify-golden", missing, "--device", "cuda"}, nil, failure.Usage, []string{"no plugin was found"}},
		{[]string{"--coordinator", closed, "--memory-fraction", "2"}, nil, failure.Usage, []string{"--memory-fraction"}},
		{[]string{"--coordinator", closed, "--device-index", "-7"}, nil, failure.Usage, []string{"--device-index"}},
		{[]string{"--coordinator", closed, "--program-cache", "-1"}, nil, failure.Usage, []string{"--program-cache"}},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			var out, errs bytes.Buffer
			if code := run(c.args, &out, &errs); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(errs.String(), w) {
					t.Errorf("got %q, want %q in it", errs.String(), w)
				}
			}
		})
	}
}

func TestRank(t *testing.T) {
	cases := []struct {
		env  map[string]string
		flag int // −1: not given
		want int
	}{
		{nil, -1, -1},
		{map[string]string{"SLURM_PROCID": "5"}, -1, 5},
		{map[string]string{"SLURM_PROCID": "5", "JOB_COMPLETION_INDEX": "4"}, -1, 4},
		{map[string]string{"SLURM_PROCID": "5", "JOB_COMPLETION_INDEX": "4", "RANK": "3"}, -1, 3},
		{map[string]string{"RANK": "3"}, 0, 0},
	}
	for _, c := range cases {
		s := settings{index: c.flag}
		got, err := s.rank(c.flag >= 0, func(name string) (string, bool) {
			v, ok := c.env[name]
			return v, ok
		})
		if err != nil || got != c.want {
			t.Errorf("%v, --index %d: got %d, %v, want %d", c.env, c.flag, got, err, c.want)
		}
	}
}

// TestVersion pins the one line the coordinator reads.
func TestVersion(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"version"}, &out, &errs); code != 0 {
		t.Fatal(errs.String())
	}
	if want := "worker " + buildName() + "\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
