package allreduce

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/internal/network"
)

// rankVariable makes the test binary one rank of a group of processes: "way rank size timeout".
const rankVariable = "BYOL_TEST_RANK"

func TestMain(m *testing.M) {
	if text := os.Getenv(rankVariable); text != "" {
		if err := oneRank(text); err != nil {
			fmt.Println("error:", err)
		}
		return
	}
	os.Exit(m.Run())
}

// oneRank prints its address, reads those of all, and sums until the group breaks. Then it says whom it blames.
func oneRank(text string) error {
	var way, limit string
	var rank, size int
	if _, err := fmt.Sscan(text, &way, &rank, &size, &limit); err != nil {
		return err
	}
	timeout, err := time.ParseDuration(limit)
	if err != nil {
		return err
	}
	ln, err := Listen(context.Background(), network.System{}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	fmt.Println(ln.Addr())
	cfg := GroupConfig{RunID: "processes", Generation: 2, Rank: rank, Listener: ln, Timeout: timeout,
		NoSharedMemory: way == "tcp"}
	for r := range size {
		var address string
		if _, err := fmt.Scanln(&address); err != nil {
			return err
		}
		cfg.Peers = append(cfg.Peers, Peer{Address: address, ShardBegin: r, ShardEnd: r + 1, Host: "here"})
	}
	if way == "in-place" {
		if cfg.Memory, err = NewMemory(); err != nil {
			return err
		}
	}
	g, err := Form(context.Background(), cfg)
	if err != nil {
		return err
	}
	defer g.Close()
	fmt.Println("formed by", g.Transport())
	_, err = sumLoop(g, 400_000)
	var pe *PeerError
	if !errors.As(err, &pe) {
		return err
	}
	fmt.Printf("blames %d lost=%v silent=%v seen by %d: %v\n", pe.Rank, errors.Is(err, ErrLost),
		errors.Is(err, ErrTimeout),
		pe.Witness, err)
	return nil
}

// process is a rank of its own.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	rank int
}

// said is a line of a process, and when it came.
type said struct {
	rank int
	line string
	at   time.Time
}

// processes starts a group of size processes, which have formed when it returns.
func processes(t *testing.T, way string, size int, timeout time.Duration) []*process {
	t.Helper()
	list := make([]*process, size)
	var addresses strings.Builder
	for r := range list {
		p := &process{cmd: exec.Command(os.Args[0]), rank: r}
		p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %v", rankVariable, way, r, size, timeout))
		var err error
		if p.in, err = p.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.out = bufio.NewReader(out)
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		})
		list[r] = p
		addresses.WriteString(p.line(t))
	}
	for _, p := range list {
		if _, err := io.WriteString(p.in, addresses.String()); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range list {
		want := "formed by shared memory"
		if way == "tcp" {
			want = "formed by tcp"
		}
		if got := p.line(t); !strings.HasPrefix(got, want) {
			t.Fatalf("rank %d: %q, want %q", p.rank, got, want)
		}
	}
	return list
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("rank %d: %q, %v", p.rank, line, err)
	}
	return line
}

// verdicts are the last lines of all but one.
func verdictsOf(list []*process, but int) []said {
	heard := make(chan said)
	for _, p := range list {
		if p.rank != but {
			go func() {
				line, err := p.out.ReadString('\n')
				if err != nil {
					line += err.Error()
				}
				heard <- said{p.rank, line, time.Now()}
			}()
		}
	}
	var all []said
	for range len(list) - 1 {
		all = append(all, <-heard)
	}
	return all
}

// TestAKilledProcessIsNamedAtOnce kills one of some processes in the middle of a sum. All others return within 100 ms,
// and blame it: not the neighbour that left because of it.
func TestAKilledProcessIsNamedAtOnce(t *testing.T) {
	const promise = 100 * time.Millisecond
	for _, way := range []string{"tcp", "shared", "in-place"} {
		for _, size := range []int{2, 8} {
			t.Run(fmt.Sprint(way, " ", size), func(t *testing.T) {
				for victim := size - 1; ; victim-- { // a busy machine may take its time, but not each time
					list := processes(t, way, size, 20*time.Second)
					time.Sleep(50 * time.Millisecond)
					killed := time.Now()
					_ = list[victim].cmd.Process.Kill()
					var last time.Duration
					for _, s := range verdictsOf(list, victim) {
						if want := fmt.Sprintf("blames %d lost=true", victim); !strings.HasPrefix(s.line, want) {
							t.Errorf("rank %d of %d: %q, want %q", s.rank, size, s.line, want)
						}
						last = max(last, s.at.Sub(killed))
					}
					t.Logf("the last of %d survivors returned %v after the kill of rank %d", size-1, last, victim)
					if last <= promise || t.Failed() {
						break
					}
					if victim == max(0, size-4) {
						t.Errorf("want at most %v", promise)
						break
					}
				}
				noneLeft(t)
			})
		}
	}
}

// noneLeft looks for memory with a name that outlived its processes.
func noneLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir("/dev/shm")
	if err != nil {
		return
	}
	for _, f := range left {
		if strings.Contains(f.Name(), "byol") {
			t.Errorf("left behind: /dev/shm/%s", f.Name())
		}
	}
}

// TestAStoppedProcessIsNamedWithinTheTimeout stops one of three processes, which keeps its connections. When it goes
// on, it learns that it was left.
func TestAStoppedProcessIsNamedWithinTheTimeout(t *testing.T) {
	const timeout, victim = time.Second, 1
	for _, way := range []string{"tcp", "shared"} {
		t.Run(way, func(t *testing.T) {
			list := processes(t, way, 3, timeout)
			time.Sleep(50 * time.Millisecond)
			stopped := time.Now()
			if err := list[victim].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			for _, s := range verdictsOf(list, victim) {
				if want := fmt.Sprintf("blames %d lost=false silent=true", victim); !strings.HasPrefix(s.line, want) {
					t.Errorf("rank %d: %q, want %q", s.rank, s.line, want)
				}
				if took := s.at.Sub(stopped); took < timeout/2 || took > timeout+time.Second {
					t.Errorf("rank %d returned after %v, want %v", s.rank, took, timeout)
				}
			}
			if err := list[victim].cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if got := list[victim].line(t); !strings.HasPrefix(got, fmt.Sprintf("blames %d ", victim)) {
				t.Errorf("the rank that was stopped says %q, want that the others left because of it", got)
			}
		})
	}
}
