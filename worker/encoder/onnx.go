package encoder

import (
	"fmt"
	"io"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"byol/internal/safetensors"
	"byol/model/engine"
)

// What a written model says of itself. Opset 17 goes with version 8 of the format.
const (
	onnxOpset = 17
	onnxIR    = 8
	// InputName and OutputName are the graph's: images [N][3][Size][Size] and features [N][Features].
	InputName, OutputName = "images", "features"
)

// mostONNX is how long the graph may be: a protobuf message has at most 2 GiB, and the metadata are some thousand
// bytes. Larger models keep their weights in files beside them, which is not written here.
const mostONNX = math.MaxInt32 - 1<<16

// WriteONNX writes the encoder as an ONNX model of opset 17: convolutions, batch norms with their running statistics,
// pooling and sums, nodes and weights by the names of the layers. It takes normalised images and returns pooled
// features; the metadata are those of WriteSafetensors.
func (e *Encoder) WriteONNX(w io.Writer) error {
	l, err := e.layout()
	if err != nil {
		return fmt.Errorf("write encoder: %w", err)
	}
	return e.writeGraph(w, l)
}

// writeGraph is WriteONNX of a layout.
func (e *Encoder) writeGraph(w io.Writer, l *engine.Layout) error {
	g := graph{layout: l, same: e.Padding == "same"}
	g.encoder()
	var head, tail message // the graph's fields before and behind the weights
	for _, n := range g.nodes {
		head.message(1, n)
	}
	head.text(2, e.Shape.String())
	tail.message(11, tensorInfo(InputName, 3, int64(e.Sight.Size), int64(e.Sight.Size)))
	tail.message(12, tensorInfo(OutputName, int64(l.Features)))
	weights := make([]message, len(e.Tensors))
	size := len(head) + len(tail)
	for i, t := range e.Tensors {
		weights[i] = initializer(t)
		size += len(weights[i]) + len(t.Data)
	}
	if size > mostONNX {
		return fmt.Errorf("write encoder: %d bytes are more than the %d that an ONNX file can have", size, mostONNX)
	}
	var model message
	model.number(1, onnxIR)
	model.text(2, "byol")
	model.text(3, e.Version)
	model.message(8, opset())
	meta := e.Metadata()
	for _, key := range keys(meta) {
		model.message(14, property(key, meta[key]))
	}
	model = protowire.AppendTag(model, 7, protowire.BytesType)
	model = protowire.AppendVarint(model, uint64(size))
	out := writer{w: w}
	out.write(model)
	out.write(head)
	for i, t := range e.Tensors {
		out.write(weights[i])
		out.write(t.Data)
	}
	out.write(tail)
	if out.err != nil {
		return fmt.Errorf("write encoder: %w", out.err)
	}
	return nil
}

// writer keeps the first error.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

// message is a protobuf message as it is encoded: the few fields of ONNX that an encoder needs, by their numbers in
// onnx.proto.
type message []byte

func (m *message) number(field protowire.Number, x int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(x))
}

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) message(field protowire.Number, inner message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), inner)
}

// opset is the OperatorSetIdProto of ONNX's own operators.
func opset() (m message) {
	m.text(1, "")
	m.number(2, onnxOpset)
	return m
}

// property is a StringStringEntryProto.
func property(key, value string) (m message) {
	m.text(1, key)
	m.text(2, value)
	return m
}

// floats is the number of float32 in TensorProto.DataType.
const floats = 1

// initializer is field 5 of a graph with a TensorProto in it, up to its data, which end it.
func initializer(t safetensors.Tensor) message {
	var in message
	for _, d := range t.Shape {
		in.number(1, int64(d))
	}
	in.number(2, floats)
	in.text(8, t.Name)
	in = protowire.AppendTag(in, 9, protowire.BytesType)
	in = protowire.AppendVarint(in, uint64(len(t.Data)))
	m := protowire.AppendTag(nil, 5, protowire.BytesType)
	m = protowire.AppendVarint(m, uint64(len(in)+len(t.Data)))
	return append(m, in...)
}

// tensorInfo is a ValueInfoProto of float32 [N][dims…], any N.
func tensorInfo(name string, dims ...int64) (m message) {
	var batch, shape, tensor, kind message
	batch.text(2, "N")
	shape.message(1, batch)
	for _, d := range dims {
		var dim message
		dim.number(1, d)
		shape.message(1, dim)
	}
	tensor.number(1, floats)
	tensor.message(2, shape)
	kind.message(1, tensor)
	m.text(1, name)
	m.message(2, kind)
	return m
}

