package finetune

import (
	"errors"
	"fmt"

	"byol/model/device"
	"byol/model/engine"
	"byol/model/nn"
)

// streams are the places of a pass's two groups: those of BYOL's two views of the online network.
var streams = [...]int{nn.Online1, nn.Online2}

// network is the encoder and the linear layer on a device: logits [n][classes] = encoder(images) [n][features]·wᵀ + b.
type network struct {
	dev    device.Device
	free   func() error
	layout *engine.Layout
	c      Config

	pair     *nn.Pair
	forward  *nn.Forward
	backward *nn.Backward
	judge    *nn.Forward // with running statistics
	last     engine.Stage
	stages   [2]int // forward and backward

	images      nn.Views
	features    nn.Streams
	classifier  device.Conv
	logits      [2]device.Buffer // [Group][classes]
	dlogits     [2]device.Buffer
	bias        device.Buffer
	params      device.Buffer
	statistics  []float32 // the caller's
	once        []float32 // gradient of a pass
	sums        []float64 // of all batch norms
	mean, inv   []float64
	judged      []float32
	weight, off device.Buffer // the linear layer's parameters
}

func newNetwork(dev device.Device, c Config) (*network, error) {
	n := c.Network
	n.ProjectorHidden, n.ProjectorOut, n.PredictorHidden = 1, 1, 1 // which are not computed
	layout, err := engine.Describe(n)
	if err != nil {
		return nil, err
	}
	w := &network{c: c, layout: layout}
	w.dev, w.free = device.Scope(dev)
	w.pair = nn.New(w.dev, layout, nn.Options{Cut: engine.Cut{Shards: 1, Local: 1, Images: c.Group}, LocalBatchNorm: true})
	encoder := nn.NewResNet(w.pair)
	if err := w.allocate(encoder); err != nil {
		return nil, errors.Join(err, w.free())
	}
	w.forward, w.judge, w.backward = nn.NewForward(w.pair), nn.NewForward(w.pair), nn.NewBackward(w.pair)
	encoder.Forward(w.forward)
	encoder.Forward(w.judge)
	encoder.Backward(w.backward)
	forward := w.forward.Stages(nn.Online)
	backward, _ := w.backward.Stages()
	w.stages, w.last = [2]int{len(forward), len(backward)}, forward[len(forward)-1]
	w.sums = make([]float64, w.last.Sums)
	return w, nil
}

func (w *network) allocate(encoder *nn.ResNet) error {
	g, classes, cl := w.c.Group, w.c.Network.Classes, w.layout.Classifier
	w.pair.Plan()
	var err error
	for v := range w.images {
		if w.images[v], err = w.dev.Alloc(g * w.imageLen()); err != nil {
			return fmt.Errorf("allocate %d images: %w", g, err)
		}
	}
	w.features = encoder.Plan(w.images)
	if err := w.pair.Err(); err != nil {
		return err
	}
	w.classifier, err = w.dev.Conv(device.ConvShape{N: g, H: 1, W: 1, C: cl.In, OH: 1, OW: 1, K: classes, KH: 1, KW: 1,
		Stride: 1})
	if err != nil {
		return fmt.Errorf("plan %d classes: %w", classes, err)
	}
	for _, b := range []struct {
		buffer *device.Buffer
		n      int
	}{{&w.logits[0], g * classes}, {&w.logits[1], g * classes}, {&w.dlogits[0], g * classes},
		{&w.dlogits[1], g * classes}, {&w.bias, classes}, {&w.params, w.layout.Size}} {
		if *b.buffer, err = w.dev.Alloc(b.n); err != nil {
			return fmt.Errorf("allocate %d classes and %d parameters: %w", classes, w.layout.Size, err)
		}
	}
	w.weight, w.off = w.linear(w.params)
	w.once, w.judged = make([]float32, w.layout.Size), make([]float32, g*classes)
	for _, n := range w.layout.Norms {
		if n.C > len(w.mean) {
			w.mean, w.inv = make([]float64, n.C), make([]float64, n.C)
		}
	}
	return nil
}

// linear is where a flat vector has the linear layer's weight and bias.
func (w *network) linear(flat device.Buffer) (weight, bias device.Buffer) {
	p, c := w.layout.Params, w.layout.Classifier
	return flat.Slice(p[c.Weight].Off, p[c.Weight].Len), flat.Slice(p[c.Bias].Off, p[c.Bias].Len)
}

