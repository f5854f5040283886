// Package golden compares an engine with golden files: steps of BYOL computed in float64 by an independent
// program, with the network's shape and the constants in the file's metadata ("config", and "log" with the
// numbers of each step).
//
// Errors are relative L2 errors of whole tensors, ‖got−want‖/‖want‖. One kind of tensor has none: the gradient
// and the momentum of a bias that feeds a batch norm (projector.0.bias, predictor.0.bias) are zero but for
// rounding, so their errors are measured against the gradient or momentum of the offset of that batch norm
// (projector.1.bias, predictor.1.bias), a sum over the same rows of values of the same size.
//
// When it fails: a file that is no golden file is an error; numbers past the tolerance are a Report whose OK
// is false.
package golden

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"byol/internal/safetensors"
	"byol/model"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/model/optim"
)

// Report says how far an engine is from a golden file: the worst error of each kind.
type Report struct {
	Path, Engine string
	OK           bool    // all tolerances hold
	Outputs      float64 // of the outputs of step 0
	Gradients    float64 // of the gradients of step 0
	Final        float64 // of the final weights, target, momentum and running statistics
	Losses       float64 // of the losses of all steps
	Flipped      int     // ReLUs of step 0 that came out on the other side of zero than in float64
	Masks        float64 // the largest float64 pre-activation of those
	Layers       float64 // in bfloat16: of the output of a layer behind equal inputs
	Target       float64 // in bfloat16: of the target's projections
	Norms        float64 // of the gradient's norms of all steps
	Schedule     float64 // of learning rates and τ
	Worst        string  // the entry that is worst against its tolerance
	Compared     int     // entries
}

// tolerances of each kind; an entry without one is printed but not judged.
type tolerances struct {
	outputs, masks, gradients, final, losses, norms, schedule float64

	// Of an engine in bfloat16, which is compared layer by layer, see rounded.go; 0 for others: of a layer's output, of
	// the target's projections, and of the gradients of heads, which few layers are behind.
	layers, target, heads float64
}

// tolerancesOf says what an engine has to keep. In float64 everything agrees to the precision of the file.
// In float32 step 0 agrees to rounding: a ReLU may have another mask only where the pre-activation, which is of the
// size of 1 behind a batch norm, is as near to zero as outputs may be off; gradients are compared under one mask, see
// masks.go. Later steps part: a program's own float32 and float64 runs differ by some percent in single tensors
// after six steps, so only the losses are judged. In bfloat16 a layer's output differs from the oracle's where float32
// decides between two numbers: by 2e-5 at most on the processor, and a rounding too many or too few would be 1e-3; so
// do the gradients of heads. Through the encoder differences add up, to 7e-3 in gradients, and to 2e-2 in the target,
// whose layers are not compared by themselves.
func tolerancesOf(eng engine.Engine) tolerances {
	if eng.Name() == "reference64" {
		return tolerances{outputs: 1e-6, masks: 1e-6, gradients: 1e-6, final: 1e-6, losses: 1e-6, norms: 1e-6, schedule: 1e-9}
	}
	if strings.Contains(eng.Fingerprint(), "precision bf16") {
		return tolerances{outputs: 1e-3, masks: 0.05, gradients: 3e-2, losses: 0.1, schedule: 1e-9,
			layers: 5e-4, target: 3e-2, heads: 1e-3}
	}
	return tolerances{outputs: 1e-5, masks: 1e-5, gradients: 1e-4, losses: 1e-2, schedule: 1e-9}
}

// config is the metadata of a golden file.
type config struct {
	Block           string
	Blocks          []int
	Width           int
	Stem            string
	Padding         string // "" is symmetric
	Size            int
	Batch           int
	ProjectorHidden int     `json:"projector_hidden"`
	ProjectorOut    int     `json:"projector_out"`
	PredictorHidden int     `json:"predictor_hidden"`
	Classes         int     `json:"classes"`
	BaseTau         float64 `json:"base_tau"`
	Momentum        float64
	Eta             float64 `json:"lars_eta"`
	WeightDecay     float64 `json:"weight_decay"`
	BaseLR          float64 `json:"base_lr"`
	Warmup          int64   `json:"warmup_steps"`
	Total           int64   `json:"total_steps"`
	Steps           int
}

