package encoder

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model/arch"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/data/views"
)

func tinyShape() Shape {
	return Shape{Arch: "tiny", Width: 1, Stem: arch.CIFAR, Padding: "symmetric", ImageSize: 8}
}

// readBytes is Read of a file in memory.
func readBytes(b []byte) (*Encoder, bool, error) { return Read(bytes.NewReader(b), int64(len(b))) }

// TestWriteAndRead: what is written is read back, with all that the metadata say, for both networks; and PyTorch finds
// torchvision's names with counters.
func TestWriteAndRead(t *testing.T) {
	s := Shape{Arch: "tiny", Width: 2, Stem: arch.ImageNet, Padding: "same", ImageSize: 20}
	r := train(t, s, 2)
	seen := map[string]bool{}
	for _, network := range []string{Online, Target} {
		want := r.read(t, network)
		var b bytes.Buffer
		if err := want.WriteSafetensors(&b); err != nil {
			t.Fatal(err)
		}
		got, known, err := readBytes(b.Bytes())
		if err != nil || !known {
			t.Fatalf("%s: known %v, %v", network, known, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-written +read):\n%s", network, d)
		}
		if seen[got.Digest()] || got.Network != network || got.Step != 2 {
			t.Errorf("%s: %s after %d steps, digest %s again", network, got.Network, got.Step, got.Digest())
		}
		seen[got.Digest()] = true
		f, err := safetensors.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		counter, err := f.Tensor("layer2.0.downsample.1.num_batches_tracked")
		if err != nil || !bytes.Equal(counter.Data, safetensors.FromInt64s([]int64{4})) || len(counter.Shape) != 0 {
			t.Errorf("%s: counter %v, %v, want the scalar 4", network, counter, err)
		}
		if f.Meta()["format"] != "pt" || f.Meta()["image_size"] != "20" || f.Meta()["mean"] != "[0.485, 0.456, 0.406]" {
			t.Errorf("%s: metadata %v", network, f.Meta())
		}
	}
}

// TestDamageIsFound: no bit of the weights or of their description changes unseen.
func TestDamageIsFound(t *testing.T) {
	s := tinyShape()
	e := &Encoder{Shape: s, Features: 16, Tensors: drawn(t, s), Network: Online}
	e.Sight.Size, e.Sight.Part, e.Sight.Whole, e.Sight.Cubic, e.Sight.Quantum = 8, 7, 8, -0.5, 1024
	var b bytes.Buffer
	if err := e.WriteSafetensors(&b); err != nil {
		t.Fatal(err)
	}
	counters := bytes.Index(b.Bytes(), []byte("}}")) // then the header ends, and the counters, which are no weights, begin
	for i := counters + 2 + 8*len(e.Tensors); i < b.Len(); i += 97 {
		damaged := bytes.Clone(b.Bytes())
		damaged[i] ^= 0x10
		if _, _, err := readBytes(damaged); err == nil {
			t.Fatalf("byte %d of %d was flipped, and the file is read", i, b.Len())
		}
	}
	for _, key := range []string{"architecture", "width", "image_size", "crop_ratio", "interpolation", "antialias", "mean",
		"weights_sha256", "byol_encoder"} {
		for _, value := range []string{"", "9999", "x", "[1]"} {
			meta := e.Metadata()
			meta[key] = value
			var b bytes.Buffer
			if err := safetensors.Write(&b, e.Tensors, meta); err != nil {
				t.Fatal(err)
			}
			if _, known, err := readBytes(b.Bytes()); known && err == nil {
				t.Errorf("%s is %q, and the file is read", key, value)
			}
		}
	}
}

