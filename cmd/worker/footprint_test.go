package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/failure"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/find"
	pb "byol/proto"
)

func small(device string) *pb.RunConfig {
	return &pb.RunConfig{Arch: "resnet20", Width: 1, Stem: "cifar", Padding: "symmetric", ImageSize: 24,
		ProjectorHidden: 64, ProjectorOut: 32, PredictorHidden: 64, BatchNorm: "sync", BatchSize: 32, Shards: 8, Samples: 100,
		Device: device}
}

// asked is what the command answers.
func asked(t *testing.T, cfg *pb.RunConfig) *pb.Footprint {
	t.Helper()
	text, err := protojson.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := rootCommand()
	root.SetArgs([]string{"footprint"})
	root.SetIn(bytes.NewReader(text))
	root.SetOut(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &pb.Footprint{}
	if err := protojson.Unmarshal(out.Bytes(), f); err != nil {
		t.Fatalf("%s: %v", out.String(), err)
	}
	return f
}

// TestFootprint is what a coordinator is told before it starts workers.
func TestFootprint(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no plugin is found
	t.Setenv("HOME", t.TempDir())
	t.Setenv(pluginVariable, "")
	t.Setenv(asProgram, "1")
	for _, device := range []string{"cpu", "auto", ""} {
		f := asked(t, small(device))
		if f.Problem != nil || f.Accelerators != 0 || f.Worker.GetFixed() <= 0 || f.Worker.PerImage <= 0 {
			t.Errorf("%q: %v", device, f)
		}
	}
	if f := asked(t, small("cuda")); f.Problem.GetCode() != failure.Usage ||
		f.Problem.What != "device cuda cannot be used" || !strings.Contains(f.Problem.Why, "no plugin was found") {
		t.Errorf("without a plugin: %v", f)
	}
	if f := asked(t, small("pjrt:"+filepath.Join(t.TempDir(), "none.so"))); f.Problem.GetTry() == "" {
		t.Errorf("a plugin that is not there: %v", f)
	}
	half := small("auto")
	half.Precision = "bf16"
	if f := asked(t, half); !strings.Contains(f.Problem.GetWhat(), "no accelerator for --precision bf16") {
		t.Errorf("bfloat16 without an accelerator: %v", f)
	}
	unknown := small("cpu")
	unknown.Arch = "vgg"
	if f := asked(t, unknown); f.Problem.GetWhat() == "" {
		t.Errorf("a network that is not known: %v", f)
	}
	root := rootCommand()
	root.SetArgs([]string{"footprint"})
	root.SetIn(strings.NewReader("{"))
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "as JSON") {
		t.Errorf("a question that is none: %v", err)
	}
}

// TestFootprintOfAccelerators: one worker for each, whose activations are on the smallest of them; XLA's processor has
// the machine's memory.
func TestFootprintOfAccelerators(t *testing.T) {
	gpus := &find.Report{Candidate: find.Candidate{Path: "/p.so"}, Name: "cuda",
		Devices: []find.Device{{Kind: "H100", Memory: 80 << 30}, {Kind: "H100", Memory: 70 << 30}}}
	f, err := onAccelerator(small("cuda"), gpus, emit.FP32)
	if err != nil {
		t.Fatal(err)
	}
	if f.Accelerators != 2 || f.AcceleratorMemory != 70<<30 || f.OnAccelerator.GetPerImage() <= 0 ||
		f.Worker.PerShard <= 0 || f.Device != "2 times H100 by the plugin /p.so" {
		t.Errorf("%v", f)
	}
	own, err := onAccelerator(small("pjrt"), &find.Report{Name: "cpu", Devices: make([]find.Device, 4)}, emit.FP32)
	if err != nil {
		t.Fatal(err)
	}
	if own.Accelerators != 4 || own.OnAccelerator != nil || own.Worker.PerImage <= f.OnAccelerator.PerImage {
		t.Errorf("%v", own)
	}
	half, err := onAccelerator(small("cuda"), gpus, emit.BF16)
	if err != nil || half.OnAccelerator.PerImage >= f.OnAccelerator.PerImage {
		t.Errorf("bfloat16 takes %v, float32 %v: %v", half.OnAccelerator, f.OnAccelerator, err)
	}
}
