package memlink

import (
	"testing"

	"byol/allreduce/link"
	"byol/allreduce/linktest"
)

func TestLink(t *testing.T) {
	linktest.Run(t, func(_ *testing.T, opts link.Options) (a, b link.Link) { return Pair(opts) })
}
