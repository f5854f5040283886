package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"byol/internal/failure"
	pb "byol/proto"
)

// pass is what is asked of the workers at a time.
type pass struct {
	number int64
	kind   string // what the tasks are, for messages
	base   int64  // id of task 0
	dealer dealer
	lost   map[int]int // how many workers were lost with a task

	// first sends what a worker needs before its first task; nil: nothing. task sends a task. Both are called without
	// the mutex, by the sender of a worker.
	first func(send func(*pb.ToEncoder) error) error
	task  func(i int, id int64, send func(*pb.ToEncoder) error) error

	check  func(i int, b *pb.FeatureBlock) error // of blocks, before they are taken
	blocks map[int]*pb.FeatureBlock              // that came and were not given on yet
	partly map[int]int64                         // images of tasks that are under way
	// take takes the next message of task i, and says whether it is its last; at counts the messages that were taken.
	take func(i int, b *pb.NeighbourBlock) (last bool, err error)
	at   map[int]int64 // the query with which the next message of a task begins

	tuned *tuned // nil: it is no fine-tuning
}

// begin has the workers work on p.
func (j *Job) begin(p *pass) {
	j.locked(func() {
		p.base, p.number = j.base, j.base
		j.base += int64(p.dealer.total) + 1
		j.pass = p
	})
}

func (j *Job) end() { j.locked(func() { j.pass = nil }) }

// member is one worker on its stream.
type member struct {
	name  int
	words string // for people
	index int32
	ready bool
	told  int64 // the pass whose beginning it was sent
}

// plane is the service.
type plane struct {
	pb.UnimplementedFeaturePlaneServer
	j *Job
}

// stream is a worker's.
type stream = grpc.BidiStreamingServer[pb.FromEncoder, pb.ToEncoder]

