// Command arbench times a group's operations between processes of this host.
//
//	go run ./allreduce/arbench -np 2,4,8 -bytes 4096,26214400,134217728
//
// It starts itself once per rank, hands the ranks each other's addresses, and prints medians seen by rank 0.
// Each rank owns one shard unless -shards says otherwise.
//
// When it fails: the first rank that fails ends the others, and its error is printed.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"byol/allreduce"
)

// job is what a rank is told on its standard input.
type job struct {
	Rank, Reps int
	Peers      []allreduce.Peer
	Bytes      []int
	TCP        bool
}

// row is what rank 0 answers for one size.
type row struct {
	Op     string
	Bytes  int
	Median time.Duration
	Best   time.Duration
	CPU    time.Duration // of all ranks, for one operation
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "rank" {
		if err := runRank(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "arbench rank:", err)
			os.Exit(1)
		}
		return
	}
	sizes := flag.String("np", "2,4,8", "numbers of ranks")
	bytes := flag.String("bytes", "4096,1048576,26214400,134217728", "vector lengths")
	reps := flag.Int("reps", 7, "timed repetitions")
	perRank := flag.Int("shards", 1, "virtual shards of each rank")
	tcp := flag.Bool("tcp", false, "use TCP even between ranks of one host")
	flag.Parse()
	fmt.Printf("%-28s %5s %12s %12s %12s %12s\n", "operation", "ranks", "bytes", "median", "best", "processor")
	for _, np := range numbers(*sizes) {
		rows, transport, err := measure(np, *perRank, job{Reps: *reps, Bytes: numbers(*bytes), TCP: *tcp})
		if err != nil {
			fmt.Fprintln(os.Stderr, "arbench:", err)
			os.Exit(1)
		}
		for _, r := range rows {
			fmt.Printf("%-28s %5d %12d %12v %12v %12v\n", r.Op+" "+transport, np, r.Bytes, r.Median, r.Best, r.CPU)
		}
	}
}

func numbers(list string) []int {
	var out []int
	for _, f := range strings.Split(list, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "arbench: %q is not a positive number\n", f)
			os.Exit(2)
		}
		out = append(out, n)
	}
	return out
}

// child is one rank's process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// measure runs j on np ranks and returns rank 0's rows and how the ranks were connected.
func measure(np, perRank int, j job) ([]row, string, error) {
	ranks := make([]child, np)
	defer func() {
		for _, c := range ranks {
			if c.cmd != nil {
				_ = c.cmd.Process.Kill()
				_ = c.cmd.Wait()
			}
		}
	}()
	for r := range ranks {
		c, err := start()
		if err != nil {
			return nil, "", err
		}
		ranks[r] = c
		if !c.out.Scan() {
			return nil, "", fmt.Errorf("rank %d did not start", r)
		}
		j.Peers = append(j.Peers, allreduce.Peer{
			Address: c.out.Text(), ShardBegin: r * perRank, ShardEnd: (r + 1) * perRank, Host: "this",
		})
	}
	for r, c := range ranks {
		j.Rank = r
		if err := json.NewEncoder(c.in).Encode(j); err != nil {
			return nil, "", fmt.Errorf("tell rank %d: %w", r, err)
		}
	}
	var rows []row
	transport := ""
	for ranks[0].out.Scan() {
		line := ranks[0].out.Bytes()
		if transport == "" {
			transport = string(line)
			continue
		}
		var x row
		if err := json.Unmarshal(line, &x); err != nil {
			return nil, "", fmt.Errorf("rank 0 says %q: %w", line, err)
		}
		rows = append(rows, x)
	}
	for r := range ranks {
		err := ranks[r].cmd.Wait()
		ranks[r].cmd = nil
		if err != nil {
			return nil, "", fmt.Errorf("rank %d: %w", r, err)
		}
	}
	transport, _, _ = strings.Cut(transport, " (") // without the reason
	return rows, transport, nil
}