// logged holds the numbers of one step.
type logged struct {
	Step         int
	Loss         float64 `json:"byol_loss"`
	ProbeLoss    float64 `json:"probe_loss"`
	LearningRate float64 `json:"learning_rate"`
	Tau          float64
	GradNorm     float64 `json:"grad_norm"`
}

func (c config) model() model.Config {
	return model.Config{
		Arch: "custom", Blocks: c.Blocks, Block: c.Block, BaseWidth: c.Width, Stem: c.Stem,
		Padding:   cmp.Or(c.Padding, "symmetric"),
		ImageSize: c.Size, ProjectorHidden: c.ProjectorHidden, ProjectorOut: c.ProjectorOut,
		PredictorHidden: c.PredictorHidden, Classes: c.Classes, Batch: c.Batch, Shards: 1,
		Schedule:    optim.Schedule{BaseLR: c.BaseLR, Batch: c.Batch, Warmup: c.Warmup, Total: c.Total, BaseTau: c.BaseTau},
		WeightDecay: c.WeightDecay, Momentum: c.Momentum, Eta: c.Eta, TargetPredictor: true,
	}
}

// Verify runs the steps recorded in the file at path on an engine and prints the error of each entry to w.
func Verify(ctx context.Context, path string, eng engine.Engine, w io.Writer) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("open golden file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Report{}, fmt.Errorf("open golden file: %w", err)
	}
	file, err := safetensors.Read(f, info.Size())
	if err != nil {
		return Report{}, fmt.Errorf("read golden file %s: %w", path, err)
	}
	r := &run{file: file, out: w, engine: eng, tolerances: tolerancesOf(eng),
		report: Report{Path: path, Engine: eng.Name(), OK: true}}
	if err := r.all(ctx); err != nil {
		return Report{}, fmt.Errorf("verify golden file %s on %s: %w", path, eng.Name(), err)
	}
	return r.report, nil
}

// run is one verification under way.
type run struct {
	file       *safetensors.File
	out        io.Writer
	engine     engine.Engine
	tolerances tolerances
	report     Report
	worst      float64 // error over tolerance of report.Worst

	config  config
	log     []logged
	initial []model.Tensor
	masks   masks // of step 0
	learner *model.Learner
	got     map[string][]float32 // what we computed, by the file's names
	want    map[string][]float32 // what is wanted in the file's place
}

