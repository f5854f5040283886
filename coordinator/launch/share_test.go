package launch

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestThreads(t *testing.T) {
	for _, c := range []struct{ cores, processes, want int }{
		{8, 2, 4}, {8, 3, 2}, {2, 8, 1}, {1, 1, 1}, {4, 0, 4},
	} {
		if got := Threads(c.cores, c.processes); got != c.want {
			t.Errorf("%d cores, %d processes: %d threads each, want %d", c.cores, c.processes, got, c.want)
		}
	}
}

// TestShare: all workers are shared out, to each process one at least, and nobody has two more than another.
func TestShare(t *testing.T) {
	if got := Share(8, 3); !slices.Equal(got, []int{2, 3, 3}) {
		t.Errorf("8 in 3: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		workers := rapid.IntRange(1, 1024).Draw(t, "workers")
		processes := rapid.IntRange(1, workers).Draw(t, "processes")
		all, sum := Share(workers, processes), 0
		for _, n := range all {
			sum += n
		}
		if len(all) != processes || sum != workers || slices.Min(all) < 1 || slices.Max(all)-slices.Min(all) > 1 {
			t.Errorf("%d workers in %d processes: %v", workers, processes, all)
		}
	})
}

// TestProcesses: a process each where there are cores for all, otherwise as many as have one, two at least.
func TestProcesses(t *testing.T) {
	for _, c := range []struct{ workers, most, cores, threads, want int }{
		{1, 1, 64, 0, 1},
		{2, 2, 1, 0, 2},
		{8, 8, 1, 0, 2},
		{8, 8, 2, 0, 2},
		{8, 8, 2, 1, 2},
		{8, 8, 2, 2, 2},
		{8, 8, 3, 0, 3},
		{8, 8, 4, 0, 4},
		{8, 8, 4, 2, 2},
		{8, 8, 5, 1, 4}, // a fifth would leave the largest share what it is
		{8, 8, 6, 0, 2}, // three threads each are worth more than four processes with one
		{8, 8, 8, 0, 8},
		{8, 8, 64, 0, 8},
		{8, 8, 64, 16, 4},
		{8, 7, 64, 0, 4}, // memory for seven: two workers in one of them hold up all others
		{8, 1, 64, 0, 1},
		{8, 0, 64, 0, 1},
		{1024, 1024, 2, 0, 2},
	} {
		if got := Processes(c.workers, c.most, c.cores, c.threads); got != c.want {
			t.Errorf("%d workers in at most %d processes, %d cores, %d threads each: %d, want %d", c.workers, c.most, c.cores,
				c.threads, got, c.want)
		}
	}
}

// TestProcessesAreNeverTooMany: within what there is, and no smaller number has a smaller largest share and as many
// threads, or as small a one and more.
func TestProcessesAreNeverTooMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers, cores := rapid.IntRange(1, 64).Draw(t, "workers"), rapid.IntRange(1, 64).Draw(t, "cores")
		most, threads := rapid.IntRange(0, 64).Draw(t, "most"), rapid.IntRange(0, 8).Draw(t, "threads")
		got := Processes(workers, most, cores, threads)
		if got < 1 || got > workers || got > max(1, most) || workers > 1 && most > 1 && got < 2 {
			t.Fatalf("%d processes", got)
		}
		each := func(n int) int {
			if threads > 0 {
				return threads
			}
			return Threads(cores, n)
		}
		if got == workers && workers*max(1, threads) <= cores {
			return // a process each
		}
		if got > 2 && got*each(got) > cores {
			t.Errorf("%d processes of %d threads on %d cores", got, each(got), cores)
		}
		takes := func(n int) float64 { return float64((workers+n-1)/n) / float64(each(n)) }
		for n := 2; n <= min(workers, most) && n*each(n) <= cores; n++ {
			if takes(n) < takes(got) || n < got && takes(n) == takes(got) && each(n) == each(got) {
				t.Errorf("%d processes take %v, %d take %v", got, takes(got), n, takes(n))
			}
		}
	})
}

// TestSeveralWorkers: a process that stands for several is told so, and its share of the threads is that of a process.
func TestSeveralWorkers(t *testing.T) {
	t.Parallel()
	exits := make(chan Exit, 2)
	w, err := Start(Options{Binary: "/bin/sh", Args: []string{"-c", `echo "$@"; exit 1`, "sh"}, Coordinator: "host:1",
		Processes: []int{1, 3}, Threads: 2, Logs: t.TempDir(), Exited: func(x Exit) { exits <- x }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop(0)
	for range 2 {
		x := <-exits
		want := map[int]string{0: "", 1: " --workers 3"}[x.Index]
		if want = fmt.Sprintf("--coordinator host:1 --index %d --threads 2%s", x.Index, want); x.Tail != want {
			t.Errorf("got %q, want %q", x.Tail, want)
		}
	}
}
