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
	{name: "line", file: "allreduce-line.md", title: "All-reduce over lines of 1 Gbit/s against Gloo", notes: lineNotes,
		cases: lineCases()},
	{name: "data", file: "data-torchvision.md", title: "Images to augmented views against torchvision",
		notes: dataNotes, cases: dataCases(), memory: true},
	{name: "workers", file: "workers.md", title: "Where a step goes, by number of workers", notes: workersNotes,
		cases: workersCases(), memory: true},
}

var imagesPerSecond = figure{key: "images_per_second", title: "speed", unit: "images/s", scale: 1}

// training is a whole run of the coordinator on this machine.
type training struct {
	workers, shards, threads string
	arch, size, data         string
	batch                    int
}

func (t training) side() side {
	return side{name: "byol", read: readMetrics(t.batch), argv: []string{"{bin}/coordinator", "--workers", t.workers,
		"--processes", t.workers,
		"--shards", t.shards, "--threads", t.threads, "--launcher", "local", "--device", "cpu", "--arch", t.arch,
		"--image-size", t.size, "--batch-size", strconv.Itoa(t.batch), "--data", t.data, "--max-steps", "{4:2}",
		"--eval-every", "0", "--save-interval", "0", "--resume", "never", "--run-dir", "{tmp}/run", "--quiet"}}
}
