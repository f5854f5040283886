package golden_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/golden"
)

// verifyAll checks both files on dev.
func verifyAll(t *testing.T, dev device.Device) {
	files, err := filepath.Glob("testdata/byol-*.safetensors")
	if err != nil || len(files) != 2 {
		t.Fatalf("golden files: %v, %v, want 2", files, err)
	}
	for _, path := range files {
		t.Run(dev.Name()+"/"+filepath.Base(path), func(t *testing.T) {
			var out bytes.Buffer
			r, err := golden.Verify(context.Background(), path, dev, &out)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("outputs %.1e gradients %.1e final %.1e losses %.1e norms %.1e schedule %.1e, worst %s, %d compared",
				r.Outputs, r.Gradients, r.Final, r.Losses, r.Norms, r.Schedule, r.Worst, r.Compared)
			if !r.OK {
				t.Errorf("past the tolerance:\n%s", out.String())
			}
			if lines := strings.Count(out.String(), "\n"); lines != r.Compared || lines < 300 {
				t.Errorf("printed %d lines, compared %d entries, want equal and at least 300", lines, r.Compared)
			}
		})
	}
}

func TestReference64(t *testing.T) { verifyAll(t, reference.New(64)) }

func TestReference32(t *testing.T) { verifyAll(t, reference.New(32)) }

// biased is a device with a small fault in one kernel.
type biased struct {
	device.Device
}

func (b biased) BatchNormApply(a device.BatchNorm) {
	for j := range a.InvStd {
		a.InvStd[j] *= 1 + 1e-5
	}
	b.Device.BatchNormApply(a)
}

func TestFaultIsFound(t *testing.T) {
	for _, bits := range []int{64, 32} {
		var out bytes.Buffer
		r, err := golden.Verify(context.Background(), "testdata/byol-basic.safetensors", biased{reference.New(bits)}, &out)
		if err != nil {
			t.Fatal(err)
		}
		if r.OK || !strings.Contains(out.String(), "TOO FAR") || r.Worst == "" {
			t.Errorf("%d bits: a normalisation wrong by 1e-5 passes: %+v", bits, r)
		}
	}
}

func TestBadFiles(t *testing.T) {
	good, err := os.ReadFile("testdata/byol-basic.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "too short"},
		{"truncated", good[:len(good)-4], "truncated"},
		{"config", bytes.Replace(good, []byte(`"config"`), []byte(`"fonfig"`), 1), "metadata config"},
		{"steps", bytes.Replace(good, []byte(`\"steps\": 6`), []byte(`\"steps\": 7`), 1), "6 entries in the log of 7 steps"},
		{"block", bytes.Replace(good, []byte(`\"block\": \"basic\"`), []byte(`\"block\": \"basil\"`), 1),
			"want basic or bottleneck"},
		{"name", bytes.Replace(good, []byte("init/online/classifier.bias"), []byte("init/online/classifier.bios"), 1),
			`"online/classifier.bias" is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.safetensors")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := golden.Verify(context.Background(), path, reference.New(32), &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
