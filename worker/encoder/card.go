package encoder

import (
	"fmt"
	"path"
	"strings"

	pb "byol/proto"
)

// Figure is something that was measured, as the card says it.
type Figure struct{ Name, Value string }

// cardMark is in every card, with the file's name behind it, so that no other README is taken for one.
const cardMark = "<!-- byol: model card of "

// IsCard reports whether a text is a card of the file called name.
func IsCard(text, name string) bool { return strings.Contains(text, cardMark+name+" -->") }

// Card is the model card of the encoder in the file called name, in Markdown with the head that model hubs read. c is
// the configuration that trained it.
func (e *Encoder) Card(name string, c *pb.RunConfig, figures []Figure) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("---\ntags: [byol, self-supervised, image-feature-extraction]\nlicense: other\n---")
	line("%s%s -->", cardMark, name)
	line("# %s, trained by BYOL\n", e.Shape)
	line("The %s encoder of the run `%s` after %d of %d steps: %d values, %d features of an image. It was trained "+
		"without labels, by BYOL (Grill et al. 2020), with byol %s.\n",
		e.Network, e.Run, e.Step, c.GetTotalSteps(), e.Values(), e.Features, e.Version)
	line("License: none is given here. That is for whoever publishes it, and for what the data allow.\n")
	e.cardImages(line)
	e.cardData(line, c)
	if len(figures) > 0 {
		line("## Figures\n\n| measured | value |\n|---|---|")
		for _, f := range figures {
			line("| %s | %s |", f.Name, f.Value)
		}
		line("")
	}
	e.cardUse(line, name)
	line("## Identity\n\n| | |\n|---|---|\n| weights_sha256 | `%s` |\n| state_sha256 of the checkpoint | `%s` |",
		e.Digest(), e.StateSHA256)
	return b.String()
}

// cardImages says what an image goes through.
func (e *Encoder) cardImages(line func(string, ...any)) {
	line("## Images\n\nFeatures are of images that were prepared so, and of no others: %s.\n", e.Preprocessing())
	line("torchvision's usual Resize and CenterCrop give other features; the file's metadata have all the numbers.\n")
}

// cardData says what it was trained on, and how.
func (e *Encoder) cardData(line func(string, ...any), c *pb.RunConfig) {
	line("## Training\n\n| setting | value |\n|---|---|")
	for _, row := range []struct {
		name  string
		value any
	}{
		{"data", fmt.Sprintf("%s, %d images", path.Base(strings.TrimSuffix(c.GetData(), "/")), c.GetSamples())},
		{"manifest of the data", c.GetManifestHash()},
		{"image size", c.GetImageSize()}, {"augmentation", augmentOf(c)}, {"epochs", c.GetEpochs()},
		{"batch size", c.GetBatchSize()}, {"shards", c.GetShards()}, {"base learning rate", c.GetBaseLr()},
		{"weight decay", c.GetWeightDecay()}, {"base decay of the target", c.GetBaseTau()},
		{"warm-up", fmt.Sprintf("%d of %d steps", c.GetWarmupSteps(), c.GetTotalSteps())},
		{"batch norm", c.GetBatchNorm()}, {"projector", fmt.Sprintf("%d, %d", c.GetProjectorHidden(), c.GetProjectorOut())},
		{"predictor", fmt.Sprintf("%d, %d", c.GetPredictorHidden(), c.GetProjectorOut())}, {"seed", c.GetSeed()},
	} {
		line("| %s | %v |", row.name, row.value)
	}
	line("")
}

// cardUse says how to load it.
func (e *Encoder) cardUse(line func(string, ...any), name string) {
	line("## Use\n")
	if strings.HasSuffix(name, ".onnx") {
		line("```python\nimport onnxruntime\nsession = onnxruntime.InferenceSession(%q)\n"+
			"features = session.run(None, {%q: images})[0]  # images: float32 [N, 3, %d, %d], prepared as above\n```\n",
			name, InputName, e.Sight.Size, e.Sight.Size)
		return
	}
	if e.torchvision() {
		line("```python\nimport torch, torchvision\nfrom safetensors.torch import load_file\n"+
			"net = torchvision.models.%s()\nnet.fc = torch.nn.Identity()\nnet.load_state_dict(load_file(%q))\nnet.eval()\n```\n",
			e.Arch, name)
	}
	line("byol's package for Python, or its python/byol/encoder.py alone, builds the network of any such file and "+
		"prepares images as its metadata say:\n\n```python\nfrom byol import load_encoder\n"+
		"encoder, prepare = load_encoder(%q)\n"+
		"features = encoder(prepare(\"photo.jpg\")[None])\n```\n", name)
}

// torchvision reports whether torchvision has the network by this name.
func (e *Encoder) torchvision() bool {
	switch e.Arch {
	case "resnet18", "resnet34", "resnet50", "resnet101", "resnet152":
		return e.Stem == "imagenet" && e.Padding == "symmetric" && e.Width == 1
	}
	return false
}