func (r *run) all(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	for step := range r.config.Steps {
		if err := r.step(ctx, step); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	final, err := r.learner.Tensors()
	if err != nil {
		return err
	}
	r.collect("final/", final)
	for _, info := range r.file.Tensors() {
		if err := r.compare(info.Name); err != nil {
			return err
		}
	}
	return nil
}

// open reads the metadata and loads the initial state.
func (r *run) open(ctx context.Context) error {
	meta := r.file.Meta()
	constants := json.NewDecoder(strings.NewReader(meta["config"]))
	constants.DisallowUnknownFields() // one that nobody reads could make other numbers than were meant
	if err := constants.Decode(&r.config); err != nil {
		return fmt.Errorf("no golden file: metadata config: %w", err)
	}
	if err := json.Unmarshal([]byte(meta["log"]), &r.log); err != nil {
		return fmt.Errorf("no golden file: metadata log: %w", err)
	}
	if len(r.log) != r.config.Steps || r.config.Steps < 1 {
		return fmt.Errorf("no golden file: %d entries in the log of %d steps", len(r.log), r.config.Steps)
	}
	var err error
	if r.learner, err = model.New(ctx, r.engine, r.config.model(), 1, nil); err != nil {
		return err
	}
	r.got, r.want = map[string][]float32{}, map[string][]float32{}
	for _, info := range r.file.Tensors() {
		name, ok := strings.CutPrefix(info.Name, "init/")
		if !ok {
			continue
		}
		data, err := r.tensor(info.Name)
		if err != nil {
			return err
		}
		r.initial = append(r.initial, model.Tensor{Name: name, Shape: info.Shape, Data: data})
		param, ok := strings.CutPrefix(name, "online/")
		if ok && !strings.Contains(param, ".running_") {
			zeros := make([]float32, len(data))
			r.initial = append(r.initial, model.Tensor{Name: "momentum/" + param, Shape: info.Shape, Data: zeros})
		}
	}
	return r.learner.Load(r.initial)
}

func (r *run) tensor(name string) ([]float32, error) {
	t, err := r.file.Tensor(name)
	if err != nil {
		return nil, err
	}
	if t.DType != safetensors.F32 {
		return nil, fmt.Errorf("tensor %q is %s, want %s", name, t.DType, safetensors.F32)
	}
	return safetensors.Float32s(t.Data), nil
}

// step runs one step and compares its logged numbers.
func (r *run) step(ctx context.Context, step int) error {
	batch, err := r.batch(step)
	if err != nil {
		return err
	}
	l, want, schedule := r.learner, r.log[step], r.config.model().Schedule
	if step == 0 {
		r.engine.Trace(r.masks.add)
	}
	stats, err := l.Grad(ctx, batch, nil)
	if err != nil {
		return err
	}
	r.engine.Trace(nil)
	if step == 0 {
		if err := r.first(ctx, batch); err != nil {
			return err
		}
	}
	norm, err := l.Update(int64(step))
	if err != nil {
		return err
	}
	l.UpdateTarget(schedule.OneMinusTau(int64(step)))
	l.Commit()
	s, name, tol := stats.Shards[0], fmt.Sprintf("step%d/", step), r.tolerances
	r.number(name+"byol_loss", s.Loss/float64(s.Images), want.Loss, &r.report.Losses, tol.losses)
	r.number(name+"probe_loss", s.ProbeLoss/float64(s.Labelled), want.ProbeLoss, &r.report.Losses, tol.losses)
	r.number(name+"grad_norm", norm, want.GradNorm, &r.report.Norms, tol.norms)
	r.number(name+"learning_rate", schedule.LR(int64(step)), want.LearningRate, &r.report.Schedule, tol.schedule)
	r.number(name+"tau", schedule.Tau(int64(step)), want.Tau, &r.report.Schedule, tol.schedule)
	return nil
}

// first collects what step 0 computed.
func (r *run) first(ctx context.Context, batch model.Batch) error {
	outputs, err := r.learner.Outputs()
	if err != nil {
		return err
	}
	gradients, err := r.learner.Named("", r.learner.ShardGradient(0))
	if err != nil {
		return err
	}
	r.collect("step0/", outputs)
	r.collect("step0/grad/", gradients)
	return r.gradients(ctx, batch)
}

// gradients compares the masks of step 0 with a float64 oracle's. Where they differ, the gradients wanted are those of
// the oracle under the engine's masks, in place of the file's.
func (r *run) gradients(ctx context.Context, batch model.Batch) error {
	oracle := &imposed{Device: reference.New(64), calls: r.masks.calls, behind: map[place]mask{}}
	if r.tolerances.layers > 0 {
		oracle.Device, oracle.values = &rounded{reference.New(64), r.config.Classes}, r.masks.values
		oracle.targets = [][]float32{r.got["step0/target_projection1"], r.got["step0/target_projection2"]}
	}
	l, err := model.New(ctx, ops.New(oracle, nil), r.config.model(), 1, nil)
	if err != nil {
		return err
	}
	if err := l.Load(r.initial); err != nil {
		return err
	}
	if _, err := l.Grad(ctx, batch, nil); err != nil {
		return err
	}
	r.report.Flipped = oracle.flipped
	r.record(fmt.Sprintf("step0/%d ReLUs on the other side of zero", oracle.flipped), oracle.largest, &r.report.Masks,
		r.tolerances.masks)
	if r.tolerances.layers > 0 {
		r.record("step0/layers behind equal inputs", oracle.apart, &r.report.Layers, r.tolerances.layers)
		r.record("step0/target's projections", oracle.aside, &r.report.Target, r.tolerances.target)
		outputs, err := l.Outputs()
		if err != nil {
			return err
		}
		for _, t := range outputs {
			r.want["step0/"+t.Name] = t.Data
		}
	} else if oracle.flipped == 0 {
		return nil
	}
	wanted, err := l.Named("step0/grad/", l.ShardGradient(0))
	for _, t := range wanted {
		r.want[t.Name] = t.Data
	}
	return err
}

// batch reads the images of a step, [n][3][H][W] in the file.
func (r *run) batch(step int) (model.Batch, error) {
	var views [2][]float32
	hw := r.config.Size * r.config.Size
	for v := range views {
		planar, err := r.tensor(fmt.Sprintf("step%d/view%d", step, v+1))
		if err != nil {
			return model.Batch{}, err
		}
		if len(planar) != r.config.Batch*3*hw {
			return model.Batch{}, errors.New("images and configuration disagree in size")
		}
		views[v] = make([]float32, len(planar))
		for i, x := range planar {
			image, channel, at := i/(3*hw), i/hw%3, i%hw
			views[v][image*3*hw+at*3+channel] = x
		}
	}
	floats, err := r.tensor(fmt.Sprintf("step%d/labels", step))
	if err != nil {
		return model.Batch{}, err
	}
	labels := make([]int32, len(floats))
	for i, x := range floats {
		labels[i] = int32(x)
	}
	return model.Batch{View1: views[0], View2: views[1], Labels: labels}, nil
}

func (r *run) collect(prefix string, tensors []model.Tensor) {
	for _, t := range tensors {
		r.got[prefix+t.Name] = t.Data
	}
}

// number compares one logged number; an error against zero is absolute.
func (r *run) number(name string, got, want float64, worst *float64, tolerance float64) {
	e := math.Abs(got - want)
	if want != 0 {
		e /= math.Abs(want)
	}
	r.record(name, e, worst, tolerance)
}

// compare compares one tensor of the file. Inputs have nothing to be compared with.
func (r *run) compare(name string) error {
	var worst *float64
	var tolerance float64
	switch {
	case strings.HasPrefix(name, "init/") || strings.HasSuffix(name, "/view1") || strings.HasSuffix(name, "/view2") ||
		strings.HasSuffix(name, "/labels"):
		return nil
	case strings.HasPrefix(name, "step0/grad/"):
		worst, tolerance = &r.report.Gradients, r.tolerances.gradients
		if r.tolerances.heads > 0 && !strings.HasPrefix(name, "step0/grad/encoder.") {
			tolerance = r.tolerances.heads
		}
	case strings.HasPrefix(name, "step0/"):
		worst, tolerance = &r.report.Outputs, r.tolerances.outputs
	case strings.HasPrefix(name, "final/"):
		worst, tolerance = &r.report.Final, r.tolerances.final
	}
	want, err := r.tensor(name)
	if err != nil {
		return err
	}
	if imposed, ok := r.want[name]; ok {
		want = imposed
	}
	yardstick, err := r.tensor(yardstickOf(name))
	if err != nil {
		return err
	}
	size := norm(yardstick)
	if before, ok := strings.CutSuffix(name, ".bias"); ok && r.tolerances.heads > 0 {
		// The sum of a gradient that was normalised behind a 1×1 convolution is nearly zero: so is that of the stem's offset.
		if beside, err := r.tensor(before + ".weight"); err == nil {
			size = max(size, norm(beside))
		}
	}
	got, ok := r.got[name]
	if !ok || worst == nil {
		return fmt.Errorf("tensor %q is unknown", name)
	}
	if len(got) != len(want) {
		return fmt.Errorf("tensor %q has %d values, computed %d", name, len(want), len(got))
	}
	difference := make([]float32, len(want))
	for i := range want {
		difference[i] = got[i] - want[i]
	}
	r.record(name, norm(difference)/max(size, math.SmallestNonzeroFloat32), worst, tolerance)
	return nil
}

// yardstickOf names the tensor whose norm an error is divided by: itself, except for what is zero but for
// rounding.
func yardstickOf(name string) string {
	gradient := strings.HasPrefix(name, "step0/grad/") || strings.HasPrefix(name, "final/momentum/")
	for _, head := range []string{"projector", "predictor"} {
		if before, ok := strings.CutSuffix(name, head+".0.bias"); ok && gradient {
			return before + head + ".1.bias"
		}
	}
	return name
}

// norm is the L2 norm.
func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// record prints an error and judges it. NaN is never within a tolerance.
func (r *run) record(name string, e float64, worst *float64, tolerance float64) {
	if e > *worst || math.IsNaN(e) {
		*worst = e
	}
	r.report.Compared++
	verdict := ""
	if tolerance > 0 {
		verdict = fmt.Sprintf("  (at most %.0e)", tolerance)
		if !(e <= tolerance) {
			verdict += "  TOO FAR"
			r.report.OK = false
		}
		if part := e / tolerance; part > r.worst || math.IsNaN(part) {
			r.worst, r.report.Worst = part, name
		}
	}
	fmt.Fprintf(r.out, "%-58s %.2e%s\n", name, e, verdict)
}
