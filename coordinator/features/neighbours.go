package features

import (
	"context"
	"encoding/binary"
	"fmt"

	"byol/internal/vector"
	pb "byol/proto"
)

// The bank is cut into tasks of at most bankBytes, of leastTasks or more where that leaves them bankRows: what workers
// multiply at once.
const (
	bankBytes  = 64 << 20
	bankRows   = 1024
	leastTasks = 16
)

// Search asks for the nearest rows of a bank.
type Search struct {
	Doing   string
	Queries []float32 // a row each, normalised
	K       int
	Rows    int // of the bank
	// Bank gives rows [first, first+n) of the bank, normalised. It is called from several goroutines.
	Bank func(first, n int) ([]float32, error)
	// Got takes the nearest rows of some of a task's: k for each query from first on, nearest first, those of equal
	// products by their index. The lists of different tasks have no row in common, and come in any order, from several
	// goroutines and one at a time.
	Got func(first, k int, products []float32, indices []int32)
}

// Neighbours has the workers compare all queries with all rows of the bank.
func (j *Job) Neighbours(ctx context.Context, s Search) error {
	rows := bankTask(s.Rows, j.dim)
	tasks, queries := (s.Rows+rows-1)/rows, len(s.Queries)/j.dim
	p := &pass{kind: "neighbours", dealer: dealer{total: tasks, window: tasks}, lost: map[int]int{}, at: map[int]int64{}}
	part := partBytes / (4 * j.dim) * j.dim
	if part == 0 {
		part = j.dim
	}
	p.first = func(send func(*pb.ToEncoder) error) error {
		for at := 0; at < len(s.Queries); at += part {
			m := &pb.QueryPart{Pass: p.number, Rows: int64(queries), Dim: int32(j.dim), K: int32(s.K),
				First: int64(at / j.dim), Data: vector.Bytes(s.Queries[at:min(at+part, len(s.Queries))])}
			if err := send(&pb.ToEncoder{Message: &pb.ToEncoder_Queries{Queries: m}}); err != nil {
				return err
			}
		}
		return nil
	}
	p.task = func(i int, id int64, send func(*pb.ToEncoder) error) error {
		first := i * rows
		bank, err := s.Bank(first, min(rows, s.Rows-first))
		if err != nil {
			return err
		}
		for at := 0; at < len(bank); at += part {
			m := &pb.BankPart{Id: id, Base: int64(first), Data: vector.Bytes(bank[at:min(at+part, len(bank))]),
				Last: at+part >= len(bank)}
			if err := send(&pb.ToEncoder{Message: &pb.ToEncoder_Bank{Bank: m}}); err != nil {
				return err
			}
		}
		return nil
	}
	done := 0
	p.take = func(i int, b *pb.NeighbourBlock) (bool, error) {
		here := min(rows, s.Rows-i*rows)
		if err := checkNeighbours(b, min(s.K, here), queries, i*rows, here); err != nil {
			return false, err
		}
		s.Got(int(b.First), int(b.K), vector.Floats(b.Products), ints(b.Indices))
		p.at[i] = b.First + int64(len(b.Products)/4/int(b.K))
		if b.Last {
			done += here
		}
		return b.Last, nil
	}
	j.begin(p)
	defer j.end()
	j.o.Progress(Progress{Doing: s.Doing, Total: int64(s.Rows), Workers: 1})
	return j.until(ctx, func() (bool, error) { return p.dealer.over(), nil },
		func() Progress { return Progress{Doing: s.Doing, Done: int64(done), Total: int64(s.Rows)} })
}

// bankTask is how many rows of the bank a task has.
func bankTask(rows, dim int) int {
	n := min(bankBytes/(4*dim), (rows+leastTasks-1)/leastTasks)
	return max(bankRows, (n+bankRows-1)/bankRows*bankRows)
}

// checkNeighbours refuses what no worker of ours finds.
func checkNeighbours(b *pb.NeighbourBlock, k, queries, base, rows int) error {
	n := len(b.Products) / 4
	if int(b.K) != k || len(b.Products) != 4*n || len(b.Indices) != 4*n || n%k != 0 || int(b.First)+n/k > queries ||
		b.Last != (int(b.First)+n/k == queries) {
		return fmt.Errorf("%d products and %d bytes of indices from query %d on, of %d with %d neighbours", n,
			len(b.Indices), b.First, queries, b.K)
	}
	for _, i := range ints(b.Indices) {
		if int(i) < base || int(i) >= base+rows {
			return fmt.Errorf("row %d is none of [%d, %d)", i, base, base+rows)
		}
	}
	return nil
}

// ints decodes little-endian int32.
func ints(b []byte) []int32 {
	out := make([]int32, len(b)/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
