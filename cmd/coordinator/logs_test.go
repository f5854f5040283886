package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
)

// TestLogLine: what programs wrote, for people.
func TestLogLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"level":"info","ts":"noon","msg":"joined","step":3,"host":"a b","dry":true,"none":""}`: "noon INFO  joined " +
			`dry=true host="a b" none="" step=3`,
		`{"level":"warn","msg":"\u001b[2Jx","big":9007199254740993}`: ` WARN  ?[2Jx big=9007199254740993`,
		"panic: boom\x1b[2J": "panic: boom?[2J",
		`{"half`:             `{"half`,
		"":                   "",
	} {
		if got := logLine([]byte(line)); got != want {
			t.Errorf("%s:\n got %q\nwant %q", line, got, want)
		}
	}
}

// TestLogsCommand shows logs of a run that is over, also when it is to follow, and says which there are.
func TestLogsCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{coordinatorLog: `{"level":"info","msg":"hello"}` + "\n",
		"logs/worker-2.log": "two", "logs/worker-10.log": "ten\n", "logs/worker-2.1.log": "one\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 0, " INFO  hello\n"}, {"-o json", 0, `{"level":"info","msg":"hello"}` + "\n"}, {"worker-2", 0, "one\ntwo\n"},
		{"10", 0, "ten\n"}, {"-f 2", 0, "one\ntwo\n"},
		{"worker-3", failure.Usage, "there are logs of worker-2, worker-10\n"},
		{"../coordinator", failure.Usage, "no log of a worker"}, {"a b", failure.Usage, "takes one worker"},
	} {
		code, out, errs := command(append(strings.Fields("logs --run-dir "+dir), strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(out+errs, c.want) || code == 0 && out != c.want {
			t.Errorf("logs %s: exit code %d, %q, want %q", c.args, code, out+errs, c.want)
		}
	}
	_, out, _ := command("__complete", "logs", "--run-dir", dir, "")
	if !strings.HasPrefix(out, "worker-2\nworker-10\n:") {
		t.Errorf("completion offers %q", out)
	}
	code, _, errs := command("logs", "--run-dir", filepath.Join(dir, "none"))
	if code != failure.Usage || !strings.Contains(errs, "there is no log to show") {
		t.Errorf("no run: exit code %d, %s", code, fmt.Sprint(errs))
	}
}
