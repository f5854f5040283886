package finetune_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"byol/internal/safetensors"
	"byol/internal/sealed"
	"byol/model"
	"byol/model/arch"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/finetune"
	"byol/model/linear"
)

func onCPU(t testing.TB, threads int) device.Device {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

// golden is a file of make_finetune.py.
type golden struct {
	Losses         []float64
	Labels         []int32
	Bottleneck     bool
	ImageNet       bool `json:"imagenet"`
	Base, Size     int
	Batch, Group   int
	Classes, Steps int
	Rate           float64
	images, logits []float32
	first, last    []model.Tensor
	asked          int
}

func read(t *testing.T, name string) *golden {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".safetensors")
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
	g := &golden{}
	if err := json.Unmarshal([]byte(file.Meta()["config"]), g); err != nil {
		t.Fatal(err)
	}
	for _, i := range file.Tensors() {
		x, err := file.Tensor(i.Name)
		if err != nil {
			t.Fatal(err)
		}
		data := safetensors.Float32s(x.Data)
		if name, ok := strings.CutPrefix(i.Name, "first/"); ok {
			g.first = append(g.first, model.Tensor{Name: name, Shape: i.Shape, Data: data})
		} else if name, ok := strings.CutPrefix(i.Name, "last/"); ok {
			g.last = append(g.last, model.Tensor{Name: name, Shape: i.Shape, Data: data})
		} else if i.Name == "images" {
			g.images = data
		} else {
			g.logits = data
		}
	}
	return g
}

func (g *golden) config() finetune.Config {
	e := arch.Encoder{Name: "golden", Bottleneck: g.Bottleneck, Blocks: []int{1, 1}, Base: g.Base, Stem: arch.CIFAR}
	if g.ImageNet {
		e.Stem = arch.ImageNet
	}
	n := engine.Network{Encoder: e, Padding: "symmetric", ImageSize: g.Size, Classes: g.Classes}
	return finetune.Config{Network: n, Rate: g.Rate, Batch: g.Batch, Group: g.Group, Epochs: 1, Momentum: 0.9, Keep: 0.9,
		Seed: 3}
}

// Read gives the images in the order in which the golden steps took them, whatever row they are called.
func (g *golden) Read(_ context.Context, picks []finetune.Pick, out []float32, readable []bool) error {
	size := g.Size * g.Size * 3
	for i, p := range picks {
		at := g.asked + i
		if p.Epoch == linear.Still {
			at = p.Row
		}
		copy(out[i*size:][:size], g.images[at*size:][:size])
		readable[i] = g.Labels[at] >= 0
	}
	g.asked += len(picks)
	return nil
}

// training is one whose rows are in the golden order.
func (g *golden) training(t *testing.T, dev device.Device) *finetune.Training {
	t.Helper()
	n := len(g.Labels)
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	order, err := finetune.New(dev, g.config(), rows, make([]int32, n))
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]int32, n)
	for k, at := 0, 0; order.Picks(k) != nil; k++ {
		for _, p := range order.Picks(k) {
			labels[p.Row] = max(g.Labels[at], 0)
			at++
		}
	}
	if err := order.Close(); err != nil {
		t.Fatal(err)
	}
	tr, err := finetune.New(dev, g.config(), rows, labels)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Load(g.first); err != nil {
		t.Fatal(err)
	}
	return tr
}

// distance is the relative L2 error of got.
func distance(got, want []float32) float64 {
	d, n := 0.0, 0.0
	for i, w := range want {
		e := float64(got[i]) - float64(w)
		d, n = d+e*e, n+float64(w)*float64(w)
	}
	return math.Sqrt(d / max(n, 1e-12))
}

// TestGolden makes the steps that PyTorch made in float64.
func TestGolden(t *testing.T) {
	for _, name := range []string{"basic", "bottleneck"} {
		for device, dev := range map[string]device.Device{"cpu": onCPU(t, 2), "reference64": reference.New(64)} {
			t.Run(name+" "+device, func(t *testing.T) { compare(t, read(t, name), dev) })
		}
	}
}

func compare(t *testing.T, g *golden, dev device.Device) {
	const tolerance = 1e-5 // three steps in float32 are off by 2e-6
	tr := g.training(t, dev)
	// The linear layer's first weights are PyTorch's, not those that Load draws.
	tr.SetHead(data(t, g.first, "fc.weight"), data(t, g.first, "fc.bias"))
	for step, want := range g.Losses {
		loss, _, err := tr.Step(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss-want) > tolerance*want {
			t.Errorf("loss of step %d is %v, want %v", step, loss, want)
		}
	}
	if !tr.Done() {
		t.Error("not done")
	}
	got := tr.Tensors()
	if len(got) != len(g.last) {
		t.Errorf("%d tensors, want %d", len(got), len(g.last))
	}
	for _, x := range got {
		if d := distance(x.Data, data(t, g.last, x.Name)); d > tolerance {
			t.Errorf("%s is off by %.2g", x.Name, d)
		}
	}
	// Judging: the golden logits say which class wins.
	rows, labels := []int{0, 1, 2}, make([]int32, g.Group)
	for i := range rows {
		own := g.logits[i*g.Classes:][:g.Classes]
		labels[i] = int32(slices.Index(own, slices.Max(own)))
	}
	c, err := tr.Score(t.Context(), g, rows, labels)
	if err != nil || c.Top1 != 3 || c.Images != 3 {
		t.Errorf("counts %+v, error %v, want the three classes that PyTorch says", c, err)
	}
}

