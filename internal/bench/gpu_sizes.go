package main

import (
	"slices"
	"time"
)

// gpuSizes are how large the items are, and how long each may take.
type gpuSizes struct {
	golden, later           []string // files
	goldenLimit, bitsLimit  time.Duration
	bits                    []string // flags of the runs
	work                    []gpuWork
	training                []string // flags of the training
	trainName               string
	trainBatch, trainEpochs int
	trainLeast              time.Duration // to begin the training
	trainImages             int           // of the data set
}

// sizesOf are those of a GPU, and of a dry run, which is to show that everything runs.
func sizesOf(gpu bool) gpuSizes {
	small := []string{"--data", "synthetic:512,size=32,seed=1", "--arch", "resnet20", "--image-size", "16", "--batch-size",
		"32", "--shards", "2", "--epochs", "4", "--proj-hidden-dim", "64", "--proj-dim", "32", "--pred-hidden-dim", "64"}
	if !gpu {
		work := gpuWork{name: "ResNet-20", arch: "resnet20", size: "16", stem: "cifar", batch: 16, steps: 2, hidden: 64,
			ours: time.Hour, eager: time.Hour, compile: time.Hour}
		larger := work
		larger.batch, larger.eager = 0, 0
		return gpuSizes{golden: []string{"byol-basic"}, goldenLimit: time.Hour, bitsLimit: time.Hour,
			bits: append(slices.Clone(small), "--max-steps", "2"), work: []gpuWork{work, larger},
			training:   append(slices.Clone(small), "--epochs", "1", "--eval-data", "synthetic:64,size=32,seed=1,split=eval"),
			trainName:  "generated pictures",
			trainLeast: 20 * time.Second, trainBatch: 32, trainEpochs: 1, trainImages: 512}
	}
	s := time.Second
	return gpuSizes{golden: []string{"byol-basic", "byol-bottleneck"}, later: []string{"byol-same"},
		goldenLimit: 50 * s, bitsLimit: 75 * s,
		bits: []string{"--data", "synthetic:2048,size=32,seed=1", "--arch", "resnet18", "--image-size", "32", "--batch-size",
			"256", "--shards", "2", "--epochs", "4", "--proj-hidden-dim", "512", "--pred-hidden-dim", "512", "--max-steps", "6"},
		work: []gpuWork{
			{name: "ResNet-50", arch: "resnet50", size: "224", stem: "imagenet", batch: 256, steps: 12, hidden: 4096,
				ours: 150 * s, compile: 110 * s, eager: 45 * s},
			{name: "ResNet-18", arch: "resnet18", size: "32", stem: "cifar", batch: 512, steps: 20, hidden: 4096,
				ours: 90 * s, compile: 70 * s, eager: 30 * s},
			{name: "ResNet-50", arch: "resnet50", size: "224", stem: "imagenet", steps: 5, hidden: 4096,
				ours: 120 * s, compile: 90 * s},
		},
		training: []string{"--arch", "resnet18", "--image-size", "32", "--batch-size", "512", "--shards", "1",
			"--proj-hidden-dim", "1024", "--proj-dim", "256", "--pred-hidden-dim", "1024", "--augment", "byol-noblur",
			"--base-lr", "0.5", "--lars-eta", "0.01", "--weight-decay", "1e-6", "--base-tau", "0.99", "--precision", "bf16"},
		trainName:  "CIFAR-10",
		trainLeast: 45 * s, trainBatch: 512, trainEpochs: 200, trainImages: 50000}
}