// TestFit: which tensors are an encoder of a shape, and what is said of others.
func TestFit(t *testing.T) {
	s := tinyShape()
	float := func(name string, values ...float32) safetensors.Tensor {
		return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{len(values)}, Data: vector.Bytes(values)}
	}
	set := func(name string, i int, x float64) func([]safetensors.Tensor) []safetensors.Tensor {
		return func(l []safetensors.Tensor) []safetensors.Tensor {
			at := slices.IndexFunc(l, func(t safetensors.Tensor) bool { return t.Name == name })
			l[at].Data = bytes.Clone(l[at].Data)
			copy(l[at].Data[4*i:], vector.Bytes([]float32{float32(x)}))
			return l
		}
	}
	for _, c := range []struct {
		name   string
		change func([]safetensors.Tensor) []safetensors.Tensor
		want   string // of the error; "" for none
	}{
		{"as it is", slices.Clone[[]safetensors.Tensor], ""},
		{"other order", func(l []safetensors.Tensor) []safetensors.Tensor { slices.Reverse(l); return l }, ""},
		{"torchvision's classifier and counters", func(l []safetensors.Tensor) []safetensors.Tensor {
			return append(l, float("fc.weight", 1, 2), float("fc.bias", 1), float("bn1.num_batches_tracked", 3))
		}, ""},
		{"one lacks", func(l []safetensors.Tensor) []safetensors.Tensor { return l[1:] },
			"matched 29 of 30 tensors of tiny, cifar stem: conv1.weight is missing, want [8 3 3 3]"},
		{"one more", func(l []safetensors.Tensor) []safetensors.Tensor { return append(l, float("head", 1, 2)) },
			"matched 30 of 30 tensors of tiny, cifar stem: head: have [2], which the network lacks"},
		{"other shapes", func(l []safetensors.Tensor) []safetensors.Tensor {
			for i := range l[:6] {
				l[i].Shape = []int{1, 2}
			}
			return l
		}, "matched 24 of 30 tensors of tiny, cifar stem: conv1.weight: have [1 2], want [8 3 3 3]; " +
			"bn1.weight: have [1 2], want [8]; bn1.bias: have [1 2], want [8]; and 3 more"},
		{"other type", func(l []safetensors.Tensor) []safetensors.Tensor { l[1].DType = safetensors.I64; return l },
			"matched 29 of 30 tensors of tiny, cifar stem: bn1.weight: have I64, want F32"},
		{"not a number", set("layer1.0.conv1.weight", 5, math.NaN()), "layer1.0.conv1.weight: value 5 of 576 is NaN"},
		{"infinite", set("bn1.bias", 0, math.Inf(-1)), "bn1.bias: value 0 of 8 is -Inf"},
		{"negative variance", set("bn1.running_var", 2, -1), "bn1.running_var: value 2 of 8 is -1"},
		{"negative mean", set("bn1.running_mean", 2, -1), ""},
	} {
		fitted, err := s.Fit(c.change(drawn(t, s)))
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if c.want == "" && len(fitted) != 30 {
			t.Errorf("%s: %d tensors", c.name, len(fitted))
		}
	}
}

// TestOtherShapesAreNamed: weights of another network, width or stem are recognised.
func TestOtherShapesAreNamed(t *testing.T) {
	for _, c := range []struct{ have, want Shape }{
		{Shape{Arch: "resnet20", Width: 1, Stem: arch.CIFAR}, Shape{Arch: "resnet56", Width: 1, Stem: arch.CIFAR}},
		{Shape{Arch: "tiny", Width: 3, Stem: arch.CIFAR}, tinyShape()},
		{Shape{Arch: "tiny", Width: 1, Stem: arch.ImageNet}, tinyShape()},
	} {
		c.have.Padding, c.have.ImageSize = "same", 32
		c.want.Padding, c.want.ImageSize = "same", 32
		_, err := c.want.Fit(drawn(t, c.have))
		var m *MismatchError
		if !errors.As(err, &m) || m.Other == nil || *m.Other != c.have {
			t.Errorf("%s for %s: %v", c.have, c.want, err)
		}
	}
	if _, err := tinyShape().Fit(nil); err == nil {
		t.Error("nothing fits")
	}
	if _, err := (Shape{Arch: "resnet19", Width: 1}).Fit(nil); err == nil {
		t.Error("an unknown network fits")
	}
}

