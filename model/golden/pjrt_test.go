package golden_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"byol/model/engine"
	"byol/model/pjrt"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/pjrttest"
)

// TestPJRT: the programs for accelerators on XLA's CPU plugin. Most of its time goes to compiling, so bf16 and the
// other files are for BYOL_LONG=1.
func TestPJRT(t *testing.T) {
	plugin, err := capi.Open(pjrttest.Path(t, pjrttest.CPU115))
	if err != nil {
		t.Fatal(err)
	}
	precisions, check := []emit.Precision{emit.FP32, emit.BF16}, verifyAll
	if os.Getenv("BYOL_LONG") == "" {
		precisions = precisions[:1]
		check = func(t *testing.T, eng engine.Engine) { verify(t, eng, "testdata/byol-basic.safetensors") }
	}
	for _, precision := range precisions {
		c, err := plugin.NewClient(capi.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cache := filepath.Join(os.TempDir(), fmt.Sprintf("byol-programs-%d", os.Getuid()))
		e, err := pjrt.New(c, c.Devices()[0], pjrt.Options{Precision: precision, Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		check(t, e)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
