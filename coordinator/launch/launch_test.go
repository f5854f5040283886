package launch

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/coordinator/logs"
	"byol/internal/failure"
)

// logged is a log to which a process has written text, behind what others had.
func logged(t *testing.T, before, text string) *logs.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker-0.log")
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := logs.Open(path, logs.OfWorker, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTail(t *testing.T) {
	t.Parallel()
	old := strings.Repeat("old\n", 10)
	for _, c := range []struct{ text, want string }{
		{"1\n2\n3\n{\"msg\":\"open\",\"error\":\"no file\",\"pid\":1}\n5\n", "2 | 3 | open: no file | 5"},
		{"5\n", "5"}, {"", ""},
	} {
		if got := tail(written(logged(t, old, c.text))); got != c.want {
			t.Errorf("tail of %q: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestQuietLinesAreNoLastWords has a log as a worker writes it: what it says while all is well is not why it ended.
func TestQuietLinesAreNoLastWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, log, want string }{
		{"nothing but good news", `{"level":"info","msg":"joined"}` + "\n" + `{"level":"debug","msg":"x"}` + "\n" +
			`{"level":"info","msg":"ready"}` + "\n", ""},
		{"an error before good news", `{"level":"error","msg":"read batch","error":"no file"}` + "\n" +
			`{"level":"info","msg":"leaving"}` + "\n", "read batch: no file"},
		{"a warning and a line of a library", `{"level":"warn","msg":"slow disk"}` + "\nout of memory\n",
			"slow disk | out of memory"},
		{"blank lines", "\n\n  \nlast\n\n", "last"},
		{"JSON that is no log", `{"a":1}` + "\n", `{"a":1}`},
		{"a panic", "fine\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1\nexit status 2\n",
			"panic: boom"},
	} {
		if got := tail(c.log); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestLongLogs reads the end of a log that is longer than anybody reads, from the first whole line on.
func TestLongLogs(t *testing.T) {
	t.Parallel()
	got := written(logged(t, "before\n", strings.Repeat("0123456789\n", dumpBytes/5)))
	if len(got) > dumpBytes || len(got) < dumpBytes-11 || !strings.HasPrefix(got, "0123456789\n") {
		t.Errorf("%d bytes that begin with %.20q", len(got), got)
	}
}

// TestLongDumps has the Go runtime write the stacks of many goroutines: why it did is above them all. Other words of
// long ago are not why a process ended.
func TestLongDumps(t *testing.T) {
	t.Parallel()
	stacks := strings.Repeat("goroutine 7 [select]:\nmain.wait()\n\t/x.go:1 +0x1\n\n", tailBytes/10)
	for _, c := range []struct{ log, want string }{
		{"fine\nSIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\ngoroutine 0 gp=0x1 m=0 mp=0x1 [idle]:\n" + stacks, "SIGQUIT: quit"},
		{"SIGSEGV: segmentation violation\nPC=0x1\n\n" + stacks, "SIGSEGV: segmentation violation"},
		{"fatal error: runtime: out of memory\n\n" + stacks, "fatal error: runtime: out of memory"},
		{"a warning\n" + strings.Repeat(`{"level":"info","msg":"step"}`+"\n", tailBytes/20), ""},
	} {
		if got := tail(written(logged(t, "", c.log))); got != c.want {
			t.Errorf("%d bytes that begin with %.40q: %q, want %q", len(c.log), c.log, got, c.want)
		}
	}
}

// shell starts n workers that each run a script of the shell, whose $2 is the coordinator's address and $4 the index.
func shell(t *testing.T, n int, script string) (*Workers, chan Exit, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "logs")
	exits := make(chan Exit, n)
	w, err := Start(Options{Binary: "/bin/sh", Args: []string{"-c", script, "sh"}, Coordinator: "host:1",
		Processes: Share(n, n), Threads: 3, Logs: dir, Exited: func(x Exit) { exits <- x }})
	if err != nil {
		t.Fatal(err)
	}
	return w, exits, dir
}

// TestLogsAreBounded has a process say more than its log holds: what it said last is why it ended, and who it left
// behind holds nobody up.
func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	w, exits, dir := shell(t, 1, `sleep 600 & yes 012345678901234567890123456789 | head -c 9000000; echo; echo "pid $!"
		printf 'panic: '; echo boom >&2; echo; echo 'goroutine 1 [running]:'; echo 'main.main()'; exit 2`)
	x := <-exits
	w.Stop(time.Second)
	if x.Tail != "panic: boom" || x.Status != "exit status 2" {
		t.Errorf("it ended with %+.200v", x)
	}
	text, err := os.ReadFile(filepath.Join(dir, "worker-0.log"))
	if m := regexp.MustCompile(`(?m)^pid ([0-9]+)$`).FindSubmatch(text); m == nil || err != nil {
		t.Errorf("who sleeps is not told: %v", err)
	} else if pid, err := strconv.Atoi(string(m[1])); err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Errorf("%d does not sleep any more: %v", pid, err)
	}
	sizes := map[string]int64{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		sizes[f.Name()] = info.Size()
	}
	most := logs.OfWorker.Bytes
	if len(sizes) != 2 || sizes["worker-0.log"] > most || sizes["worker-0.1.log"] > most ||
		sizes["worker-0.log"]+sizes["worker-0.1.log"] < most {
		t.Errorf("logs of %v bytes", sizes)
	}
}

// TestExits has processes end in every way there is.
func TestExits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		want         Exit
	}{
		{"well", "exit 0", Exit{Status: "it ended with status 0"}},
		{"with a reason", "echo no such data; exit 5", Exit{Code: failure.Data, Status: "exit status 5",
			Tail: "no such data"}},
		{"killed", "kill -KILL $$", Exit{Code: failure.Internal, Signalled: true, Signal: 9, Status: "signal: killed"}},
		{"with what it was given", `echo "$@"; exit 1`, Exit{Code: 1, Status: "exit status 1",
			Tail: "--coordinator host:1 --index 0 --threads 3"}},
	} {
		w, exits, dir := shell(t, 1, c.script)
		got := <-exits
		w.Stop(time.Second)
		c.want.Log = filepath.Join(dir, "worker-0.log")
		if got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// TestDeviceIndex: each worker is told which accelerator is its own, whatever schedulers' variables it inherits.
func TestDeviceIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exits := make(chan Exit, 3)
	w, err := Start(Options{Binary: "/bin/sh", Args: []string{"-c", `echo "$7 $8"; exit 1`, "worker"},
		Processes: []int{1, 1, 1}, Accelerators: 2, Threads: 1, Logs: dir, Exited: func(x Exit) { exits <- x }})
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]string{}
	for range 3 {
		x := <-exits
		got[x.Index] = x.Tail
	}
	w.Stop(time.Second)
	for i, want := range []string{"--device-index 0", "--device-index 1", "--device-index 0"} {
		if got[i] != want {
			t.Errorf("worker %d of 3 on 2 accelerators: %q, want %q", i, got[i], want)
		}
	}
}

