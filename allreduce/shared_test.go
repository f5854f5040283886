package allreduce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"byol/internal/network"
)

func TestOneRankWithoutSharedMemoryKeepsAllOnTCP(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*GroupConfig)
		want string
	}{
		{"rank 0", func(c *GroupConfig) { c.NoSharedMemory = c.Rank == 0 }, "tcp (no shared memory: it is switched off)"},
		{"rank 2", func(c *GroupConfig) { c.NoSharedMemory = c.Rank == 2 }, "tcp (no shared memory: it is switched off)"},
		{"hosts", func(c *GroupConfig) { c.NoSharedMemory = false; c.Peers[1].Host = "there" },
			"tcp (no shared memory: the ranks are on several hosts)"},
		{"unknown hosts", func(c *GroupConfig) {
			c.NoSharedMemory = false
			for r := range c.Peers {
				c.Peers[r].Host = ""
			}
		}, "tcp (no shared memory: the ranks are on several hosts)"},
	} {
		groups := testGroups(t, 3, 3, c.edit)
		all := testShards(4, 3, 50_000)
		want := sequential(all)
		errs := onAll(3, func(r int) error {
			if got := groups[r].Transport(); got != c.want {
				return fmt.Errorf("connected by %q, want %q", got, c.want)
			}
			out := make([]float32, len(want))
			if err := groups[r].AllReduce(context.Background(), Key{}, mine(groups[r], all), out); err != nil {
				return err
			}
			if at := differ(out, want); at >= 0 {
				return fmt.Errorf("element %d: got %v, want %v", at, out[at], want[at])
			}
			return nil
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("%s: rank %d: %v", c.name, r, err)
			}
		}
	}
}

// childVariable makes the test binary the rank that is killed in TestKilledProcess.
const childVariable = "BYOL_TEST_KILLED_RANK"

func TestMain(m *testing.M) {
	if peer := os.Getenv(childVariable); peer != "" {
		if err := killedRank(peer); err != nil {
			fmt.Println("error:", err)
		}
		return
	}
	os.Exit(m.Run())
}

// killedRank is rank 1 of 2. It prints its address, and sums until it is killed.
func killedRank(peer string) error {
	ln, err := Listen(context.Background(), network.System{}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	host, address, _ := strings.Cut(peer, " ")
	cfg := killedConfig(1, []string{address, ln.Addr()}, host, ln)
	if host == "place" {
		if cfg.Memory, err = NewMemory(); err != nil {
			return err
		}
	}
	g, err := Form(context.Background(), cfg)
	if err != nil {
		return err
	}
	_, err = sumLoop(g, 1_000_000)
	return err
}

func killedConfig(rank int, addresses []string, host string, ln *Listener) GroupConfig {
	cfg := GroupConfig{RunID: "kill", Generation: 2, Rank: rank, Listener: ln, Timeout: 20 * time.Second}
	cfg.NoSharedMemory = host == "none"
	for r, a := range addresses {
		cfg.Peers = append(cfg.Peers, Peer{Address: a, ShardBegin: r, ShardEnd: r + 1, Host: host})
	}
	return cfg
}

func TestKilledProcess(t *testing.T) { onAllWays(t, testKilledProcess) }

func testKilledProcess(t *testing.T) {
	host := "none"
	if useShared(t) {
		host = "here"
	}
	if inPlace(t) {
		host = "place"
	}
	ln, err := Listen(context.Background(), network.System{}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+host+" "+ln.Addr())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		t.Fatal(err)
	}
	cfg := killedConfig(0, []string{ln.Addr(), address}, host, ln)
	if inPlace(t) {
		cfg.Memory = testMemory(t)
	}
	g, err := Form(context.Background(), cfg)
	if err != nil {
		rest, _ := io.ReadAll(out)
		t.Fatalf("%v; the other rank says %q", err, rest)
	}
	defer g.Close()
	if got := g.Transport(); strings.HasPrefix(got, "shared memory") != useShared(t) {
		t.Fatalf("connected by %s", got)
	}
	killed := make(chan time.Time, 1)
	time.AfterFunc(100*time.Millisecond, func() {
		killed <- time.Now()
		_ = cmd.Process.Kill()
	})
	end, err := sumLoop(g, 1_000_000)
	if bad := wantRank(err, 1, ErrLost); bad != nil {
		t.Error(bad)
	}
	took := end.Sub(<-killed)
	if took > time.Second { // 100 ms is the promise; killing takes the host its time
		t.Errorf("the survivor returned %v after the kill", took)
	}
	t.Logf("the survivor returned %v after the kill", took)
	if left, err := os.ReadDir("/dev/shm"); err == nil {
		for _, f := range left {
			if strings.Contains(f.Name(), "byol") {
				t.Errorf("left behind: /dev/shm/%s", f.Name())
			}
		}
	}
	if err := g.Gather(context.Background(), Key{}, []float64{1}, make([]float64, 2)); !errors.Is(err, ErrLost) {
		t.Errorf("a later call: got %v, want %v", err, ErrLost)
	}
}
