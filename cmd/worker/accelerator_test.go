package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"byol/internal/failure"
	"byol/model/pjrt"
	"byol/model/pjrt/find"
	"byol/model/pjrt/pjrttest"
	"byol/worker"
)

// TestOpenAccelerator opens an engine on a real plugin, by each way to ask for one.
func TestOpenAccelerator(t *testing.T) {
	path := pjrttest.Path(t, pjrttest.CPU115)
	t.Setenv("PATH", t.TempDir())
	t.Setenv(asProgram, "1")
	for _, c := range []struct {
		device, plugin string
		note           string // "": it fails
	}{
		{"pjrt:" + path, "", "device pjrt:cpu: cpu, number 3 of 4, by " + path + " (API 0.115)"},
		{"pjrt", path, "device pjrt:cpu: cpu, number 3 of 4"},
		{"auto", path, "device pjrt:cpu: cpu, number 3 of 4"},
		{"auto", "/none/p.so", "the plugin /none/p.so cannot be loaded"},
		{"cuda", path, ""},
	} {
		var notes []string
		o := opener{&accelerator{plugin: c.plugin, index: -1}, 7, func(s string) { notes = append(notes, s) }}
		precision := "bf16"
		if c.device == "auto" { // which may end with the processor
			precision = "fp32"
		}
		e, err := o.open(t.Context(), worker.EngineOptions{Name: c.device, Threads: 1, Precision: precision})
		if c.note == "" {
			var f *failure.Failure
			if !errors.As(err, &f) || f.Why != "the plugin "+path+" is for cpu" {
				t.Errorf("%s: %v", c.device, err)
			}
			continue
		}
		if err != nil || !strings.Contains(strings.Join(notes, "\n"), c.note) {
			t.Errorf("%s: %v, notes %q", c.device, err, notes)
			continue
		}
		if about := e.Fingerprint(); c.device != "auto" && !strings.Contains(about, "precision "+precision) {
			t.Errorf("%s: fingerprint %s", c.device, about)
		}
		if err := e.Close(); err != nil {
			t.Errorf("%s: %v", c.device, err)
		}
	}
}

// TestMemoryOptions: what is for GPUs alone is refused, or said to have no effect, where the plugin is for something
// else.
func TestMemoryOptions(t *testing.T) {
	path := pjrttest.Path(t, pjrttest.CPU115)
	t.Setenv("PATH", t.TempDir())
	t.Setenv(asProgram, "1")
	var notes []string
	o := opener{&accelerator{index: -1, fraction: 0.5}, 0, func(s string) { notes = append(notes, s) }}
	_, err := o.open(t.Context(), worker.EngineOptions{Name: "pjrt:" + path, Threads: 1})
	var f *failure.Failure
	if !errors.As(err, &f) || f.What != "--memory-fraction cannot be used with "+path ||
		f.Why != "it is for plugins of GPUs, this one is for cpu" || f.Code != failure.Usage {
		t.Errorf("a fraction: %v", err)
	}
	o.accelerator = &accelerator{index: -1, preallocate: true}
	e, err := o.open(t.Context(), worker.EngineOptions{Name: "pjrt:" + path, Threads: 1})
	if err != nil || !strings.Contains(strings.Join(notes, "\n"), "--preallocate is for plugins of GPUs") {
		t.Fatalf("to preallocate: %v, notes %q", err, notes)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestDeviceNumber gives each worker of a host a device of its own, while there are any.
func TestDeviceNumber(t *testing.T) {
	for _, c := range []struct {
		index, devices, rank int
		env                  string
		want                 int // −1: it fails
	}{
		{-1, 1, -1, "", 0}, {-1, 8, 3, "", 3}, {-1, 2, 3, "", 1}, {2, 8, 5, "", 2}, {8, 8, 0, "", -1},
		{-1, 8, 11, "LOCAL_RANK=5", 5}, {-1, 4, 11, "SLURM_LOCALID=5", 1}, {-1, 4, 3, "LOCAL_RANK=many", 3},
		{1, 4, 3, "LOCAL_RANK=0", 1},
	} {
		a := accelerator{index: c.index}
		got, err := a.number(c.devices, c.rank, func(name string) (string, bool) {
			key, value, _ := strings.Cut(c.env, "=")
			return value, key == name
		})
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
}

// TestOpenGone: what has vanished between a look and its use is an error in words.
func TestOpenGone(t *testing.T) {
	a := &accelerator{index: -1}
	r := &find.Report{Candidate: find.Candidate{Path: "/none/p.so"}, Devices: []find.Device{{}}}
	_, err := a.open(r, -1, pjrt.Options{}, teller{note: func(string) {}})
	var f *failure.Failure
	if !errors.As(err, &f) || !strings.Contains(f.Why, "cannot be loaded") || f.Try == "" {
		t.Errorf("%v", err)
	}
}

func TestProgress(t *testing.T) {
	var notes []string
	at := time.Unix(0, 0)
	shown := map[string]bool{}
	tell := teller{func(s string) { notes = append(notes, s) }, func(s string) { shown[s] = true }}.
		progress(func() time.Time { return at })
	for done := range 11 {
		tell(done, 10)
		at = at.Add(3 * time.Second)
	}
	want := "compiled 2 of 10 programs, 24s to go|compiled 4 of 10 programs, 18s to go|" +
		"compiled 6 of 10 programs, 12s to go|compiled 8 of 10 programs, 6s to go|compiled 10 programs"
	if got := strings.Join(notes, "|"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if len(shown) != 11 || !shown["compiled 0 of 10 programs"] || !shown["compiled 1 of 10 programs, 27s to go"] ||
		!shown[""] {
		t.Errorf("shown were %v", shown)
	}
}
