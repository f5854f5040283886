package main

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
	"testing"

	"byol/allreduce"
)

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
			if err := runRank(inR, outW); err != nil {
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
	if len(lines) != 1+len(j.Bytes)+1 { // how they are connected, the sums, a gather
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
