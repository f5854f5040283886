package features

import (
	"context"
	"fmt"

	pb "byol/proto"
)

// Labelled are images of a set, each with a label.
type Labelled struct {
	Set    int
	Images []int64
	Labels []int32
}

// Tuning asks for candidates: trainings of the whole encoder, each by one worker at a time.
type Tuning struct {
	Doing               string
	Classes             int
	Train, Held, Judged Labelled
	Tasks               []*pb.TuneTask // without id and state_bytes
	// Done is how many images of training were done in earlier tasks, and Total how many all take, for the progress.
	Done, Total int64
	// State gives what an earlier worker told of a task, nil for nothing. It is called from several goroutines.
	State func(task int) []byte
	// Keep takes what another worker can go on from. It and Got are called by the caller's goroutine.
	Keep func(task int, state []byte) error
	// Got takes what came of a task.
	Got func(task int, r *pb.TuneResult) error
}

// mail is what workers told of a task and was not given on yet.
type mail struct {
	task   int
	state  []byte
	result *pb.TuneResult
}

// tuned is what a pass of fine-tuning knows. The mutex guards it.
type tuned struct {
	parts map[int][]byte // states that are coming, by task
	mail  []mail
	sizes []int64 // images that a task trains on, over all epochs
	loss  float64 // the last one told
}

// Tune has the workers train candidates. A worker that is lost costs what its candidate did since its last state.
func (j *Job) Tune(ctx context.Context, t Tuning) error {
	told := &tuned{parts: map[int][]byte{}}
	for _, task := range t.Tasks {
		told.sizes = append(told.sizes, int64(task.Epochs)*int64(len(t.Train.Images)))
	}
	p := &pass{kind: "fine-tuning", dealer: dealer{total: len(t.Tasks), window: len(t.Tasks), single: true},
		lost: map[int]int{}, partly: map[int]int64{}, tuned: told}
	p.first = func(send func(*pb.ToEncoder) error) error {
		return send(&pb.ToEncoder{Message: &pb.ToEncoder_TuneSet{TuneSet: &pb.TuneSet{Pass: p.number,
			Classes: int32(t.Classes), Train: t.Train.message(), Held: t.Held.message(), Judged: t.Judged.message()}}})
	}
	p.task = func(i int, id int64, send func(*pb.ToEncoder) error) error { return sendCandidate(t, i, id, send) }
	j.begin(p)
	defer j.end()
	j.o.Progress(Progress{Doing: t.Doing, Done: t.Done, Total: t.Total, Workers: 1})
	over := false
	for !over {
		var letters []mail
		err := j.until(ctx, func() (bool, error) {
			letters, told.mail = told.mail, nil
			over = p.dealer.over()
			return over || len(letters) > 0, nil
		}, func() Progress {
			now := t.Done
			for _, n := range p.partly {
				now += n
			}
			q := Progress{Doing: t.Doing, Done: min(now, t.Total), Total: t.Total}
			if told.loss > 0 {
				q.Note = fmt.Sprintf("loss %.3f", told.loss)
			}
			return q
		})
		if err != nil {
			return err
		}
		for _, m := range letters {
			if m.result != nil {
				err = t.Got(m.task, m.result)
			} else {
				err = t.Keep(m.task, m.state)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (l Labelled) message() *pb.TuneImages {
	return &pb.TuneImages{Set: int32(l.Set), Images: l.Images, Labels: l.Labels}
}

// sendCandidate sends a task, and the state that it goes on from.
func sendCandidate(t Tuning, i int, id int64, send func(*pb.ToEncoder) error) error {
	state, of := t.State(i), t.Tasks[i]
	err := send(&pb.ToEncoder{Message: &pb.ToEncoder_Tune{Tune: &pb.TuneTask{Id: id, Rate: of.Rate, Epochs: of.Epochs,
		Batch: of.Batch, Group: of.Group, Momentum: of.Momentum, Keep: of.Keep, Seed: of.Seed,
		StateBytes: int64(len(state))}}})
	for at := 0; at < len(state) && err == nil; at += partBytes {
		err = send(&pb.ToEncoder{Message: &pb.ToEncoder_TunePart{TunePart: &pb.TunePart{Id: id,
			Data: state[at:min(at+partBytes, len(state))]}}})
	}
	return err
}

// heardTuning takes a message of fine-tuning, and reports whether it is one. The mutex is held.
func (j *Job) heardTuning(who *member, m *pb.FromEncoder) bool {
	at := func(id int64) (*pass, int, bool) {
		p, i := j.task(id)
		return p, i, p != nil && p.tuned != nil && p.dealer.lacks(i)
	}
	switch m := m.Message.(type) {
	case *pb.FromEncoder_TuneProgress:
		if p, i, ok := at(m.TuneProgress.Id); ok {
			p.partly[i], p.tuned.loss = m.TuneProgress.Images, m.TuneProgress.Loss
		}
	case *pb.FromEncoder_TuneState:
		if p, i, ok := at(m.TuneState.Id); ok {
			p.tuned.part(i, m.TuneState)
		}
	case *pb.FromEncoder_TuneResult:
		if p, i, ok := at(m.TuneResult.Id); ok {
			delete(p.tuned.parts, i)
			p.partly[i] = p.tuned.sizes[i]
			p.tuned.mail = append(p.tuned.mail, mail{task: i, result: m.TuneResult})
			p.dealer.finish(i)
			j.tasks[who.index]++
		}
	default:
		return false
	}
	return true
}

// part takes a part of a state. One of another worker begins at 0 again.
func (t *tuned) part(task int, s *pb.TuneState) {
	if s.At == 0 {
		t.parts[task] = nil
	}
	if int64(len(t.parts[task])) != s.At {
		return
	}
	t.parts[task] = append(t.parts[task], s.Data...)
	if s.Last {
		t.mail = append(t.mail, mail{task: task, state: t.parts[task]})
		delete(t.parts, task)
	}
}
