package encoder

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/model/arch"
	"byol/model/engine"
)

// field is one field of a message, as it is read back.
type field struct {
	number protowire.Number
	value  uint64 // of numbers
	bytes  []byte // of the rest
}

func fields(b []byte) []field {
	var out []field
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			panic(protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			f.value = uint64(x)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			panic(fmt.Sprintf("field %d of wire type %d, which no model here has", number, kind))
		}
		if n < 0 {
			panic(protowire.ParseError(n))
		}
		b = b[n:]
		out = append(out, f)
	}
	return out
}

// operation is a node.
type operation struct {
	op, name, output string
	inputs           []string
	ints             map[string][]int
	floats           map[string]float64
}

// parsed is a model.
type parsed struct {
	nodes   []operation
	weights map[string]array
	meta    map[string]string
	input   []int // dimensions behind N
	output  []int
	opset   int
}

// array is [shape…] of float64.
type array struct {
	shape []int
	x     []float64
}

func newArray(shape ...int) array {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return array{shape, make([]float64, n)}
}

func parseModel(b []byte) parsed {
	p := parsed{weights: map[string]array{}, meta: map[string]string{}}
	for _, f := range fields(b) {
		switch f.number {
		case 7:
			p.graph(f.bytes)
		case 8:
			p.opset = int(fields(f.bytes)[1].value)
		case 14:
			kv := fields(f.bytes)
			p.meta[string(kv[0].bytes)] = string(kv[1].bytes)
		}
	}
	return p
}

func (p *parsed) graph(b []byte) {
	for _, f := range fields(b) {
		switch f.number {
		case 1:
			p.nodes = append(p.nodes, parseNode(f.bytes))
		case 5:
			var a array
			name := ""
			for _, f := range fields(f.bytes) {
				switch f.number {
				case 1:
					a.shape = append(a.shape, int(f.value))
				case 8:
					name = string(f.bytes)
				case 9:
					for _, v := range safetensors.Float32s(f.bytes) {
						a.x = append(a.x, float64(v))
					}
				}
			}
			p.weights[name] = a
		case 11:
			p.input = parseDims(f.bytes)
		case 12:
			p.output = parseDims(f.bytes)
		}
	}
}

// parseDims are the dimensions of a ValueInfoProto behind its first, which has a name.
func parseDims(b []byte) []int {
	kind := fields(fields(b)[1].bytes)[0].bytes
	var dims []int
	for _, d := range fields(fields(kind)[1].bytes)[1:] {
		dims = append(dims, int(fields(d.bytes)[0].value))
	}
	return dims
}

func parseNode(b []byte) operation {
	n := operation{ints: map[string][]int{}, floats: map[string]float64{}}
	for _, f := range fields(b) {
		switch f.number {
		case 1:
			n.inputs = append(n.inputs, string(f.bytes))
		case 2:
			n.output = string(f.bytes)
		case 3:
			n.name = string(f.bytes)
		case 4:
			n.op = string(f.bytes)
		case 5:
			name := ""
			for _, a := range fields(f.bytes) {
				switch a.number {
				case 1:
					name = string(a.bytes)
				case 2:
					n.floats[name] = float64(math.Float32frombits(uint32(a.value)))
				case 3, 8:
					n.ints[name] = append(n.ints[name], int(a.value))
				}
			}
		}
	}
	return n
}

// window is how ONNX moves a square window: kernel, stride, padding before, and the size of the output of a size.
func (n operation) window(size int) (kernel, stride, pad, next int) {
	kernel, stride, pad = n.ints["kernel_shape"][0], n.ints["strides"][0], n.ints["pads"][0]
	return kernel, stride, pad, (size+pad+n.ints["pads"][2]-kernel)/stride + 1
}

// run computes the graph on images [n][3][size][size], by the definitions of its operations and nothing else.
func (p parsed) run(images array) array {
	values := maps.Clone(p.weights)
	values[InputName] = images
	for _, n := range p.nodes {
		in := make([]array, len(n.inputs))
		for i, name := range n.inputs {
			v, ok := values[name]
			if !ok {
				panic(n.name + " reads " + name + ", which is not there yet")
			}
			in[i] = v
		}
		values[n.output] = n.compute(in)
	}
	return values[OutputName]
}

