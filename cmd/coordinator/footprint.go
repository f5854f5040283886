package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/coordinator/launch"
	"byol/internal/failure"
	pb "byol/proto"
)

// footprintTimeout bounds the question "what does a worker take?": it may open plugins.
const footprintTimeout = 3 * time.Minute

// fitWorkers decides how many workers are started here, where nobody says: one for each accelerator, and on the
// processor as many as have a core each; and in how many processes. It refuses what the machine has no memory for. The
// shards of the run, and with them its numbers, do not depend on it.
func (p *plan) fitWorkers(ctx context.Context) error {
	defer p.share()
	if p.launcher != "local" {
		return p.noProcesses()
	}
	chosen := p.origins["workers"] == "default" || p.origins["workers"] == "derived"
	f, err := p.askFootprint(ctx)
	if err != nil {
		return err
	}
	if f != nil {
		p.room = &room{f: f, shards: p.settings.Shards, images: p.settings.BatchSize / p.settings.Shards}
	}
	if chosen {
		p.choose(runtime.GOMAXPROCS(0))
	}
	if err := p.divide(runtime.GOMAXPROCS(0)); err != nil || p.room == nil {
		return err
	}
	if note := p.room.usedByOthers(p.processes); note != "" {
		p.warnings = append(p.warnings, note)
	}
	return p.room.check(p.processes, chosen)
}

// noProcesses refuses --processes where workers join by themselves.
func (p *plan) noProcesses() error {
	n := p.settings.Processes
	if n == 0 {
		return nil
	}
	return usage(fmt.Sprintf("--processes %d: no process is started here", n),
		fmt.Sprintf("launcher none: %s; each process that joins is one worker", p.why),
		"worker --workers N where it is started, for one that is to stand for several; --launcher local starts them here")
}

// divide decides in how many processes the workers are started on a machine with so many cores. On accelerators each
// worker has its own, unless somebody says otherwise.
func (p *plan) divide(cores int) error {
	s := p.settings
	n := s.Processes
	switch {
	case n > s.Workers:
		return usage(fmt.Sprintf("%d workers cannot run in %d processes", s.Workers, n),
			"each process stands for at least one of the workers", fmt.Sprintf("--processes %d", s.Workers))
	case n == 0 && p.accelerators() > 0:
		n = s.Workers
	case n == 0:
		most := s.Workers
		if p.room != nil {
			most = max(1, p.room.most(most, p.room.f.Memory.GetFree()))
		}
		n = launch.Processes(s.Workers, most, cores, s.Threads)
	}
	p.processes = launch.Share(s.Workers, n)
	return nil
}

// choose sets the number of workers of a machine with so many cores.
func (p *plan) choose(cores int) {
	s := p.settings
	most, why := min(cores, s.Workers), fmt.Sprintf("a core each, of %d", cores)
	if r := p.room; r != nil && r.f.Accelerators > 0 {
		most, why = int(r.f.Accelerators), "one for each accelerator"
	}
	if s.Processes > 0 {
		most, why = s.Processes, "one for each process"
	}
	if most > s.Shards {
		most, why = s.Shards, "one for each shard"
	}
	if p.room != nil && s.Processes == 0 {
		if n := p.room.most(most, p.room.f.Memory.GetFree()); n > 0 && n < most {
			most, why = n, "as memory allows"
		}
	}
	s.Workers, s.MinWorkers = most, min(s.MinWorkers, most)
	p.origins["workers"], p.chosen = "derived", why
}

// share tells the workers what follows from their number.
func (p *plan) share() {
	if p.settings.Threads == 0 {
		p.settings.Threads = p.threadsEach()
	}
	p.config.Threads, p.config.NoOverlap = int32(p.settings.Threads), !p.overlaps()
}

// askFootprint asks the worker program. It returns nil where that does not know.
func (p *plan) askFootprint(ctx context.Context) (*pb.Footprint, error) {
	ctx, cancel := context.WithTimeout(ctx, footprintTimeout)
	defer cancel()
	question, err := protojson.Marshal(p.config)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, p.worker, "footprint")
	cmd.Stdin = bytes.NewReader(question)
	f := &pb.Footprint{}
	out, err := cmd.Output()
	if err == nil {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(out, f)
	}
	if err != nil {
		p.warnings = append(p.warnings, fmt.Sprintf("how much memory a worker takes is not known: %v", err))
		return nil, nil
	}
	if x := f.Problem; x != nil {
		return nil, &failure.Failure{What: x.What, Why: x.Why, Try: x.Try, Code: int(x.Code)}
	}
	return f, nil
}

// room is a footprint, and the run that it is of.
type room struct {
	f              *pb.Footprint
	shards, images int // images of each shard
}

// most of the machine's memory is left to the system, the coordinator and other programs.
const usable = 0.9

// of is what a worker of so many shards takes.
func of(b *pb.Footprint_Bytes, shards, images int) int64 {
	return b.GetFixed() + int64(shards)*(b.GetPerShard()+int64(images)*b.GetPerImage())
}

