// Command arbench times a group's operations between processes of this host.
//
//	go run ./internal/bench/arbench -np 2,4,8 -bytes 4096,26214400,134217728
//
// It starts itself once per rank, hands the ranks each other's addresses, and prints medians seen by rank 0.
// Each rank owns one shard unless -shards says otherwise. Vectors lie in a Memory, as a worker's do, and are summed
// onto the first shard. With -rank and -peers it is one rank of several that somebody else starts, on other hosts:
//
//	arbench -rank 1 -peers 10.0.0.1:7000,10.0.0.2:7000
//
// With -wire bf16 sums are rounded to bfloat16; lengths are still those of float32.
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
	"strconv"
	"strings"
	"time"

	"byol/allreduce"
	"byol/internal/bench/measure"
	"byol/internal/network"
)

// job is what a rank is told on its standard input.
type job struct {
	Rank, Reps int
	Peers      []allreduce.Peer
	Bytes      []int
	TCP        bool
	Copied     bool
	Wire       allreduce.Wire
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
	os.Exit(measure.Main(context.Background(), "arbench", os.Stderr, func(ctx context.Context) error {
		if len(os.Args) > 1 && os.Args[1] == "rank" {
			return runRank(ctx, os.Stdin, os.Stdout)
		}
		return run(ctx, os.Args[1:], os.Stdout)
	}))
}

// run is the program, but for the ranks that it starts.
func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("arbench", flag.ContinueOnError)
	sizes := f.String("np", "2,4,8", "numbers of ranks")
	bytes := f.String("bytes", "4096,1048576,26214400,134217728", "vector lengths")
	perRank := f.Int("shards", 1, "virtual shards of each rank")
	rank := f.Int("rank", -1, "be this rank of -peers, and start no other")
	peers := f.String("peers", "", "with -rank: host:port of each rank, joined by commas")
	wire := f.String("wire", "float32", "float32, or bf16: elements rounded to bfloat16, 2 bytes over TCP")
	var j job
	f.IntVar(&j.Reps, "reps", 7, "timed repetitions")
	f.BoolVar(&j.TCP, "tcp", false, "use TCP even between ranks of one host")
	f.BoolVar(&j.Copied, "copied", false, "keep vectors in memory that other ranks don't reach")
	if err := measure.Parse(f, args, os.Stderr); err != nil {
		return err
	}
	var err error
	if j.Wire, err = allreduce.ParseWire(*wire); err != nil {
		return measure.Usage("-wire: %w", err)
	}
	if j.Bytes, err = numbers(*bytes); err != nil {
		return measure.Usage("-bytes: %w", err)
	}
	ranks, err := numbers(*sizes)
	switch {
	case err != nil:
		return measure.Usage("-np: %w", err)
	case j.Reps < 1 || *perRank < 1:
		return measure.Usage("-reps and -shards must be at least 1")
	case *rank < 0:
		return all(ctx, ranks, *perRank, j, out)
	}
	j.Rank = *rank
	for r, a := range strings.Split(*peers, ",") {
		j.Peers = append(j.Peers, peer(a, r, *perRank, fmt.Sprintf("host %d", r)))
	}
	if j.Rank >= len(j.Peers) {
		return measure.Usage("-rank %d of %d -peers", j.Rank, len(j.Peers))
	}
	return one(ctx, j, out)
}

// all runs every number of ranks on this host.
func all(ctx context.Context, sizes []int, perRank int, j job, out io.Writer) error {
	head(out)
	for _, np := range sizes {
		rows, transport, err := measureRanks(ctx, np, perRank, j)
		if err != nil {
			return err
		}
		for _, r := range rows {
			r.print(out, transport, np)
		}
	}
	return nil
}

// one is one rank of several hosts.
func one(ctx context.Context, j job, out io.Writer) error {
	ln, err := allreduce.Listen(ctx, network.System{}, j.Peers[j.Rank].Address)
	if err != nil {
		return err
	}
	defer ln.Close()
	if j.Rank > 0 {
		out = io.Discard
	}
	var transport string
	head(out)
	return j.run(ctx, ln, func(t string) { transport = short(t) }, func(r row) error {
		r.print(out, transport, len(j.Peers))
		return nil
	})
}

func peer(address string, rank, perRank int, host string) allreduce.Peer {
	return allreduce.Peer{Address: address, ShardBegin: rank * perRank, ShardEnd: (rank + 1) * perRank, Host: host}
}

func head(w io.Writer) {
	fmt.Fprintf(w, "%-34s %5s %12s %12s %12s %12s\n", "operation", "ranks", "bytes", "median", "best", "processor")
}

func (r row) print(w io.Writer, transport string, ranks int) {
	fmt.Fprintf(w, "%-34s %5d %12d %12v %12v %12v\n", r.Op+" "+transport, ranks, r.Bytes, r.Median, r.Best, r.CPU)
}

// short is how ranks are connected, without the reason.
func short(transport string) string {
	transport, _, _ = strings.Cut(transport, "; ")
	if strings.HasPrefix(transport, "shared memory (") {
		return transport + ")"
	}
	transport, _, _ = strings.Cut(transport, " (")
	return transport
}

// numbers reads positive numbers joined by commas.
func numbers(list string) ([]int, error) {
	var out []int
	for _, f := range strings.Split(list, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a positive number", f)
		}
		out = append(out, n)
	}
	return out, nil
}

// child is one rank's process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// measureRanks runs j on np ranks and returns rank 0's rows and how the ranks were connected.
func measureRanks(ctx context.Context, np, perRank int, j job) ([]row, string, error) {
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
		c, err := start(ctx)
		if err != nil {
			return nil, "", err
		}
		ranks[r] = c
		if !c.out.Scan() {
			return nil, "", fmt.Errorf("rank %d did not start", r)
		}
		j.Peers = append(j.Peers, peer(c.out.Text(), r, perRank, "this"))
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
	return rows, short(transport), nil
}

func start(ctx context.Context) (child, error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	cmd := exec.CommandContext(ctx, self, "rank")
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
