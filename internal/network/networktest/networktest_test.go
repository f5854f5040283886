package networktest

import (
	"testing"

	"byol/internal/network"
)

func TestSystem(t *testing.T) {
	Run(t, func(t *testing.T, exam func(*testing.T, Place)) {
		exam(t, Place{Listener: network.System{}, Dialer: network.System{}, Address: "127.0.0.1:0"})
	})
}
