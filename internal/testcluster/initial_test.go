package testcluster

import (
	"os"
	"path/filepath"
	"testing"

	"byol/coordinator"
	"byol/internal/network/memory"
	"byol/worker/checkpoint"
	"byol/worker/encoder"
)

// encoderOf is the encoder of a short run, and a file of it.
func encoderOf(t *testing.T) (*encoder.Encoder, string) {
	t.Helper()
	first := run(t, Options{Config: Tiny(3), Workers: 1})
	given, _, err := encoder.FromCheckpoint(first.Newest.Path, encoder.Online, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "init.safetensors")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := given.WriteSafetensors(f); err != nil {
		t.Fatal(err)
	}
	return given, file
}

// TestSameBitsFromAnEncoder: any number of workers that start from a given encoder end with the same bits, also on
// hosts of their own, which get it from the coordinator; and they go on from where the encoder was.
func TestSameBitsFromAnEncoder(t *testing.T) {
	given, file := encoderOf(t)
	cfg := Tiny(2)
	plain := run(t, Options{Config: cfg, Workers: 2}).Newest.StateSHA256
	cfg.InitSha256 = given.Digest()
	want := ""
	for _, o := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 4}, {Workers: 2, Host: memory.New().Host}} {
		o.Config, o.InitFile = cfg, file
		got := run(t, o).Newest.StateSHA256
		if want == "" {
			want = got
		}
		if got != want || got == plain {
			t.Errorf("%d workers, hosts %v: %s, want %s, and not %s of the seed", o.Workers, o.Host != nil, got, want, plain)
		}
	}
	cfg.MaxSteps = 1 // whose learning rate is 0: both encoders are as they were given
	r := run(t, Options{Config: cfg, InitFile: file, Workers: 2})
	for _, network := range []string{encoder.Online, encoder.Target} {
		e, _, err := encoder.FromCheckpoint(r.Newest.Path, network, "")
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Tensors[0].Data) != string(given.Tensors[0].Data) {
			t.Errorf("the %s network does not begin with the given weights", network)
		}
	}
	if _, err := checkpoint.Verify(r.Newest.Path); err != nil {
		t.Error(err)
	}
}

// TestAnEncoderThatIsNotThere: a coordinator whose file holds something else, or is gone, trains nothing.
func TestAnEncoderThatIsNotThere(t *testing.T) {
	cfg := Tiny(2)
	cfg.InitSha256, cfg.FailureTimeoutSeconds = "0123", 0.3
	file := filepath.Join(t.TempDir(), "init.safetensors")
	if err := os.WriteFile(file, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := try(t, Options{Config: cfg, InitFile: file, Workers: 1}); r.Err() == nil || r.Newest.Path != "" {
		t.Errorf("got %v, checkpoint %q", r.Err(), r.Newest.Path)
	}
}

// TestCoordinatorsShareAnEncoder: of three coordinators one alone still has the encoder, and whoever leads gives it to
// workers that need it: those that begin, and those that begin anew under another leader, as nothing was committed yet.
// The bits are those of a run with one coordinator.
func TestCoordinatorsShareAnEncoder(t *testing.T) {
	given, file := encoderOf(t)
	cast := func(coordinators int, script string) drama {
		d := scenario{script: script}.drama(t, coordinators)
		d.config.InitSha256, d.config.MaxSteps, d.config.EvalData = given.Digest(), 4, ""
		d.coordinator = func(o *coordinator.Options) {
			if o.InitFile = file; coordinators > 1 && o.NodeID != "coordinator-1" {
				o.InitFile = filepath.Join(o.RunDir, "gone")
			}
		}
		return d
	}
	var want proof
	inBubble(t, cast(1, ""), func(t *testing.T, p *play) { want = p.prove(t) })
	for _, script := range []string{"kill leader at=elected for=6s", "kill worker-0 at=proposed for=3s; " +
		"kill worker-1 at=proposed for=3s; kill worker-2 at=proposed for=3s; kill leader at=propose for=6s"} {
		inBubble(t, cast(3, script), func(t *testing.T, p *play) {
			if differs := apart(want, p.prove(t)); differs != "" {
				t.Errorf("%q: other bits than with one coordinator: %s", script, differs)
			}
		})
	}
}
