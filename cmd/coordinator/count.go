package main

import "fmt"

// network is the shape of an encoder, as far as counting its parameters goes.
type network struct {
	blocks     []int
	bottleneck bool
	base       int // channels of the stem and the first group
}

// networks are the architectures that --arch takes.
var networks = map[string]network{
	"resnet18":  {blocks: []int{2, 2, 2, 2}, base: 64},
	"resnet34":  {blocks: []int{3, 4, 6, 3}, base: 64},
	"resnet50":  {blocks: []int{3, 4, 6, 3}, base: 64, bottleneck: true},
	"resnet101": {blocks: []int{3, 4, 23, 3}, base: 64, bottleneck: true},
	"resnet152": {blocks: []int{3, 8, 36, 3}, base: 64, bottleneck: true},
	"resnet200": {blocks: []int{3, 24, 36, 3}, base: 64, bottleneck: true},
	"resnet20":  {blocks: []int{3, 3, 3}, base: 16},
	"resnet56":  {blocks: []int{9, 9, 9}, base: 16},
}

// parameterCount is the number of trained values of a network.
type parameterCount struct {
	encoder, total int64
	features       int64
}

// countParameters adds up weights, batch-norm scales and offsets: convolutions without bias, each followed by a
// batch norm; a projection where a group changes the shape. count_test.go compares it with the networks themselves.
func countParameters(s *settings, classes int) parameterCount {
	n := networks[s.arch]
	width := int64(max(1, s.width))
	conv := func(kernel, in, out int64) int64 { return kernel*kernel*in*out + 2*out }
	kernel := int64(7)
	if s.stem == "cifar" {
		kernel = 3
	}
	in := int64(n.base) * width
	c := conv(kernel, 3, in)
	for group, blocks := range n.blocks {
		middle := int64(n.base) * width << group
		out := middle
		if n.bottleneck {
			out *= 4
		}
		for block := range blocks {
			if block == 0 && in != out {
				c += conv(1, in, out)
			}
			if n.bottleneck {
				c += conv(1, in, middle) + conv(3, middle, middle) + conv(1, middle, out)
			} else {
				c += conv(3, in, middle) + conv(3, middle, out)
			}
			in = out
		}
	}
	head := func(in, hidden, out int64) int64 { return in*hidden + hidden + 2*hidden + hidden*out }
	total := c + head(in, int64(s.projHidden), int64(s.projDim))
	if s.ablation != "no-predictor" {
		total += head(int64(s.projDim), int64(s.predHidden), int64(s.projDim))
	}
	if classes > 0 {
		total += in*int64(classes) + int64(classes)
	}
	return parameterCount{encoder: c, total: total, features: in}
}

// millions prints a count as people say it: 23.5 M, 272.5 k.
func millions(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f M", float64(n)/1e6)
}

// grouped prints 1281167 as 1 281 167.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
