package main

import "slices"

var torchNotes = []string{
	"A step of BYOL: two views, online network forward and backward, target network forward, heads of 4096 and " +
		"256 units, LARS, moving average. Input is generated, so no side reads or augments. Each run is a process of " +
		"its own: one step to warm up, then the median of the steps after it.",
	"PyTorch runs in its better memory layout (NHWC or NCHW), found beforehand. Debian's takes matrix products from " +
		"the BLAS it finds: \"PyTorch\" is with the plain one that comes with it, which is slow for the heads; " +
		"\"PyTorch, OpenBLAS\" is with libopenblas0 in its place. The convolutions are oneDNN's in both. " +
		"\"PyTorch, newest\" is PyPI's (`make bench-peers-newest`), with matrix products by MKL; \"bf16\" is the same " +
		"under autocast to bfloat16, which is fast where the processor multiplies such numbers (AMX, AVX-512 BF16).",
	"\"byol, direct\" is without Winograd (`--kernels direct`).",
	"Two workers: byol's are a whole run of the coordinator with images read and augmented, synchronised batch norm, " +
		"every step committed and the target broadcast. PyTorch's are two processes of DistributedDataParallel over " +
		"Gloo with generated input and batch norm of each process by itself, because its SyncBatchNorm lacks CPU support.",
	"\"AVX2 alone\" is what processors without AVX-512 do, tried on one that has it: `--isa avx2`, and PyTorch with " +
		"ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA and MKL_ENABLE_INSTRUCTIONS set to it.",
	"Peak memory is that of the largest process.",
}

// network is what both sides train.
type network struct {
	name, title string
	arch, size  string
	batch       string
	encoder     bool // alone, forward and backward
	avx2        bool // and nothing wider
}

func torchCases() []comparison {
	var list []comparison
	for _, n := range []network{
		{name: "resnet18", title: "BYOL, ResNet-18 (CIFAR stem), 32², batch 128", arch: "resnet18", size: "32",
			batch: "128"},
		{name: "resnet20", title: "BYOL, ResNet-20, 32², batch 128", arch: "resnet20", size: "32", batch: "128"},
		{name: "resnet50-encoder", title: "encoder forward + backward, ResNet-50, 224², batch 16", arch: "resnet50",
			size: "224", batch: "16", encoder: true},
		{name: "resnet50", title: "BYOL, ResNet-50, 224², batch 8", arch: "resnet50", size: "224", batch: "8"},
	} {
		list = append(list, n.comparison())
		if n.name == "resnet18" || n.name == "resnet50" {
			n.name, n.title, n.avx2 = n.name+"-avx2", n.title+", AVX2 alone", true
			list = append(list, n.comparison())
		}
	}
	return append(list, twoWorkers())
}

func (n network) comparison() comparison {
	return comparison{name: n.name, title: n.title + ", 2 threads", figures: []figure{imagesPerSecond}, sides: n.sides()}
}

func (n network) sides() []side {
	stem, what := "cifar", "byol"
	if n.size == "224" {
		stem = "imagenet"
	}
	if n.encoder {
		what = "encoder"
	}
	ours := []string{"{bin}/stepbench", "-device", "cpu", "-arch", n.arch, "-stem", stem, "-image-size", n.size,
		"-batch", n.batch, "-part", what, "-threads", "2", "-warm-up", "1", "-steps", "{3:1}", "-json"}
	torch := side{name: "PyTorch", peer: true, needs: []string{"python:torch"},
		argv: []string{"{python}", "{scripts}/torch_byol.py", "--arch", n.arch, "--stem", stem, "--image-size", n.size,
			"--batch-size", n.batch, "--part", what, "--threads", "2", "--steps", "{2:1}"},
		variants:    [][]string{{"--layout", "nhwc"}, {"--layout", "nchw"}},
		environment: []string{"LD_LIBRARY_PATH={plainblas}"}}
	direct := side{name: "byol, direct", argv: append(ours[:len(ours):len(ours)], "-kernels", "direct")}
	sides := []side{{name: "byol", argv: ours}, direct, torch}
	if !n.encoder { // which has no matrix products beside the convolutions
		sides = append(sides, torch.withOpenBLAS())
	}
	sides = append(sides, torch.newest(), torch.newest().autocast())
	for i := range sides {
		if n.avx2 {
			sides[i] = sides[i].narrow()
		}
	}
	return sides
}

// narrow is the same program kept to AVX2, a peer's with its libraries.
func (s side) narrow() side {
	if s.peer {
		s.environment = slices.Concat(s.environment, []string{"ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2",
			"MKL_ENABLE_INSTRUCTIONS=AVX2"})
	} else {
		s.argv = slices.Concat(s.argv, []string{"-isa", "avx2"})
	}
	return s
}

// withOpenBLAS is the same program with another library for matrix products.
func (s side) withOpenBLAS() side {
	s.name += ", OpenBLAS"
	s.needs = append(s.needs[:len(s.needs):len(s.needs)], "openblas")
	s.environment = []string{"LD_LIBRARY_PATH={openblas}"}
	return s
}

// newest is the same program by the newest PyTorch, which brings its own libraries.
func (s side) newest() side {
	s.name += ", newest"
	s.needs = []string{"newest:torch"}
	s.environment = nil
	return s
}

// autocast is the same program with activations and products in bfloat16.
func (s side) autocast() side {
	s.name += ", bf16"
	s.argv = append(s.argv[:len(s.argv):len(s.argv)], "--precision", "bf16")
	return s
}

func twoWorkers() comparison {
	torch := side{name: "PyTorch DDP", peer: true, needs: []string{"python:torch"}, ranks: 2,
		argv: []string{"{python}", "{scripts}/torch_byol.py", "--arch", "resnet18", "--stem", "cifar", "--image-size", "32",
			"--batch-size", "128", "--threads", "1", "--steps", "{2:1}"},
		variants:    [][]string{{"--layout", "nhwc"}, {"--layout", "nchw"}},
		environment: []string{"LD_LIBRARY_PATH={plainblas}"}}
	return comparison{name: "resnet18-2workers",
		title:   "BYOL, ResNet-18 (CIFAR stem), 32², batch 128, 2 workers of 1 thread",
		figures: []figure{imagesPerSecond},
		sides: []side{
			training{workers: "2", shards: "2", threads: "1", arch: "resnet18", size: "32", batch: 128,
				data: "{cifar}"}.side(),
			torch, torch.withOpenBLAS(), torch.newest(), torch.newest().autocast(),
		}}
}
