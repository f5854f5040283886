package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/model/pjrt/pjrttest"
)

// devices runs the command, and the processes that it starts as this program.
func devices(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv(asProgram, "1")
	var out, errs bytes.Buffer
	code = run(append([]string{"devices"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// TestDevicesOfCleanMachine: without plugins there is the processor, and nothing is amiss.
func TestDevicesOfCleanMachine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv(pluginVariable, "")
	code, out, errs := devices(t)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || errs != "" || len(lines) < 2 || !strings.HasPrefix(lines[1], "cpu ") ||
		!strings.HasSuffix(lines[1], "built in") {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
}

// TestDevices lists a plugin that opens, and says of others why they do not.
func TestDevices(t *testing.T) {
	cpu := pjrttest.Path(t, pjrttest.CPU115)
	none := filepath.Join(t.TempDir(), "none.so")
	t.Setenv(pluginVariable, cpu)
	code, out, errs := devices(t, "--pjrt-plugin", none)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{"pjrt:cpu:0", " 0.115 ", cpu,
		"the plugin " + none + " cannot be loaded: cannot open shared object file: No such file or directory",
		"(--pjrt-plugin)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, _ = devices(t, "-o", "json")
	var l listing
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 {
		t.Fatalf("exit %d, %v:\n%s", code, err, out)
	}
	first := l.Plugins[0]
	if l.CPU == "" || first.Path != cpu || first.Refused != "" || first.API != "0.115" || len(first.Devices) == 0 {
		t.Errorf("%+v", l)
	}
}

func TestDevicesUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"x"}, "takes no argument x"},
		{[]string{"-o", "yaml"}, `-o "yaml" is not known`},
	} {
		code, _, errs := devices(t, c.args...)
		if code != failure.Usage || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit %d, %s", c.args, code, errs)
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{tryCommand, "x"}, &out, &errs); code != failure.Usage {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}