func data(t *testing.T, list []model.Tensor, name string) []float32 {
	t.Helper()
	i := slices.IndexFunc(list, func(x model.Tensor) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("no tensor %s", name)
	}
	return list[i].Data
}

// TestSameBits: any number of threads, and a training broken off between any two steps, end with the same weights.
func TestSameBits(t *testing.T) {
	g := read(t, "basic")
	finish := func(threads, breakAt int) []byte {
		g.asked = 0
		tr := g.training(t, onCPU(t, threads))
		for !tr.Done() {
			if done, _ := tr.Steps(); done == breakAt {
				state := tr.Save()
				tr = g.training(t, onCPU(t, 1))
				if err := tr.Restore(state); err != nil {
					t.Fatal(err)
				}
				breakAt = -1
			}
			if _, _, err := tr.Step(t.Context(), g); err != nil {
				t.Fatal(err)
			}
		}
		return tr.Save()
	}
	want := finish(1, -1)
	for _, threads := range []int{2, 5} {
		if !slices.Equal(finish(threads, -1), want) {
			t.Errorf("%d threads: other weights than one", threads)
		}
	}
	for at := range g.Steps {
		if !slices.Equal(finish(2, at), want) {
			t.Errorf("broken off before step %d: other weights", at)
		}
	}
}

// failing is a source that breaks at a call.
type failing struct {
	*golden
	left int
}

func (f *failing) Read(ctx context.Context, picks []finetune.Pick, out []float32, readable []bool) error {
	if f.left--; f.left < 0 {
		return errors.New("disk gone")
	}
	return f.golden.Read(ctx, picks, out, readable)
}

// TestStepAgain: after an error of the images the state is that before the step, which can be made again.
func TestStepAgain(t *testing.T) {
	g := read(t, "basic")
	tr := g.training(t, onCPU(t, 2))
	before := tr.Save()
	if _, _, err := tr.Step(t.Context(), &failing{g, 1}); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Fatalf("error %v, want that of the images", err)
	}
	if !slices.Equal(tr.Save(), before) {
		t.Error("a step that failed left its traces")
	}
}

