package allreduce

import (
	"fmt"
	"math"
	"time"
)

// Tuning is what was measured when a group formed, and what was chosen by it. It is equal on all ranks, because rank 0
// measures for all, and decides nothing but time: sums have the same bits with any.
type Tuning struct {
	// Alpha is the time of a sum of a few bytes: what every operation costs.
	Alpha time.Duration
	// Rate is how many bytes of a long vector are summed in a second, beyond Alpha.
	Rate float64
	// SmallBytes is the largest part of a rank that goes from everybody to everybody in one hop.
	SmallBytes int
	// BucketBytes is the length of vector of which Alpha is a twentieth: buckets of a gradient should not be shorter.
	BucketBytes int
}

func (t Tuning) String() string {
	return fmt.Sprintf("alpha %v, %.3g GB/s: one hop up to %d KiB, buckets of %d KiB", t.Alpha.Round(time.Microsecond/10),
		t.Rate/1e9, t.SmallBytes>>10, t.BucketBytes>>10)
}

// untuned is for groups that measured nothing.
func untuned() Tuning { return tune(50*time.Microsecond, 2e9, false) }

const (
	leastSmall, mostSmall   = 4 << 10, 64 << 10
	leastBucket, mostBucket = 256 << 10, 32 << 20
	leastChunk, mostChunk   = 64 << 10, 1 << 20
	// farChunk is the longest chunk between hosts: totals of batch norm wait behind it on the same connection.
	farChunk = 256 << 10
	// chunkSeconds is how long a chunk may take: on a slow line, filling and emptying the pipe would cost more.
	chunkSeconds = 2.5e-3
)

// tune decides by what was measured.
func tune(alpha time.Duration, rate float64, shared bool) Tuning {
	t := Tuning{Alpha: alpha, Rate: rate}
	perAlpha := alpha.Seconds() * rate // bytes
	// In one hop a rank sends its part to all others; in two it sends less to each.
	t.SmallBytes = min(max(int(2*perAlpha)&^1023, leastSmall), mostSmall)
	if shared {
		t.SmallBytes = mostSmall
	}
	const unit = 256 << 10
	t.BucketBytes = int(min(max(20*perAlpha, leastBucket), mostBucket)+unit-1) &^ (unit - 1)
	return t
}

// chunk is how many elements go into one chunk of a sum of n elements over size ranks, each of which adds every
// size-th: large enough that frames cost little against bytes, small enough that the first and the last cost little
// against the whole. On one host ranks share processors, and switching between them costs more than an empty line.
func (t Tuning) chunk(n, size int, oneHost bool) int {
	best := min(float64(4*n/(8*size)), chunkSeconds*t.Rate, farChunk)
	if oneHost {
		best = float64(4 * n / (2 * size))
	}
	return int(min(max(best, leastChunk), mostChunk)) / 4 &^ 1023
}

// Tuning is what the group measured and chose when it formed. A group of one measures nothing.
func (g *Group) Tuning() Tuning { return g.tuning }

const (
	shortTrial = 16       // elements
	longTrial  = 64 << 10 // elements; four times as many where these took less than quickTrial
	quickTrial = 2 * time.Millisecond
	trials     = 4 // of which the fastest counts, and the first only warms up
)

// measure times short and long sums, and agrees with the other ranks on what rank 0 found.
func (g *Group) measure(op *operation) error {
	alpha, err := g.timeSum(op, shortTrial)
	if err != nil {
		return err
	}
	n := longTrial
	long, err := g.timeSum(op, n)
	if err != nil {
		return err
	}
	short := []int64{int64(alpha), int64(long)}
	if err := op.dictate(short); err != nil {
		return err
	}
	if time.Duration(short[1]) < quickTrial {
		n *= 4
		if long, err = g.timeSum(op, n); err != nil {
			return err
		}
		short[1] = int64(long)
		if err := op.dictate(short); err != nil {
			return err
		}
	}
	alpha, long = time.Duration(short[0]), time.Duration(short[1])
	rate := float64(4*n) / max(long-alpha, time.Microsecond).Seconds()
	g.tuning = tune(alpha, rate, g.shared != nil)
	g.schedules = schedules{} // of chunks as they were before
	return nil
}

// timeSum is the least time of a sum of n elements, seen from here.
func (g *Group) timeSum(op *operation, n int) (time.Duration, error) {
	vectors := make([][]float32, 1+g.own())
	for i := range vectors {
		v, err := g.cfg.Memory.trial(i, n)
		if err != nil {
			v = make([]float32, n)
		}
		vectors[i] = v
	}
	least := time.Duration(math.MaxInt64)
	for i := range trials {
		start := time.Now()
		if err := g.way.sum(op, vectors[1:], vectors[0]); err != nil {
			return 0, err
		}
		if i > 0 {
			least = min(least, time.Since(start))
		}
	}
	return least, nil
}