// TestStop ends processes that go when asked, and kills those that do not.
func TestStop(t *testing.T) {
	t.Parallel()
	w, exits, dir := shell(t, 2, `if [ $4 = 1 ]; then trap "" TERM; fi; echo ready; while :; do sleep 0.01; done`)
	for _, name := range []string{"worker-0.log", "worker-1.log"} {
		for text := []byte(nil); len(text) == 0; time.Sleep(time.Millisecond) {
			text, _ = os.ReadFile(filepath.Join(dir, name))
		}
	}
	began := time.Now()
	w.Wait(10 * time.Millisecond) // nobody ends by itself
	w.Stop(200 * time.Millisecond)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	status := map[int]string{}
	for range 2 {
		x := <-exits
		status[x.Index] = x.Status
	}
	if status[0] != "signal: terminated" || status[1] != "signal: killed" {
		t.Errorf("they ended with %v", status)
	}
}

// TestStartFails names the worker that cannot be started, or the directory that cannot be made.
func TestStartFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := Start(Options{Binary: filepath.Join(dir, "none"), Processes: []int{1, 1}, Logs: dir, Exited: func(Exit) {}})
	var f *failure.Failure
	if !errors.As(err, &f) || f.What != "worker 0 of 2 cannot be started" || f.Code != failure.Usage {
		t.Errorf("a binary that is not there: %v", err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{{err, "make build"}, {&os.PathError{Op: "fork/exec", Path: "worker", Err: syscall.EMFILE}, "ulimit -n"},
		{&os.PathError{Op: "fork/exec", Path: "worker", Err: syscall.EAGAIN}, "ulimit -u"},
		{&os.PathError{Op: "fork/exec", Path: "worker", Err: syscall.ENOMEM}, "ulimit -v"}} {
		if got := startHint(c.err); !strings.Contains(got, c.want) {
			t.Errorf("%v: the advice is %q", c.err, got)
		}
	}
	w.Stop(time.Second)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w, err = Start(Options{Binary: "/bin/sh", Processes: []int{1}, Logs: filepath.Join(file, "logs"),
		Exited: func(Exit) {}})
	if !errors.As(err, &f) || f.What != "the directory of the workers' logs cannot be made" || f.Code != failure.Usage {
		t.Errorf("logs below a file: %v", err)
	}
	w.Stop(time.Second)
}