// TestNeeds: what is said to be needed is about what is taken, and less with smaller groups.
func TestNeeds(t *testing.T) {
	dev := onCPU(t, 1)
	e, err := arch.Find("resnet18")
	if err != nil {
		t.Fatal(err)
	}
	c := finetune.Config{Network: engine.Network{Encoder: e, Padding: "symmetric", ImageSize: 64, Classes: 10}, Rate: 1,
		Batch: 64, Group: 16, Epochs: 1}
	rows := make([]int, 100)
	before := dev.(device.Scoper).Allocated()
	tr, err := finetune.New(dev, c, rows, make([]int32, len(rows)))
	if err != nil {
		t.Fatal(err)
	}
	taken := int64(dev.(device.Scoper).Allocated() - before)
	host := int64(6 * 4 * 11_200_000)
	need, err := finetune.Needs(c, len(rows))
	if err != nil || float64(need) < 0.75*float64(taken+host) || float64(need) > 1.05*float64(taken+host) {
		t.Errorf("needs %d bytes, %v; the device took %d, vectors on the host take about %d", need, err, taken, host)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	c.Group = 8
	if less, err := finetune.Needs(c, len(rows)); err != nil || less >= need {
		t.Errorf("groups half as large need %d of %d bytes, %v", less, need, err)
	}
}

// TestDiverged: a rate that is too high ends in an error that says so.
func TestDiverged(t *testing.T) {
	g := read(t, "basic")
	g.Rate = 1e30
	tr := g.training(t, onCPU(t, 2))
	var err error
	for err == nil && !tr.Done() {
		_, _, err = tr.Step(t.Context(), g)
	}
	if !errors.Is(err, finetune.ErrDiverged) {
		t.Errorf("error %v, want ErrDiverged", err)
	}
}

// TestPicks: every image comes once in an epoch, batches are full, and what Picks foretells is what is read.
func TestPicks(t *testing.T) {
	g := read(t, "basic")
	c := g.config()
	c.Epochs, c.Batch = 3, 100
	rows, labels := []int{3, 5, 8, 13, 21, 34, 35, 1, 2, 7, 9, 11, 12}, make([]int32, 13)
	tr, err := finetune.New(onCPU(t, 1), c, rows, labels)
	if err == nil {
		err = tr.Load(g.first)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.Config(); got.Batch != 12 || got.Group != 3 {
		t.Errorf("13 images are trained in batches of %d and groups of %d, want 12 and 3", got.Batch, got.Group)
	}
	var all []finetune.Pick
	for k := 0; tr.Picks(k) != nil; k++ {
		all = append(all, tr.Picks(k)...)
	}
	if len(all) != 36 { // 3·13/12 steps of 12
		t.Errorf("%d picks, want 36", len(all))
	}
	seen := map[finetune.Pick]int{}
	for i, p := range all {
		if p.Epoch != i/13 || !slices.Contains(rows, p.Row) {
			t.Errorf("pick %d is %v", i, p)
		}
		if seen[p]++; seen[p] > 1 {
			t.Errorf("%v comes twice", p)
		}
	}
	r := &recorder{g, nil}
	for !tr.Done() {
		if want := len(r.picks) / (2 * tr.Config().Group); tr.Reads() != want {
			t.Errorf("%d reads, want %d", tr.Reads(), want)
		}
		if _, _, err := tr.Step(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(r.picks, all) {
		t.Error("other images were read than Picks foretold")
	}
	fitted := map[int][2]int{2: {2, 1}, 3: {2, 1}, 5: {4, 2}, 6: {6, 3}, 11: {6, 3}, 12: {12, 3}, 1000: {96, 3}}
	for n, want := range fitted {
		if got := c.Fitted(n); got.Batch != want[0] || got.Group != want[1] {
			t.Errorf("%d images: batch %d in groups of %d, want %v", n, got.Batch, got.Group, want)
		}
	}
}

type recorder struct {
	*golden
	picks []finetune.Pick
}

func (r *recorder) Read(_ context.Context, picks []finetune.Pick, _ []float32, readable []bool) error {
	r.picks = append(r.picks, picks...)
	for i := range readable {
		readable[i] = true
	}
	return nil
}

// TestRefusals tries what must not be trained.
func TestRefusals(t *testing.T) {
	g, dev := read(t, "basic"), onCPU(t, 1)
	rows, labels := []int{0, 1, 2, 3}, []int32{0, 1, 2, 3}
	for want, change := range map[string]func(c *finetune.Config, labels []int32){
		"0 classes":               func(c *finetune.Config, _ []int32) { c.Network.Classes = 0 },
		"learning rate NaN":       func(c *finetune.Config, _ []int32) { c.Rate = math.NaN() },
		"0 epochs":                func(c *finetune.Config, _ []int32) { c.Epochs = 0 },
		"momentum 1":              func(c *finetune.Config, _ []int32) { c.Momentum = 1 },
		"keep 1 of themselves":    func(c *finetune.Config, _ []int32) { c.Keep = 1 },
		"in groups of 0":          func(c *finetune.Config, _ []int32) { c.Group = 0 },
		"row 2 has label 4 of 4":  func(_ *finetune.Config, l []int32) { l[2] = 4 },
		"row 1 has label -1 of 4": func(_ *finetune.Config, l []int32) { l[1] = -1 },
		"the images are too small": func(c *finetune.Config, _ []int32) {
			c.Network.Encoder.Stem, c.Network.ImageSize = arch.ImageNet, 0
		},
	} {
		c, l := g.config(), slices.Clone(labels)
		change(&c, l)
		if _, err := finetune.New(dev, c, rows, l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := finetune.New(dev, g.config(), rows[:1], labels[:1]); err == nil {
		t.Error("one image is taken")
	}
	tr := g.training(t, dev)
	for want, change := range map[string]func(x *model.Tensor){
		`"conv1.weight" is missing`:    func(x *model.Tensor) { x.Name = "conv0.weight" },
		`"conv1.weight" has shape [8 `: func(x *model.Tensor) { x.Shape = []int{8, 3, 3, 3} },
		`"conv1.weight": value 7 is N`: func(x *model.Tensor) { x.Data[7] = float32(math.NaN()) },
	} {
		list := slices.Clone(g.first)
		i := slices.IndexFunc(list, func(x model.Tensor) bool { return x.Name == "conv1.weight" })
		list[i].Data = slices.Clone(list[i].Data)
		change(&list[i])
		if err := tr.Load(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	state := tr.Save()
	other := g.config()
	other.Rate++
	o, err := finetune.New(dev, other, rows, labels)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Restore(state); !errors.Is(err, sealed.ErrOther) {
		t.Errorf("error %v, want one that says whose state it is", err)
	}
}
