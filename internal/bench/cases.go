package main

import "strconv"

// part is a table of docs/bench.
type part struct {
	name  string
	file  string // in docs/bench, where others tell of the same part without peers
	title string
	notes []string
	cases []comparison
	// memory adds the peak memory of a process to the figures.
	memory bool
}

// comparison is the same work done by several sides. They run in turn, in this order.
type comparison struct {
	name    string // for -case
	title   string
	figures []figure
	sides   []side
}

// figure is one number that all sides print.
type figure struct {
	key   string
	title string
	unit  string
	scale float64 // from what is printed to the unit
	less  bool    // is better
}

// side is one program, started anew for each pair.
type side struct {
	name string
	peer bool
	// argv may hold {bin}, {scripts}, {shared}, {tmp}, {python} (one that has what needs lists), {self}, and
	// {long:short} for a number that -quick makes small.
	argv []string
	// variants are arguments of which the best is taken: each runs once before the pairs.
	variants [][]string
	// needs are conditions: see environment.missing.
	needs []string
	// environment holds additions to the program's.
	environment []string
	// ranks is how many processes run this together, told by torchrun's variables; 0 is 1.
	ranks int
	// read finds the figures in what was printed; nil: the last line is a JSON object.
	read func(stdout []byte, tmp string) (*reading, error)
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

var parts = []part{
	{name: "torch", file: "torch.md", title: "Training steps against PyTorch", notes: torchNotes,
		cases: torchCases(), memory: true},
	{name: "allreduce", file: "allreduce-gloo.md", title: "All-reduce against Gloo", notes: allreduceNotes,
		cases: allreduceCases()},
	{name: "data", file: "data-torchvision.md", title: "Images to augmented views against torchvision",
		notes: dataNotes, cases: dataCases(), memory: true},
	{name: "workers", file: "workers.md", title: "Where a step goes, by number of workers", notes: workersNotes,
		cases: workersCases(), memory: true},
}

var torchNotes = []string{
	"A step of BYOL: two views, online network forward and backward, target network forward, heads of 4096 and " +
		"256 units, LARS, moving average. Input is generated, so no side reads or augments. Each run is a process of " +
		"its own: one step to warm up, then the median of the steps after it.",
	"PyTorch runs in its better memory layout (NHWC or NCHW), found beforehand. Debian's takes matrix products from " +
		"the BLAS it finds: \"PyTorch\" is with the plain one that comes with it, which is slow for the heads; " +
		"\"PyTorch, OpenBLAS\" is with libopenblas0 in its place. The convolutions are oneDNN's in both.",
	"\"byol, direct\" is without Winograd (`--kernels direct`).",
	"Two workers: byol's are a whole run of the coordinator with images read and augmented, synchronised batch norm, " +
		"every step committed and the target broadcast. PyTorch's are two processes of DistributedDataParallel over " +
		"Gloo with generated input and batch norm of each process by itself, because its SyncBatchNorm lacks CPU support.",
	"Peak memory is that of the largest process.",
}

var imagesPerSecond = figure{key: "images_per_second", title: "speed", unit: "images/s", scale: 1}

// network is what both sides train.
type network struct {
	name, title string
	arch, size  string
	batch       string
	encoder     bool // alone, forward and backward
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
		list = append(list, comparison{name: n.name, title: n.title + ", 2 threads", figures: []figure{imagesPerSecond},
			sides: n.sides()})
	}
	return append(list, twoWorkers())
}

func (n network) sides() []side {
	stem, what := "cifar", "byol"
	if n.size == "224" {
		stem = "imagenet"
	}
	if n.encoder {
		what = "encoder"
	}
	ours := []string{"{bin}/worker", "bench", "--device", "cpu", "--arch", n.arch, "--stem", stem, "--image-size", n.size,
		"--batch", n.batch, "--part", what, "--threads", "2", "--warm-up", "1", "--steps", "{5:1}", "--output", "json"}
	torch := side{name: "PyTorch", peer: true, needs: []string{"python:torch"},
		argv: []string{"{python}", "{scripts}/torch_byol.py", "--arch", n.arch, "--stem", stem, "--image-size", n.size,
			"--batch-size", n.batch, "--part", what, "--threads", "2", "--steps", "{3:1}"},
		variants:    [][]string{{"--layout", "nhwc"}, {"--layout", "nchw"}},
		environment: []string{"LD_LIBRARY_PATH={plainblas}"}}
	direct := side{name: "byol, direct", argv: append(ours[:len(ours):len(ours)], "--kernels", "direct"),
		needs: []string{"worker-flag:--kernels"}}
	sides := []side{{name: "byol", argv: ours}, direct, torch}
	if !n.encoder { // which has no matrix products beside the convolutions
		sides = append(sides, torch.withOpenBLAS())
	}
	return sides
}

// withOpenBLAS is the same program with another library for matrix products.
func (s side) withOpenBLAS() side {
	s.name += ", OpenBLAS"
	s.needs = append(s.needs[:len(s.needs):len(s.needs)], "openblas")
	s.environment = []string{"LD_LIBRARY_PATH={openblas}"}
	return s
}

