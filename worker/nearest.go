package worker

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/eval"
	"byol/worker/knn"
)

// nearestBytes bounds a message of neighbours.
const nearestBytes = 1 << 20

// nearest finds the rows that are nearest to queries.
type nearest struct {
	pass    int64
	dim, k  int
	queries []float32
	task    int64     // whose bank is coming, 0 for none
	base    int64     // index of its first row
	bank    []float32 // rows of it so far
}

// ask takes a part of the queries.
func (n *nearest) ask(m *pb.QueryPart) error {
	if m.Dim < 1 || m.K < 1 || m.Rows < 0 || m.First < 0 || len(m.Data)%int(4*m.Dim) != 0 ||
		m.First+int64(len(m.Data))/int64(4*m.Dim) > m.Rows {
		return fmt.Errorf("the coordinator sent queries that cannot be: %d bytes at row %d of %d", len(m.Data), m.First,
			m.Rows)
	}
	if n.queries == nil || m.Pass != n.pass {
		*n = nearest{pass: m.Pass, dim: int(m.Dim), k: int(m.K), queries: make([]float32, m.Rows*int64(m.Dim))}
	}
	copy(vector.Bytes(n.queries[m.First*int64(m.Dim):]), m.Data)
	return nil
}

// look takes a part of a task's bank, and answers when it was the last.
func (n *nearest) look(ctx context.Context, products eval.Products, m *pb.BankPart,
	answer func(*pb.NeighbourBlock) error) error {
	if n.queries == nil || len(m.Data)%(4*n.dim) != 0 {
		return fmt.Errorf("the coordinator sent rows that cannot be: %d bytes", len(m.Data))
	}
	if m.Id != n.task {
		n.task, n.base, n.bank = m.Id, m.Base, n.bank[:0]
	}
	n.bank = append(n.bank, vector.Floats(m.Data)...)
	if !m.Last {
		return nil
	}
	rows, queries := len(n.bank)/n.dim, len(n.queries)/n.dim
	k := min(n.k, rows)
	scorer := knn.NewScorer(knn.Config{K: k}, queries)
	err := products.Products(ctx, n.queries, n.bank, n.dim, func(p []float32, query, row, width int) {
		scorer.Add(p, query, width, int(n.base)+row)
	})
	if err != nil {
		return err
	}
	atOnce := max(1, nearestBytes/(8*k))
	for first := 0; first < queries || first == 0; first += atOnce {
		b := &pb.NeighbourBlock{Id: m.Id, First: int64(first), K: int32(k), Last: first+atOnce >= queries}
		for q := first; q < min(first+atOnce, queries); q++ {
			for _, near := range scorer.Nearest(q) {
				b.Products = binary.LittleEndian.AppendUint32(b.Products, math.Float32bits(near.Cosine))
				b.Indices = binary.LittleEndian.AppendUint32(b.Indices, uint32(near.Index))
			}
		}
		if err := answer(b); err != nil {
			return err
		}
	}
	n.task = 0
	return nil
}