// graph is the network as nodes.
type graph struct {
	layout *engine.Layout
	same   bool // padding
	nodes  []message
}

// encoder adds all nodes.
func (g *graph) encoder() {
	l := g.layout
	x := g.relu("relu", g.unit(&l.Stem, InputName))
	if p := l.Pool; p != nil {
		var attributes message
		attributes.window(3, 2, g.pads(p.Size, p.Next, 3, 2, p.Pad))
		x = g.node("MaxPool", "maxpool", attributes, x)
	}
	for i := range l.Blocks {
		x = g.block(&l.Blocks[i], x)
	}
	x = g.node("GlobalAveragePool", "avgpool", nil, x)
	var axis message
	axis.integer("axis", 1)
	g.named("Flatten", "flatten", axis, OutputName, x)
}

// block adds a residual block behind x.
func (g *graph) block(b *engine.Block, x string) string {
	first := moduleOf(b.Main[0].Name)
	name := first[:strings.LastIndexByte(first, '.')]
	main, shortcut := x, x
	for i := range b.Main {
		if main = g.unit(&b.Main[i], main); i < len(b.Main)-1 {
			main = g.relu(fmt.Sprintf("%s.relu%d", name, i+1), main)
		}
	}
	if b.Shortcut != nil {
		shortcut = g.unit(b.Shortcut, x)
	}
	return g.relu(name+".relu", g.node("Add", name+".add", nil, main, shortcut))
}

// moduleOf is a module's name without that of the encoder.
func moduleOf(name string) string { return strings.TrimPrefix(name, prefix) }

// unit adds a convolution and its batch norm.
func (g *graph) unit(c *engine.Conv, x string) string {
	conv, norm := moduleOf(c.Name), moduleOf(g.layout.Norms[c.Norm].Name)
	var window, rule message
	window.window(c.Kernel, c.Stride, g.pads(c.Size, c.Next, c.Kernel, c.Stride, c.Pad))
	x = g.node("Conv", conv, window, x, conv+".weight")
	rule.real("epsilon", engine.Epsilon)
	return g.node("BatchNormalization", norm, rule, x, norm+".weight", norm+".bias", norm+meanSuffix, norm+varSuffix)
}

func (g *graph) relu(name, x string) string { return g.node("Relu", name, nil, x) }

// pads are those before and behind, down and across: the same on all sides, or as many as the windows reach over.
func (g *graph) pads(size, next, kernel, stride, pad int) [4]int {
	behind := pad
	if g.same {
		behind = max((next-1)*stride+kernel-size-pad, 0)
	}
	return [4]int{pad, pad, behind, behind}
}

// node adds a node whose output has its name.
func (g *graph) node(op, name string, attributes message, inputs ...string) string {
	return g.named(op, name, attributes, name, inputs...)
}

func (g *graph) named(op, name string, attributes message, output string, inputs ...string) string {
	var n message
	for _, in := range inputs {
		n.text(1, in)
	}
	n.text(2, output)
	n.text(3, name)
	n.text(4, op)
	g.nodes = append(g.nodes, append(n, attributes...))
	return output
}

// The types of an AttributeProto.
const (
	kindFloat = 1
	kindInt   = 2
	kindInts  = 7
)

// attribute is field 5 of a node.
func (m *message) attribute(name string, kind int64, value message) {
	var a message
	a.text(1, name)
	a.number(20, kind)
	m.message(5, append(a, value...))
}

func (m *message) integer(name string, x int64) {
	var v message
	v.number(3, x)
	m.attribute(name, kindInt, v)
}

func (m *message) real(name string, x float64) {
	v := protowire.AppendTag(nil, 2, protowire.Fixed32Type)
	m.attribute(name, kindFloat, protowire.AppendFixed32(v, math.Float32bits(float32(x))))
}

func (m *message) integers(name string, x ...int) {
	var v message
	for _, n := range x {
		v.number(8, int64(n))
	}
	m.attribute(name, kindInts, v)
}

// window says how a square window moves over a picture.
func (m *message) window(kernel, stride int, pads [4]int) {
	m.integers("kernel_shape", kernel, kernel)
	m.integers("strides", stride, stride)
	m.integers("pads", pads[:]...)
}