func (n operation) compute(in []array) array {
	x := in[0]
	switch n.op {
	case "Conv":
		return n.convolve(x, in[1])
	case "MaxPool":
		return n.maxPool(x)
	case "BatchNormalization":
		y, plane := newArray(x.shape...), x.shape[2]*x.shape[3]
		for i, v := range x.x {
			c := i / plane % x.shape[1]
			y.x[i] = in[1].x[c]*(v-in[3].x[c])/math.Sqrt(in[4].x[c]+n.floats["epsilon"]) + in[2].x[c]
		}
		return y
	case "Relu":
		y := newArray(x.shape...)
		for i, v := range x.x {
			y.x[i] = max(v, 0)
		}
		return y
	case "Add":
		y := newArray(x.shape...)
		for i, v := range x.x {
			y.x[i] = v + in[1].x[i]
		}
		return y
	case "GlobalAveragePool":
		plane := x.shape[2] * x.shape[3]
		y := newArray(x.shape[0], x.shape[1], 1, 1)
		for i, v := range x.x {
			y.x[i/plane] += v / float64(plane)
		}
		return y
	case "Flatten":
		return array{[]int{x.shape[0], x.shape[1]}, x.x}
	}
	panic("no operation " + n.op)
}

// each calls f with every element of the window at (oy, ox) that is within the picture.
func (n operation) each(size, oy, ox int, f func(ky, kx, at int)) {
	kernel, stride, pad, _ := n.window(size)
	for ky := range kernel {
		for kx := range kernel {
			y, x := oy*stride+ky-pad, ox*stride+kx-pad
			if y >= 0 && y < size && x >= 0 && x < size {
				f(ky, kx, y*size+x)
			}
		}
	}
}

func (n operation) convolve(x, w array) array {
	size, kernel := x.shape[2], w.shape[2]
	_, _, _, next := n.window(size)
	y := newArray(x.shape[0], w.shape[0], next, next)
	i := 0
	for image := range x.shape[0] {
		for o := range w.shape[0] {
			for oy := range next {
				for ox := range next {
					sum := 0.0
					n.each(size, oy, ox, func(ky, kx, at int) {
						for c := range w.shape[1] {
							sum += w.x[((o*w.shape[1]+c)*kernel+ky)*kernel+kx] * x.x[(image*w.shape[1]+c)*size*size+at]
						}
					})
					y.x[i] = sum
					i++
				}
			}
		}
	}
	return y
}

func (n operation) maxPool(x array) array {
	size := x.shape[2]
	_, _, _, next := n.window(size)
	y := newArray(x.shape[0], x.shape[1], next, next)
	for i := range y.x {
		plane, oy, ox := i/(next*next), i/next%next, i%next
		y.x[i] = math.Inf(-1)
		n.each(size, oy, ox, func(_, _, at int) { y.x[i] = max(y.x[i], x.x[plane*size*size+at]) })
	}
	return y
}

// channelsFirst is [n][size][size][3] as [n][3][size][size].
func channelsFirst(x []float32, n, size int) array {
	a, plane := newArray(n, 3, size, size), size*size
	for i, v := range x {
		a.x[(i/(3*plane)*3+i%3)*plane+i/3%plane] = float64(v)
	}
	return a
}

