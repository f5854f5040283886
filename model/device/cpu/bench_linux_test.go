package cpu

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"byol/model/device"
)

// BenchmarkConv times each pass of each convolution with 1 and 2 threads. The best run of a few is what the code
// can do; see bestOf for what is timed:
//
//	go test ./model/device/cpu -run - -bench Conv/resnet20 -benchtime 10x
func BenchmarkConv(b *testing.B) {
	for _, c := range benchShapes() {
		for _, threads := range []int{1, 2} {
			s := c.s
			for _, direct := range []bool{false, true} {
				if !direct && !winograd(s) {
					continue
				}
				for _, isa := range assembly() {
					name := fmt.Sprintf("%s/%dx/%dx%dx%d-%d-k%ds%d/threads=%d/direct=%t/%s",
						c.net, c.count, s.H, s.W, s.C, s.K, s.KH, s.Stride, threads, direct, isa)
					b.Run(name, func(b *testing.B) { benchConv(b, s, Options{Threads: threads, Direct: direct, ISA: isa}) })
				}
			}
		}
	}
}

// assembly are the sets worth timing.
func assembly() []string {
	return slices.DeleteFunc(ISAs(), func(isa string) bool { return isa == Generic })
}

func benchConv(b *testing.B, s device.ConvShape, opts Options) {
	d, threads := open(b, opts), opts.Threads
	l := newLayer(b, d, s)
	flops := 2 * float64(s.N*s.OH*s.OW) * float64(s.K*s.C*s.KH*s.KW)
	for _, pass := range []struct {
		name string
		work float64
		run  func()
	}{
		{"pack", 0, func() { l.Pack(l.w); l.Forward(l.x, l.y, 0) }},
		{"forward", flops, func() { l.Forward(l.x, l.y, s.N) }},
		{"backward-data", flops, func() { l.BackwardData(l.dy, l.dx, s.N) }},
		{"backward-weights", flops, func() { l.BackwardWeights(l.x, l.dy, l.dw, s.N, false) }},
	} {
		b.Run(pass.name, func(b *testing.B) {
			best := bestOf(b, threads, pass.run)
			b.ReportMetric(pass.work/best.Seconds()/1e9, "best-GFLOP/s")
		})
	}
}

// bestOf runs the benchmark's loop and reports its shortest run: by the wall clock, or with one thread by that
// thread's processor time, which leaves out what else ran on the machine.
func bestOf(b *testing.B, threads int, run func()) time.Duration {
	if threads == 1 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	clock := func() time.Duration {
		id := int32(unix.CLOCK_MONOTONIC)
		if threads == 1 {
			id = unix.CLOCK_THREAD_CPUTIME_ID
		}
		var t unix.Timespec
		if err := unix.ClockGettime(id, &t); err != nil {
			b.Fatal(err)
		}
		return time.Duration(t.Nano())
	}
	run()
	best := time.Hour
	for b.Loop() {
		start := clock()
		run()
		best = min(best, clock()-start)
	}
	b.ReportMetric(best.Seconds()*1e3, "best-ms")
	return best
}

// BenchmarkBatchNorm times the operations of one view: of ResNet-18's widest activation at batch 32, which the
// last-level cache holds, and at batch 128, which it does not. GB/s count each operand once.
func BenchmarkBatchNorm(b *testing.B) {
	for _, m := range [][2]int{{131072, 16}, {32768, 64}, {8192, 256}, {131072, 64}, {32768, 256}} {
		for _, isa := range assembly() {
			benchBatchNorm(b, m[0], m[1], isa)
		}
	}
}

func benchBatchNorm(b *testing.B, rows, c int, isa string) {
	d := open(b, Options{Threads: 2, ISA: isa})
	x, y, dy, gamma := random(b, d, rows*c, 1), random(b, d, rows*c, 2), random(b, d, rows*c, 3), random(b, d, c, 4)
	mean, inv, sums := make([]float64, c), make([]float64, c), make([]float64, 2*c)
	apply := device.BatchNorm{
		Rows: rows, C: c, X: x, Y: y, ReLU: true, Gamma: gamma, Beta: gamma, Mean: mean, InvStd: inv,
	}
	add := apply
	add.Residual = dy
	grad := device.BatchNormGrad{Rows: rows, C: c, DY: dy, X: x, DX: y, Gamma: gamma, Mean: mean, InvStd: inv}
	gated := grad
	gated.Beta, gated.DX = gamma, dy
	for _, op := range []struct {
		name    string
		streams int
		run     func()
	}{
		{"sums", 1, func() { d.BatchNormSums(x, rows, c, sums) }},
		{"apply", 2, func() { d.BatchNormApply(apply) }},
		{"apply-add", 3, func() { d.BatchNormApply(add) }},
		{"gradient-sums", 2, func() { d.BatchNormGradSums(grad, sums) }},
		{"gradient-sums-masked", 2, func() { d.BatchNormGradSums(gated, sums) }},
		{"gradient-apply", 3, func() { d.BatchNormGradApply(grad, sums, float64(rows)) }},
		{"gradient-apply-masked", 3, func() { d.BatchNormGradApply(gated, sums, float64(rows)) }},
	} {
		b.Run(fmt.Sprintf("%s/%dx%d/%s", op.name, rows, c, isa), func(b *testing.B) {
			best := bestOf(b, 2, op.run)
			b.ReportMetric(float64(4*rows*c*op.streams)/best.Seconds()/1e9, "best-GB/s")
		})
	}
}
