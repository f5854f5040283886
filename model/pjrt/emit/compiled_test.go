package emit_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"byol/model/pjrt/capi"
	"byol/model/pjrt/pjrttest"
)

// compiled compiles a program, or loads what an earlier run of tests compiled of the same text, options and plugin.
func compiled(t testing.TB, c *capi.Client, text string, o capi.CompileOptions) *capi.Executable {
	t.Helper()
	library, err := c.Plugin().Digest()
	if err != nil {
		t.Fatal(err)
	}
	name := sha256.Sum256(slices.Concat(library[:], []byte(fmt.Sprint(o.XLA)), []byte(text)))
	path := filepath.Join(pjrttest.Programs(), fmt.Sprintf("%x.compiled", name[:16]))
	if all, err := os.ReadFile(path); err == nil && len(all) > sha256.Size {
		if seal := sha256.Sum256(all[sha256.Size:]); bytes.Equal(seal[:], all[:sha256.Size]) {
			if x, err := c.Load(all[sha256.Size:]); err == nil {
				return x
			}
		}
	}
	x, err := c.Compile([]byte(text), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if code, err := x.Serialize(); err == nil {
		seal := sha256.Sum256(code)
		if os.MkdirAll(pjrttest.Programs(), 0o700) == nil {
			_ = os.WriteFile(path, slices.Concat(seal[:], code), 0o600) // else the next run compiles it again
		}
	}
	return x
}
