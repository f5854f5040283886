package worker

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data/views"
)

// piece is what is computed at once: some images of a task, decoded, or a message that needs no images.
type piece struct {
	message    *pb.ToEncoder
	from, n    int       // images of the task
	pixels     []float32 // n images
	unreadable []*pb.UnreadableImage
}

// decode turns messages into pieces, in their order, until asked is closed or ctx ends. The error is the images'.
func (e *encoding) decode(ctx context.Context, asked <-chan *pb.ToEncoder, decoded chan<- piece) error {
	side := e.equipment.augment.Size
	atOnce := max(int(e.job.BatchSize), 4*e.equipment.threads)
	pass := func(p piece) bool {
		select {
		case decoded <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for m := range asked {
		t := m.GetFeatures()
		if t == nil {
			if !pass(piece{message: m}) {
				return nil
			}
			continue
		}
		if int(t.Set) < 0 || int(t.Set) >= len(e.sets) {
			return outOfOrder(m)
		}
		for from := 0; from < len(t.Images) || from == 0; from += atOnce {
			p := piece{message: m, from: from, n: min(atOnce, len(t.Images)-from)}
			p.pixels = make([]float32, p.n*side*side*3)
			if err := e.read(ctx, t, &p); err != nil {
				return err
			}
			if !pass(p) {
				return nil
			}
		}
	}
	return nil
}

// read decodes the images of a piece.
func (e *encoding) read(ctx context.Context, t *pb.FeatureTask, p *piece) error {
	why := map[int64]*pb.ImageUnreadable{}
	images := e.equipment.evaluator(e.sets[t.Set], t.Set == 1, func(m *pb.ImageUnreadable) { why[m.Index] = m })
	indices, readable := make([]int, p.n), make([]bool, p.n)
	for i := range indices {
		indices[i] = int(t.Images[p.from+i])
		if indices[i] < 0 || indices[i] >= images.Source.Len() {
			return fmt.Errorf("the coordinator asks for image %d of %d", indices[i], images.Source.Len())
		}
	}
	if t.Random {
		images.View = func(i, w, h int) views.View {
			return e.equipment.augment.CropAndFlip(views.Identity{Seed: t.Seed, Epoch: t.Epoch, Image: i}, w, h)
		}
	}
	if err := images.EvalBatch(ctx, indices, p.pixels, readable); err != nil {
		return err
	}
	for i, ok := range readable {
		if !ok {
			m := why[int64(indices[i])]
			p.unreadable = append(p.unreadable, &pb.UnreadableImage{At: int32(p.from + i), Name: control.Text(m.GetName()),
				Error: control.Text(m.GetError())})
		}
	}
	return nil
}

// compute carries out a piece, and reports whether it was the last.
func (e *encoding) compute(ctx context.Context, p piece) (over bool, err error) {
	switch m := p.message.Message.(type) {
	case *pb.ToEncoder_Features:
		return false, e.encode(ctx, m.Features, p)
	case *pb.ToEncoder_Queries:
		return false, e.near.ask(m.Queries)
	case *pb.ToEncoder_Bank:
		return false, e.near.look(ctx, e.equipment.engine, m.Bank, func(b *pb.NeighbourBlock) error {
			return e.send(&pb.FromEncoder{Message: &pb.FromEncoder_Neighbours{Neighbours: b}})
		})
	case *pb.ToEncoder_TuneSet, *pb.ToEncoder_Tune, *pb.ToEncoder_TunePart:
		return false, e.tune(ctx, p.message)
	case *pb.ToEncoder_Finished:
		return true, nil
	}
	return false, outOfOrder(p.message)
}

// encode computes the features of a piece; those of its task are sent when all are there.
func (e *encoding) encode(ctx context.Context, t *pb.FeatureTask, p piece) error {
	dim := e.encoder.FeatureDim()
	if p.from == 0 {
		e.block = &pb.FeatureBlock{Id: t.Id, Data: make([]byte, 4*dim*len(t.Images))}
	}
	out := vector.Floats(e.block.Data)[p.from*dim:][:p.n*dim]
	if err := e.encoder.Encode(ctx, p.pixels, p.n, out); err != nil {
		return err
	}
	for _, u := range p.unreadable {
		clear(out[(int(u.At)-p.from)*dim:][:dim])
	}
	e.block.Unreadable = append(e.block.Unreadable, p.unreadable...)
	if done := p.from + p.n; done < len(t.Images) {
		return e.send(&pb.FromEncoder{Message: &pb.FromEncoder_Progress{
			Progress: &pb.EncoderProgress{Id: t.Id, Images: int32(done)}}})
	}
	return e.send(&pb.FromEncoder{Message: &pb.FromEncoder_Features{Features: e.block}})
}

// encoderTensors reads an encoder as the coordinator sends it.
func encoderTensors(file []byte) ([]model.Tensor, error) {
	f, err := safetensors.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("read encoder: %w", err)
	}
	var out []model.Tensor
	for _, info := range f.Tensors() {
		if info.DType != safetensors.F32 || strings.HasPrefix(info.Name, "fc.") {
			continue
		}
		t, err := f.Tensor(info.Name)
		if err != nil {
			return nil, fmt.Errorf("read encoder: %w", err)
		}
		out = append(out, model.Tensor{Name: t.Name, Shape: t.Shape, Data: safetensors.Float32s(t.Data)})
	}
	return out, nil
}