// TestONNXComputesTheFeatures: the graph, computed by ONNX's definitions in float64, gives the engine's features. The
// networks are small ones of each kind of block, stem and padding; make check-export does the same to the published
// ones.
func TestONNXComputesTheFeatures(t *testing.T) {
	for _, c := range []struct {
		block         string
		stem, padding string
		size          int
	}{
		{"basic", arch.CIFAR, "symmetric", 9}, {"basic", arch.CIFAR, "same", 10},
		{"basic", arch.ImageNet, "symmetric", 21}, {"basic", arch.ImageNet, "same", 24},
		{"bottleneck", arch.CIFAR, "same", 8}, {"bottleneck", arch.ImageNet, "symmetric", 33},
	} {
		s := Shape{Arch: "custom", Width: 1, Stem: c.stem, Padding: c.padding, ImageSize: c.size}
		t.Run(fmt.Sprintf("%s, %s of %d", c.block, s, c.size), func(t *testing.T) {
			m := model.Config{Arch: "custom", Block: c.block, Blocks: []int{2, 1, 1}, BaseWidth: 4}
			r := trainModel(t, s, m, 3)
			e := &Encoder{Shape: s, Tensors: r.tensors(t)}
			e.Sight.Size = c.size
			l, err := engine.Describe(engine.Network{Padding: c.padding, ImageSize: c.size, ProjectorHidden: 1,
				ProjectorOut: 1, PredictorHidden: 1, Encoder: arch.Encoder{Bottleneck: c.block == "bottleneck",
					Blocks: m.Blocks, Base: m.BaseWidth, Stem: c.stem}})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := e.writeGraph(&b, l); err != nil {
				t.Fatal(err)
			}
			const n = 2
			images := noise(1000, n, s)
			got, want := r.encode(t, images, n), parseModel(b.Bytes()).run(channelsFirst(images, n, c.size)).x
			if off := relative(got, want); len(got) != len(want) || !(off < 1e-5) {
				t.Errorf("%d and %d features, which are %.2g apart", len(got), len(want), off)
			}
		})
	}
}

// relative is the distance of a from b in units of b's length.
func relative(a []float32, b []float64) float64 {
	d, l := 0.0, 0.0
	for i := range min(len(a), len(b)) {
		d += (float64(a[i]) - b[i]) * (float64(a[i]) - b[i])
		l += b[i] * b[i]
	}
	return math.Sqrt(d / l)
}

// TestONNXHoldsTheWeights: every tensor of the encoder is in the file bit for bit, nothing else is, and the metadata
// are those of the other format.
func TestONNXHoldsTheWeights(t *testing.T) {
	s := Shape{Arch: "tiny", Width: 2, Stem: arch.CIFAR, Padding: "symmetric", ImageSize: 8}
	e := train(t, s, 1).read(t, Target)
	var b bytes.Buffer
	if err := e.WriteONNX(&b); err != nil {
		t.Fatal(err)
	}
	p := parseModel(b.Bytes())
	if !maps.Equal(p.meta, e.Metadata()) || p.meta["network"] != Target || p.opset != 17 {
		t.Errorf("metadata %v, opset %d", p.meta, p.opset)
	}
	if !slices.Equal(p.input, []int{3, 8, 8}) || !slices.Equal(p.output, []int{e.Features}) {
		t.Errorf("from %v to %v, of %d features", p.input, p.output, e.Features)
	}
	if len(p.weights) != len(e.Tensors) {
		t.Errorf("%d weights of %d tensors", len(p.weights), len(e.Tensors))
	}
	for _, w := range e.Tensors {
		a := p.weights[w.Name]
		same := slices.EqualFunc(a.x, vector.Floats(w.Data), func(a float64, b float32) bool { return float32(a) == b })
		if !same || !slices.Equal(a.shape, w.Shape) {
			t.Errorf("%s is another one in the file", w.Name)
		}
	}
}

// TestONNXGraphs lays out every network there is, and lets sizes and channels flow through its nodes as ONNX has them.
func TestONNXGraphs(t *testing.T) {
	for _, name := range arch.Names() {
		for _, stem := range []string{arch.ImageNet, arch.CIFAR} {
			for _, padding := range []string{"symmetric", "same"} {
				for _, size := range []int{32, 33, 64, 75, 224} {
					for _, width := range []int{1, 2} {
						s := Shape{Arch: name, Width: width, Stem: stem, Padding: padding, ImageSize: size}
						if err := flow(s); err != nil {
							t.Errorf("%s of %d: %v", s, size, err)
						}
					}
				}
			}
		}
	}
}