func twoWorkers() comparison {
	torch := side{name: "PyTorch DDP", peer: true, needs: []string{"python:torch"}, ranks: 2,
		argv: []string{"{python}", "{scripts}/torch_byol.py", "--arch", "resnet18", "--stem", "cifar", "--image-size", "32",
			"--batch-size", "128", "--threads", "1", "--steps", "{3:1}"},
		variants:    [][]string{{"--layout", "nhwc"}, {"--layout", "nchw"}},
		environment: []string{"LD_LIBRARY_PATH={plainblas}"}}
	return comparison{name: "resnet18-2workers",
		title:   "BYOL, ResNet-18 (CIFAR stem), 32², batch 128, 2 workers of 1 thread",
		figures: []figure{imagesPerSecond},
		sides: []side{
			training{workers: "2", shards: "2", threads: "1", arch: "resnet18", size: "32", batch: 128,
				data: "{cifar}"}.side(),
			torch, torch.withOpenBLAS(),
		}}
}

// training is a whole run of the coordinator on this machine.
type training struct {
	workers, shards, threads string
	arch, size, data         string
	batch                    int
}

func (t training) side() side {
	return side{name: "byol", read: readMetrics(t.batch), argv: []string{"{bin}/coordinator", "--workers", t.workers,
		"--shards", t.shards, "--threads", t.threads, "--launcher", "local", "--device", "cpu", "--arch", t.arch,
		"--image-size", t.size, "--batch-size", strconv.Itoa(t.batch), "--data", t.data, "--max-steps", "{6:2}",
		"--eval-every", "0", "--save-interval", "0", "--resume", "never", "--run-dir", "{tmp}/run", "--quiet"}}
}

var allreduceNotes = []string{
	"The sum of one float32 vector per rank, on every rank. Ranks are processes of this machine, and rank 0 times: " +
		"the median of its repetitions, all ranks set off together. A vector of 4 KiB is summed 50 times in a row.",
	"Gloo is PyTorch's, by torch.distributed, one thread per rank, over TCP: it has no transport by shared memory.",
}

func allreduceCases() []comparison {
	sizes := []figure{
		{key: "seconds_4096", title: "4 KiB", unit: "ms", scale: 1e3, less: true},
		{key: "seconds_26214400", title: "25 MiB", unit: "ms", scale: 1e3, less: true},
		{key: "seconds_134217728", title: "128 MiB", unit: "ms", scale: 1e3, less: true},
	}
	const bytes = "4096,26214400,134217728"
	var list []comparison
	for _, n := range []struct {
		ranks string
		count int
	}{{"2", 2}, {"4", 4}, {"8", 8}} {
		ours := []string{"{bin}/arbench", "-np", n.ranks, "-bytes", bytes, "-reps", "{7:2}"}
		list = append(list, comparison{name: "ranks-" + n.ranks, title: n.ranks + " ranks", figures: sizes, sides: []side{
			{name: "byol, shared memory", argv: ours, read: readRing("shared memory")},
			{name: "byol, TCP", argv: append(ours[:len(ours):len(ours)], "-tcp"), read: readRing("tcp")},
			{name: "Gloo", peer: true, needs: []string{"python:torch"}, ranks: n.count,
				argv: []string{"{python}", "{scripts}/gloo.py", "--bytes", bytes, "--reps", "{7:2}"}},
		}})
	}
	return list
}

var dataNotes = []string{
	"Encoded images to both augmented, normalised views, by one thread on one core. All sides see the same images " +
		"and find their bytes in the operating system's cache. \"speed\" is by the clock, \"per core\" by the processor " +
		"time used.",
	"torchvision: Pillow decodes an image once, then both views are cropped (bicubic), flipped, jittered, blurred " +
		"(Pillow's own Gaussian), solarised, made tensors and normalised.",
	"\"byol\" is the loader of a worker. \"byol, no shortcuts\" takes each view for itself: read, decode all of the " +
		"image by the same decoder, crop, resize, augment; \"no shortcuts, Go's decoder\" also does without libjpeg-turbo.",
}

func dataCases() []comparison {
	perCore := []figure{imagesPerSecond,
		{key: "images_per_cpu_second", title: "per core", unit: "images/s of CPU", scale: 1}}
	var list []comparison
	for _, c := range []struct{ name, title, uri, need, size, augment, images string }{
		{"imagenet-224", "ImageNet photos to two views of 224²", "{shared}/data/imagenet-sample",
			"file:{shared}/data/imagenet-sample", "224", "byol", "{400:40}"},
		{"cifar-32", "CIFAR-10 in tars to two views of 32²", "{shared}/data/cifar10/train-000000.tar",
			"file:{shared}/data/cifar10/train-000000.tar", "32", "byol-noblur", "{5000:500}"},
	} {
		ours := []string{"{self}", "views", "-data", c.uri, "-size", c.size, "-augment", c.augment, "-images", c.images}
		plain := append(ours[:len(ours):len(ours)], "-plain")
		list = append(list, comparison{name: c.name, title: c.title, figures: perCore, sides: []side{
			{name: "byol", argv: ours, needs: []string{c.need}},
			{name: "torchvision", peer: true, needs: []string{c.need, "python:torchvision,PIL"},
				argv: []string{"{python}", "{scripts}/torchvision_views.py", "--data", c.uri, "--size", c.size, "--images",
					c.images}},
			{name: "byol, no shortcuts", peer: true, argv: plain, needs: []string{c.need}},
			{name: "no shortcuts, Go's decoder", peer: true, argv: append(plain[:len(plain):len(plain)], "-decoder", "go"),
				needs: []string{c.need}},
		}})
	}
	return list
}
