package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"byol/model/pjrt/pjrttest"
)

// TestAccelerator takes steps on a plugin: what they are made of is counted, and what the host did is accounted for.
func TestAccelerator(t *testing.T) {
	path := pjrttest.Path(t, pjrttest.CPU115)
	b, err := parse(strings.Fields("-image-size 8 -batch 2 -hidden 8 -projection 4 -steps 2 -warm-up 1 -precision bf16 " +
		"-device pjrt:" + path))
	if err != nil {
		t.Fatal(err)
	}
	device, err := b.openPlugin(path)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	cfg := b.config()
	cfg.Arch, cfg.Block, cfg.Blocks, cfg.BaseWidth = "custom", "basic", []int{1}, 2
	work, err := newAcceleratorTrial(t.Context(), device, cfg)
	if err != nil {
		t.Fatal(err)
	}
	measured, err := b.measure(t.Context(), work, device.Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var r result
	if err := errors.Join(measured.print(&out, true), json.Unmarshal(out.Bytes(), &r)); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	a := r.Accelerator
	if r.ImagesPerSecond <= 0 || a == nil || !strings.Contains(r.Device, "precision bf16") {
		t.Fatalf("%s", &out)
	}
	// Of 5 norms of the online network, 4 of the target's, and 5 backward; and of the losses and the update.
	if a.Launches < 14 || a.Waits < 14 || a.UpMiB <= 0 || a.DownMiB <= 0 || a.ProgramsSeconds <= 0 {
		t.Errorf("a step has %+v", *a)
	}
	all := 0.0
	for _, what := range accounts {
		if r.Phases[what] <= 0 {
			t.Errorf("no time for %s: %v", what, r.Phases)
		}
		all += r.Phases[what]
	}
	if all > 1.000001 || len(r.Phases) != len(accounts) {
		t.Errorf("the host spent %v of the steps: %v", all, r.Phases)
	}
	out.Reset()
	if err := measured.print(&out, false); err != nil || !strings.Contains(out.String(), "waits ") ||
		!strings.Contains(out.String(), " programs launched, ") {
		t.Errorf("%v: %s", err, &out)
	}
}
