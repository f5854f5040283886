package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"byol/internal/failure"
	"byol/internal/sealed"
	"byol/model"
	"byol/model/device"
	"byol/model/finetune"
	"byol/model/linear"
	pb "byol/proto"
	"byol/worker/data"
	"byol/worker/data/views"
)

const (
	tuneTold  = 200 * time.Millisecond // between two words about how far a candidate is
	tuneShare = 20                     // telling states takes at most this part of the time
	tunePart  = 1 << 20
)

// tuning is a worker's part in fine-tuning: it trains whole encoders, one candidate after the other.
type tuning struct {
	set   *pb.TuneSet
	task  *pb.TuneTask // that waits for its state
	state []byte
}

// tune takes a message of fine-tuning, and trains when a candidate is complete.
func (e *encoding) tune(ctx context.Context, m *pb.ToEncoder) error {
	t := &e.tuned
	switch {
	case m.GetTuneSet() != nil:
		t.set = m.GetTuneSet()
		return e.checkTuneSet(t.set)
	case m.GetTune() != nil && t.set != nil:
		t.task, t.state = m.GetTune(), nil
	case m.GetTunePart() != nil && t.task != nil && m.GetTunePart().Id == t.task.Id:
		t.state = append(t.state, m.GetTunePart().Data...)
	default:
		return outOfOrder(m)
	}
	if t.task == nil || int64(len(t.state)) < t.task.StateBytes {
		return nil
	}
	c := &candidate{e: e, set: t.set, task: t.task}
	state := t.state
	t.task, t.state = nil, nil
	return c.run(ctx, state)
}

// checkTuneSet refuses images that are not there.
func (e *encoding) checkTuneSet(s *pb.TuneSet) error {
	for _, part := range []*pb.TuneImages{s.GetTrain(), s.GetHeld(), s.GetJudged()} {
		set := int(part.GetSet())
		if set < 0 || set >= len(e.sets) || len(part.GetLabels()) != len(part.GetImages()) {
			return fmt.Errorf("the coordinator asks for %d images of set %d with %d labels", len(part.GetImages()), set,
				len(part.GetLabels()))
		}
		for i, image := range part.GetImages() {
			if image < 0 || int(image) >= e.sets[set].Len() || part.Labels[i] >= s.Classes {
				return fmt.Errorf("the coordinator asks for image %d of %d with label %d of %d", image, e.sets[set].Len(),
					part.Labels[i], s.Classes)
			}
		}
	}
	return nil
}

// candidate is one training.
type candidate struct {
	e        *encoding
	set      *pb.TuneSet
	task     *pb.TuneTask
	training *finetune.Training
	told     time.Time // progress
	saved    time.Time // and how long that took
	saving   time.Duration
}

// run trains from a state, nil for the beginning, and tells what came of it.
func (c *candidate) run(ctx context.Context, state []byte) (err error) {
	if err := c.open(state); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.training.Close()) }()
	c.saved = time.Now()
	crops := &crops{c: c, set: int(c.set.Train.Set), unreadable: map[int]bool{}}
	defer crops.close()
	for !c.training.Done() {
		before := c.training.Epoch()
		loss, _, err := c.training.Step(ctx, crops)
		switch {
		case errors.Is(err, finetune.ErrDiverged):
			c.e.opts.Log.Info("a candidate diverged", zap.Float64("rate", c.task.Rate), zap.Error(err))
			return c.e.send(&pb.FromEncoder{Message: &pb.FromEncoder_TuneResult{
				TuneResult: &pb.TuneResult{Id: c.task.Id, Diverged: true}}})
		case err != nil:
			return err
		}
		if err := c.tell(loss, c.training.Epoch() > before); err != nil {
			return err
		}
	}
	result := &pb.TuneResult{Id: c.task.Id, Unreadable: int64(len(crops.unreadable))}
	if result.Held, err = c.judge(ctx, c.set.Held); err != nil {
		return err
	}
	if result.Judged, err = c.judge(ctx, c.set.Judged); err != nil {
		return err
	}
	return c.e.send(&pb.FromEncoder{Message: &pb.FromEncoder_TuneResult{TuneResult: result}})
}

