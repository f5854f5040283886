package pjrt_test

import (
	"os"
	"testing"

	"byol/model/engine"
	"byol/model/engine/enginetest"
	"byol/model/pjrt"
)

// TestExam: what every engine has to keep. It takes minutes of compiling the first time.
func TestExam(t *testing.T) {
	if os.Getenv("BYOL_LONG") == "" {
		t.Skip("compiling takes minutes; make long runs it")
	}
	enginetest.Run(t, func() engine.Engine { return open(t, pjrt.Options{}) })
}
