package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"byol/allreduce"
	"byol/internal/bench/measure"
)

// TestMain makes the test's own binary a rank when it starts itself as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "rank" {
		if err := runRank(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestRun starts ranks as processes, and reads the table as the comparison with Gloo does.
func TestRun(t *testing.T) {
	for _, c := range []struct{ args, transport string }{
		{"-tcp", "tcp"},
		{"-copied", "shared memory (copied)"},
		{"-wire bf16 -shards 2", "shared memory, in place"},
	} {
		var out bytes.Buffer
		args := strings.Fields("-np 2,3 -bytes 400,40000 -reps 1 " + c.args)
		if err := run(context.Background(), args, &out); err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var got []string
		for _, l := range lines {
			f := strings.Fields(l)
			got = append(got, strings.Join(f[:len(f)-3], " ")) // without the times
		}
		want := []string{"operation ranks bytes"}
		for _, np := range []string{"2", "3"} {
			for _, row := range []string{"all-reduce # 400", "all-reduce # 40000", "total # 512"} {
				want = append(want, strings.Replace(row, "#", c.transport+" "+np, 1))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.args, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestOneRankOfSeveral runs two programs as on two hosts: only the first prints.
func TestOneRankOfSeveral(t *testing.T) {
	var addresses []string
	for range 2 { // two ports that are free now
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		_ = l.Close()
	}
	var outs [2]bytes.Buffer
	var all sync.WaitGroup
	for r := range outs {
		all.Go(func() {
			args := fmt.Sprintf("-rank %d -peers %s -bytes 4000 -reps 1 -copied", r, strings.Join(addresses, ","))
			if err := run(context.Background(), strings.Fields(args), &outs[r]); err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
		})
	}
	all.Wait()
	if text := outs[0].String(); !strings.Contains(text, "all-reduce tcp") || outs[1].Len() > 0 {
		t.Errorf("rank 0 printed\n%s\nand rank 1\n%s", text, &outs[1])
	}
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"-wire fp8": `unknown wire "fp8"`, "-bytes 4,x": `-bytes: "x" is not`, "-np 0": `-np: "0" is not`,
		"-reps 0": "at least 1", "-shards 0": "at least 1", "-rank 2 -peers a:1,b:1": "-rank 2 of 2", "all": `"all"`,
	} {
		var errs bytes.Buffer
		code := measure.Main(context.Background(), "arbench", &errs, func(ctx context.Context) error {
			return run(ctx, strings.Fields(args), &bytes.Buffer{})
		})
		if code != 2 || !strings.Contains(errs.String(), want) {
			t.Errorf("arbench %s: exit code %d and %q, want 2 and %q", args, code, &errs, want)
		}
	}
}

func TestARankThatFailsIsNamed(t *testing.T) {
	j := job{Reps: 1, Bytes: []int{400}, Wire: 7} // a wire that Form refuses
	_, _, err := measureRanks(context.Background(), 2, 1, j)
	if err == nil || !strings.Contains(err.Error(), "rank 0") {
		t.Errorf("got %v, want an error of rank 0", err)
	}
	if err := runRank(context.Background(), strings.NewReader("no job"), &bytes.Buffer{}); err == nil ||
		!strings.Contains(err.Error(), "read job") {
		t.Errorf("a rank that is told nonsense: got %v", err)
	}
}

func TestTransportsAreShort(t *testing.T) {
	for long, want := range map[string]string{
		"alone": "alone", "tcp (no shared memory: it is switched off)": "tcp",
		"shared memory, in place":                                 "shared memory, in place",
		"shared memory (copied; rank 1: it has no memory for it)": "shared memory (copied)",
	} {
		if got := short(long); got != want {
			t.Errorf("%q: got %q, want %q", long, got, want)
		}
	}
}

func TestRanksMeasureAndCheckTheirSums(t *testing.T) {
	for _, wire := range []allreduce.Wire{allreduce.Float32, allreduce.BF16} {
		t.Run(wire.String(), func(t *testing.T) { testRanks(t, wire) })
	}
}

func testRanks(t *testing.T, wire allreduce.Wire) {
	const ranks, perRank = 2, 3
	j := job{Reps: 1, Bytes: []int{400, 300_000}, TCP: true, Wire: wire}
	var ins [ranks]*io.PipeWriter
	var outs [ranks]*bufio.Scanner
	var all sync.WaitGroup
	for r := range ranks {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		ins[r], outs[r] = inW, bufio.NewScanner(outR)
		all.Go(func() {
			if err := runRank(context.Background(), inR, outW); err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
			_ = outW.Close()
		})
		if !outs[r].Scan() {
			t.Fatalf("rank %d says nothing", r)
		}
		j.Peers = append(j.Peers, allreduce.Peer{
			Address: outs[r].Text(), ShardBegin: r * perRank, ShardEnd: (r + 1) * perRank,
		})
	}
	for r := range ranks {
		j.Rank = r
		if err := json.NewEncoder(ins[r]).Encode(j); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for outs[0].Scan() {
		lines = append(lines, outs[0].Text())
	}
	all.Wait()
	if len(lines) != 1+len(j.Bytes)+1 { // how they are connected, the sums, a total
		t.Errorf("rank 0 says %q, want %d lines", lines, 2+len(j.Bytes))
	}
}

func TestCheckSeesAWrongSum(t *testing.T) {
	sum := []float32{3, 6, 9} // of shards with k%17 + v, v = 0, 1, 2
	if err := check(sum, 3, allreduce.Float32); err != nil {
		t.Error(err)
	}
	sum[1]++
	if err := check(sum, 3, allreduce.Float32); err == nil {
		t.Error("a wrong element: no error")
	}
}