// open plans the training.
func (c *candidate) open(state []byte) error {
	owner, ok := c.e.equipment.engine.(interface{ Device() device.Device })
	if !ok {
		return &failure.Failure{What: fmt.Sprintf("device %s cannot fine-tune", c.e.equipment.engine.Name()),
			Why: "fine-tuning is computed by the devices cpu and reference alone", Try: "--device cpu", Code: failure.Usage}
	}
	network, err := model.EncoderNetwork(learnerConfig(c.e.job.Config))
	if err != nil {
		return fmt.Errorf("plan fine-tuning: %w", err)
	}
	network.Classes = int(c.set.Classes)
	cfg := finetune.Config{Network: network, Rate: c.task.Rate, Batch: int(c.task.Batch), Group: int(c.task.Group),
		Epochs: int(c.task.Epochs), Momentum: c.task.Momentum, Keep: c.task.Keep, Seed: c.task.Seed}
	if err := fitsMemory(cfg, len(c.set.Train.Images), availableMemory(os.DirFS("/"))); err != nil {
		return err
	}
	if c.training, err = finetune.New(owner.Device(), cfg, rowsOf(c.set.Train), c.set.Train.Labels); err != nil {
		return failure.Of(err, failure.Failure{What: "this worker cannot fine-tune", Why: err.Error(), Code: failure.Usage,
			Try: "fewer images in a group (--norm-batch), which take less memory"})
	}
	if err = c.training.Load(c.e.tensors); err == nil && state != nil {
		if err = c.training.Restore(state); errors.Is(err, sealed.ErrOther) {
			c.e.opts.Log.Warn("a candidate begins anew: its state cannot be used", zap.Error(err))
			err = nil
		}
	}
	if err != nil {
		return errors.Join(err, c.training.Close())
	}
	return nil
}

// fitsMemory refuses a training that takes more than there is, with the largest groups that fit.
func fitsMemory(cfg finetune.Config, n int, have room) error {
	least := have.own
	if have.shared.bytes < least.bytes {
		least = have.shared
	}
	need, err := finetune.Needs(cfg, n)
	if err != nil || need <= least.bytes {
		return err
	}
	f := &failure.Failure{What: "fine-tuning does not fit into the memory of this machine", Code: failure.Usage,
		Why: fmt.Sprintf("a candidate takes about %s with %d images that are normalised together, and there are %s (%s)",
			gibibytes(need), cfg.Fitted(n).Group, gibibytes(least.bytes), least.from), Try: "a machine with more memory"}
	for cfg.Group /= 2; cfg.Group > 0; cfg.Group /= 2 {
		if need, err := finetune.Needs(cfg, n); err == nil && need <= least.bytes {
			f.Try = fmt.Sprintf("--norm-batch %d, or fewer workers on this machine", cfg.Group)
			break
		}
	}
	return f
}

func rowsOf(s *pb.TuneImages) []int {
	rows := make([]int, len(s.Images))
	for i, image := range s.Images {
		rows[i] = int(image)
	}
	return rows
}

// tell says how far the candidate is, and what another worker can go on from: at its end, and at that of an epoch
// unless this takes too much of the time.
func (c *candidate) tell(loss float64, epochEnds bool) error {
	now := time.Now()
	if now.Sub(c.told) >= tuneTold || epochEnds {
		c.told = now
		steps, _ := c.training.Steps()
		p := &pb.TuneProgress{Id: c.task.Id, Images: int64(steps) * int64(c.training.Config().Batch), Loss: loss}
		if err := c.e.send(&pb.FromEncoder{Message: &pb.FromEncoder_TuneProgress{TuneProgress: p}}); err != nil {
			return err
		}
	}
	if !c.training.Done() && (!epochEnds || now.Sub(c.saved) < tuneShare*c.saving) {
		return nil
	}
	state := c.training.Save()
	for at := 0; at < len(state); at += tunePart {
		end := min(at+tunePart, len(state))
		s := &pb.TuneState{Id: c.task.Id, At: int64(at), Data: state[at:end], Last: end == len(state)}
		if err := c.e.send(&pb.FromEncoder{Message: &pb.FromEncoder_TuneState{TuneState: s}}); err != nil {
			return err
		}
	}
	c.saved = time.Now()
	c.saving = c.saved.Sub(now)
	return nil
}

