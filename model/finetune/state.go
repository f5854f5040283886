package finetune

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"byol/internal/sealed"
	"byol/model"
	"byol/model/engine"
)

// encoderPrefix is before torchvision's names in the layout.
const encoderPrefix = "encoder."

// Load sets the first weights: an encoder's with torchvision's names and running statistics, convolutions as
// [out][in][height][width]. Other tensors are left alone. The linear layer is drawn, and the momentum is 0.
func (t *Training) Load(encoder []model.Tensor) error {
	byName := map[string]model.Tensor{}
	for _, e := range encoder {
		byName[encoderPrefix+e.Name] = e
	}
	for _, p := range t.net.layout.Params {
		to := t.theta[p.Off:p.End()]
		if !strings.HasPrefix(p.Name, encoderPrefix) {
			p.Draw(to, t.c.Seed, "finetune")
			continue
		}
		data, err := find(byName, p.Name, p.Shape)
		if err != nil {
			return fmt.Errorf("load encoder: %w", err)
		}
		p.FromFile(to, data)
	}
	for _, n := range t.net.layout.Norms {
		if !strings.HasPrefix(n.Name, encoderPrefix) {
			continue
		}
		for suffix, s := range map[string]engine.Span{".running_mean": n.Mean, ".running_var": n.Var} {
			data, err := find(byName, n.Name+suffix, []int{s.Len})
			if err != nil {
				return fmt.Errorf("load encoder: %w", err)
			}
			copy(t.statistics[s.Off:s.End()], data)
		}
	}
	clear(t.momentum)
	t.step = 0
	return nil
}

func find(byName map[string]model.Tensor, name string, shape []int) ([]float32, error) {
	e, ok := byName[name]
	switch n := length(shape); {
	case !ok:
		return nil, fmt.Errorf("tensor %q is missing", strings.TrimPrefix(name, encoderPrefix))
	case !slices.Equal(e.Shape, shape) || len(e.Data) != n:
		return nil, fmt.Errorf("tensor %q has shape %v and %d values, want %v", e.Name, e.Shape, len(e.Data), shape)
	}
	for i, v := range e.Data {
		if v-v != 0 {
			return nil, fmt.Errorf("tensor %q: value %d is %v", e.Name, i, v)
		}
	}
	return e.Data, nil
}

func length(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Tensors copies the network: the encoder with torchvision's names, and the linear layer as fc.weight and fc.bias.
func (t *Training) Tensors() []model.Tensor {
	var list []model.Tensor
	add := func(name string, shape []int, data []float32) {
		list = append(list, model.Tensor{Name: name, Shape: shape, Data: data})
	}
	for _, p := range t.net.layout.Params {
		name, ok := strings.CutPrefix(p.Name, encoderPrefix)
		if head, is := strings.CutPrefix(p.Name, "classifier."); is {
			name, ok = "fc."+head, true
		}
		if ok {
			data := make([]float32, p.Len)
			p.ToFile(data, t.theta[p.Off:p.End()])
			add(name, p.Shape, data)
		}
	}
	for _, n := range t.net.layout.Norms {
		if name, ok := strings.CutPrefix(n.Name, encoderPrefix); ok {
			add(name+".running_mean", []int{n.C}, slices.Clone(t.statistics[n.Mean.Off:n.Mean.End()]))
			add(name+".running_var", []int{n.C}, slices.Clone(t.statistics[n.Var.Off:n.Var.End()]))
		}
	}
	return list
}

// Save returns the state between two steps, with a checksum.
func (t *Training) Save() []byte {
	return sealed.Seal(t.key(), []uint64{uint64(t.step)}, t.theta, t.momentum, t.statistics)
}

// Restore goes on from a state that Save returned in a training with the same configuration, rows and labels, on the
// same encoder. Bytes that are damaged or another's are an error that wraps sealed.ErrOther. After an error nothing has
// changed.
func (t *Training) Restore(b []byte) error {
	var n [1]uint64
	if err := sealed.Open(t.key(), b, n[:], t.theta, t.momentum, t.statistics); err != nil {
		return fmt.Errorf("restore fine-tuning: %w", err)
	}
	t.step = int(n[0])
	return nil
}

// key is a digest of everything the training follows from but the encoder and the images.
func (t *Training) key() sealed.Key {
	d := sha256.New()
	fmt.Fprintf(d, "%+v\n", t.c)
	var b [12]byte
	for i, row := range t.rows {
		binary.LittleEndian.PutUint64(b[:], uint64(row))
		binary.LittleEndian.PutUint32(b[8:], uint32(t.labels[i]))
		d.Write(b[:])
	}
	return sealed.Key{Magic: "byoltun1", Identity: d.Sum(nil)}
}

// stream is the endless stream of permutations of n images: position p is in epoch p/n.
type stream struct {
	n, epoch int
	seed     uint64
	perm     []int
}

const ordering = 0x66696e65 // the stream of random numbers of a seed

func newStream(n int, seed uint64) stream {
	return stream{n: n, epoch: -1, seed: seed, perm: make([]int, n)}
}

// picks returns positions [at, at+count). Rows count from 0.
func (s *stream) picks(at, count int) []Pick {
	list := make([]Pick, count)
	for i := range list {
		p := at + i
		if epoch := p / s.n; epoch != s.epoch {
			s.epoch = epoch
			for j := range s.perm {
				s.perm[j] = j
			}
			r := rand.New(rand.NewPCG(s.seed^uint64(epoch)*0x9e3779b97f4a7c15, ordering))
			r.Shuffle(s.n, func(i, j int) { s.perm[i], s.perm[j] = s.perm[j], s.perm[i] })
		}
		list[i] = Pick{Row: s.perm[p%s.n], Epoch: s.epoch}
	}
	return list
}