// flow checks that each node reads what an earlier one wrote or a tensor of the network, with channels that fit, that
// every tensor is read, and that what comes out are the features.
func flow(s Shape) error {
	l, err := s.layout()
	if err != nil {
		return err
	}
	places, err := s.places()
	if err != nil {
		return err
	}
	unread := map[string][]int{}
	for _, p := range places {
		unread[p.name] = p.shape
	}
	g := graph{layout: l, same: s.Padding == "same"}
	g.encoder()
	values := map[string][2]int{InputName: {3, s.ImageSize}} // channels and size
	for _, m := range g.nodes {
		n := parseNode(m)
		x, ok := values[n.inputs[0]]
		if !ok {
			return fmt.Errorf("%s reads %s", n.name, n.inputs[0])
		}
		if _, twice := values[n.output]; twice {
			return fmt.Errorf("%s is written twice", n.output)
		}
		switch n.op {
		case "Conv":
			w := unread[n.inputs[1]]
			if len(w) != 4 || w[1] != x[0] || w[2] != n.ints["kernel_shape"][1] {
				return fmt.Errorf("%s has weights %v on %v", n.name, w, x)
			}
			_, _, _, x[1] = n.window(x[1])
			x[0] = w[0]
		case "MaxPool":
			_, _, _, x[1] = n.window(x[1])
		case "GlobalAveragePool":
			x[1] = 1
		case "Add":
			if y, ok := values[n.inputs[1]]; !ok || y != x {
				return fmt.Errorf("%s adds %v to %v", n.name, y, x)
			}
		}
		for _, w := range n.inputs[1:] {
			if n.op == "BatchNormalization" && !slices.Equal(unread[w], x[:1]) {
				return fmt.Errorf("%s: %s is %v of %d channels", n.name, w, unread[w], x[0])
			}
			delete(unread, w)
		}
		values[n.output] = x
	}
	if len(unread) > 0 {
		return fmt.Errorf("nobody reads %v", unread)
	}
	if last := values["layer"+fmt.Sprint(groups(l.Blocks[len(l.Blocks)-1].Main[0].Name))+"."+
		lastBlock(l.Blocks[len(l.Blocks)-1].Main[0].Name)+".relu"]; last[1]*last[1] != l.Positions {
		return fmt.Errorf("the last block has %d² positions, not %d", last[1], l.Positions)
	}
	if out := values[OutputName]; out != [2]int{l.Features, 1} {
		return fmt.Errorf("it ends with %v, not %d features", out, l.Features)
	}
	return nil
}

// groups is the number of the group in a name like encoder.layer4.1.conv1, and lastBlock that of the block.
func groups(name string) string    { return strings.Split(name, ".")[1][len("layer"):] }
func lastBlock(name string) string { return strings.Split(name, ".")[2] }

// TestONNXTooLarge: what a protobuf message cannot hold is refused before anything is written.
func TestONNXTooLarge(t *testing.T) {
	s := Shape{Arch: "tiny", Width: 1, Stem: arch.CIFAR, Padding: "symmetric", ImageSize: 8}
	e := &Encoder{Shape: s, Tensors: make([]safetensors.Tensor, 1<<11)}
	data := make([]byte, 1<<20)
	for i := range e.Tensors {
		e.Tensors[i] = safetensors.Tensor{Name: fmt.Sprint(i), DType: safetensors.F32, Shape: []int{1 << 18}, Data: data}
	}
	var b bytes.Buffer
	if err := e.WriteONNX(&b); err == nil || !strings.Contains(err.Error(), "an ONNX file can have") || b.Len() > 0 {
		t.Errorf("got %v after %d bytes", err, b.Len())
	}
}

// full is a disk with room for so many bytes.
type full int

// errFull is what it says.
var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if *f -= full(len(b)); *f < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestWritersOnAFullDisk: both formats say what the disk says, wherever it ends.
func TestWritersOnAFullDisk(t *testing.T) {
	s := Shape{Arch: "tiny", Width: 1, Stem: arch.CIFAR, Padding: "symmetric", ImageSize: 8}
	e := &Encoder{Shape: s, Features: 16, Tensors: drawn(t, s)}
	for room := range 25 {
		a, b := full(room*900), full(room*900)
		if err := e.WriteONNX(&a); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: ONNX %v", room*900, err)
		}
		if err := e.WriteSafetensors(&b); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: safetensors %v", room*900, err)
		}
	}
}
