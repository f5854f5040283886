// Package arch says which encoders there are, and how many parameters they and the heads on them have. It is a table
// and sums over it: programs that never compute, as the coordinator, import it without the compute libraries that
// package model needs. That the networks themselves have these counts is a test of model.
//
// When it fails: Find returns an error for a name it does not know, with those it knows. The sums don't fail; an
// encoder that nobody looked up or checked has no meaningful count.
package arch

import (
	"fmt"
	"strings"
)

// The stems: what an encoder begins with.
const (
	ImageNet = "imagenet" // 7×7 convolution with stride 2, then max-pooling
	CIFAR    = "cifar"    // 3×3 convolution
)

const (
	imageChannels = 3
	widening      = 4 // channels behind a bottleneck, in units of those within
)

// Encoder is the shape of a residual network without a classifier.
type Encoder struct {
	Name       string
	Bottleneck bool   // blocks of 1×1, 3×3 and 1×1 convolutions, with four times the channels behind them; else two 3×3
	Blocks     []int  // per group
	Base       int    // channels of the stem; the blocks of group i have Base·2^i
	Stem       string // ImageNet or CIFAR
}

// Encoders are the published ones: He et al. 2016 for ImageNet and for CIFAR, ResNet-200 as in BYOL. And tiny, for runs
// that are not about learning: a step of it is messages more than arithmetic.
func Encoders() []Encoder {
	return []Encoder{
		{Name: "resnet18", Blocks: []int{2, 2, 2, 2}, Base: 64, Stem: ImageNet},
		{Name: "resnet34", Blocks: []int{3, 4, 6, 3}, Base: 64, Stem: ImageNet},
		{Name: "resnet50", Bottleneck: true, Blocks: []int{3, 4, 6, 3}, Base: 64, Stem: ImageNet},
		{Name: "resnet101", Bottleneck: true, Blocks: []int{3, 4, 23, 3}, Base: 64, Stem: ImageNet},
		{Name: "resnet152", Bottleneck: true, Blocks: []int{3, 8, 36, 3}, Base: 64, Stem: ImageNet},
		{Name: "resnet200", Bottleneck: true, Blocks: []int{3, 24, 36, 3}, Base: 64, Stem: ImageNet},
		{Name: "tiny", Blocks: []int{1, 1}, Base: 8, Stem: CIFAR},
		{Name: "resnet20", Blocks: []int{3, 3, 3}, Base: 16, Stem: CIFAR},
		{Name: "resnet56", Blocks: []int{9, 9, 9}, Base: 16, Stem: CIFAR},
	}
}

// Names lists the names of Encoders, in their order.
func Names() []string {
	var names []string
	for _, e := range Encoders() {
		names = append(names, e.Name)
	}
	return names
}

// Find looks an encoder up by its name.
func Find(name string) (Encoder, error) {
	for _, e := range Encoders() {
		if e.Name == name {
			return e, nil
		}
	}
	return Encoder{}, fmt.Errorf("architecture %q is not known: want one of %s", name, strings.Join(Names(), ", "))
}

// Widened is e with times as many channels everywhere; less than 1 counts as 1.
func (e Encoder) Widened(times int) Encoder {
	e.Base *= max(times, 1)
	return e
}

// Behind is the number of channels behind a block of a group.
func (e Encoder) Behind(group int) int {
	c := e.Base << group
	if e.Bottleneck {
		c *= widening
	}
	return c
}

// Features is the number of features of an image: the channels behind the last group.
func (e Encoder) Features() int { return e.Behind(len(e.Blocks) - 1) }

// Parameters is the number of trained values: weights of convolutions, scales and offsets of batch norms.
func (e Encoder) Parameters() int64 {
	in, kernel := e.Base, 3
	if e.Stem == ImageNet {
		kernel = 7
	}
	n := unit(kernel, imageChannels, in)
	for group, blocks := range e.Blocks {
		within, behind := e.Base<<group, e.Behind(group)
		for block := range blocks {
			if block == 0 && (group > 0 || in != behind) {
				n += unit(1, in, behind) // the shortcut, where the shape changes
			}
			if e.Bottleneck {
				n += unit(1, in, within) + unit(3, within, within) + unit(1, within, behind)
			} else {
				n += unit(3, in, within) + unit(3, within, behind)
			}
			in = behind
		}
	}
	return n
}

// unit counts a convolution without bias and the batch norm behind it.
func unit(kernel, in, out int) int64 {
	return int64(kernel)*int64(kernel)*int64(in)*int64(out) + 2*int64(out)
}

// Heads are the widths of what BYOL puts on an encoder.
type Heads struct {
	ProjectorHidden, ProjectorOut int
	PredictorHidden               int // 0: no predictor
	Classes                       int // of the linear probe; 0: no probe
}

// Parameters is the number of trained values of the heads on an encoder of that many features.
func (h Heads) Parameters(features int) int64 {
	n := mlp(features, h.ProjectorHidden, h.ProjectorOut)
	if h.PredictorHidden > 0 {
		n += mlp(h.ProjectorOut, h.PredictorHidden, h.ProjectorOut)
	}
	if h.Classes > 0 {
		n += int64(features+1) * int64(h.Classes)
	}
	return n
}

// mlp counts a linear layer with bias, its batch norm, and a linear layer without bias.
func mlp(in, hidden, out int) int64 {
	return int64(in+1)*int64(hidden) + 2*int64(hidden) + int64(hidden)*int64(out)
}
