// Program scale prints what a step of a large run is made of, by a model of it, before and after sums went by a tree
// (docs/decisions/0016-sums-by-a-tree.md); and, for as many workers as fit on this machine, the bytes that they are
// found to send beside those of the model.
//
// Goroutines: one for each rank of a group that is measured; they end before the next group is formed.
//
// When it fails: it prints why, and exits with 1.
package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"

	"byol/internal/network"
)

func main() {
	if err := run(context.Background(), os.Stdout, network.System{}); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, on network.Network) error {
	modelled(out)
	return measured(ctx, out, on)
}

var workers = []worker{
	{"32 cores, AVX-512, 40 images/s", 40, 32},
	{"32 cores, AMX, 120 images/s", 120, 32},
	{"H100-class, 2,000 images/s", 2000, 16},
}

// modelled prints the table of the model.
func modelled(out io.Writer) {
	fmt.Fprintf(out, "Modelled, not measured: ResNet-50 at 224², batch %d, a shard for each worker; ms of a step, and\n"+
		"the share of it in which a worker computes. Rates of workers are assumed. Gradient %.0f MB, sums of batch norm\n"+
		"%.1f MB a shard.\n\n", batch, gradient/1e6, (forwardSums+backwardSums)/1e6)
	fmt.Fprintln(out, "| worker | Gbit/s | workers | compute | norms: left to right | tree | gradients: chain | owners |"+
		" commit | computing: before | now | with the backward pass ahead, too (not built) |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, w := range workers {
		for _, gbit := range []float64{25, 100} {
			for _, n := range []int{8, 64, 512} {
				bandwidth := gbit / 8 * 1e9 * 0.94
				a, b, c := before(n, bandwidth, w), now(n, bandwidth, w), further(n, bandwidth, w)
				fmt.Fprintf(out, "| %s | %.0f | %d | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f %% | %.0f %% | %.0f %% |\n",
					w.name, gbit, n, 1e3*a.compute, 1e3*a.norms, 1e3*b.norms, 1e3*a.sums, 1e3*b.sums, 1e3*b.commit,
					100*a.efficiency(), 100*b.efficiency(), 100*c.efficiency())
			}
		}
	}
}

// measured prints what groups on this machine send.
func measured(ctx context.Context, out io.Writer, on network.Network) error {
	const width, n = 4 * 2 * 512, 1 << 18
	fmt.Fprintf(out, "\nMeasured here: bytes that a rank sends on average, over sockets, for a total of %d float64 of\n"+
		"each shard and a sum of %d float32; in brackets those of the model. Heads of frames are not counted.\n\n",
		width, n)
	fmt.Fprintln(out, "| ranks | shards a rank | total | everybody to everybody | in rounds | every shard's | sum | "+
		"by owners |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|")
	for _, size := range []int{2, 3, 4, 8, 16} {
		for _, shards := range []int{1, 4} {
			m, err := measure(ctx, on, size, shards, work{width, n})
			if err != nil {
				return fmt.Errorf("measure %d ranks: %w", size, err)
			}
			others := float64(size - 1)
			fmt.Fprintf(out, "| %d | %d | %.0f | (%.0f) | (%.0f) | (%.0f) | %.0f | (%.0f) |\n", size, shards, m.total,
				8*width*others, 8*width*math.Ceil(math.Log2(float64(size))), 8*width*others*float64(shards), m.sum,
				2*4*n*others/float64(size))
		}
	}
	return nil
}
