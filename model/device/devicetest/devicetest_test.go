package devicetest

import (
	"testing"

	"byol/model/device/reference"
)

func TestReference(t *testing.T)   { Run(t, reference.New(32)) }
func TestReference64(t *testing.T) { Run(t, reference.New(64)) }
