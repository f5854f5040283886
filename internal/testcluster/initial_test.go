package testcluster

import (
	"os"
	"path/filepath"
	"testing"

	"byol/internal/network/memory"
	"byol/worker/checkpoint"
	"byol/worker/encoder"
)

// TestSameBitsFromAnEncoder: any number of workers that start from a given encoder end with the same bits, also on
// hosts of their own, which get it from the coordinator; and they go on from where the encoder was.
func TestSameBitsFromAnEncoder(t *testing.T) {
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
	if err := given.WriteSafetensors(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
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