// part is the most shards that one of the processes gets, and whether all get as many.
func (r *room) part(processes []int) (most int, even bool) {
	workers, before, least := 0, 0, r.shards
	for _, n := range processes {
		workers += n
	}
	for _, n := range processes {
		shards := r.shards*(before+n)/workers - r.shards*before/workers
		most, least, before = max(most, shards), min(least, shards), before+n
	}
	return most, most == least
}

// all is what so many processes take together.
func (r *room) all(processes, images int) int64 {
	b := r.f.Worker
	return int64(processes)*b.GetFixed() + of(b, r.shards, images) - b.GetFixed()
}

// most is how many processes, up to n, fit into so much memory; 0: none. Each takes something that they do not share.
func (r *room) most(n int, memory int64) int {
	for n > 0 && memory > 0 && float64(r.all(n, r.images)) > usable*float64(memory) {
		n--
	}
	return n
}

// words are for the banner; "" where the machine does not say what it has.
func (r *room) words(processes []int) string {
	m := r.f.Memory
	if m.GetTotal() == 0 {
		return ""
	}
	shards, even := r.part(processes)
	text := fmt.Sprintf("%s a %s × %d = ", gib(of(r.f.Worker, shards, r.images)), one(processes), len(processes))
	if !even {
		text = fmt.Sprintf("up to %s a %s, together ", gib(of(r.f.Worker, shards, r.images)), one(processes))
	}
	text += fmt.Sprintf("%.1f of %s", gibibytes(r.all(len(processes), r.images)), gib(m.Total))
	if m.LimitedBy != "" {
		text += ": " + m.LimitedBy
	}
	if r.f.OnAccelerator != nil {
		text += fmt.Sprintf("; of an accelerator's own at least %s", r.onAccelerator(processes))
	}
	return text
}

// one is what people call one of the processes.
func one(processes []int) string {
	if slices.ContainsFunc(processes, func(n int) bool { return n > 1 }) {
		return "process"
	}
	return "worker"
}

// onAccelerator is what the processes of an accelerator take of its memory.
func (r *room) onAccelerator(processes []int) string {
	text := gib(r.accelerator(processes, r.images))
	if r.f.AcceleratorMemory > 0 {
		text += " of " + gib(r.f.AcceleratorMemory)
	}
	return text
}

// accelerator is what is planned of an accelerator's memory, before it is known what programs need besides: several
// processes may share it.
func (r *room) accelerator(processes []int, images int) int64 {
	devices := max(int(r.f.Accelerators), 1)
	sharing := (len(processes) + devices - 1) / devices
	shards, _ := r.part(processes)
	return int64(sharing) * of(r.f.OnAccelerator, shards, images)
}

// fits reports whether processes fit into the machine, with so many images in a shard.
func (r *room) fits(processes []int, images int) bool {
	m := r.f.Memory
	host := m.GetTotal() == 0 || float64(r.all(len(processes), images)) <= usable*float64(m.Total)
	return host && (r.f.AcceleratorMemory == 0 || r.accelerator(processes, images) <= r.f.AcceleratorMemory)
}

// check refuses processes that the machine has no memory for. chosen says that nobody asked for so many workers.
func (r *room) check(processes []int, chosen bool) error {
	if r.fits(processes, r.images) {
		return nil
	}
	workers := 0
	for _, n := range processes {
		workers += n
	}
	f := &failure.Failure{Why: r.words(processes) + "; a tenth is left to others", Code: failure.Usage}
	switch n := len(processes); {
	case n == 1 || chosen:
		f.What = "the run does not fit into the memory of this machine"
	case n < workers:
		f.What = fmt.Sprintf("%d workers in %d processes do not fit into the memory of this machine", workers, n)
	default:
		f.What = fmt.Sprintf("%d workers do not fit into the memory of this machine", workers)
	}
	var tries []string
	fewer := len(processes)
	for fewer > 0 && !r.fits(launch.Share(workers, fewer), r.images) {
		fewer--
	}
	if fewer > 0 {
		tries = append(tries, fmt.Sprintf("--processes %d", fewer))
	}
	for _, n := range []int{len(processes), 1} {
		images := r.images
		for images > 0 && !r.fits(launch.Share(workers, n), images) {
			images--
		}
		if images > 0 {
			tries = append(tries, fmt.Sprintf("--batch-size %d for a new run", images*r.shards))
			break
		}
	}
	f.Try = strings.Join(append(tries, "a smaller --arch or --image-size", "more machines"), ", ")
	return f
}

func gibibytes(n int64) float64 { return float64(n) / (1 << 30) }

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", gibibytes(n)) }

// usedByOthers warns of workers that fit into the machine and not into what others leave of it.
func (r *room) usedByOthers(processes []int) string {
	m := r.f.Memory
	if need := r.all(len(processes), r.images); m.GetTotal() > 0 && need > m.Free {
		return fmt.Sprintf("the workers take %s of memory, and others leave %s of %s", gib(need), gib(m.Free), gib(m.Total))
	}
	return ""
}

// accelerators is how many this machine has for its workers, 0 where that is not known.
func (p *plan) accelerators() int {
	if p.room == nil {
		return 0
	}
	return int(p.room.f.Accelerators)
}