// Attach implements the service.
func (p plane) Attach(s stream) error {
	j := p.j
	m, err := s.Recv()
	if err != nil {
		return err
	}
	hello := m.GetHello()
	if why := j.refuses(hello); why != nil {
		return s.Send(refused(why))
	}
	if err := j.sendJob(s); err != nil {
		return err
	}
	who := &member{index: hello.Index, words: fmt.Sprintf("a worker on %s (pid %d)", hello.Host, hello.Pid)}
	if hello.Index >= 0 {
		who.words = fmt.Sprintf("worker-%d", hello.Index)
	}
	j.locked(func() {
		who.name = j.next
		j.next++
		j.members[who.name] = who
	})
	defer j.gone(who)
	ctx, cancel := context.WithCancel(s.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	for first := true; ; first = false {
		m, err := s.Recv()
		if err != nil {
			return nil // it is gone; who waits for it is told by gone
		}
		if first && m.GetReady() != nil {
			if why := j.admit(who, m.GetReady()); why != nil {
				return s.Send(refused(why))
			}
			sending.Go(func() {
				if j.serve(ctx, who, s.Send) == nil {
					_ = s.Send(&pb.ToEncoder{Message: &pb.ToEncoder_Finished{Finished: &pb.FeaturesFinished{}}})
				}
			})
			continue
		}
		if err := j.heard(who, m); err != nil {
			return err
		}
	}
}

func refused(f *failure.Failure) *pb.ToEncoder {
	return &pb.ToEncoder{Message: &pb.ToEncoder_Refused{Refused: &pb.FeaturesRefused{Reason: f.Error(), Hint: f.Try}}}
}

// refuses says why a worker that presents itself cannot take part, nil if it can.
func (j *Job) refuses(h *pb.EncoderHello) *failure.Failure {
	switch {
	case h == nil:
		return &failure.Failure{What: "the worker did not present itself", Try: "use binaries of one build"}
	case h.Build != j.o.Build && j.o.Build != "" && !j.o.Relaxed:
		return &failure.Failure{What: "the worker is of another build",
			Why: fmt.Sprintf("it is %s, the coordinator %s", h.Build, j.o.Build), Try: "use binaries of one build, or " +
				"--determinism relaxed"}
	}
	return nil
}

// sendJob sends the job and the encoder.
func (j *Job) sendJob(s stream) error {
	err := s.Send(&pb.ToEncoder{Message: &pb.ToEncoder_Job{Job: &pb.FeatureJob{Config: j.o.Config,
		BatchSize: int32(j.o.BatchSize), EncoderBytes: int64(len(j.o.Encoder)), EncoderSha256: j.o.SHA256}}})
	for part := range slices.Chunk(j.o.Encoder, partBytes) {
		if err == nil {
			err = s.Send(&pb.ToEncoder{Message: &pb.ToEncoder_Encoder{Encoder: &pb.EncoderPart{Data: part}}})
		}
	}
	return err
}

// admit takes a worker in that has what it needs, or says why not.
func (j *Job) admit(who *member, r *pb.EncoderReady) (why *failure.Failure) {
	j.locked(func() {
		for i, set := range j.o.Sets {
			if i >= len(r.Manifests) || r.Manifests[i] != set.Manifest {
				why = &failure.Failure{What: fmt.Sprintf("%s sees other images under %s", who.words, set.Name),
					Why: "names, sizes or labels differ", Try: "the same data on every host"}
				return
			}
		}
		switch {
		case j.finger == "":
			j.finger, j.dim = r.Fingerprint, int(r.Dim)
		case int(r.Dim) != j.dim || r.Fingerprint != j.finger && !j.o.Relaxed:
			why = &failure.Failure{What: who.words + " would compute other bits",
				Why: fmt.Sprintf("it computes by %s, the others by %s", r.Fingerprint, j.finger),
				Try: "--device and --isa for all alike, or --determinism relaxed"}
			return
		}
		who.ready = true
		if who.index < 0 {
			j.o.Say(fmt.Sprintf("%s joined, device %s", who.words, r.Device))
		}
	})
	if why != nil {
		j.o.Say("refused: " + why.Error())
	}
	return why
}

// serve sends a worker its tasks. It returns nil when there will be none any more.
func (j *Job) serve(ctx context.Context, who *member, send func(*pb.ToEncoder) error) error {
	for {
		var task int
		var ok, over bool
		j.mu.Lock()
		p, changed := j.pass, j.changed
		if over = j.over; p != nil && j.err == nil && !over {
			task, ok = p.dealer.deal(who.name)
		}
		j.mu.Unlock()
		switch {
		case over:
			return nil
		case !ok:
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if p.first != nil && who.told != p.number {
			if err := p.first(send); err != nil {
				return err
			}
			who.told = p.number
		}
		if err := p.task(task, p.base+int64(task), send); err != nil {
			j.ends(p, err)
			return err
		}
	}
}

// ends ends a pass whose tasks cannot be sent for another reason than that nobody listens.
func (j *Job) ends(p *pass, err error) {
	var f *failure.Failure
	if errors.As(err, &f) {
		j.locked(func() { j.err = f })
	}
}

// heard takes what a worker has computed. An error ends its stream.
func (j *Job) heard(who *member, message *pb.FromEncoder) (err error) {
	j.locked(func() {
		switch m := message.Message.(type) {
		case *pb.FromEncoder_Progress:
			if p, i := j.task(m.Progress.Id); p != nil && p.dealer.lacks(i) && p.partly != nil {
				p.partly[i] = max(p.partly[i], int64(m.Progress.Images))
			}
		case *pb.FromEncoder_Features:
			if p, i := j.task(m.Features.Id); p != nil && p.check != nil && p.dealer.lacks(i) {
				if err = p.check(i, m.Features); err != nil {
					return
				}
				p.blocks[i] = m.Features
				delete(p.partly, i)
				p.dealer.finish(i)
				j.tasks[who.index]++
			}
		case *pb.FromEncoder_Neighbours:
			if p, i := j.task(m.Neighbours.Id); p != nil && p.take != nil && p.dealer.lacks(i) &&
				p.at[i] == m.Neighbours.First { // whoever sends it first: all send the same
				var last bool
				if last, err = p.take(i, m.Neighbours); err != nil {
					return
				}
				if last {
					p.dealer.finish(i)
					j.tasks[who.index]++
				}
			}
		case *pb.FromEncoder_Failed:
			f := m.Failed
			j.last = &failure.Failure{What: f.What, Why: f.Why, Try: f.Try, Code: int(f.ExitCode)}
			j.o.Say(fmt.Sprintf("%s gives up: %s", who.words, j.last.Error()))
			err = errors.New("it gives up")
		default:
			if !j.heardTuning(who, message) {
				err = fmt.Errorf("%T out of order", m)
			}
		}
	})
	var f *failure.Failure
	if errors.As(err, &f) {
		j.locked(func() { j.err = f })
	}
	return err
}

// task is the task of the pass at hand that an id names, nil where it is of another pass. The mutex is held.
func (j *Job) task(id int64) (*pass, int) {
	p := j.pass
	if p == nil || id < p.base || id >= p.base+int64(p.dealer.total) {
		return nil, 0
	}
	return p, int(id - p.base)
}

// gone takes the tasks of a worker back whose stream has ended.
func (j *Job) gone(who *member) {
	j.locked(func() {
		delete(j.members, who.name)
		p := j.pass
		if p == nil || j.over {
			return
		}
		held := p.dealer.holds(who.name)
		p.dealer.lose(who.name)
		if len(held) == 0 {
			return
		}
		j.o.Say(fmt.Sprintf("%s is lost: its tasks go to others", who.words))
		if p.lost[held[0]]++; p.lost[held[0]] >= attempts && j.err == nil {
			j.err = &failure.Failure{What: fmt.Sprintf("%d workers were lost over the same images", attempts),
				Why: "task " + fmt.Sprint(held[0]) + " of " + p.kind, Try: "the workers' logs say why", Code: failure.TooFew}
		}
	})
}