// TestTorchvisionNames: the names and counts that torchvision has, less its classifier and the counters.
func TestTorchvisionNames(t *testing.T) {
	for name, want := range map[string]struct{ names, values int }{
		// 62, 110, 161, … parameters, and two statistics of each batch norm.
		"resnet18": {60 + 2*20, 11_176_512 + 2*4800}, "resnet34": {108 + 2*36, 21_284_672 + 2*8512},
		"resnet50": {159 + 2*53, 23_508_032 + 2*26_560}, "resnet101": {312 + 2*104, 42_500_160 + 2*52_672},
	} {
		places, err := Shape{Arch: name, Width: 1, Stem: arch.ImageNet, ImageSize: 224}.places()
		if err != nil {
			t.Fatal(err)
		}
		values := 0
		for _, p := range places {
			n := 1
			for _, d := range p.shape {
				n *= d
			}
			values += n
		}
		if len(places) != want.names || values != want.values {
			t.Errorf("%s: %d tensors of %d values, want %+v", name, len(places), values, want)
		}
	}
}

// TestForeignFiles: a file without a description of ours is read as it is, and one that is none says so.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "resnet.safetensors")
	tensors := drawn(t, tinyShape())
	var b bytes.Buffer
	if err := safetensors.Write(&b, append(tensors, safetensors.Tensor{Name: "fc.bias", DType: safetensors.F32,
		Shape: []int{1}, Data: make([]byte, 4)}), map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	e, known, err := Open(path)
	if err != nil || known || len(e.Tensors) != len(tensors) {
		t.Errorf("%v tensors, known %v, %v", e, known, err)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "none")} {
		if _, _, err := Open(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := os.WriteFile(path, []byte("PK\x03\x04 a zip, as torch.save writes it"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path); !errors.Is(err, safetensors.ErrFormat) {
		t.Errorf("a zip: %v", err)
	}
}

// TestAugmentOf: what is written of a training's augmentation can be read as one, with the options that were chosen.
func TestAugmentOf(t *testing.T) {
	c := &pb.RunConfig{Augment: "byol-noblur,min-area=0.2", AugmentHue: "0.03", AugmentBlur: "0.5,0",
		AugmentArea: "0.3,0.9"}
	text := augmentOf(c)
	got, err := views.ParseAugment(text, 32)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range c.AugmentOptions() {
		if got.Option(name) != want {
			t.Errorf("%s: %s is %s, want %s", text, name, got.Option(name), want)
		}
	}
}

// TestFromCheckpointRefuses: a checkpoint whose tensors or configuration are not an encoder's.
func TestFromCheckpointRefuses(t *testing.T) {
	for name, state := range map[string]checkpoint.State{
		"no configuration": {Config: "{}"}, "not JSON": {Config: "x"},
		"no tensors": {Config: `{"arch":"tiny","imageSize":8,"augment":"byol"}`},
	} {
		info, err := checkpoint.Save(t.TempDir(), state)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := FromCheckpoint(info.Path, Online, ""); !errors.Is(err, checkpoint.ErrInvalid) ||
			!strings.Contains(err.Error(), info.Path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCard: the card has what decides features and figures, and says nothing of where things lie here.
func TestCard(t *testing.T) {
	r := train(t, tinyShape(), 1)
	e := r.read(t, Online)
	for name, use := range map[string]string{"encoder.safetensors": `load_encoder("encoder.safetensors")`,
		"encoder.onnx": `InferenceSession("encoder.onnx")`} {
		card := e.Card(name, r.config, []Figure{{"k-NN top-1", "86.9 %"}})
		for _, want := range []string{e.Digest(), e.StateSHA256, e.Preprocessing(), "| k-NN top-1 | 86.9 % |", use,
			"photos, 1234 images", "tiny, cifar stem", "License: none is given"} {
			if !strings.Contains(card, want) {
				t.Errorf("the card of %s lacks %q:\n%s", name, want, card)
			}
		}
		if strings.Contains(card, "secret") {
			t.Errorf("the card names a folder of this machine:\n%s", card)
		}
		if !IsCard(card, name) || IsCard(card, "x"+name) || IsCard("# My project", name) {
			t.Errorf("%s: cards are not told from other texts", name)
		}
	}
	plain := &Encoder{Shape: Shape{Arch: "resnet18", Width: 1, Stem: arch.ImageNet, Padding: "symmetric"}}
	if card := plain.Card("e.safetensors", r.config, nil); !strings.Contains(card, "torchvision.models.resnet18()") {
		t.Errorf("torchvision's network is not named:\n%s", card)
	}
	if d := cmp.Diff(e, r.read(t, Online), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("writing a card changed the encoder:\n%s", d)
	}
}
