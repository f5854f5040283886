package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byol/internal/bench/measure"
)

const tiny = "-arch resnet20 -image-size 8 -batch 2 -hidden 8 -projection 4 -steps 1 -warm-up 0 -threads 1 "

// counting is a clock on which each look takes a millisecond, so that shares do not depend on the machine.
func counting() func() time.Time {
	now := time.Unix(1000, 0)
	return func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}
}

// TestStep takes a step of either part on either device and reads the result as another program does.
func TestStep(t *testing.T) {
	parameters := map[string]int{}
	for _, c := range []struct {
		part, args string
		batch      int
	}{
		{"byol", "", 2},
		{"byol", "-batch 4 -shards 2 -steps 2 -warm-up 1", 4},
		{"byol", "-device reference", 2},
		{"byol", "-kernels direct", 2},
		{"encoder", "", 2},
		{"encoder", "-device reference -stem imagenet", 2},
	} {
		var out bytes.Buffer
		profile := filepath.Join(t.TempDir(), "cpu.prof")
		args := strings.Fields(tiny + "-json -profile " + profile + " -part " + c.part + " " + c.args)
		if err := run(context.Background(), args, &out, counting()); err != nil {
			t.Fatalf("%s %s: %v", c.part, c.args, err)
		}
		if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
			t.Errorf("%s %s: profile: %v", c.part, c.args, err)
		}
		var r result
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%s %s: %v\n%s", c.part, c.args, err, &out)
		}
		if r.Part != c.part || r.Batch != c.batch || r.Phases["backward"] <= 0 || r.Phases["forward"] <= 0 ||
			math.Abs(r.ImagesPerSecond*r.StepSeconds-float64(c.batch)) > 1e-6 {
			t.Errorf("%s %s: %+v", c.part, c.args, r)
		}
		all := 0.0
		for _, share := range r.Phases {
			all += share
		}
		if all > 1.000001 || all < 0.5 {
			t.Errorf("%s %s: phases take %v of the steps: %v", c.part, c.args, all, r.Phases)
		}
		if c.args == "" {
			parameters[c.part] = r.Parameters
		}
	}
	if parameters["encoder"] >= parameters["byol"] || parameters["encoder"] == 0 {
		t.Errorf("the encoder has %d parameters, all of it %d", parameters["encoder"], parameters["byol"])
	}
}

func TestTextSaysTheSame(t *testing.T) {
	r := result{Device: "dev", Arch: "resnet20", ImageSize: 8, Batch: 4, Shards: 2, Parameters: 77, ImagesPerSecond: 8,
		StepSeconds: 0.5, Phases: map[string]float64{"forward": 0.25, "update": 0.125}}
	var out bytes.Buffer
	if err := r.print(&out, false); err != nil {
		t.Fatal(err)
	}
	const want = "dev resnet20 8 px, batch 4 in 2 shards, 77 parameters: 8.00 images/s, 500.0 ms/step\n" +
		"forward 25.0 %, backward 0.0 %, sync 0.0 %, sum 0.0 %, update 12.5 %\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-batch 3 -shards 2", "multiple of -shards"},
		{"-steps 0", "these sizes"},
		{"-image-size 7", "at least 8"},
		{"-part all", "want byol or encoder"},
		{tiny + "-profile no/such/folder/x", "-profile: open no/such/folder/x"},
		{"-part encoder -batch 3", "an even batch"},
		{"-part encoder -batch 4 -shards 2", "in one shard"},
		{"-device tpu", "want cpu, reference or pjrt:PATH"},
		{"-precision fp8", "want fp32 or bf16"},
		{"-precision bf16", "is for accelerators"},
		{"-device pjrt:/none/p.so", "/none/p.so: cannot be loaded"},
		{"-device pjrt:/none/p.so -part encoder", "for cpu and reference"},
		{"-memory-fraction 2", "between 0 and 1"},
		{"-kernels fast", "want auto or direct"},
		{"-arch resnet19", "resnet19"},
		{"-part encoder -arch resnet19", "resnet19"},
		{"now", `unknown argument "now"`},
	} {
		var errs bytes.Buffer
		code := measure.Main(context.Background(), "stepbench", &errs, func(ctx context.Context) error {
			return run(ctx, strings.Fields("-threads 1 "+c.args), &bytes.Buffer{}, time.Now)
		})
		if code != 2 || !strings.Contains(errs.String(), c.want) {
			t.Errorf("stepbench %s: exit code %d and %q, want 2 and %q", c.args, code, &errs, c.want)
		}
	}
}