// imageLen is the number of elements of one image.
func (w *network) imageLen() int { return w.c.Network.ImageSize * w.c.Network.ImageSize * 3 }

// use makes theta the parameters and statistics the running statistics, which pass moves.
func (w *network) use(theta, statistics []float32) {
	w.statistics = statistics
	w.dev.Upload(w.params, theta)
	w.pair.Use(w.params, w.params, statistics)
	w.classifier.Pack(w.weight)
}

// pass runs two groups forward and backward, adds the gradient of their part of the mean over the batch to gradient,
// and moves the running statistics twice. loss is a sum over images.
func (w *network) pass(x []float32, labels []int32, gradient []float32) (loss float64, correct int, err error) {
	half := len(x) / 2
	w.dev.Upload(w.images[0], x[:half])
	w.dev.Upload(w.images[1], x[half:])
	for k := range w.stages[0] {
		w.forward.Launch(k, nn.Online, nil)
	}
	for v := range streams {
		l, n := w.head(v, labels[v*w.c.Group:][:w.c.Group])
		loss, correct = loss+l, correct+n
	}
	for k := range w.stages[1] {
		w.backward.Launch(k, nil)
		w.backward.LaunchWeights(k)
	}
	w.dev.Download(w.once, w.pair.Gradients()[0])
	if err := w.dev.Sync(); err != nil {
		return 0, 0, fmt.Errorf("compute gradient: %w", err)
	}
	w.forward.Sums(&w.last, nn.Online, [][]float64{w.sums})
	w.moveStatistics()
	for i, g := range w.once {
		gradient[i] += g
	}
	return loss, correct, nil
}

// head computes logits and loss of a group, the linear layer's gradient, and that of the features in the scratch memory
// where the encoder's backward half finds it.
func (w *network) head(v int, labels []int32) (loss float64, correct int) {
	g, classes, x := w.c.Group, w.c.Network.Classes, w.features[streams[v]]
	dw, db := w.linear(w.pair.Gradients()[0])
	w.classifier.Forward(x, w.logits[v], g)
	w.dev.AddBias(w.logits[v], w.off, g, classes)
	loss, correct = w.dev.CrossEntropy(w.logits[v], labels, w.dlogits[v], g, classes, 1/float64(w.c.Batch))
	w.classifier.BackwardWeights(x, w.dlogits[v], dw, g, v > 0)
	w.classifier.BackwardData(w.dlogits[v], w.pair.Scratch(0)[v], g)
	if v == 0 {
		w.dev.BiasGrad(w.dlogits[v], db, g, classes)
		return loss, correct
	}
	w.dev.BiasGrad(w.dlogits[v], w.bias, g, classes)
	w.dev.AddMasked(db, w.bias, device.Buffer{}, db, classes)
	return loss, correct
}

// moveStatistics moves the running statistics towards the moments of group 1 and then of group 2.
func (w *network) moveStatistics() {
	at := 0
	for _, index := range w.last.Norms {
		n := w.layout.Norms[index]
		for range streams {
			moments := w.sums[at : at+2*n.C]
			engine.Moments(float64(w.c.Group*n.PerImage), moments, w.mean[:n.C], w.inv[:n.C])
			w.move(n.Mean, moments[:n.C])
			w.move(n.Var, moments[n.C:])
			at += 2 * n.C
		}
	}
}

func (w *network) move(s engine.Span, towards []float64) {
	keep := w.c.Keep
	for j, r := range w.statistics[s.Off:s.End()] {
		w.statistics[s.Off+j] = float32(float64(keep*float64(r)) + float64((1-keep)*towards[j]))
	}
}

// evaluate computes logits [n][classes] of at most Group images with running statistics. They are valid until the next
// call.
func (w *network) evaluate(x []float32, n int) ([]float32, error) {
	w.dev.Upload(w.images[0].Slice(0, n*w.imageLen()), x[:n*w.imageLen()])
	w.judge.Evaluate(n)
	w.classifier.Forward(w.features[nn.Eval], w.logits[0], n)
	w.dev.AddBias(w.logits[0], w.off, n, w.c.Network.Classes)
	logits := w.judged[:n*w.c.Network.Classes]
	w.dev.Download(logits, w.logits[0].Slice(0, len(logits)))
	if err := w.dev.Sync(); err != nil {
		return nil, fmt.Errorf("compute logits: %w", err)
	}
	return logits, nil
}