// judge counts what the network makes of images.
func (c *candidate) judge(ctx context.Context, s *pb.TuneImages) (*pb.TuneCounts, error) {
	n, err := c.training.Score(ctx, &crops{c: c, set: int(s.Set)}, rowsOf(s), s.Labels)
	if err != nil {
		return nil, err
	}
	counts := &pb.TuneCounts{Images: n.Images, Top1: n.Top1, Top5: n.Top5, Missing: n.Missing}
	for _, class := range n.Classes {
		counts.ClassImages, counts.ClassTop1 = append(counts.ClassImages, class.Images), append(counts.ClassTop1, class.Top1)
	}
	return counts, nil
}

// crops are a candidate's images. Those of the next call of a training are decoded while this one's are computed.
type crops struct {
	c          *candidate
	set        int
	reads      int // of training
	next       chan decodedCrops
	unreadable map[int]bool // rows of training
}

type decodedCrops struct {
	pixels   []float32
	readable []bool
	err      error
}

// Read implements finetune.Images.
func (r *crops) Read(ctx context.Context, picks []finetune.Pick, out []float32, readable []bool) error {
	if picks[0].Epoch == linear.Still {
		return r.decode(ctx, picks, out, readable)
	}
	if r.next == nil {
		r.reads = r.c.training.Reads()
		if err := r.decode(ctx, picks, out, readable); err != nil {
			return err
		}
	} else {
		d := <-r.next
		r.next = nil
		if d.err != nil {
			return d.err
		}
		copy(out, d.pixels)
		copy(readable, d.readable)
	}
	for i, ok := range readable {
		if !ok {
			r.unreadable[picks[i].Row] = true
		}
	}
	r.reads++
	if coming := r.c.training.Picks(r.reads); coming != nil {
		next := make(chan decodedCrops, 1)
		r.next = next
		go func() {
			d := decodedCrops{pixels: make([]float32, len(out)), readable: make([]bool, len(coming))}
			d.err = r.decode(ctx, coming, d.pixels, d.readable)
			next <- d
		}()
	}
	return nil
}

// close waits for what is being decoded.
func (r *crops) close() {
	if r.next != nil {
		<-r.next
	}
}

// decode decodes images, epoch by epoch.
func (r *crops) decode(ctx context.Context, picks []finetune.Pick, out []float32, readable []bool) error {
	e := r.c.e.equipment
	size := e.augment.Size * e.augment.Size * 3
	for at := 0; at < len(picks); {
		epoch, end := picks[at].Epoch, at
		var indices []int
		for ; end < len(picks) && picks[end].Epoch == epoch; end++ {
			indices = append(indices, picks[end].Row)
		}
		images := r.evaluator(epoch)
		if err := images.EvalBatch(ctx, indices, out[at*size:end*size], readable[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// evaluator looks at images as an epoch does.
func (r *crops) evaluator(epoch int) *data.Evaluator {
	e := r.c.e.equipment
	images := e.evaluator(r.c.e.sets[r.set], r.set == 1, func(*pb.ImageUnreadable) {})
	if epoch != linear.Still {
		images.View = func(i, w, h int) views.View {
			return e.augment.CropAndFlip(views.Identity{Seed: r.c.task.Seed, Epoch: int64(epoch), Image: i}, w, h)
		}
	}
	return images
}