func start() (child, error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	cmd := exec.Command(self, "rank")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return child{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	return child{cmd: cmd, in: in, out: bufio.NewScanner(out)}, cmd.Start()
}

// runRank is the life of one rank.
func runRank(in io.Reader, out io.Writer) error {
	ln, err := allreduce.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	fmt.Fprintln(out, ln.Addr())
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	ctx := context.Background()
	g, err := allreduce.Form(ctx, allreduce.GroupConfig{
		RunID: "arbench", Generation: 1, Rank: j.Rank, Peers: j.Peers, Listener: ln, NoSharedMemory: j.TCP,
	})
	if err != nil {
		return err
	}
	defer g.Close()
	b := bench{g: g, j: j, out: json.NewEncoder(io.Discard)}
	if j.Rank == 0 {
		fmt.Fprintln(out, g.Transport())
		b.out = json.NewEncoder(out)
	}
	return b.run(ctx)
}

// bench times operations of one group.
type bench struct {
	g    *allreduce.Group
	j    job
	out  *json.Encoder
	step uint64
}

func (b *bench) run(ctx context.Context) error {
	own := b.j.Peers[b.j.Rank]
	for _, n := range b.j.Bytes {
		shards := make([][]float32, own.ShardEnd-own.ShardBegin)
		for i := range shards {
			shards[i] = make([]float32, n/4)
			for k := range shards[i] {
				shards[i][k] = float32(k%17) + float32(own.ShardBegin+i)
			}
		}
		out := make([]float32, n/4)
		inner := 1
		if n <= 64<<10 {
			inner = 50
		}
		err := b.time(ctx, row{Op: "all-reduce", Bytes: n}, inner, func(k allreduce.Key) error {
			return b.g.AllReduce(ctx, k, shards, out)
		})
		if err != nil {
			return err
		}
		if err := check(out, b.g.Shards()); err != nil {
			return err
		}
	}
	local := make([]float64, 64*(own.ShardEnd-own.ShardBegin))
	all := make([]float64, 64*b.g.Shards())
	return b.time(ctx, row{Op: "gather", Bytes: 512}, 50, func(k allreduce.Key) error {
		return b.g.Gather(ctx, k, local, all)
	})
}

// check compares with the sum in closed form, which is exact.
func check(out []float32, shards int) error {
	for k, x := range out {
		if want := float32(shards*(k%17) + shards*(shards-1)/2); x != want {
			return fmt.Errorf("element %d: got %v, want %v", k, x, want)
		}
	}
	return nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// time runs op and reports r. All ranks begin each repetition together.
func (b *bench) time(ctx context.Context, r row, inner int, op func(allreduce.Key) error) error {
	var times []time.Duration
	own := b.j.Peers[b.j.Rank]
	all := make([]float64, b.g.Shards())
	var used time.Duration
	for rep := range b.j.Reps + 1 {
		b.step++
		if err := b.g.Gather(ctx, allreduce.Key{Step: b.step, Bucket: 1}, all[own.ShardBegin:own.ShardEnd], all); err != nil {
			return err
		}
		start, before := time.Now(), processorTime()
		for range inner {
			b.step++
			if err := op(allreduce.Key{Step: b.step}); err != nil {
				return err
			}
		}
		if rep > 0 { // the first one warms up
			times = append(times, time.Since(start)/time.Duration(inner))
			used += processorTime() - before
		}
	}
	b.step++
	all[own.ShardBegin] = float64(used) / float64(b.j.Reps*inner)
	clear(all[own.ShardBegin+1 : own.ShardEnd])
	if err := b.g.Gather(ctx, allreduce.Key{Step: b.step, Bucket: 2}, all[own.ShardBegin:own.ShardEnd], all); err != nil {
		return err
	}
	for _, x := range all {
		r.CPU += time.Duration(x).Round(time.Microsecond)
	}
	slices.Sort(times)
	r.Median, r.Best = times[len(times)/2], times[0]
	return b.out.Encode(r)
}
