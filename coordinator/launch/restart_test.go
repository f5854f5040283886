package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/failure"
)

func plant(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// actor is a process of a test: it ends after a time, or when it is asked to, unless it is deaf.
type actor struct {
	exit  Exit
	lasts time.Duration
	deaf  bool
	ended chan Exit
}

func (a *actor) wait() Exit {
	timer := time.NewTimer(a.lasts)
	defer timer.Stop()
	select {
	case <-timer.C:
		return a.exit
	case x := <-a.ended:
		return x
	}
}

func (a *actor) signal(sig os.Signal) {
	if !a.deaf || sig == syscall.SIGKILL {
		a.ended <- Exit{Signalled: true, Status: "signal: " + sig.String()}
	}
}

// stage starts workers whose processes are actors, and writes down what happens at which second.
type stage struct {
	mu     sync.Mutex // guards what follows
	began  time.Time
	starts []string
	exits  []string
	parts  []func() (*actor, error) // one for each start, the last one again and again
	steps  int64
}

func (s *stage) spawn(index int) (process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts = append(s.starts, fmt.Sprintf("%d at %v", index, time.Since(s.began)))
	part := s.parts[min(len(s.starts), len(s.parts))-1]
	a, err := part()
	if err != nil {
		return nil, err
	}
	a.ended = make(chan Exit, 8)
	return a, nil
}

func (s *stage) exited(x Exit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("%d at %v: %s, out", x.Index, time.Since(s.began), x.Status)
	if x.Next.Restart {
		text = fmt.Sprintf("%d at %v: %s, again in %v", x.Index, time.Since(s.began), x.Status, x.Next.After)
	}
	s.exits = append(s.exits, text)
}

func play(t *testing.T, s *stage, workers, restarts int) *Workers {
	t.Helper()
	s.began = time.Now()
	w, err := Start(Options{Processes: Share(workers, workers), Logs: t.TempDir(), MaxRestarts: restarts,
		Exited: s.exited, spawn: s.spawn,
		Steps: func(int) int64 { s.mu.Lock(); defer s.mu.Unlock(); return s.steps }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func dies(status string, after time.Duration) func() (*actor, error) {
	return func() (*actor, error) {
		return &actor{lasts: after, exit: Exit{Signalled: true, Status: status}}, nil
	}
}

func (s *stage) want(t *testing.T, starts, exits []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.starts, starts) || !slices.Equal(s.exits, exits) {
		t.Errorf("starts %q\n  want %q\n exits %q\n  want %q", s.starts, starts, s.exits, exits)
	}
}

// TestRestarts lets a worker die again and again: it comes back after pauses that grow, and then no more. A start that
// fails is an end like any other.
func TestRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{parts: []func() (*actor, error){dies("first", 5*time.Second), dies("second", 0),
			func() (*actor, error) { return nil, errors.New("no such file") }, dies("last", time.Second)}}
		w := play(t, s, 1, 10)
		time.Sleep(time.Second)
		s.mu.Lock()
		s.steps = 1 // the first process has taken part in a step
		s.mu.Unlock()
		time.Sleep(10 * time.Minute)
		w.Stop(time.Second)
		s.want(t, []string{"0 at 0s", "0 at 6s", "0 at 8s", "0 at 12s", "0 at 21s", "0 at 38s", "0 at 1m9s", "0 at 1m40s",
			"0 at 2m11s", "0 at 2m42s", "0 at 3m13s"},
			[]string{"0 at 5s: first, again in 1s", "0 at 6s: second, again in 2s",
				"0 at 8s: it cannot be started: no such file, again in 4s", "0 at 13s: last, again in 8s",
				"0 at 22s: last, again in 16s", "0 at 39s: last, again in 30s", "0 at 1m10s: last, again in 30s",
				"0 at 1m41s: last, again in 30s", "0 at 2m12s: last, again in 30s", "0 at 2m43s: last, again in 30s",
				"0 at 3m14s: last, out"})
	})
}

// TestRest ends a run between two processes of a worker: none follows, and Stop need not wait. Another worker ends when
// it is asked to, a third is killed.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{parts: []func() (*actor, error){dies("early", time.Second), dies("never", time.Hour),
			func() (*actor, error) { return &actor{lasts: time.Hour, deaf: true}, nil }}}
		w := play(t, s, 3, 10)
		time.Sleep(1500 * time.Millisecond)
		w.Rest()
		w.Wait(time.Second)
		w.Stop(3 * time.Second)
		if took := time.Since(s.began); took != 5500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		s.want(t, []string{"0 at 0s", "1 at 0s", "2 at 0s"}, []string{"0 at 1s: early, again in 1s",
			"1 at 2.5s: signal: terminated, out", "2 at 5.5s: signal: killed, out"})
	})
}

// TestRestartedProcess kills a real process: the next one of the same index appends to the same log, and what the
// first one wrote is not taken for the last words of the second.
func TestRestartedProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	exits := make(chan Exit, 8)
	w, err := Start(Options{Binary: "/bin/sh", Args: []string{"-c",
		`if [ -e "$0.seen" ]; then echo no data; exit 5; fi; : > "$0.seen"; echo first; kill -KILL $$`, dir + "/x"},
		Coordinator: "host:1", Processes: []int{1}, Logs: dir, MaxRestarts: 1, Exited: func(x Exit) { exits <- x }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop(time.Second)
	first, second := <-exits, <-exits
	if !first.Signalled || first.Status != "signal: killed" || first.Tail != "first" ||
		first.Next != (Next{Restart: true, After: time.Second, Number: 1, Limit: 1}) {
		t.Errorf("the first one: %+v", first)
	}
	if second.Code != failure.Data || second.Tail != "no data" || second.Next.Restart {
		t.Errorf("the second one: %+v", second)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "worker-0.log")); strings.Count(string(text), "\n") != 2 {
		t.Errorf("the log: %q, %v", text, err)
	}
}

// TestKilledInShell: a shell around a worker that was killed ends with a status of its own, which says the same.
func TestKilledInShell(t *testing.T) {
	t.Parallel()
	w, exits, _ := shell(t, 1, "exit 137")
	defer w.Stop(time.Second)
	if x := <-exits; !x.Signalled || x.Status != "exit status 137" {
		t.Errorf("%+v", x)
	}
}
