package emit_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"byol/internal/safetensors"
	"byol/model/arch"
	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
	"byol/model/pjrt/pjrttest"
)

// golden is a file of steps computed in float64 by an independent program.
type golden struct {
	config struct {
		Block           string
		Blocks          []int
		Width           int
		Stem            string
		Size, Batch     int
		ProjectorHidden int `json:"projector_hidden"`
		ProjectorOut    int `json:"projector_out"`
		PredictorHidden int `json:"predictor_hidden"`
		Classes, Steps  int
		Momentum        float64
		Eta             float64 `json:"lars_eta"`
		Decay           float64 `json:"weight_decay"`
	}
	log []struct {
		Loss  float64 `json:"byol_loss"`
		Probe float64 `json:"probe_loss"`
		LR    float64 `json:"learning_rate"`
		Tau   float64
		Norm  float64 `json:"grad_norm"`
	}
	tensors map[string][]float64 // images and convolutions with channels last
}

func openGolden(t *testing.T, name string) *golden {
	t.Helper()
	f, err := os.Open("../../golden/testdata/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.Read(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{tensors: map[string][]float64{}}
	for key, to := range map[string]any{"config": &g.config, "log": &g.log} {
		if err := json.Unmarshal([]byte(file.Meta()[key]), to); err != nil {
			t.Fatal(err)
		}
	}
	for _, info := range file.Tensors() {
		x, err := file.Tensor(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		g.tensors[info.Name] = channelsLast(safetensors.Float32s(x.Data), info.Shape)
	}
	return g
}

func channelsLast(x []float32, shape []int) []float64 {
	c, hw := 1, 1
	if len(shape) == 4 {
		c, hw = shape[1], shape[2]*shape[3]
	}
	out := make([]float64, len(x))
	for i, v := range x {
		image, channel, at := i/(c*hw), i/hw%c, i%hw
		out[(image*hw+at)*c+channel] = float64(v)
	}
	return out
}

func (g *golden) emit(shards int, p emit.Precision) emit.Config {
	c := g.config
	return emit.Config{Network: engine.Network{
		Encoder: arch.Encoder{Bottleneck: c.Block == "bottleneck", Blocks: c.Blocks, Base: c.Width, Stem: c.Stem},
		Padding: "symmetric", ImageSize: c.Size, ProjectorHidden: c.ProjectorHidden, ProjectorOut: c.ProjectorOut,
		PredictorHidden: c.PredictorHidden, Classes: c.Classes, TargetPredictor: true,
		Rule: engine.Rule{Momentum: c.Momentum, Decay: c.Decay, Eta: c.Eta},
	}, Images: c.Batch / shards, Precision: p}
}

// machine runs segments on a plugin and keeps the values of each shard.
type machine struct {
	t        *testing.T
	client   *capi.Client
	options  capi.CompileOptions
	programs map[[32]byte]*capi.Executable
	values   []map[*hlo.Value]*capi.Buffer // by shard
}

// plugin loads the plugin, which a process does once.
var plugin = func() func(path string) (*capi.Plugin, error) {
	var once sync.Once
	var p *capi.Plugin
	var err error
	return func(path string) (*capi.Plugin, error) {
		once.Do(func() { p, err = capi.Open(path) })
		return p, err
	}
}()

func newMachine(t *testing.T, shards int) *machine {
	t.Helper()
	path := pjrttest.Path(t, pjrttest.CPU115)
	p, err := plugin(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(capi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, client: c, options: quick(emit.FP32), programs: map[[32]byte]*capi.Executable{}}
	for range shards {
		m.values = append(m.values, map[*hlo.Value]*capi.Buffer{})
	}
	return m
}

// close ends everything, and wants nothing left.
func (m *machine) close() {
	m.t.Helper()
	for _, shard := range m.values {
		for _, b := range shard {
			_ = b.Destroy()
		}
	}
	for _, x := range m.programs {
		_ = x.Destroy()
	}
	if err := m.client.Close(); err != nil {
		m.t.Error(err)
	}
}

var types = map[hlo.Type]capi.Type{hlo.I32: capi.I32, hlo.F32: capi.F32, hlo.F64: capi.F64, hlo.BF16: capi.BF16}

// give puts a value there for one shard.
func (m *machine) give(shard int, v *hlo.Value, x []float64) {
	m.t.Helper()
	s := capi.Shape{Type: types[v.Type]}
	for _, d := range v.Shape {
		s.Dims = append(s.Dims, int64(d))
	}
	var data []byte
	switch v.Type {
	case hlo.F64:
		data = bytesOf(x)
	case hlo.F32:
		data = bytesOf(convert[float32](x))
	case hlo.I32:
		data = bytesOf(convert[int32](x))
	}
	b, err := m.client.Devices()[0].Upload(s, data)
	if err != nil {
		m.t.Fatal(err)
	}
	m.set(shard, v, b)
}

func (m *machine) set(shard int, v *hlo.Value, b *capi.Buffer) {
	if old := m.values[shard][v]; old != nil {
		_ = old.Destroy()
	}
	m.values[shard][v] = b
}

func bytesOf[T any](x []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
}

func convert[T int32 | float32](x []float64) []T {
	out := make([]T, len(x))
	for i, v := range x {
		out[i] = T(v)
	}
	return out
}

// quick are an engine's options, of a compilation that is over sooner.
func quick(p emit.Precision) capi.CompileOptions {
	xla := emit.XLA("cpu", p)
	xla["xla_backend_optimization_level"] = 0
	return capi.CompileOptions{XLA: xla}
}

// run runs a segment for every shard.
func (m *machine) run(s *hlo.Segment) {
	m.t.Helper()
	if s == nil {
		return
	}
	x := m.programs[s.Digest()]
	if x == nil {
		x = compiled(m.t, m.client, s.Text(), m.options)
		m.programs[s.Digest()] = x
	}
	for shard, values := range m.values {
		args := make([]*capi.Buffer, len(s.Parameters))
		for i, v := range s.Parameters {
			if args[i] = values[v]; args[i] == nil {
				m.t.Fatalf("%s: %s is not there", s.Name, v.Name)
			}
		}
		out, err := x.Run(m.client.Devices()[0], args)
		if err != nil {
			m.t.Fatalf("%s: %v", s.Name, err)
		}
		for i, v := range s.Results {
			m.set(shard, v, out[i])
		}
	}
}

// read is a value of one shard.
func (m *machine) read(shard int, v *hlo.Value) []float64 {
	m.t.Helper()
	b := m.values[shard][v]
	data := make([]byte, b.Shape().Bytes())
	if err := b.Download(m.t.Context(), data); err != nil {
		m.t.Fatalf("%s: %v", v.Name, err)
	}
	out := make([]float64, v.Len())
	for i := range out {
		switch at := unsafe.Pointer(&data[i*v.Type.Size()]); v.Type {
		case hlo.F64:
			out[i] = *(*float64)(at)
		case hlo.F32:
			out[i] = float64(*(*float32)(at))
		case hlo.BF16:
			out[i] = float64(math.Float32frombits(uint32(*(*uint16)(at)) << 16))
		}
	}
	return out
}

// exam runs a golden file.
type exam struct {
	*machine
	*golden
	step    *emit.Step
	update  *emit.Update
	shards  int
	running [2][]float64 // running statistics
	grads   [][]float64  // of step 0, by shard, flat
	worst   map[string]float64
	where   map[string]string
}

func (x *exam) note(kind, name string, got, want, yardstick []float64) {
	d, n := 0.0, 0.0
	for i := range want {
		d += (got[i] - want[i]) * (got[i] - want[i])
	}
	for _, v := range yardstick {
		n += v * v
	}
	if e := math.Sqrt(d / max(n, 1e-300)); e > x.worst[kind] || math.IsNaN(e) {
		x.worst[kind], x.where[kind] = e, name
	}
}

// finish does for a stage what the host does: forward the moments and running statistics, backward the means.
func (x *exam) finish(s emit.Stage, network int) []float64 {
	if s.Sums == nil {
		return nil
	}
	var sums [][]float64
	for i := range x.shards {
		sums = append(sums, x.read(i, s.Sums))
	}
	out := make([]float64, s.Sums.Len())
	at := 0
	for _, k := range s.Norms {
		n := x.step.Layout.Norms[k]
		count := float64(x.config.Batch * n.PerImage)
		for range 2 {
			for j := range n.C {
				a, b := 0.0, 0.0
				for _, sum := range sums {
					a, b = a+sum[at+j], b+sum[at+n.C+j]
				}
				a, b = a/count, b/count
				if network >= 0 {
					a, b = x.moments(network, n, j, a, b, count)
				}
				out[at+j], out[at+n.C+j] = a, b
			}
			at += 2 * n.C
		}
	}
	return out
}

// moments moves the running statistics of channel j and returns mean and 1/σ. The sums were about the running mean of
// the step's beginning, which shift has.
func (x *exam) moments(network int, n engine.Norm, j int, a, b, count float64) (mean, inverse float64) {
	r := x.running[network]
	mean, variance := x.shift(network)[n.Mean.Off+j]+a, max(b-a*a, 0)
	r[n.Mean.Off+j] = 0.9*r[n.Mean.Off+j] + 0.1*mean
	r[n.Var.Off+j] = 0.9*r[n.Var.Off+j] + 0.1*variance*count/(count-1)
	return mean, 1 / math.Sqrt(variance+engine.Epsilon)
}

func (x *exam) shift(network int) []float64 { return x.read(0, x.step.Statistics[network]) }

// pass runs the stages of one way, the weights' among them.
func (x *exam) pass(stages, weights []emit.Stage, network int) {
	var totals []float64
	for k, s := range stages {
		for i := range x.shards {
			if s.Totals != nil {
				x.give(i, s.Totals, totals)
			}
		}
		x.run(s.Segment)
		totals = x.finish(s, network)
		if weights != nil {
			x.run(weights[k].Segment)
		}
	}
}

func (x *exam) all(v *hlo.Value, view int) []float64 {
	var out []float64
	for i := range x.shards {
		rows := x.read(i, v)
		half := len(rows) / 2
		out = append(out, rows[view*half:(view+1)*half]...)
	}
	return out
}

// gradients are the flat gradient of each shard.
func (x *exam) gradients() {
	x.grads = nil
	l := x.step.Layout
	for i := range x.shards {
		flat := make([]float64, l.Size)
		for _, s := range append(append([]emit.Stage{x.step.Losses}, x.step.Backward...), x.step.Weights...) {
			for _, g := range s.Gradients {
				copy(flat[l.Params[g.Param].Off:], x.read(i, g.Value))
			}
			if s.Sums == nil {
				continue
			}
			sums := x.read(i, s.Sums)
			for _, k := range s.Norms {
				n := l.Norms[k]
				for j := range n.C {
					flat[l.Params[n.Beta].Off+j] = sums[j] + sums[2*n.C+j]
					flat[l.Params[n.Gamma].Off+j] = sums[n.C+j] + sums[3*n.C+j]
				}
				sums = sums[4*n.C:]
			}
		}
		x.grads = append(x.grads, flat)
	}
}

// take runs one step.
func (x *exam) take(k int, state *[3][]float64) {
	s, log := x.step, x.log[k]
	x.load(fmt.Sprintf("step%d/", k), state)
	x.pass(s.Online, nil, 0)
	x.pass(s.Target, nil, 1)
	x.run(s.Losses.Segment)
	x.pass(s.Backward, s.Weights, -1)
	x.gradients()
	sum := make([]float64, s.Layout.Size)
	for _, g := range x.grads {
		for j, v := range g {
			sum[j] += v
		}
	}
	kind := "later losses"
	if k == 0 {
		kind = "losses"
		x.first(sum)
	}
	loss, probe := x.losses()
	norm := math.Sqrt(x.apply(log.LR, sum, state))
	for name, pair := range map[string][2]float64{"loss": {loss, log.Loss}, "probe": {probe, log.Probe},
		"norm": {norm, log.Norm}} {
		x.note(kind, fmt.Sprintf("step%d/%s", k, name), pair[:1], pair[1:], pair[1:])
	}
	for j := range state[2] {
		state[2][j] += (1 - log.Tau) * (state[0][j] - state[2][j])
	}
}

// load gives images and state.
func (x *exam) load(at string, state *[3][]float64) {
	s := x.step
	for i := range x.shards {
		part := func(v []float64) []float64 { return v[i*len(v)/x.shards : (i+1)*len(v)/x.shards] }
		x.give(i, s.View1, part(x.tensors[at+"view1"]))
		x.give(i, s.View2, part(x.tensors[at+"view2"]))
		x.give(i, s.Labels, part(x.tensors[at+"labels"]))
		x.give(i, s.Scale, []float64{1 / float64(x.config.Batch)})
		for network := range 2 {
			x.give(i, s.Parameters[network], state[network*2])
			x.give(i, s.Statistics[network], x.running[network])
		}
	}
	for _, segment := range []*hlo.Segment{s.Load, s.Prepare[0], s.Prepare[1]} {
		x.run(segment)
	}
}

// losses are the means over the batch.
func (x *exam) losses() (loss, probe float64) {
	b := x.step.View1.Dim(0)
	for i := range x.shards {
		report := x.read(i, x.step.Report)
		for j := range 2 * b {
			loss += report[j] / float64(x.config.Batch)
		}
		for j := range b {
			probe += report[2*b+j] / float64(x.config.Batch)
		}
	}
	return loss, probe
}

// apply updates parameters and momentum, and returns the square of the gradient's norm.
func (x *exam) apply(rate float64, sum []float64, state *[3][]float64) float64 {
	u := x.update
	given := map[*hlo.Value][]float64{u.Theta: state[0], u.Momentum: state[1], u.Gradient: sum, u.Rate: {rate}}
	for i := range x.shards {
		for v, data := range given {
			x.give(i, v, data)
		}
	}
	x.run(u.Segment)
	state[0], state[1] = x.read(0, u.NewTheta), x.read(0, u.NewMomentum)
	norm := 0.0
	for _, v := range x.read(0, u.Squares) {
		norm += v
	}
	return norm
}

// first compares what the networks give in step 0, and the gradients.
func (x *exam) first(sum []float64) {
	s := x.step
	for name, got := range map[string][]float64{
		"embedding1": x.all(s.Embedding, 0), "projection1": x.all(s.Projection[0], 0),
		"prediction1": x.all(s.Prediction, 0), "prediction2": x.all(s.Prediction, 1),
		"target_projection1": x.all(s.Projection[1], 0), "target_projection2": x.all(s.Projection[1], 1),
	} {
		want := x.tensors["step0/"+name]
		x.note("outputs", name, got, want, want)
	}
	var logits []float64
	for i := range x.shards {
		logits = append(logits, x.read(i, s.Logits)...)
	}
	x.note("outputs", "logits", logits, x.tensors["step0/logits"], x.tensors["step0/logits"])
	x.tensorwise("gradients", "step0/grad/", sum)
	want := make([]float64, len(sum))
	for _, p := range s.Layout.Params {
		copy(want[p.Off:p.End()], x.tensors["step0/grad/"+p.Name])
	}
	x.note("whole gradient", "step0", sum, want, want)
}

// tensorwise compares a flat vector. What feeds a batch norm as a bias is zero but for rounding in gradients and
// momentum: it is measured against the offset behind it.
func (x *exam) tensorwise(kind, prefix string, flat []float64) {
	for _, p := range x.step.Layout.Params {
		want := x.tensors[prefix+p.Name]
		yardstick := want
		if before, ok := strings.CutSuffix(p.Name, ".0.bias"); ok && !strings.HasSuffix(prefix, "line/") &&
			!strings.HasSuffix(prefix, "get/") {
			yardstick = x.tensors[prefix+before+".1.bias"]
		}
		x.note(kind, prefix+p.Name, flat[p.Off:p.End()], want, yardstick)
	}
}

// newExam loads a golden file and its first state: parameters, momentum and target.
func newExam(t *testing.T, name string, shards int, p emit.Precision) (x *exam, state *[3][]float64) {
	t.Helper()
	g := openGolden(t, name)
	c := g.emit(shards, p)
	step, err := emit.New(c)
	if err != nil {
		t.Fatal(err)
	}
	update, err := emit.NewUpdate(c)
	if err != nil {
		t.Fatal(err)
	}
	x = &exam{machine: newMachine(t, shards), golden: g, step: step, update: update, shards: shards,
		worst: map[string]float64{}, where: map[string]string{}}
	x.options = quick(p)
	state = &[3][]float64{}
	for i, role := range []string{"online", "", "target"} {
		state[i] = make([]float64, step.Layout.Size)
		for _, p := range step.Layout.Params {
			copy(state[i][p.Off:], g.tensors["init/"+role+"/"+p.Name])
		}
	}
	for i, role := range []string{"online", "target"} {
		x.running[i] = make([]float64, step.Layout.Statistics)
		for _, n := range step.Layout.Norms {
			copy(x.running[i][n.Mean.Off:], g.tensors["init/"+role+"/"+n.Name+".running_mean"])
			copy(x.running[i][n.Var.Off:], g.tensors["init/"+role+"/"+n.Name+".running_var"])
		}
	}
	return x, state
}

// runExam runs a golden file on so many shards, and notes the worst error of each kind.
func runExam(t *testing.T, name string, shards int, p emit.Precision) *exam {
	t.Helper()
	x, state := newExam(t, name, shards, p)
	defer x.close()
	for k := range x.config.Steps {
		x.take(k, state)
	}
	for i, role := range []string{"online", "momentum", "target"} {
		x.tensorwise("final", "final/"+role+"/", state[i])
	}
	for i, role := range []string{"online", "target"} {
		for _, n := range x.step.Layout.Norms {
			for what, span := range map[string]engine.Span{".running_mean": n.Mean, ".running_var": n.Var} {
				want := x.tensors["final/"+role+"/"+n.Name+what]
				x.note("final", role+"/"+n.Name+what, x.running[i][span.Off:span.End()], want, want)
			}
		}
	}
	for kind, e := range x.worst {
		t.Logf("%-14s %.1e  %s", kind, e, x.where[kind])
	}
	return x
}
