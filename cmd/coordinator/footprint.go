package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/failure"
	pb "byol/proto"
)

// footprintTimeout bounds the question "what does a worker take?": it may open plugins.
const footprintTimeout = 3 * time.Minute

// fitWorkers decides how many workers are started here, where nobody says: one for each accelerator, and on the
// processor as many as have a core each. It refuses what the machine has no memory for. The shards of the run, and with
// them its numbers, do not depend on it.
func (p *plan) fitWorkers(ctx context.Context) error {
	defer p.share()
	if p.launcher != "local" {
		return nil
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
	if p.room == nil {
		return nil
	}
	if note := p.room.usedByOthers(p.settings.Workers); note != "" {
		p.warnings = append(p.warnings, note)
	}
	return p.room.check(p.settings.Workers, chosen)
}

// choose sets the number of workers of a machine with so many cores.
func (p *plan) choose(cores int) {
	s := p.settings
	most, why := min(cores, s.Workers), fmt.Sprintf("a core each, of %d", cores)
	if r := p.room; r != nil && r.f.Accelerators > 0 {
		most, why = int(r.f.Accelerators), "one for each accelerator"
	}
	if most > s.Shards {
		most, why = s.Shards, "one for each shard"
	}
	if p.room != nil {
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

// largest is what the largest of so many workers takes.
func (r *room) largest(workers int) int64 {
	return of(r.f.Worker, (r.shards+workers-1)/workers, r.images)
}

// all is what so many workers take together.
func (r *room) all(workers, images int) int64 {
	b := r.f.Worker
	return int64(workers)*b.GetFixed() + of(b, r.shards, images) - b.GetFixed()
}

// most is how many workers, up to n, fit into so much memory; 0: none. Each takes something that they do not share.
func (r *room) most(n int, memory int64) int {
	for n > 0 && memory > 0 && float64(r.all(n, r.images)) > usable*float64(memory) {
		n--
	}
	return n
}

// words are for the banner; "" where the machine does not say what it has.
func (r *room) words(workers int) string {
	m := r.f.Memory
	if m.GetTotal() == 0 {
		return ""
	}
	text := fmt.Sprintf("%s a worker × %d = ", gib(r.largest(workers)), workers)
	if r.shards%workers != 0 {
		text = fmt.Sprintf("up to %s a worker, together ", gib(r.largest(workers)))
	}
	text += fmt.Sprintf("%.1f of %s", gibibytes(r.all(workers, r.images)), gib(m.Total))
	if m.LimitedBy != "" {
		text += ": " + m.LimitedBy
	}
	if r.f.OnAccelerator != nil {
		text += fmt.Sprintf("; of an accelerator's own at least %s", r.onAccelerator(workers))
	}
	return text
}

// onAccelerator is what the workers of an accelerator take of its memory.
func (r *room) onAccelerator(workers int) string {
	text := gib(r.accelerator(workers, r.images))
	if r.f.AcceleratorMemory > 0 {
		text += " of " + gib(r.f.AcceleratorMemory)
	}
	return text
}

// accelerator is what is planned of an accelerator's memory, before it is known what programs need besides: several
// workers may share it.
func (r *room) accelerator(workers, images int) int64 {
	devices := max(int(r.f.Accelerators), 1)
	sharing := (workers + devices - 1) / devices
	return int64(sharing) * of(r.f.OnAccelerator, (r.shards+workers-1)/workers, images)
}

// check refuses workers that the machine has no memory for. chosen says that nobody asked for so many.
func (r *room) check(workers int, chosen bool) error {
	m := r.f.Memory
	fits := func(workers, images int) bool {
		host := m.GetTotal() == 0 || float64(r.all(workers, images)) <= usable*float64(m.Total)
		return host && (r.f.AcceleratorMemory == 0 || r.accelerator(workers, images) <= r.f.AcceleratorMemory)
	}
	if fits(workers, r.images) {
		return nil
	}
	f := &failure.Failure{What: fmt.Sprintf("%d workers do not fit into the memory of this machine", workers),
		Why: r.words(workers) + "; a tenth is left to others", Code: failure.Usage}
	if workers == 1 || chosen {
		f.What = "the run does not fit into the memory of this machine"
	}
	var tries []string
	fewer := workers
	for fewer > 0 && !fits(fewer, r.images) {
		fewer--
	}
	if fewer > 0 && !chosen {
		tries = append(tries, fmt.Sprintf("--workers %d", fewer))
	}
	for _, n := range []int{workers, 1} {
		images := r.images
		for images > 0 && !fits(n, images) {
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
func (r *room) usedByOthers(workers int) string {
	m := r.f.Memory
	if need := r.all(workers, r.images); m.GetTotal() > 0 && need > m.Free {
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
